/* Connections without a server for the tests of the pool: they can be dead, dirty, slow to make, or fail to be made; and a
 * clock that only the test moves. */
#ifndef TESTS_POOL_FAKES_H
#define TESTS_POOL_FAKES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/pool_parts.h"

struct fake {
    int id;
    atomic_bool dead, deaf, cancelled; /* deaf: only a round trip finds out */
    atomic_int comes_back;  /* what clean() says; 0 is the bit pattern of a broken one */
    atomic_int holders;     /* more than one is the bug that a pool must not have */
};

static struct {
    atomic_int made, open, attempts, most_open;
    atomic_int pings;
    atomic_bool pings_held; /* they get no answer until it ends */
    atomic_int fail;        /* attempts to fail from now on */
    bool down;              /* the next pool finds the server away */
    atomic_int new_ones;    /* what clean() says of new ones */
    atomic_bool gate_shut;  /* connects wait until it opens, or their token fires */
    atomic_llong now;
} fakes;

static inline struct fake *fake_of(struct pg_conn *conn) { return (struct fake *)conn; }

static inline void fakes_pause(void)
{
    struct err e;
    err_init(&e);
    cancel_poll(NULL, -1, 0, 1, &e);
}

static inline struct pg_conn *fake_connect(void *self, struct cancel *c, struct err *e)
{
    (void)self;
    atomic_fetch_add(&fakes.attempts, 1);
    while (atomic_load(&fakes.gate_shut)) {
        if (!cancel_check(c, e))
            return NULL;
        fakes_pause();
    }
    if (atomic_load(&fakes.fail) > 0) {
        atomic_fetch_sub(&fakes.fail, 1);
        err_set(e, ERR_CONNECT, "the fake server is down");
        return NULL;
    }
    struct fake *f = xcalloc(1, sizeof *f);
    f->id = atomic_fetch_add(&fakes.made, 1) + 1;
    atomic_init(&f->comes_back, atomic_load(&fakes.new_ones));
    int open = atomic_fetch_add(&fakes.open, 1) + 1;
    if (open > atomic_load(&fakes.most_open))
        atomic_store(&fakes.most_open, open);
    return (struct pg_conn *)f;
}

static inline bool fake_alive(struct pg_conn *conn) { return !atomic_load(&fake_of(conn)->dead); }

static inline int fake_clean(struct pg_conn *conn, enum pool_reset reset, int limit_ms)
{
    (void)reset;
    (void)limit_ms;
    return atomic_load(&fake_of(conn)->dead) ? 0 : atomic_load(&fake_of(conn)->comes_back);
}

static inline bool fake_tidy(struct pg_conn *conn, enum pool_reset reset)
{
    return !atomic_load(&fake_of(conn)->dead) && fake_clean(conn, reset, 0) == POOL_CLEAN;
}

static inline void *fake_canceller(struct pg_conn *conn) { return conn; }
static inline void fake_cancel(void *f, int limit_ms)
{
    (void)limit_ms;
    atomic_store(&((struct fake *)f)->cancelled, true);
}
static inline void fake_canceller_free(void *f) { (void)f; }

static inline void fake_close(struct pg_conn *conn)
{
    atomic_fetch_sub(&fakes.open, 1);
    free(conn);
}

static inline bool fake_ping(struct pg_conn *conn, int limit_ms)
{
    (void)limit_ms;
    atomic_fetch_add(&fakes.pings, 1);
    while (atomic_load(&fakes.pings_held))
        fakes_pause();
    return !atomic_load(&fake_of(conn)->deaf);
}

static inline void fake_detach(struct pg_conn *conn) { (void)conn; }

static const struct pool_ops fake_ops = {.alive = fake_alive, .ping = fake_ping, .tidy = fake_tidy, .detach = fake_detach, .clean = fake_clean, .canceller = fake_canceller,
                                         .cancel = fake_cancel, .canceller_free = fake_canceller_free, .close = fake_close};

static inline int64_t fake_now(void) { return atomic_load(&fakes.now) * 1000; }

static inline struct pool *fake_pool(const struct pool_options *o)
{
    struct err e;
    struct pool_options with = *o;
    err_init(&e);
    with.name = "fake";
    with.connect = fake_connect;
    with.now_us = fake_now;
    atomic_store(&fakes.made, 0);
    atomic_store(&fakes.attempts, 0);
    atomic_store(&fakes.pings, 0);
    atomic_store(&fakes.most_open, 0);
    atomic_store(&fakes.new_ones, POOL_CLEAN);
    atomic_store(&fakes.fail, fakes.down ? 1000000 : 0);
    fakes.down = false;
    atomic_store(&fakes.gate_shut, false);
    atomic_store(&fakes.now, 1000000);
    struct pool *p = pool_open_over(&with, &fake_ops, &e);
    assert_non_null(p);
    return p;
}

/* Until it holds, for at most 20 s; the limit is for a broken pool only. */
#define UNTIL(p, s, condition) \
    do { \
        int64_t end_ = clock_mono_ms() + 20000; \
        pool_stats(p, &(s)); \
        while (!(condition) && clock_mono_ms() < end_) { \
            fakes_pause(); \
            pool_stats(p, &(s)); \
        } \
        assert_true(condition); \
    } while (0)

static inline void fakes_advance(struct pool *p, int64_t ms)
{
    atomic_fetch_add(&fakes.now, ms);
    pool_look(p);
}

static inline struct pg_conn *get(struct pool *p, int timeout_ms)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = pool_checkout(p, timeout_ms, NULL, &e);
    assert_int_equal(e.code, conn ? ERR_NONE : e.code);
    return conn;
}

static inline void refused(struct pool *p, int timeout_ms, enum err_code code)
{
    struct err e;
    err_init(&e);
    assert_null(pool_checkout(p, timeout_ms, NULL, &e));
    assert_int_equal(e.code, code);
}

/* Everything came back and nothing is left open. */
static inline void end(struct pool *p)
{
    assert_true(pool_close(p, 20000));
    pool_free(p);
    assert_int_equal(atomic_load(&fakes.open), 0);
}

#endif
