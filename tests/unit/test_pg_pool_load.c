/* The pool under threads, without a server: order, hand-over, cancelled waiters, spikes, closing; totals must be exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pool_fakes.h"

enum { THREADS = 100, THREADS_MAX = 1000, CANCELS = 2000 };

/* The big counts are make soak's: LAKEBASE_POOL_THREADS, _CALLS, _STEPS, _SEED. */
static int count(const char *name, int usual)
{
    const char *text = getenv(name);
    return text ? (int)strtol(text, NULL, 10) : usual;
}
#define LOAD_THREADS count("LAKEBASE_POOL_THREADS", 100)
#define LOAD_CALLS count("LAKEBASE_POOL_CALLS", 200)

struct caller {
    struct pool *p;
    pthread_t thread;
    struct cancel cancel;
    int timeout_ms, calls;
    unsigned seed;
    struct pg_conn *conn;
    struct err e;
    int ticket;
    atomic_int served, failed;
};

static atomic_int tickets;

/* Each takes a ticket while it holds the only connection, so tickets say who was served when. */
static void *one_checkout(void *arg)
{
    struct caller *me = arg;
    err_init(&me->e);
    me->conn = pool_checkout(me->p, me->timeout_ms, &me->cancel, &me->e);
    if (me->conn) {
        me->ticket = atomic_fetch_add(&tickets, 1) + 1;
        pool_return(me->p, me->conn);
    }
    return NULL;
}

/* Callers that queue one after the other. */
static void queue_up(struct caller *callers, int n, struct pool *p)
{
    struct pool_stats s;
    atomic_store(&tickets, 0);
    for (int i = 0; i < n; i++) {
        memset(&callers[i], 0, sizeof callers[i]);
        callers[i].p = p;
        callers[i].timeout_ms = 20000;
        err_init(&callers[i].e);
        assert_true(cancel_init(&callers[i].cancel, &callers[i].e));
        assert_int_equal(pthread_create(&callers[i].thread, NULL, one_checkout, &callers[i]), 0);
        UNTIL(p, s, s.waiting == i + 1);
    }
}

static void join_all(struct caller *callers, int n)
{
    for (int i = 0; i < n; i++) {
        pthread_join(callers[i].thread, NULL);
        cancel_release(&callers[i].cancel);
    }
}

static void test_first_come_first_served(void **state)
{
    (void)state;
    struct caller callers[THREADS];
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    struct pg_conn *conn = get(p, 20000);
    queue_up(callers, THREADS, p);
    refused(p, 0, ERR_POOL_TIMEOUT);
    pool_return(p, conn);
    join_all(callers, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(callers[i].ticket, i + 1);
    pool_stats(p, &s);
    assert_int_equal(s.checkouts, THREADS + 1);
    assert_int_equal(s.most_waiting, THREADS);
    assert_true(s.waited >= THREADS && s.wait.count == s.waited);
    assert_int_equal(s.connects, 1);
    end(p);
}

/* Between a return and the waiter that was woken, nobody can take what was given. */
static void test_nobody_overtakes(void **state)
{
    (void)state;
    struct caller callers[2];
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    for (int i = 0; i < 200; i++) {
        struct pg_conn *conn = get(p, 20000);
        queue_up(callers, 2, p);
        pool_return(p, conn);
        struct err e;
        err_init(&e);
        conn = pool_checkout(p, 0, NULL, &e); /* only when both were served already */
        assert_true(!conn || atomic_load(&tickets) == 2);
        if (conn)
            pool_return(p, conn);
        join_all(callers, 2);
        assert_int_equal(callers[0].ticket, 1);
        assert_int_equal(callers[1].ticket, 2);
    }
    end(p);
}

/* A waiter that finds its idle connection dead does not go to the end of the queue. */
static void test_a_dead_one_costs_no_turn(void **state)
{
    (void)state;
    struct caller callers[3];
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    struct pg_conn *conn = get(p, 20000);
    queue_up(callers, 3, p);
    atomic_store(&fakes.gate_shut, true);
    atomic_store(&fake_of(conn)->dead, true);
    atomic_store(&fake_of(conn)->comes_back, POOL_CLEAN);
    /* It dies after its return was looked at: hand it over as it is. */
    pthread_mutex_lock(&p->lock);
    pool_put(p, p->members, fake_now());
    pthread_mutex_unlock(&p->lock);
    UNTIL(p, s, s.making == 1 && s.waiting == 3);
    assert_int_equal(s.closed[POOL_CLOSED_LOST], 1);
    atomic_store(&fakes.gate_shut, false);
    join_all(callers, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(callers[i].ticket, i + 1);
    end(p);
}

static void test_a_full_queue_refuses(void **state)
{
    (void)state;
    struct caller callers[3];
    struct pool_stats s;
    struct err e;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1, .max_waiting = 3});
    struct pg_conn *conn = get(p, 20000);
    queue_up(callers, 3, p);
    err_init(&e);
    assert_null(pool_checkout(p, 20000, NULL, &e));
    assert_int_equal(e.code, ERR_POOL_FULL);
    assert_string_equal(e.text, "pool 'fake' is full: 1 connections are lent and 3 checkouts wait, which is the maximum");
    pool_return(p, conn);
    join_all(callers, 3);
    pool_stats(p, &s);
    assert_int_equal(s.refused, 1);
    end(p);
}

/* ---- cancel ---- */

static void test_cancel_in_the_queue(void **state)
{
    (void)state;
    struct caller callers[5];
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    struct pg_conn *conn = get(p, 20000);
    queue_up(callers, 5, p);
    cancel_fire(&callers[0].cancel);
    cancel_fire(&callers[2].cancel);
    cancel_fire(&callers[4].cancel);
    UNTIL(p, s, s.waiting == 2);
    pool_return(p, conn);
    join_all(callers, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(callers[i].e.code, i % 2 ? ERR_NONE : ERR_CANCELLED);
        assert_int_equal(callers[i].ticket, i % 2 ? (i + 1) / 2 : 0);
    }
    pool_stats(p, &s);
    assert_int_equal(s.cancelled, 3);
    struct err e;
    struct cancel fired;
    err_init(&e);
    assert_true(cancel_init(&fired, &e));
    cancel_fire(&fired);
    assert_null(pool_checkout(p, 20000, &fired, &e)); /* before it queued, though one is free */
    assert_int_equal(e.code, ERR_CANCELLED);
    cancel_release(&fired);
    end(p);
}

/* A cancel and a return at the same moment, again and again: the connection is with the waiter or in the pool. */
static void test_cancel_in_the_instant_of_hand_over(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    int served = 0, cancelled = 0;
    for (unsigned i = 0; i < CANCELS; i++) {
        struct caller one;
        struct pg_conn *conn = get(p, 20000);
        assert_non_null(conn);
        queue_up(&one, 1, p);
        if (i % 2)
            cancel_fire(&one.cancel);
        for (volatile unsigned spin = i * 7919 % 4000; spin > 0; spin--)
            continue;
        pool_return(p, conn);
        if (i % 2 == 0)
            cancel_fire(&one.cancel);
        join_all(&one, 1);
        served += one.ticket == 1;
        cancelled += one.e.code == ERR_CANCELLED;
    }
    pool_stats(p, &s);
    assert_int_equal(served + cancelled, CANCELS);
    assert_int_equal(s.idle, 1);
    assert_int_equal(s.connects, 1);
    assert_int_equal(s.cancelled, cancelled);
    assert_int_equal(s.checkouts, CANCELS + served);
    end(p);
}

/* ---- load ---- */

static void hold(struct fake *f)
{
    if (atomic_fetch_add(&f->holders, 1) != 0)
        bug("a connection has two holders");
    for (volatile unsigned spin = (unsigned)f->id * 97 % 500; spin > 0; spin--)
        continue;
    atomic_fetch_sub(&f->holders, 1);
}

static void *many_checkouts(void *arg)
{
    struct caller *me = arg;
    for (int i = 0; i < me->calls; i++) {
        struct err e;
        err_init(&e);
        struct pg_conn *conn = pool_checkout(me->p, me->timeout_ms, NULL, &e);
        if (!conn) {
            atomic_fetch_add(&me->failed, 1);
            continue;
        }
        hold(fake_of(conn));
        unsigned dice = (unsigned)rand_r(&me->seed) % 100;
        if (dice < 2)
            atomic_store(&fake_of(conn)->dead, true);
        pool_return(me->p, conn);
        atomic_fetch_add(&me->served, 1);
    }
    return NULL;
}

static void load(struct pool *p, int timeout_ms, bool watch, int *served, int *failed)
{
    static struct caller callers[THREADS_MAX];
    struct pool_stats s;
    int threads = LOAD_THREADS;
    assert_in_range(threads, 1, THREADS_MAX);
    memset(callers, 0, sizeof callers);
    *served = *failed = 0;
    for (int i = 0; i < threads; i++) {
        callers[i].p = p;
        callers[i].timeout_ms = timeout_ms;
        callers[i].calls = LOAD_CALLS;
        callers[i].seed = (unsigned)i + 1;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, many_checkouts, &callers[i]), 0);
    }
    for (int i = 0; watch && i < 2000; i++) { /* each picture adds up */
        pool_stats(p, &s);
        assert_true(s.idle + s.busy + s.cleaning == s.size && s.size + s.making <= s.max_size);
        assert_true(s.idle == 0 || s.waiting == 0);
        if (i % 100 == 0)
            pool_drain(p);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(callers[i].thread, NULL);
        *served += callers[i].served;
        *failed += callers[i].failed;
    }
}

static void test_totals_are_exact(void **state)
{
    (void)state;
    struct pool_stats s;
    int served, failed;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 8, .timeout_ms = 60000});
    pool_return(p, get(p, 20000));
    pool_drain(p);
    UNTIL(p, s, s.closed[POOL_CLOSED_DRAIN] == 1); /* whether one under load meets an open connection is luck */
    load(p, -1, true, &served, &failed);
    pool_stats(p, &s);
    assert_int_equal(served, LOAD_THREADS * LOAD_CALLS);
    assert_int_equal(failed, 0);
    assert_int_equal(s.checkouts, LOAD_THREADS * LOAD_CALLS + 1);
    assert_int_equal(s.busy + s.waiting, 0);
    assert_true(atomic_load(&fakes.most_open) <= 8);
    uint64_t closed = 0;
    for (int i = 0; i < POOL_CLOSED_REASONS; i++)
        closed += s.closed[i];
    assert_true(s.closed[POOL_CLOSED_BROKEN] > 0);
    assert_int_equal(s.connects, closed + (uint64_t)s.idle);
    end(p);
}

static void test_totals_with_short_limits(void **state)
{
    (void)state;
    struct pool_stats s;
    int served, failed;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 2});
    load(p, 1, false, &served, &failed);
    pool_stats(p, &s);
    assert_int_equal(served + failed, LOAD_THREADS * LOAD_CALLS);
    assert_int_equal(s.checkouts, served);
    assert_int_equal(s.timeouts, failed);
    assert_int_equal(s.busy + s.waiting, 0);
    end(p);
}

/* Demand that returns have served leaves at most the one connection that was on its way. */
static void test_a_spike_does_not_inflate(void **state)
{
    (void)state;
    struct caller callers[30];
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 20});
    struct pg_conn *conn = get(p, 20000);
    atomic_store(&fakes.gate_shut, true);
    queue_up(callers, 30, p);
    UNTIL(p, s, s.making == 1);
    pool_return(p, conn);
    join_all(callers, 30);
    atomic_store(&fakes.gate_shut, false);
    UNTIL(p, s, s.making == 0);
    assert_int_equal(s.size, 2);
    assert_int_equal(s.checkouts, 31);
    end(p);
}

/* ---- closing ---- */

static void *close_it(void *pool)
{
    return pool_close(pool, 20000) ? pool : NULL;
}

static void test_close_wakes_everybody(void **state)
{
    (void)state;
    struct caller callers[20];
    struct pool_stats s;
    pthread_t closers[2];
    void *closed;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 2});
    struct pg_conn *a = get(p, 20000), *b = get(p, 20000);
    queue_up(callers, 20, p);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&closers[i], NULL, close_it, p), 0);
    join_all(callers, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(callers[i].e.code, ERR_POOL_CLOSED);
    pool_return(p, a);
    pool_return(p, b);
    for (int i = 0; i < 2; i++) {
        pthread_join(closers[i], &closed);
        assert_ptr_equal(closed, p);
    }
    pool_stats(p, &s);
    assert_int_equal(s.failed, 20);
    assert_int_equal(s.size, 0);
    end(p);
}

static void test_a_server_that_goes_away_wakes_everybody(void **state)
{
    (void)state;
    struct caller callers[20];
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    struct pg_conn *conn = get(p, 20000);
    queue_up(callers, 20, p);
    atomic_store(&fakes.fail, 1000000);
    atomic_store(&fake_of(conn)->dead, true);
    pool_return(p, conn);
    join_all(callers, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(callers[i].e.code, ERR_CONNECT);
    assert_int_equal(atomic_load(&fakes.attempts), 2);
    end(p);
}

/* ---- any order of calls ---- */

/* One thread does what comes, and knows what it holds, how much there may be, and whether anything is lent at all. */
static void test_any_order_of_calls(void **state)
{
    (void)state;
    enum { MOST = 5 };
    struct pg_conn *held[MOST];
    struct pool_stats s;
    unsigned seed = (unsigned)count("LAKEBASE_POOL_SEED", 42);
    int n = 0, max = MOST, steps = count("LAKEBASE_POOL_STEPS", 20000);
    uint64_t got = 0, detached = 0;
    bool paused = false;
    struct pool_checked checked;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = MOST, .min_size = 1, .max_idle_ms = 300, .max_lifetime_ms = 2000,
                                                      .ping_idle_ms = 100, .leak_after_ms = 500});
    for (int step = 0; step < steps; step++) {
        struct err e;
        err_init(&e);
        int dice = rand_r(&seed) % 100;
        if (dice < 45 && n < max && !paused) {
            struct pg_conn *conn = pool_checkout(p, 20000, NULL, &e);
            assert_non_null(conn); /* fewer are held than there may be */
            assert_false(atomic_load(&fake_of(conn)->dead));
            assert_int_equal(atomic_fetch_add(&fake_of(conn)->holders, 1), 0);
            held[n++] = conn;
            got++;
        } else if (dice < 45) {
            assert_null(pool_checkout(p, 0, NULL, &e));
            assert_int_equal(e.code, paused ? ERR_POOL_PAUSED : ERR_POOL_TIMEOUT);
        } else if (dice < 75 && n > 0) {
            int i = rand_r(&seed) % n;
            atomic_store(&fake_of(held[i])->holders, 0);
            pool_return(p, held[i]);
            held[i] = held[--n];
        } else if (dice < 78 && n > 0) {
            int i = rand_r(&seed) % n;
            pool_detach(p, held[i]);
            fake_close(held[i]);
            held[i] = held[--n];
            detached++;
        } else if (dice < 83 && n > 0) {
            atomic_store(&fake_of(held[rand_r(&seed) % n])->dead, true);
        } else if (dice < 86 && n > 0) {
            atomic_store(&fake_of(held[rand_r(&seed) % n])->deaf, true);
        } else if (dice < 88) {
            pool_drain(p);
        } else if (dice < 90) {
            max = 1 + rand_r(&seed) % MOST;
            assert_true(pool_resize(p, max / 2, max, &e));
        } else if (dice < 92) {
            paused = !paused;
            if (paused)
                assert_int_equal(pool_pause(p, 0, NULL, &e), n == 0);
            else
                pool_resume(p);
        } else if (dice < 94) {
            assert_true(pool_check_idle(p, &checked, NULL, &e));
        } else {
            fakes_advance(p, rand_r(&seed) % 400);
        }
        pool_stats(p, &s);
        assert_int_equal(s.busy, n);
        assert_int_equal(s.checkouts, got);
        assert_int_equal(s.detached, detached);
        assert_int_equal(s.paused, paused);
        assert_true(s.size + s.making <= MOST && atomic_load(&fakes.open) <= MOST);
        assert_true(s.size - s.cleaning <= (n > max ? n : max));
    }
    pool_resume(p);
    while (n > 0)
        pool_return(p, held[--n]);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_come_first_served),
        cmocka_unit_test(test_nobody_overtakes),
        cmocka_unit_test(test_a_dead_one_costs_no_turn),
        cmocka_unit_test(test_a_full_queue_refuses),
        cmocka_unit_test(test_cancel_in_the_queue),
        cmocka_unit_test(test_cancel_in_the_instant_of_hand_over),
        cmocka_unit_test(test_totals_are_exact),
        cmocka_unit_test(test_totals_with_short_limits),
        cmocka_unit_test(test_a_spike_does_not_inflate),
        cmocka_unit_test(test_close_wakes_everybody),
        cmocka_unit_test(test_a_server_that_goes_away_wakes_everybody),
        cmocka_unit_test(test_any_order_of_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
