/* A checkout that does not wait (see pool.h): the steps of pool_checkout, with the waiting left to the caller's event loop. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/pool_parts.h"

struct pool_ticket {
    struct pool *p;
    struct waiter w;
    struct member *m; /* was idle, and is not asked yet whether it lives; NULL: it stands in the queue */
    int limit_ms;
    int64_t queued_us, end_ms;
    char who[POOL_WHO_MAX + 1];
};

/* Idle, queued, or refused with *e set. */
static bool enter(struct pool_ticket *t, bool first, struct err *e)
{
    bool queued;
    int left = pool_ticket_left_ms(t);
    err_init(&t->w.why);
    t->w.failed = false;
    t->queued_us = clock_mono_us();
    t->m = pool_enter(t->p, &t->w, first, left > 0 || t->limit_ms == 0 ? left : 1, &queued, e);
    return t->m || queued;
}

struct pool_ticket *pool_checkout_start(struct pool *p, const char *who, int timeout_ms, int wake, struct err *e)
{
    if (!pool_is_ours(p, e))
        return NULL;
    if (wake < 0) {
        err_set(e, ERR_INVALID_PARAMETER, "a ticket needs an event to wake its owner");
        return NULL;
    }
    struct pool_ticket *t = xcalloc(1, sizeof *t);
    t->p = p;
    t->limit_ms = timeout_ms < 0 ? p->o.timeout_ms : timeout_ms;
    t->end_ms = clock_mono_ms() + t->limit_ms;
    if (who)
        err_copy(t->who, sizeof t->who, who, strlen(who));
    t->w.bell = (struct bell){wake, wake};
    t->w.who = who ? t->who : NULL;
    if (enter(t, false, e))
        return t;
    free(t);
    return NULL;
}

int pool_ticket_left_ms(const struct pool_ticket *t)
{
    int64_t left = t->end_ms - clock_mono_ms();
    return left > 0 ? (int)left : 0;
}

/* false: it waits on. */
static bool take_turn(struct pool_ticket *t, struct err *e)
{
    struct err why;
    err_init(&why);
    pool_lock(t->p);
    bool woken = t->w.given || t->w.failed;
    pool_unlock(t->p);
    if (!woken && pool_ticket_left_ms(t) > 0)
        return false;
    if (!woken)
        err_set(&why, ERR_TIMEOUT, "timed out");
    t->m = pool_leave(t->p, &t->w, woken, &why, (uint64_t)(clock_mono_us() - t->queued_us), t->limit_ms, e);
    return true;
}

bool pool_checkout_poll(struct pool_ticket *t, struct pg_conn **out, struct err *e)
{
    *out = NULL;
    bool ours = pool_is_ours(t->p, e);
    while (ours && !e->code) {
        if (!t->m && !take_turn(t, e))
            return false;
        if (t->m && pool_is_good(t->p, t->m, t->limit_ms, &t->end_ms)) {
            *out = t->m->conn;
            break;
        }
        if (t->m) {
            pool_replace_lost(t->p, t->m);
            enter(t, true, e);
        }
    }
    free(t);
    return true;
}

void pool_checkout_abandon(struct pool_ticket *t)
{
    struct err why, e;
    if (!t)
        return;
    err_init(&why);
    err_init(&e);
    err_set(&why, ERR_CANCELLED, "abandoned");
    if (pool_is_ours(t->p, NULL) && t->m) {
        pool_lock(t->p);
        t->p->stats.checkouts--;
        t->p->stats.cancelled++;
        pool_settle(t->p, t->m, t->p->o.now_us());
        pool_unlock(t->p);
    } else if (pool_is_ours(t->p, NULL)) {
        pool_leave(t->p, &t->w, false, &why, (uint64_t)(clock_mono_us() - t->queued_us), t->limit_ms, &e);
    }
    free(t);
}
