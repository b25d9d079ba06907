/*
 * The pool's own thread: it makes connections when they are wanted, tries again with growing pauses when that fails, and
 * closes what idled or lived too long. Opening and closing of the pool too. Checkout and return: pool.c.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/internal.h"
#include "pg/pool_parts.h"

enum {
    SIZE_DEFAULT = 8, TIMEOUT_DEFAULT_MS = 30000, LIFETIME_DEFAULT_MS = 50 * 60 * 1000, IDLE_DEFAULT_MS = 5 * 60 * 1000,
    BACKOFF_FIRST_MS = 200, BACKOFF_MOST_MS = 15000, LOOK_MS = 1000
};

/* How many are wanted: for those busy and those waiting, at least min, at most max. Under the lock. */
static bool wants_one(const struct pool *p)
{
    int wanted = p->stats.busy + p->stats.waiting;
    if (wanted < p->o.min_size)
        wanted = p->o.min_size;
    if (wanted > p->o.max_size)
        wanted = p->o.max_size;
    return !p->stats.closing && p->stats.size + p->stats.making < wanted && p->stats.size + p->stats.making < p->o.max_size;
}

static void took(struct pool *p, struct pg_conn *conn)
{
    struct member *m = xcalloc(1, sizeof *m);
    m->conn = conn;
    /* Less up to 10 %, so that connections made together do not end together. */
    m->dies_at = p->now() + p->o.max_lifetime_ms - (int64_t)(p->stats.connects * 7919 % 101) * p->o.max_lifetime_ms / 1000;
    m->next = p->members;
    p->members = m;
    p->stats.size++;
    p->stats.connects++;
    p->failures = 0;
    err_init(&p->last_error);
    pool_put(p, m);
}

static void failed(struct pool *p, const struct err *e)
{
    p->stats.connect_failures++;
    p->last_error = *e;
    int pause = BACKOFF_FIRST_MS << (p->failures < 7 ? p->failures : 7);
    p->next_try = clock_mono_ms() + (pause < BACKOFF_MOST_MS ? pause : BACKOFF_MOST_MS);
    p->failures++;
    if (p->stats.size == 0) /* nothing will come back to them: the server's word helps more than a time-out */
        pool_fail_waiters(p, e);
}

/* Called and left with the lock held. */
static void make_one(struct pool *p)
{
    struct err e;
    err_init(&e);
    p->stats.making++;
    pthread_mutex_unlock(&p->lock);
    struct pg_conn *conn = p->o.connect(p->o.self, &p->stop, &e);
    pthread_mutex_lock(&p->lock);
    p->stats.making--;
    if (conn && p->stats.closing) {
        pthread_mutex_unlock(&p->lock);
        pg_close(conn);
        pthread_mutex_lock(&p->lock);
    } else if (conn) {
        took(p, conn);
    } else if (!p->stats.closing) {
        failed(p, &e);
    }
    pthread_cond_broadcast(&p->changed);
}

/* The longest idle one that is over its time; unlinked. Under the lock. */
static struct member *take_aged(struct pool *p)
{
    int64_t now = p->now();
    for (struct member *m = p->members; m; m = m->next) {
        bool old = now >= m->dies_at, bored = now - m->idle_since >= p->o.max_idle_ms && p->stats.size > p->o.min_size;
        if (m->state != MEMBER_IDLE || !(old || bored || p->stats.closing))
            continue;
        p->stats.idle--;
        pool_drop(p, m);
        return m;
    }
    return NULL;
}

static void wait_a_while(struct pool *p, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

static void *maker(void *arg)
{
    struct pool *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stats.closing) {
        struct member *aged = take_aged(p);
        int64_t pause = p->next_try - clock_mono_ms();
        if (aged) {
            pthread_mutex_unlock(&p->lock);
            pg_close(aged->conn);
            free(aged);
            pthread_mutex_lock(&p->lock);
        } else if (wants_one(p) && pause <= 0) {
            make_one(p);
        } else {
            wait_a_while(p, wants_one(p) && pause < LOOK_MS ? (pause > 0 ? pause : 1) : LOOK_MS);
        }
    }
    for (struct member *m; (m = take_aged(p));) {
        pthread_mutex_unlock(&p->lock);
        pg_close(m->conn);
        free(m);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- open and close ---- */

static bool check(const struct pool_options *o, struct err *e)
{
    int max = o->max_size ? o->max_size : SIZE_DEFAULT;
    if (max < 1 || max > POOL_SIZE_MAX || o->min_size < 0 || o->min_size > max)
        return err_set(e, ERR_INVALID_PARAMETER, "a pool of %d to %d connections: min is 0 to max, max is 1 to %d", o->min_size,
                       max, POOL_SIZE_MAX);
    return o->max_waiting >= 0 || err_set(e, ERR_INVALID_PARAMETER, "max_waiting is 0 (no limit) or more");
}

struct pool *pool_open(const struct pool_options *o, struct err *e)
{
    if (!check(o, e))
        return NULL;
    struct pool *p = xcalloc(1, sizeof *p);
    pthread_condattr_t mono;
    p->o = *o;
    p->o.max_size = o->max_size ? o->max_size : SIZE_DEFAULT;
    p->o.timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_DEFAULT_MS;
    p->o.max_lifetime_ms = o->max_lifetime_ms ? o->max_lifetime_ms : LIFETIME_DEFAULT_MS;
    p->o.max_idle_ms = o->max_idle_ms ? o->max_idle_ms : IDLE_DEFAULT_MS;
    p->o.name = p->name = xstrndup(o->name, POOL_NAME_MAX);
    p->now = o->now_ms ? o->now_ms : clock_mono_ms;
    p->waiters_end = &p->waiters;
    err_init(&p->last_error);
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &mono);
    pthread_condattr_destroy(&mono);
    bool ok = cancel_init(&p->stop, e);
    int rc = ok ? pthread_create(&p->maker, NULL, maker, p) : 0;
    p->has_maker = ok && rc == 0;
    if (p->has_maker)
        return p;
    if (rc != 0)
        err_errno(e, rc, "no thread for pool '%s'", p->name);
    p->stats.closing = true;
    pool_free(p);
    return NULL;
}

bool pool_wait(struct pool *p, int timeout_ms, struct cancel *c, struct err *e)
{
    int64_t end = clock_mono_ms() + timeout_ms;
    bool ready = false;
    pthread_mutex_lock(&p->lock);
    while (!ready && !p->last_error.code && !p->stats.closing && !cancel_fired(c) && clock_mono_ms() < end) {
        ready = p->stats.size >= p->o.min_size;
        if (!ready)
            wait_a_while(p, 20);
    }
    ready = ready || p->stats.size >= p->o.min_size;
    if (!ready && p->last_error.code)
        *e = p->last_error;
    pthread_mutex_unlock(&p->lock);
    if (ready || e->code || !cancel_check(c, e))
        return ready;
    return err_set(e, ERR_TIMEOUT, "pool '%s' did not fill within %d ms", p->name, timeout_ms);
}

void pool_close(struct pool *p, int deadline_ms)
{
    struct err why;
    err_init(&why);
    err_set(&why, ERR_POOL_CLOSED, "pool '%s' is closed", p->name);
    pthread_mutex_lock(&p->lock);
    p->stats.closing = true;
    pool_fail_waiters(p, &why);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    cancel_fire(&p->stop);
    if (p->has_maker)
        pthread_join(p->maker, NULL);
    p->has_maker = false;
    int64_t end = clock_mono_ms() + deadline_ms;
    pthread_mutex_lock(&p->lock);
    while (p->members && clock_mono_ms() < end)
        wait_a_while(p, end - clock_mono_ms() > 0 ? end - clock_mono_ms() : 1);
    for (struct member *m = p->members; m; m = m->next)
        pg_request_cancel(m->conn, 1000); /* its borrower sees 57014 and gives it back */
    pthread_mutex_unlock(&p->lock);
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    if (p->has_maker)
        pool_close(p, 0);
    for (struct member *m = p->members, *next; m; m = next) {
        next = m->next;
        pg_close(m->conn);
        free(m);
    }
    cancel_release(&p->stop);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p->name);
    free(p);
}
