/* The pool (see pool.h): checkout and return, as their callers' threads see them. */
#include "pg/pool.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "pg/pool_parts.h"

/* ---- checkout ---- */

static void timeout_error(struct pool *p, int timeout_ms, struct err *e)
{
    int64_t longest = 0, now = p->o.now_ms();
    for (const struct member *m = p->members; m; m = m->next) {
        if (m->state == MEMBER_BUSY && now - m->since > longest)
            longest = now - m->since;
    }
    p->stats.timeouts++;
    err_init(e);
    err_set(e, ERR_POOL_TIMEOUT, "no connection of pool '%s' became free within %d ms", p->name, timeout_ms);
    err_detail(e, "%d of at most %d connections are lent (one for %lld ms), %d being made, %d more checkouts wait%s%s",
               p->n[MEMBER_BUSY], p->o.max_size, (long long)longest, p->n[MEMBER_MAKING], p->waiting,
               p->last_error.code ? "; last connect error: " : "", p->last_error.code ? p->last_error.text : "");
    err_hint(e, "give connections back sooner: each holder makes all others wait; else allow more of them (max) or more time");
}

/* Why nobody should queue now; true: *e is set. Under the lock. */
static bool turned_away(struct pool *p, int timeout_ms, struct err *e)
{
    bool none = p->n[MEMBER_IDLE] + p->n[MEMBER_BUSY] + p->n[MEMBER_RESETTING] == 0;
    if (p->stats.closing) {
        p->stats.failed++;
        return !err_set(e, ERR_POOL_CLOSED, "pool '%s' is closed", p->name);
    }
    if (none && p->last_error.code && p->o.now_ms() - p->failed_at < POOL_FAIL_FAST_MS) {
        p->stats.failed++; /* the server's word of a moment ago helps more than a time-out */
        *e = p->last_error;
        return true;
    }
    if (p->o.max_waiting && p->waiting >= p->o.max_waiting) {
        p->stats.refused++;
        err_set(e, ERR_POOL_FULL, "pool '%s' is full: %d connections are lent and %d checkouts wait, which is the maximum",
                p->name, p->n[MEMBER_BUSY], p->waiting);
        err_hint(e, "hold connections for a shorter time, or give the pool a larger max or a longer queue (max-waiting)");
        return true;
    }
    if (timeout_ms == 0)
        timeout_error(p, 0, e);
    return timeout_ms == 0;
}

/* An idle member, or NULL with *e set, or NULL and *queued. `first`: a dead connection cost this checkout its turn. */
static struct member *enter(struct pool *p, struct waiter *w, bool first, int timeout_ms, bool *queued, struct err *e)
{
    struct member *m = NULL;
    *queued = false;
    pthread_mutex_lock(&p->lock);
    if (!p->stats.closing && (!p->waiters || first))
        m = pool_take_idle(p);
    if (!m && !turned_away(p, timeout_ms, e) && w->fd >= 0) {
        pool_enqueue(p, w, first);
        *queued = true;
    }
    pthread_mutex_unlock(&p->lock);
    return m;
}

/* Wait in the queue. On every way out the waiter is off it, and a connection that came too late goes to the next one. */
static struct member *wait_in_queue(struct pool *p, struct waiter *w, int timeout_ms, int limit, struct cancel *c, struct err *e)
{
    struct err why;
    err_init(&why);
    int64_t before = clock_mono_us();
    bool woken = cancel_poll(c, w->fd, POLLIN, timeout_ms, &why);
    uint64_t us = (uint64_t)(clock_mono_us() - before);
    pthread_mutex_lock(&p->lock);
    bool left = !woken && pool_dequeue(p, w);
    struct member *m = w->given;
    pool_record(&p->stats.wait, us);
    if (left && why.code == ERR_TIMEOUT) {
        timeout_error(p, limit, e);
    } else if (w->failed) {
        p->stats.failed++;
        *e = w->why;
    } else if (left || why.code == ERR_CANCELLED) {
        if (m) {
            p->stats.checkouts--;
            pool_put(p, m, p->o.now_ms());
        }
        m = NULL;
        p->stats.cancelled++;
        *e = why;
    } else {
        p->stats.waited++;
    }
    pthread_mutex_unlock(&p->lock);
    return m;
}

/* Without a queue it costs one lock; the event, and the clock, are for those who wait. *end: 0 until then. */
static struct member *get_member(struct pool *p, bool first, int limit, int64_t *end, struct cancel *c, struct err *e)
{
    struct waiter w = {.fd = -1};
    bool queued;
    struct member *m = enter(p, &w, first, limit, &queued, e);
    if (m || e->code)
        return m;
    int64_t now = clock_mono_ms();
    *end = *end ? *end : now + limit;
    int left = *end > now ? (int)(*end - now) : 1;
    err_init(&w.why);
    w.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w.fd < 0) {
        err_errno(e, errno, "no event for a checkout");
        return NULL;
    }
    m = enter(p, &w, first, left, &queued, e);
    if (queued)
        m = wait_in_queue(p, &w, left, limit, c, e);
    close(w.fd);
    return m;
}

static void replace_lost(struct pool *p, struct member *m)
{
    pthread_mutex_lock(&p->lock);
    p->stats.checkouts--;
    pool_move(p, m, MEMBER_CLOSING);
    pool_discard(p, m, POOL_CLOSED_LOST);
    pthread_mutex_unlock(&p->lock);
}

struct pg_conn *pool_checkout(struct pool *p, int timeout_ms, struct cancel *c, struct err *e)
{
    int limit = timeout_ms < 0 ? p->o.timeout_ms : timeout_ms;
    int64_t end = 0;
    if (!cancel_check(c, e))
        return NULL;
    for (bool again = false;; again = true) {
        struct member *m = get_member(p, again, limit, &end, c, e);
        if (!m)
            return NULL;
        if (p->ops->alive(m->conn))
            return m->conn;
        replace_lost(p, m);
    }
}

/* ---- return ---- */

static struct member *take_back(struct pool *p, const struct pg_conn *conn)
{
    struct member *m;
    pthread_mutex_lock(&p->lock);
    for (m = p->members; m && m->conn != conn; m = m->next)
        continue;
    if (!m || !conn || m->state != MEMBER_BUSY)
        bug("pool '%s' got a connection back that it has not lent", p->name);
    pool_move(p, m, MEMBER_RESETTING);
    pthread_mutex_unlock(&p->lock);
    return m;
}

void pool_return(struct pool *p, struct pg_conn *conn)
{
    struct member *m = take_back(p, conn);
    int done = p->ops->clean(conn, p->o.reset, p->o.reset_timeout_ms);
    pthread_mutex_lock(&p->lock);
    p->stats.rollbacks += (done & POOL_ROLLED_BACK) != 0;
    p->stats.resets += (done & POOL_WAS_RESET) != 0;
    int64_t now = p->o.now_ms();
    bool over = now >= m->dies_at || p->stats.closing;
    if ((done & POOL_CLEAN) && !over) {
        pool_put(p, m, now);
    } else {
        pool_move(p, m, MEMBER_CLOSING);
        pool_discard(p, m, !(done & POOL_CLEAN) ? POOL_CLOSED_BROKEN : p->stats.closing ? POOL_CLOSED_END : m->why);
    }
    pthread_mutex_unlock(&p->lock);
}

const char *pool_name(const struct pool *p) { return p->name; }
