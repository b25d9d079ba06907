/* The pool (see pool.h): checkout and return, as their callers' threads see them. */
#include "pg/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "pg/pool_parts.h"

/* ---- checkout ---- */

/* Under the lock. */
static void timeout_error(struct pool *p, int timeout_ms, struct err *e)
{
    const struct member *longest = NULL;
    int64_t now = p->o.now_us();
    for (const struct member *m = p->members; m; m = m->next) {
        if (m->state == MEMBER_BUSY && (!longest || m->lent_us < longest->lent_us))
            longest = m;
    }
    p->stats.timeouts++;
    err_init(e);
    if (p->paused) {
        err_set(e, ERR_POOL_PAUSED, "pool '%s' is paused, and was not resumed within %d ms", p->name, timeout_ms);
        err_hint(e, "resume it: who waits is served first");
    } else {
        err_set(e, ERR_POOL_TIMEOUT, "no connection of pool '%s' became free within %d ms", p->name, timeout_ms);
        err_hint(e, "give connections back sooner: each holder makes all others wait; else allow more of them (max) or more time");
    }
    char held[POOL_WHO_MAX + 60] = "";
    if (longest)
        snprintf(held, sizeof held, " (one for %lld ms%s%s)", (long long)(now - longest->lent_us) / 1000, *longest->who ? ", to " : "",
                 longest->who);
    err_detail(e, "%d of at most %d connections are lent%s, %d being made, %d more checkouts wait%s%s", p->n[MEMBER_BUSY],
               p->o.max_size, held, p->n[MEMBER_MAKING], p->waiting, p->last_error.code ? "; last connect error: " : "",
               p->last_error.code ? p->last_error.text : "");
}

/* Why nobody should queue now; true: *e is set. Under the lock. */
static bool turned_away(struct pool *p, int timeout_ms, struct err *e)
{
    bool none = p->n[MEMBER_IDLE] + p->n[MEMBER_BUSY] + p->n[MEMBER_RESETTING] == 0;
    if (p->stats.closing) {
        p->stats.failed++;
        return !err_set(e, ERR_POOL_CLOSED, "pool '%s' is closed", p->name);
    }
    if (none && !p->paused && p->last_error.code && pool_now_ms(p) - p->failed_at < POOL_FAIL_FAST_MS) {
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

struct member *pool_enter(struct pool *p, struct waiter *w, bool first, int timeout_ms, bool *queued, struct err *e)
{
    struct member *m = NULL;
    *queued = false;
    pool_lock(p);
    if (!p->stats.closing && (!p->waiters || first))
        m = pool_take_idle(p);
    if (m)
        pool_name_borrower(m, w->who);
    if (!m && !turned_away(p, timeout_ms, e)) {
        if (w->bell.hear < 0 && p->n_bells > 0)
            w->bell = p->bells[--p->n_bells];
        *queued = w->bell.hear >= 0;
        if (*queued)
            pool_enqueue(p, w, first);
    }
    pool_unlock(p);
    return m;
}

struct member *pool_leave(struct pool *p, struct waiter *w, bool woken, const struct err *why, uint64_t waited_us, int limit_ms, struct err *e)
{
    pool_lock(p);
    bool left = !woken && pool_dequeue(p, w);
    struct member *m = w->given;
    if (w->heard && p->n_bells < POOL_BELLS_KEPT) {
        p->bells[p->n_bells++] = w->bell;
        w->bell.hear = -1;
    }
    pool_record(&p->stats.wait, waited_us);
    if (left && why->code == ERR_TIMEOUT) {
        pool_note(p, POOL_GAVE_UP, NULL, p->o.now_us());
        timeout_error(p, limit_ms, e);
    } else if (w->failed) {
        p->stats.failed++;
        *e = w->why;
    } else if (left || why->code == ERR_CANCELLED) {
        if (m) {
            p->stats.checkouts--;
            pool_settle(p, m, p->o.now_us());
        }
        m = NULL;
        p->stats.cancelled++;
        *e = *why;
    } else {
        p->stats.waited++;
    }
    pool_unlock(p);
    return m;
}

/* On every way out the waiter is off the queue, and a connection that came too late goes to the next one. */
static struct member *wait_in_queue(struct pool *p, struct waiter *w, int timeout_ms, int limit, struct cancel *c, struct err *e)
{
    struct err why;
    err_init(&why);
    int64_t before = clock_mono_us();
    uint64_t count;
    bool woken = cancel_poll(c, w->bell.hear, POLLIN, timeout_ms, &why);
    w->heard = woken && read(w->bell.hear, &count, sizeof count) == sizeof count;
    return pool_leave(p, w, woken, &why, (uint64_t)(clock_mono_us() - before), limit, e);
}

void pool_bell_close(struct bell b)
{
    close(b.hear);
    close(b.ring);
}

static bool make_bell(struct bell *out, struct err *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_errno(e, errno, "no pipe for a checkout");
    *out = (struct bell){ends[0], ends[1]};
    return true;
}

/* One that the pool has not kept. When it was given something too late, somebody may be about to ring. */
static void leave_bell(const struct waiter *w)
{
    struct pollfd p = {.fd = w->bell.hear, .events = POLLIN};
    if (w->bell.hear < 0)
        return;
    for (uint64_t count; w->rung && !w->heard && read(w->bell.hear, &count, sizeof count) < 0;)
        poll(&p, 1, -1);
    pool_bell_close(w->bell);
}

/* Without a queue it costs one lock; the bell, and the clock, are for those who wait. *end: 0 until then. */
static struct member *get_member(struct pool *p, const char *who, bool first, int limit, int64_t *end, struct cancel *c,
                                 struct err *e)
{
    struct waiter w; /* its error is large, and set only for those who wait: clearing it would be a third of a checkout */
    w.bell.hear = -1;
    w.who = who;
    w.rung = w.heard = w.failed = false;
    w.given = NULL;
    bool queued;
    struct member *m = pool_enter(p, &w, first, limit, &queued, e);
    if (m || e->code)
        return m;
    int64_t now = clock_mono_ms();
    *end = *end ? *end : now + limit;
    int left = *end > now ? (int)(*end - now) : 1;
    if (!queued) {
        if (!make_bell(&w.bell, e))
            return NULL;
        m = pool_enter(p, &w, first, left, &queued, e);
    }
    if (queued)
        m = wait_in_queue(p, &w, left, limit, c, e);
    leave_bell(&w);
    return m;
}

void pool_replace_lost(struct pool *p, struct member *m)
{
    pool_lock(p);
    p->stats.checkouts--;
    pool_move(p, m, MEMBER_CLOSING);
    pool_discard(p, m, POOL_CLOSED_LOST);
    pool_unlock(p);
}

/* The question has used up the caller's time: the next connection is not to blame for that, and stays. */
static bool is_over(struct pool *p, int limit, int64_t end, struct err *e)
{
    if (limit <= 0 || !end || clock_mono_ms() < end)
        return false;
    pool_lock(p);
    timeout_error(p, limit, e);
    pool_unlock(p);
    return true;
}

/* Until check_timeout or the end of the caller's time, whichever comes first; "now or never" (limit 0) still asks. */
static bool ping(struct pool *p, const struct member *m, int limit, int64_t *end)
{
    int64_t now = clock_mono_ms(), patience = p->o.check_timeout_ms;
    if (limit > 0) {
        *end = *end ? *end : now + limit;
        patience = *end - now < 1 ? 1 : *end - now < patience ? *end - now : patience;
    }
    bool ok = p->ops->ping(m->conn, (int)patience);
    pool_lock(p);
    p->stats.pings++;
    p->stats.pings_failed += !ok;
    pool_unlock(p);
    return ok;
}

bool pool_is_good(struct pool *p, const struct member *m, int limit, int64_t *end)
{
    bool asked = p->o.check == POOL_CHECK_PING || (p->o.ping_idle_ms >= 0 && m->idled_ms >= p->o.ping_idle_ms);
    return p->o.check == POOL_CHECK_NONE || (p->ops->alive(m->conn) && (!asked || ping(p, m, limit, end)));
}

struct pg_conn *pool_checkout_for(struct pool *p, const char *who, int timeout_ms, struct cancel *c, struct err *e)
{
    int limit = timeout_ms < 0 ? p->o.timeout_ms : timeout_ms;
    int64_t end = 0;
    if (!pool_is_ours(p, e) || !cancel_check(c, e))
        return NULL;
    for (bool again = false;; again = true) {
        struct member *m = get_member(p, who, again, limit, &end, c, e);
        if (!m)
            return NULL;
        if (pool_is_good(p, m, limit, &end))
            return m->conn;
        pool_replace_lost(p, m);
        if (is_over(p, limit, end, e))
            return NULL;
    }
}

struct pg_conn *pool_checkout(struct pool *p, int timeout_ms, struct cancel *c, struct err *e)
{
    return pool_checkout_for(p, NULL, timeout_ms, c, e);
}

/* ---- return ---- */

/* RESETTING: this thread's. Under the lock. */
static struct member *take_back(struct pool *p, const struct pg_conn *conn)
{
    struct member *m;
    for (m = p->members; m && m->conn != conn; m = m->next)
        continue;
    if (!m || !conn || m->state != MEMBER_BUSY)
        bug("pool '%s' got a connection back that it has not lent", p->name);
    pool_move(p, m, MEMBER_RESETTING);
    pool_make_home(m);
    return m;
}

void pool_return(struct pool *p, struct pg_conn *conn)
{
    if (!pool_is_ours(p, NULL))
        return;
    int64_t came = p->o.now_us(), us = came;
    pool_lock(p);
    struct member *m = take_back(p, conn);
    pool_record(&p->stats.hold, (uint64_t)(came - m->lent_us));
    bool clean = p->ops->tidy(conn, p->o.reset);
    if (!clean) {
        pool_unlock(p);
        int done = p->ops->clean(conn, p->o.reset, p->o.reset_timeout_ms);
        us = p->o.now_us();
        pool_lock(p);
        clean = (done & POOL_CLEAN) != 0;
        if (clean)
            pool_record(&p->stats.reset, (uint64_t)(us - came));
        p->stats.rollbacks += (done & POOL_ROLLED_BACK) != 0;
        p->stats.resets += (done & POOL_WAS_RESET) != 0;
    }
    pool_note(p, POOL_RETURNED, m, us);
    if (clean) {
        pool_settle(p, m, us);
    } else {
        pool_move(p, m, MEMBER_CLOSING);
        pool_discard(p, m, POOL_CLOSED_BROKEN);
    }
    pool_unlock(p);
}

void pool_detach(struct pool *p, struct pg_conn *conn)
{
    if (!pool_is_ours(p, NULL))
        return;
    pool_lock(p);
    struct member *m = take_back(p, conn);
    while (m->pins)
        pool_await_change(p, -1);
    pool_record(&p->stats.hold, (uint64_t)(p->o.now_us() - m->lent_us));
    p->stats.detached++;
    pool_drop(p, m);
    pool_unlock(p);
    p->ops->canceller_free(m->canceller);
    p->ops->detach(conn);
    free(m);
}

const char *pool_name(const struct pool *p) { return p->name; }
