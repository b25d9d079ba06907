/*
 * The pool's own threads (a few, all alike): they make connections when they are wanted, try again with growing pauses when
 * that fails, and close what idled or lived too long. How many are wanted is decided in one place from what is there now, so demand that
 * went away while a connection was being made leaves no mark.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "pg/pool_parts.h"

enum { BACKOFF_FIRST_MS = 200, BACKOFF_MOST_MS = 15000, LOOK_LEAST_MS = 100, LOOK_MOST_MS = 10000 };

/* For those lent and those waiting, at least min, at most max. One that is being closed still takes its place, but is no
 * help to anybody. Up to min they are made side by side, above it one at a time: a short spike is served by what comes
 * back. Under the lock. */
static bool wants_one(const struct pool *p)
{
    int places = pool_places(p), useful = places - p->n[MEMBER_CLOSING];
    if (p->stats.closing || places >= p->o.max_size)
        return false;
    int waiting = p->paused ? 0 : p->waiting, spare = waiting > p->o.min_idle ? waiting : p->o.min_idle;
    return useful < p->o.min_size || (p->n[MEMBER_MAKING] == 0 && useful < p->n[MEMBER_BUSY] + spare);
}

/* How long to wait before the next attempt. Those who wait for one do not pay the whole pause of an outage. */
static int64_t pause_left(const struct pool *p)
{
    int64_t at = p->next_try, now = pool_now_ms(p);
    if (p->waiting && at > p->failed_at + POOL_FAIL_FAST_MS)
        at = p->failed_at + POOL_FAIL_FAST_MS;
    return p->failures && at > now ? at - now : 0;
}

static void made(struct pool *p, struct member *m, struct pg_conn *conn)
{
    /* Less up to 10 %, so that connections made together do not end together. */
    int64_t spread = (int64_t)(p->stats.connects * 7919 % 101) * p->o.max_lifetime_ms / 1000;
    m->conn = conn;
    int64_t us = p->o.now_us();
    m->number = ++p->numbers;
    if (m->dies_at != INT64_MIN) {
        m->dies_at = us / 1000 + p->o.max_lifetime_ms - spread;
        m->why = POOL_CLOSED_LIFETIME;
    }
    p->stats.connects++;
    p->failures = 0;
    err_init(&p->last_error);
    pool_note(p, POOL_MADE, m, us);
    pool_settle(p, m, us);
}

static void not_made(struct pool *p, struct member *m, const struct err *e)
{
    int shift = p->failures < 7 ? p->failures : 7;
    int64_t pause = BACKOFF_FIRST_MS << shift;
    pool_drop(p, m);
    free(m);
    if (p->stats.closing)
        return;
    p->stats.connect_failures++;
    p->route_asked = false;
    p->failures++;
    p->last_error = *e;
    p->failed_at = pool_now_ms(p);
    p->next_try = p->failed_at + (pause < BACKOFF_MOST_MS ? pause : BACKOFF_MOST_MS);
    if (pool_places(p) == p->n[MEMBER_CLOSING]) /* nothing will come back to those who wait */
        pool_fail_waiters(p, e);
}

/* The callback may have configured the session, and left a transaction open or failed. */
static bool is_clean(struct pool *p, struct pg_conn *conn, struct err *e)
{
    if (p->ops->tidy(conn, POOL_RESET_ROLLBACK) || p->ops->clean(conn, POOL_RESET_ROLLBACK, p->o.reset_timeout_ms) & POOL_CLEAN)
        return true;
    p->ops->close(conn);
    return err_set(e, ERR_CONNECT, "a new connection of pool '%s' is dead, or busy with what connect began", p->name);
}

/* The lock is held on entry and exit, not in between. */
static void make_one(struct pool *p)
{
    struct member *m = pool_new_member(p);
    struct err e;
    err_init(&e);
    pool_unlock(p);
    int64_t before = clock_mono_us();
    struct pg_conn *conn = p->o.connect(p->o.self, &p->stop, &e);
    uint64_t us = (uint64_t)(clock_mono_us() - before);
    if (conn && p->ops->route)
        pool_ask_route(p, conn);
    if (conn && !is_clean(p, conn, &e))
        conn = NULL;
    if (conn)
        m->canceller = p->ops->canceller(conn);
    else if (!e.code)
        bug("pool '%s': connect failed without saying why", p->name);
    pool_lock(p);
    if (conn) {
        pool_record(&p->stats.connect, us);
        made(p, m, conn);
    } else {
        not_made(p, m, &e);
    }
    pthread_cond_broadcast(&p->changed);
}

void pool_discard(struct pool *p, struct member *m, enum pool_closed why)
{
    while (m->pins)
        pool_await_change(p, -1);
    pool_unlock(p);
    p->ops->canceller_free(m->canceller);
    p->ops->close(m->conn);
    pool_lock(p);
    p->stats.closed[why]++;
    pool_drop(p, m);
    if (p->trace_cap)
        pool_note(p, POOL_CLOSED, m, p->o.now_us());
    free(m);
}

bool pool_settle(struct pool *p, struct member *m, int64_t us)
{
    bool surplus = pool_over_max(p);
    if (!surplus && us / 1000 < m->dies_at && !p->stats.closing) {
        pool_put(p, m, us);
        return m->state == MEMBER_IDLE;
    }
    pool_move(p, m, MEMBER_CLOSING);
    pool_discard(p, m, p->stats.closing ? POOL_CLOSED_END : surplus ? POOL_CLOSED_SURPLUS : m->why);
    return false;
}

void pool_sleep(struct pool *p, int64_t ms)
{
    pool_await_change(p, clock_mono_ms() + ms);
}

void pool_look(struct pool *p)
{
    pool_lock(p);
    pthread_cond_broadcast(&p->changed);
    pool_unlock(p);
}

/* How often ages are looked at when nothing happens: a tenth of what an idle connection, or a borrower, has. A lifetime needs
 * no look, it is asked for at each checkout. */
static int64_t look_ms(const struct pool *p)
{
    int shorter = p->o.leak_after_ms && p->o.leak_after_ms < p->o.max_idle_ms ? p->o.leak_after_ms : p->o.max_idle_ms;
    if (p->o.idle_in_tx_ms && p->o.idle_in_tx_ms < shorter)
        shorter = p->o.idle_in_tx_ms;
    int64_t tenth = shorter / 10;
    return tenth < LOOK_LEAST_MS ? LOOK_LEAST_MS : tenth > LOOK_MOST_MS ? LOOK_MOST_MS : tenth;
}

void *pool_maker(void *pool)
{
    struct pool *p = pool;
    pool_lock(p);
    while (!p->stats.closing) {
        struct member *over = pool_take_over(p);
        pool_find_leaks(p);
        pool_find_idle_tx(p);
        int64_t pause = wants_one(p) ? pause_left(p) : look_ms(p);
        if (over)
            pool_discard(p, over, over->why);
        else if (pause == 0)
            make_one(p);
        else
            pool_sleep(p, pause < look_ms(p) ? pause : look_ms(p));
    }
    pool_unlock(p);
    return NULL;
}
