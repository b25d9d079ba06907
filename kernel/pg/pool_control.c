/* What is done to a pool while it runs (see pool.h): drain, resize, pause, check; and whose it is after a fork. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pg/pool_parts.h"

/* ---- fork ---- */

static atomic_uint generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void in_child(void) { atomic_fetch_add(&generation, 1); }
static void watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

unsigned pool_generation(void)
{
    pthread_once(&once, watch_forks);
    return atomic_load(&generation);
}

bool pool_is_ours(const struct pool *p, struct err *e)
{
    if (atomic_load_explicit(&generation, memory_order_relaxed) == p->generation)
        return true;
    if (e) {
        err_set(e, ERR_POOL_FORKED, "pool '%s' belongs to the parent process", p->name);
        err_hint(e, "open a pool in the child: two processes on one connection would mix up their answers");
    }
    return false;
}

/* ---- drain, resize ---- */

/* Idle ones that are to go are closed here, not by a maker some time later. Under the lock. */
static void close_idle(struct pool *p)
{
    for (struct member *m; (m = pool_take_over(p));)
        pool_discard(p, m, m->why);
    pthread_cond_broadcast(&p->changed);
}

void pool_drain(struct pool *p)
{
    if (!pool_is_ours(p, NULL))
        return;
    pool_lock(p);
    p->route_asked = false;
    for (struct member *m = p->members; m; m = m->next) { /* those being made too: they may have met the server of before */
        m->dies_at = INT64_MIN;
        m->why = POOL_CLOSED_DRAIN;
    }
    pthread_cond_broadcast(&p->changed);
    pool_unlock(p);
}

bool pool_resize(struct pool *p, int min_size, int max_size, struct err *e)
{
    if (!pool_is_ours(p, e))
        return false;
    if (!pool_sizes_are_good(min_size, max_size, e))
        return false;
    pool_lock(p);
    bool closed = p->stats.closing;
    if (!closed) {
        p->o.min_size = min_size;
        p->o.max_size = max_size;
        p->o.min_idle = p->o.min_idle < max_size ? p->o.min_idle : max_size;
        close_idle(p);
    }
    pool_unlock(p);
    return !closed || err_set(e, ERR_POOL_CLOSED, "pool '%s' is closed", p->name);
}

/* ---- pause ---- */

static void resume(struct pool *p)
{
    p->paused = false;
    pool_serve(p);
    pthread_cond_broadcast(&p->changed);
}

bool pool_pause(struct pool *p, int deadline_ms, struct cancel *c, struct err *e)
{
    int64_t end = clock_mono_ms() + deadline_ms, left;
    if (!pool_is_ours(p, e))
        return false;
    pool_lock(p);
    bool was = p->paused;
    p->paused = true;
    while (p->n[MEMBER_BUSY] + p->n[MEMBER_RESETTING] > 0 && p->paused && !p->stats.closing && (left = end - clock_mono_ms()) > 0 &&
           cancel_check(c, e))
        pool_sleep(p, left < POOL_CANCEL_LOOK_MS ? left : POOL_CANCEL_LOOK_MS);
    int out = p->n[MEMBER_BUSY] + p->n[MEMBER_RESETTING];
    if (e->code && !was)
        resume(p);
    else if (!e->code && p->stats.closing)
        err_set(e, ERR_POOL_CLOSED, "pool '%s' is closed", p->name);
    else if (!e->code && !p->paused)
        err_set(e, ERR_CONFLICT, "pool '%s' was resumed meanwhile", p->name);
    else if (!e->code && out > 0)
        err_set(e, ERR_TIMEOUT, "pool '%s' is paused, but %d connections did not come back within %d ms", p->name, out, deadline_ms);
    pool_unlock(p);
    return !e->code;
}

void pool_resume(struct pool *p)
{
    if (!pool_is_ours(p, NULL))
        return;
    pool_lock(p);
    resume(p);
    pool_unlock(p);
}

/* ---- check ---- */

static struct member *next_unchecked(struct pool *p, unsigned round)
{
    for (struct member *m = p->idle; m; m = m->idle_next) {
        if ((int)(m->checked - round) < 0) /* another thread may be at a later round */
            return m;
    }
    return NULL;
}

bool pool_check_idle(struct pool *p, struct pool_checked *out, struct cancel *c, struct err *e)
{
    *out = (struct pool_checked){0};
    if (!pool_is_ours(p, e))
        return false;
    pool_lock(p);
    unsigned round = ++p->check_round;
    for (struct member *m; !p->stats.closing && (m = next_unchecked(p, round)) && cancel_check(c, e);) {
        int64_t since = m->since;
        m->checked = round;
        pool_move(p, m, MEMBER_RESETTING); /* nobody else touches it */
        pool_unlock(p);
        bool ok = p->ops->alive(m->conn) && p->ops->ping(m->conn, p->o.check_timeout_ms);
        pool_lock(p);
        p->stats.pings++;
        out->asked++;
        if (ok) {
            if (pool_settle(p, m, p->o.now_us()))
                m->since = since; /* being asked is not being used */
            continue;
        }
        out->dead++;
        p->stats.pings_failed++;
        pool_move(p, m, MEMBER_CLOSING);
        pool_discard(p, m, POOL_CLOSED_LOST);
    }
    pool_unlock(p);
    return !e->code;
}
