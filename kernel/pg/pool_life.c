/* Opening and closing a pool (see pool.h). */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/pool_parts.h"

enum {
    SIZE_DEFAULT = 8, TIMEOUT_DEFAULT_MS = 30000, LIFETIME_DEFAULT_MS = 50 * 60 * 1000, IDLE_DEFAULT_MS = 5 * 60 * 1000,
    RESET_DEFAULT_MS = 2000, CHECK_DEFAULT_MS = 2000, PING_IDLE_DEFAULT_MS = 1000
};

bool pool_sizes_are_good(int min_size, int max_size, struct err *e)
{
    if (max_size >= 1 && max_size <= POOL_SIZE_MAX && min_size >= 0 && min_size <= max_size)
        return true;
    return err_set(e, ERR_INVALID_PARAMETER, "a pool of %d to %d connections: min is 0 to max, max is 1 to %d", min_size, max_size,
                   POOL_SIZE_MAX);
}

static bool check(const struct pool_options *o, struct err *e)
{
    int max = o->max_size ? o->max_size : SIZE_DEFAULT;
    size_t len = strlen(o->name);
    if (len < 1 || len > POOL_NAME_MAX)
        return err_set(e, ERR_INVALID_PARAMETER, "the name of a pool has 1 to %d bytes, not %zu", POOL_NAME_MAX, len);
    if (!pool_sizes_are_good(o->min_size, max, e))
        return false;
    if (o->max_waiting < 0)
        return err_set(e, ERR_INVALID_PARAMETER, "max_waiting is 0 (no limit) or more, not %d", o->max_waiting);
    if (o->min_idle < 0 || o->min_idle > max)
        return err_set(e, ERR_INVALID_PARAMETER, "min_idle is 0 to max (%d), not %d", max, o->min_idle);
    if (o->timeout_ms < 0 || o->max_lifetime_ms < 0 || o->max_idle_ms < 0 || o->reset_timeout_ms < 0 || o->check_timeout_ms < 0 ||
        o->leak_after_ms < 0 || o->idle_in_tx_ms < 0)
        return err_set(e, ERR_INVALID_PARAMETER, "the times of a pool are 0 (default) or more milliseconds");
    return true;
}

/* They take no signals that the process handles elsewhere. One is enough to go on with. */
static int start_makers(struct pool *p)
{
    sigset_t all, was;
    int rc = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    while (rc == 0 && p->n_makers < POOL_MAKERS && p->n_makers < p->o.max_size) {
        rc = pthread_create(&p->makers[p->n_makers], NULL, pool_maker, p);
        p->n_makers += rc == 0;
    }
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return p->n_makers ? 0 : rc;
}

static void init(struct pool *p, const struct pool_options *o, const struct pool_ops *ops)
{
    p->o = *o;
    p->o.max_size = o->max_size ? o->max_size : SIZE_DEFAULT;
    p->o.timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_DEFAULT_MS;
    p->o.max_lifetime_ms = o->max_lifetime_ms ? o->max_lifetime_ms : LIFETIME_DEFAULT_MS;
    p->o.max_idle_ms = o->max_idle_ms ? o->max_idle_ms : IDLE_DEFAULT_MS;
    p->o.reset_timeout_ms = o->reset_timeout_ms ? o->reset_timeout_ms : RESET_DEFAULT_MS;
    p->o.check_timeout_ms = o->check_timeout_ms ? o->check_timeout_ms : CHECK_DEFAULT_MS;
    p->o.ping_idle_ms = o->ping_idle_ms ? o->ping_idle_ms : PING_IDLE_DEFAULT_MS;
    p->o.now_us = o->now_us ? o->now_us : clock_mono_us;
    p->generation = pool_generation();
    p->o.name = p->name = xstrdup(o->name);
    p->ops = ops;
    p->waiters_end = &p->waiters;
    p->to_ring = -1;
    err_init(&p->last_error);
    pthread_mutex_init(&p->lock, NULL);
    clock_cond_init(&p->changed);
}

static void release(struct pool *p)
{
    pthread_cond_destroy(&p->changed);
    while (p->n_bells > 0)
        pool_bell_close(p->bells[--p->n_bells]);
    pthread_mutex_destroy(&p->lock);
    free(p->trace);
    free(p->name);
    free(p);
}

struct pool *pool_open_over(const struct pool_options *o, const struct pool_ops *ops, struct err *e)
{
    struct cancel stop;
    if (!check(o, e) || !cancel_init(&stop, e))
        return NULL;
    struct pool *p = xcalloc(1, sizeof *p);
    init(p, o, ops);
    p->stop = stop;
    int rc = start_makers(p);
    if (rc == 0)
        return p;
    err_errno(e, rc, "no thread for pool '%s'", p->name);
    cancel_release(&p->stop);
    release(p);
    return NULL;
}

struct pool *pool_open(const struct pool_options *o, struct err *e) { return pool_open_over(o, &pool_pg_ops, e); }

bool pool_wait(struct pool *p, int timeout_ms, struct cancel *c, struct err *e)
{
    int64_t end = clock_mono_ms() + timeout_ms;
    if (!pool_is_ours(p, e))
        return false;
    pool_lock(p);
    for (;;) {
        int ready = pool_places(p) - p->n[MEMBER_MAKING] - p->n[MEMBER_CLOSING];
        if (p->stats.closing)
            err_set(e, ERR_POOL_CLOSED, "pool '%s' is closed", p->name);
        else if (ready < p->o.min_size && p->last_error.code)
            *e = p->last_error;
        else if (ready < p->o.min_size && clock_mono_ms() >= end)
            err_set(e, ERR_TIMEOUT, "pool '%s' did not fill within %d ms", p->name, timeout_ms);
        else if (ready < p->o.min_size && cancel_check(c, e)) {
            pool_sleep(p, POOL_CANCEL_LOOK_MS); /* the token has no way to wake it */
            continue;
        }
        break;
    }
    pool_unlock(p);
    return !e->code;
}

/* Until nothing is lent, being made or closed; the idle ones are closed here. Under the lock. */
static bool wait_for_members(struct pool *p, int64_t end)
{
    for (;;) {
        struct member *m = pool_take_over(p);
        int64_t left = end - clock_mono_ms();
        if (m) {
            pool_discard(p, m, m->why);
            continue;
        }
        if ((!p->members && p->makers_ended) || left <= 0)
            return !p->members;
        pool_sleep(p, left);
    }
}

/* Borrowers see 57014 and give back. One request that comes before a statement has begun is lost, so it is repeated. A pin keeps the canceller, for the connection itself belongs to its borrower. */
static void cancel_lent(struct pool *p)
{
    for (struct member *m = p->members; m; m = m->next)
        m->told = false;
    for (struct member *m = p->members; m;) {
        if (m->state != MEMBER_BUSY || m->told) {
            m = m->next;
            continue;
        }
        m->told = true;
        m->pins++;
        pool_unlock(p);
        p->ops->cancel(m->canceller, POOL_CANCEL_MS);
        pool_lock(p);
        m->pins--;
        pthread_cond_broadcast(&p->changed);
        m = p->members; /* the list has moved on */
    }
}

bool pool_close(struct pool *p, int deadline_ms)
{
    struct err why;
    err_init(&why);
    if (!pool_is_ours(p, NULL))
        return true;
    err_set(&why, ERR_POOL_CLOSED, "pool '%s' is closed", p->name);
    pool_lock(p);
    bool mine = !p->stats.closing;
    p->stats.closing = true;
    pool_fail_waiters(p, &why);
    pthread_cond_broadcast(&p->changed);
    if (mine) {
        pool_unlock(p);
        cancel_fire(&p->stop);
        for (int i = 0; i < p->n_makers; i++)
            pthread_join(p->makers[i], NULL);
        pool_lock(p);
        p->makers_ended = true;
        pthread_cond_broadcast(&p->changed);
    }
    bool all = wait_for_members(p, clock_mono_ms() + deadline_ms);
    for (int64_t end = clock_mono_ms() + POOL_GRACE_MS; !all && clock_mono_ms() < end;) {
        cancel_lent(p);
        all = wait_for_members(p, clock_mono_ms() + POOL_CANCEL_AGAIN_MS);
    }
    pool_unlock(p);
    return all;
}

void pool_free(struct pool *p)
{
    if (!p || !pool_is_ours(p, NULL)) /* a child's copy goes with the child, and its sockets with it, without a goodbye */
        return;
    pool_close(p, 0);
    for (struct member *m = p->members, *next; m; m = next) {
        next = m->next;
        p->ops->canceller_free(m->canceller);
        p->ops->close(m->conn);
        free(m);
    }
    cancel_release(&p->stop);
    release(p);
}
