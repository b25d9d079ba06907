/* The pool (see pool.h): checkout, return, the queue. Making and ageing connections: pool_maker.c. */
#include "pg/pool.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/exec.h"
#include "pg/pool_parts.h"

enum { RESET_MS = 5000 };

/* ---- the queue; under the lock ---- */

static void push_waiter(struct pool *p, struct waiter *w)
{
    w->next = NULL;
    *p->waiters_end = w;
    p->waiters_end = &w->next;
    if (++p->stats.waiting > p->stats.most_waiting)
        p->stats.most_waiting = p->stats.waiting;
}

static bool unlink_waiter(struct pool *p, struct waiter *w)
{
    for (struct waiter **at = &p->waiters; *at; at = &(*at)->next) {
        if (*at != w)
            continue;
        *at = w->next;
        if (p->waiters_end == &w->next)
            p->waiters_end = at;
        p->stats.waiting--;
        return true;
    }
    return false;
}

static void wake(struct waiter *w)
{
    uint64_t one = 1;
    while (write(w->fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void pool_fail_waiters(struct pool *p, const struct err *why)
{
    while (p->waiters) {
        struct waiter *w = p->waiters;
        unlink_waiter(p, w);
        w->why = *why;
        wake(w);
    }
}

void pool_put(struct pool *p, struct member *m)
{
    struct waiter *w = p->waiters;
    m->idle_since = p->now();
    if (w) {
        unlink_waiter(p, w);
        m->state = MEMBER_BUSY;
        w->given = m;
        pool_count_busy(p, 1);
        wake(w);
        return;
    }
    m->state = MEMBER_IDLE;
    p->stats.idle++;
}

void pool_count_busy(struct pool *p, int change)
{
    p->stats.busy += change;
    if (p->stats.busy > p->stats.most_busy)
        p->stats.most_busy = p->stats.busy;
}

void pool_drop(struct pool *p, struct member *m)
{
    for (struct member **at = &p->members; *at; at = &(*at)->next) {
        if (*at == m) {
            *at = m->next;
            break;
        }
    }
    p->stats.size--;
    p->stats.closed++;
    pthread_cond_broadcast(&p->changed);
}

/* ---- checkout ---- */

/* The idle connection used last: its caches are warm, and the others may age. */
static struct member *take_idle(struct pool *p)
{
    struct member *best = NULL;
    for (struct member *m = p->members; m; m = m->next) {
        if (m->state == MEMBER_IDLE && (!best || m->idle_since > best->idle_since))
            best = m;
    }
    if (best) {
        best->state = MEMBER_BUSY;
        p->stats.idle--;
        pool_count_busy(p, 1);
    }
    return best;
}

static bool closed_error(struct pool *p, struct err *e)
{
    return err_set(e, ERR_POOL_CLOSED, "pool '%s' is closed", p->name);
}

/* Get a member or a place in the queue (*queued). */
static struct member *enter(struct pool *p, struct waiter *w, bool *queued, struct err *e)
{
    struct member *m = NULL;
    *queued = false;
    pthread_mutex_lock(&p->lock);
    if (p->stats.closing) {
        closed_error(p, e);
    } else if (!p->waiters && (m = take_idle(p))) {
        ;
    } else if (p->o.max_waiting && p->stats.waiting >= p->o.max_waiting) {
        p->stats.refused++;
        err_set(e, ERR_POOL_FULL, "pool '%s' is full: %d connections busy and %d checkouts waiting, which is the maximum", p->name,
                p->stats.busy, p->stats.waiting);
        err_hint(e, "hold connections for a shorter time, or give the pool a larger max or max-waiting");
    } else {
        push_waiter(p, w);
        *queued = true;
        pthread_cond_broadcast(&p->changed); /* the maker may make one more */
    }
    pthread_mutex_unlock(&p->lock);
    return m;
}

static void timeout_error(struct pool *p, int timeout_ms, struct err *e)
{
    err_init(e);
    p->stats.timeouts++;
    err_set(e, ERR_POOL_TIMEOUT, "no connection of pool '%s' became free within %d ms", p->name, timeout_ms);
    err_detail(e, "size %d of at most %d, busy %d, being made %d, still waiting %d%s%s", p->stats.size, p->o.max_size,
               p->stats.busy, p->stats.making, p->stats.waiting, p->last_error.code ? "; last connect error: " : "",
               p->last_error.code ? p->last_error.text : "");
    err_hint(e, "return connections sooner (leave the with block), or allow more of them");
}

/* Wait in the queue. On every way out the waiter is off the queue, and a connection given too late goes back. */
static struct member *wait_in_queue(struct pool *p, struct waiter *w, int timeout_ms, struct cancel *c, struct err *e)
{
    struct err why;
    err_init(&why);
    bool woken = cancel_poll(c, w->fd, POLLIN, timeout_ms, &why);
    pthread_mutex_lock(&p->lock);
    bool left = !woken && unlink_waiter(p, w);
    struct member *m = w->given;
    if (left && why.code == ERR_TIMEOUT) {
        timeout_error(p, timeout_ms, e);
    } else if (left || (!m && !w->why.code)) {
        *e = why;
    } else if (!m) {
        *e = w->why;
    } else if (why.code == ERR_CANCELLED) { /* it came in the same moment */
        pool_count_busy(p, -1);
        pool_put(p, m);
        m = NULL;
        *e = why;
    }
    if (e->code == ERR_CANCELLED)
        p->stats.cancelled++;
    pthread_mutex_unlock(&p->lock);
    return m;
}

static struct member *get_member(struct pool *p, int timeout_ms, struct cancel *c, struct err *e)
{
    struct waiter w = {.fd = -1};
    bool queued;
    err_init(&w.why);
    w.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w.fd < 0) {
        err_errno(e, errno, "no event for a checkout");
        return NULL;
    }
    struct member *m = enter(p, &w, &queued, e);
    if (queued) {
        int64_t before = clock_mono_us();
        m = wait_in_queue(p, &w, timeout_ms, c, e);
        uint64_t us = (uint64_t)(clock_mono_us() - before);
        pthread_mutex_lock(&p->lock);
        p->stats.waited += m != NULL;
        p->stats.wait_us_total += us;
        if (us > p->stats.wait_us_most)
            p->stats.wait_us_most = us;
        pthread_mutex_unlock(&p->lock);
    }
    close(w.fd);
    return m;
}

/* Close a member that is ours and replace it. */
static void discard(struct pool *p, struct member *m, bool lost)
{
    pg_close(m->conn);
    pthread_mutex_lock(&p->lock);
    pool_count_busy(p, -1);
    p->stats.lost += lost;
    pool_drop(p, m);
    pthread_mutex_unlock(&p->lock);
    free(m);
}

struct pg_conn *pool_checkout(struct pool *p, int timeout_ms, struct cancel *c, struct err *e)
{
    if (!cancel_check(c, e))
        return NULL;
    int limit = timeout_ms < 0 ? p->o.timeout_ms : timeout_ms;
    int64_t end = clock_mono_ms() + limit;
    for (;;) {
        int64_t left = end - clock_mono_ms();
        struct member *m = get_member(p, left > 0 ? (int)left : 0, c, e);
        if (!m)
            return NULL;
        if (pg_alive(m->conn)) { /* no round trip: has the server said goodbye meanwhile? */
            pthread_mutex_lock(&p->lock);
            p->stats.checkouts++;
            pthread_mutex_unlock(&p->lock);
            return m->conn;
        }
        discard(p, m, true);
    }
}

/* ---- return ---- */

static struct member *find(struct pool *p, const struct pg_conn *conn)
{
    struct member *m;
    pthread_mutex_lock(&p->lock);
    for (m = p->members; m && m->conn != conn; m = m->next)
        continue;
    pthread_mutex_unlock(&p->lock);
    return m;
}

/* What was left open is undone. false: the connection is of no more use. */
static bool clean(struct pool *p, struct pg_conn *conn)
{
    struct err e;
    enum pg_tx tx = pg_tx_state(conn);
    err_init(&e);
    if (!pg_alive(conn) || tx == PG_TX_ACTIVE || tx == PG_TX_UNKNOWN)
        return false;
    if (tx == PG_TX_IDLE)
        return true;
    pthread_mutex_lock(&p->lock);
    p->stats.rollbacks++;
    pthread_mutex_unlock(&p->lock);
    return pg_run_within(conn, "ROLLBACK", RESET_MS, &e) && pg_tx_state(conn) == PG_TX_IDLE;
}

void pool_return(struct pool *p, struct pg_conn *conn)
{
    struct member *m = find(p, conn);
    if (!m || m->state != MEMBER_BUSY)
        bug("pool '%s' got a connection back that is not out", p->name);
    bool good = clean(p, conn);
    pthread_mutex_lock(&p->lock);
    bool keep = good && !p->stats.closing && p->now() < m->dies_at;
    if (keep) {
        pool_count_busy(p, -1);
        pool_put(p, m);
    }
    pthread_mutex_unlock(&p->lock);
    if (!keep)
        discard(p, m, !good);
}

void pool_stats(struct pool *p, struct pool_stats *out)
{
    pthread_mutex_lock(&p->lock);
    *out = p->stats;
    out->min_size = p->o.min_size;
    out->max_size = p->o.max_size;
    pthread_mutex_unlock(&p->lock);
}

const char *pool_name(const struct pool *p) { return p->name; }
