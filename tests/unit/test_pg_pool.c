/* The pool's rules one by one, without a server: sizes, order, lifetimes, failures, closing. Threads: test_pg_pool_load.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool_fakes.h"

static void test_options(void **state)
{
    (void)state;
    static const struct pool_options bad[] = {
        {.min_size = 9}, {.min_size = -1}, {.max_size = -1}, {.max_size = POOL_SIZE_MAX + 1}, {.min_size = 3, .max_size = 2},
        {.max_waiting = -1}, {.timeout_ms = -1}, {.max_lifetime_ms = -5}, {.max_idle_ms = -5}, {.reset_timeout_ms = -1}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e;
        struct pool_options o = bad[i];
        err_init(&e);
        o.name = "bad";
        o.connect = fake_connect;
        assert_null(pool_open_over(&o, &fake_ops, &e));
        assert_int_equal(e.code, ERR_INVALID_PARAMETER);
    }
    char name[POOL_NAME_MAX + 2];
    memset(name, 'x', sizeof name);
    for (int len = 0; len <= POOL_NAME_MAX + 1; len += len ? 1 : POOL_NAME_MAX) { /* 0, 63, 64 */
        struct err e;
        err_init(&e);
        name[POOL_NAME_MAX] = len > POOL_NAME_MAX ? 'x' : '\0';
        name[len] = '\0';
        struct pool_options o = {.name = name, .connect = fake_connect};
        struct pool *p = pool_open_over(&o, &fake_ops, &e);
        assert_int_equal(e.code, len == POOL_NAME_MAX ? ERR_NONE : ERR_INVALID_PARAMETER);
        pool_free(p);
        name[0] = 'x';
    }
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = POOL_SIZE_MAX});
    pool_stats(p, &s);
    assert_int_equal(s.max_size, POOL_SIZE_MAX);
    assert_int_equal(s.size + s.making, 0); /* min 0: nothing before it is asked for */
    assert_string_equal(pool_name(p), "fake");
    end(p);
}

static void test_a_pool_fills_to_min(void **state)
{
    (void)state;
    struct pool_stats s;
    struct err e;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 3});
    err_init(&e);
    assert_true(pool_wait(p, 20000, NULL, &e));
    UNTIL(p, s, s.idle == 3);
    assert_int_equal(s.max_size, 8);
    assert_int_equal(s.connects, 3);
    assert_int_equal(s.connect.count, 3);
    end(p);
}

static void test_the_last_used_is_lent_first(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 3, .min_size = 3});
    UNTIL(p, s, s.idle == 3);
    struct pg_conn *a = get(p, 0), *b = get(p, 0), *c = get(p, 0);
    assert_true(a != b && b != c && a != c);
    pool_return(p, b);
    pool_return(p, a);
    pool_return(p, c);
    assert_ptr_equal(get(p, 0), c);
    assert_ptr_equal(get(p, 0), a);
    assert_ptr_equal(get(p, 0), b);
    refused(p, 0, ERR_POOL_TIMEOUT);
    pool_return(p, a);
    pool_return(p, b);
    pool_return(p, c);
    end(p);
}

static void test_exhaustion_teaches(void **state)
{
    (void)state;
    struct pool_stats s;
    struct err e;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1, .timeout_ms = 30});
    struct pg_conn *conn = get(p, 20000);
    atomic_fetch_add(&fakes.now, 5000);
    err_init(&e);
    assert_null(pool_checkout(p, -1, NULL, &e)); /* the pool's own limit */
    assert_int_equal(e.code, ERR_POOL_TIMEOUT);
    assert_string_equal(e.text, "no connection of pool 'fake' became free within 30 ms");
    assert_string_equal(e.detail, "1 of at most 1 connections are lent (one for 5000 ms), 0 being made, 0 more checkouts wait");
    assert_true(strstr(e.hint, "give connections back sooner") != NULL);
    refused(p, 0, ERR_POOL_TIMEOUT);
    refused(p, 7, ERR_POOL_TIMEOUT);
    pool_stats(p, &s);
    assert_int_equal(s.timeouts, 3);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.longest_lent_ms, 5000);
    pool_return(p, conn);
    assert_ptr_equal(get(p, 0), conn); /* nobody who gave up was given it */
    pool_return(p, conn);
    end(p);
}

/* ---- what comes back ---- */

static void test_return_rules(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    struct pg_conn *a = get(p, 20000);
    atomic_store(&fake_of(a)->comes_back, POOL_CLEAN | POOL_ROLLED_BACK);
    pool_return(p, a);
    assert_ptr_equal(get(p, 0), a);
    atomic_store(&fake_of(a)->comes_back, POOL_CLEAN | POOL_WAS_RESET);
    pool_return(p, a);
    assert_ptr_equal(get(p, 0), a);
    atomic_store(&fake_of(a)->comes_back, POOL_ROLLED_BACK); /* … but not clean: of no more use */
    pool_return(p, a);
    struct pg_conn *b = get(p, 20000);
    assert_int_equal(fake_of(b)->id, 2);
    pool_stats(p, &s);
    assert_int_equal(s.rollbacks, 2);
    assert_int_equal(s.resets, 1);
    assert_int_equal(s.closed[POOL_CLOSED_BROKEN], 1);
    assert_int_equal(s.checkouts, 4);
    pool_return(p, b);
    end(p);
}

static void test_a_dead_one_is_never_lent(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 3, .min_size = 3});
    UNTIL(p, s, s.idle == 3);
    struct pg_conn *all[] = {get(p, 0), get(p, 0), get(p, 0)};
    for (size_t i = 0; i < 3; i++)
        pool_return(p, all[i]);
    for (size_t i = 0; i < 3; i++)
        atomic_store(&fake_of(all[i])->dead, true);
    for (size_t i = 0; i < 3; i++) {
        all[i] = get(p, 20000); /* no error for the client */
        assert_non_null(all[i]);
        assert_false(atomic_load(&fake_of(all[i])->dead));
    }
    pool_stats(p, &s);
    assert_int_equal(s.closed[POOL_CLOSED_LOST], 3);
    assert_int_equal(s.checkouts, 6);
    for (size_t i = 0; i < 3; i++)
        pool_return(p, all[i]);
    end(p);
}

#ifndef __SANITIZE_THREAD__ /* it does not follow a fork */
static void in_a_child(void (*wrong)(struct pool *))
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        wrong(fake_pool(&(struct pool_options){.max_size = 2, .min_size = 1}));
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void returns_twice(struct pool *p)
{
    struct pg_conn *conn = get(p, 20000);
    pool_return(p, conn);
    pool_return(p, conn);
}
static void returns_nothing(struct pool *p) { pool_return(p, NULL); }
static void returns_another(struct pool *p)
{
    struct fake other = {0};
    pool_return(p, (struct pg_conn *)&other);
}

static void test_wrong_returns_are_bugs(void **state)
{
    (void)state;
    in_a_child(returns_twice);
    in_a_child(returns_nothing);
    in_a_child(returns_another);
}
#endif

/* ---- time ---- */

static void test_lifetime(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 2, .max_lifetime_ms = 10000, .max_idle_ms = 1000000});
    struct pg_conn *a = get(p, 20000), *b = get(p, 20000);
    pool_return(p, b);
    atomic_fetch_add(&fakes.now, 10000); /* the maker does not know yet: it is enforced at the checkout itself */
    struct pg_conn *c = get(p, 20000);
    assert_int_equal(fake_of(c)->id, 3);
    pool_return(p, a); /* … and at the return */
    UNTIL(p, s, s.closed[POOL_CLOSED_LIFETIME] == 2);
    pool_return(p, c);
    fakes_advance(p, 10000); /* … and while it idles */
    UNTIL(p, s, s.closed[POOL_CLOSED_LIFETIME] == 3 && s.size == 0);
    end(p);
}

static void test_lifetimes_are_spread(void **state)
{
    (void)state;
    enum { N = 20, LIFE = 100000 };
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = N, .min_size = N, .max_lifetime_ms = LIFE,
                                                      .max_idle_ms = LIFE * 2});
    UNTIL(p, s, s.idle == N);
    int64_t seen[N];
    int moments = 0, n = 0;
    pthread_mutex_lock(&p->lock);
    for (const struct member *m = p->members; m; m = m->next) {
        bool is_new = true;
        for (int i = 0; i < n; i++)
            is_new &= seen[i] / 1000 != m->dies_at / 1000;
        moments += is_new;
        seen[n++] = m->dies_at;
        assert_in_range(m->dies_at, atomic_load(&fakes.now) + LIFE * 9 / 10, fake_now() + LIFE);
    }
    pthread_mutex_unlock(&p->lock);
    assert_true(moments >= 5); /* different seconds: not all at once */
    end(p);
}

struct comer {
    struct pool *p;
    struct pg_conn *gives, *got;
};

static void *give_and_take(void *arg)
{
    struct comer *c = arg;
    pool_return(c->p, c->gives);
    c->got = get(c->p, 0);
    pool_return(c->p, c->got);
    return NULL;
}

/* A thread that comes back at once gets what it had; later the one used last, whoever had it. */
static void test_a_thread_keeps_its_connection_for_a_moment(void **state)
{
    (void)state;
    pthread_t thread;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 2, .min_size = 2});
    for (int late = 0; late <= 2; late++) {
        struct pg_conn *mine = get(p, 20000);
        struct comer other = {.p = p, .gives = get(p, 20000)};
        pool_return(p, mine);
        assert_int_equal(pthread_create(&thread, NULL, give_and_take, &other), 0);
        pthread_join(thread, NULL);
        assert_ptr_equal(other.got, other.gives);
        atomic_fetch_add(&fakes.now, late);
        struct pg_conn *again = get(p, 0);
        assert_ptr_equal(again, late < 2 ? mine : other.gives);
        pool_return(p, again);
    }
    end(p);
}

static void test_idle_ones_go(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pg_conn *all[5];
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 5, .min_size = 2, .max_idle_ms = 1000});
    for (size_t i = 0; i < 5; i++)
        all[i] = get(p, 20000);
    for (size_t i = 0; i < 5; i++)
        pool_return(p, all[i]);
    atomic_fetch_add(&fakes.now, 999);
    pthread_mutex_lock(&p->lock);
    assert_null(pool_take_over(p));
    pthread_mutex_unlock(&p->lock);
    fakes_advance(p, 1);
    UNTIL(p, s, s.idle == 2 && s.size == 2);
    assert_int_equal(s.closed[POOL_CLOSED_IDLE], 3);
    assert_ptr_equal(get(p, 0), all[4]); /* those that were used last stayed */
    assert_ptr_equal(get(p, 0), all[3]);
    pool_return(p, all[3]);
    pool_return(p, all[4]);
    end(p);
}

/* ---- the server is away ---- */

static void test_fail_fast_and_come_back(void **state)
{
    (void)state;
    struct pool_stats s;
    struct err e;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 2});
    atomic_store(&fakes.fail, 1000000);
    err_init(&e);
    assert_null(pool_checkout(p, 20000, NULL, &e));
    assert_int_equal(e.code, ERR_CONNECT); /* the server's word, not a time-out */
    assert_string_equal(e.text, "the fake server is down");
    assert_int_equal(atomic_load(&fakes.attempts), 1);
    for (int i = 0; i < 100; i++)
        refused(p, 20000, ERR_CONNECT);
    assert_int_equal(atomic_load(&fakes.attempts), 1); /* a moment ago: nobody hammers the server */
    fakes_advance(p, POOL_FAIL_FAST_MS);
    refused(p, 20000, ERR_CONNECT);
    assert_int_equal(atomic_load(&fakes.attempts), 2); /* later it is worth one more */
    atomic_store(&fakes.fail, 0);
    fakes_advance(p, POOL_FAIL_FAST_MS);
    struct pg_conn *conn = get(p, 20000);
    assert_non_null(conn);
    pool_stats(p, &s);
    assert_int_equal(s.connect_failures, 2);
    assert_int_equal(s.failed, 102);
    pool_return(p, conn);
    end(p);
}

static void test_pauses_grow(void **state)
{
    (void)state;
    struct pool_stats s;
    static const int pauses[] = {200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000};
    fakes.down = true;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 1});
    UNTIL(p, s, s.connect_failures == 1);
    for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
        pthread_mutex_lock(&p->lock);
        assert_int_equal(p->next_try - atomic_load(&fakes.now), pauses[i]);
        pthread_mutex_unlock(&p->lock);
        fakes_advance(p, pauses[i]);
        UNTIL(p, s, s.connect_failures == i + 2);
    }
    end(p);
}

/* With connections that come back, a failed attempt is no reason to send waiters away. */
static void test_waiters_outlive_a_failed_attempt(void **state)
{
    (void)state;
    struct pool_stats s;
    struct err e;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 2});
    struct pg_conn *conn = get(p, 20000);
    atomic_store(&fakes.fail, 1000000);
    err_init(&e);
    assert_null(pool_checkout(p, 30, NULL, &e));
    assert_int_equal(e.code, ERR_POOL_TIMEOUT);
    UNTIL(p, s, s.connect_failures >= 1);
    err_init(&e);
    assert_null(pool_checkout(p, 0, NULL, &e));
    assert_true(strstr(e.detail, "last connect error: the fake server is down") != NULL);
    pool_return(p, conn);
    assert_ptr_equal(get(p, 0), conn);
    pool_return(p, conn);
    end(p);
}

/* ---- drain and close ---- */

static void test_drain(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 3, .min_size = 3});
    UNTIL(p, s, s.idle == 3);
    struct pg_conn *lent = get(p, 0);
    pool_drain(p);
    UNTIL(p, s, s.closed[POOL_CLOSED_DRAIN] == 2 && s.idle == 2);
    struct pg_conn *fresh = get(p, 0);
    assert_true(fake_of(fresh)->id > 3);
    pool_return(p, fresh);
    pool_return(p, lent);
    UNTIL(p, s, s.closed[POOL_CLOSED_DRAIN] == 3 && s.idle == 3);
    assert_int_equal(s.connects, 6);
    end(p);
}

static void test_close(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 2});
    struct pg_conn *lent = get(p, 20000), *other = get(p, 20000);
    pool_return(p, other);
    assert_false(pool_close(p, 0)); /* one is still out; what it runs was cancelled */
    assert_true(atomic_load(&fake_of(lent)->cancelled));
    refused(p, 20000, ERR_POOL_CLOSED);
    pool_stats(p, &s);
    assert_true(s.closing);
    assert_int_equal(s.size, 1);
    pool_return(p, lent);
    assert_true(pool_close(p, 20000));
    pool_stats(p, &s);
    assert_int_equal(s.closed[POOL_CLOSED_END], 2);
    end(p);
}

static void test_close_during_a_connect(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 1});
    UNTIL(p, s, s.idle == 1);
    atomic_store(&fakes.gate_shut, true);
    pool_drain(p);
    UNTIL(p, s, s.making == 1);
    end(p); /* the gate stays shut: the connect's token fires */
    pool_free(NULL);
}

static void test_wait_reports(void **state)
{
    (void)state;
    struct err e;
    struct cancel c;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 2});
    end(p);
    struct pool_options o = {.name = "fake", .min_size = 2, .max_size = 2, .connect = fake_connect, .now_us = fake_now};
    err_init(&e);
    atomic_store(&fakes.fail, 1000000);
    p = pool_open_over(&o, &fake_ops, &e);
    assert_false(pool_wait(p, 20000, NULL, &e));
    assert_int_equal(e.code, ERR_CONNECT);
    end(p);
    err_init(&e);
    atomic_store(&fakes.fail, 0);
    atomic_store(&fakes.gate_shut, true);
    p = pool_open_over(&o, &fake_ops, &e);
    assert_false(pool_wait(p, 10, NULL, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    err_init(&e);
    assert_true(cancel_init(&c, &e));
    cancel_fire(&c);
    assert_false(pool_wait(p, 20000, &c, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    cancel_release(&c);
    pool_close(p, 0);
    err_init(&e);
    assert_false(pool_wait(p, 20000, NULL, &e));
    assert_int_equal(e.code, ERR_POOL_CLOSED);
    end(p);
}

/* ---- resources and numbers ---- */

static void test_no_descriptor_left(void **state)
{
    (void)state;
    struct pool_stats s;
    struct err e;
    struct rlimit was, none;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 1, .max_size = 1});
    err_init(&e);
    assert_true(pool_wait(p, 20000, NULL, &e)); /* one who waited would have left a pipe for the next */
    struct pg_conn *conn = get(p, 0);
    getrlimit(RLIMIT_NOFILE, &was);
    none = was;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    err_init(&e);
    struct pg_conn *second = pool_checkout(p, 20000, NULL, &e);
    struct err open_error;
    err_init(&open_error);
    struct pool_options o = {.name = "fake", .connect = fake_connect};
    struct pool *other = pool_open_over(&o, &fake_ops, &open_error);
    setrlimit(RLIMIT_NOFILE, &was);
    assert_null(second);
    assert_true(strstr(e.text, "no pipe for a checkout") != NULL);
    assert_null(other);
    assert_int_not_equal(open_error.code, ERR_NONE);
    pool_stats(p, &s);
    assert_int_equal(s.waiting, 0);
    pool_return(p, conn);
    assert_ptr_equal(get(p, 0), conn);
    pool_return(p, conn);
    end(p);
}

static void test_percentiles(void **state)
{
    (void)state;
    struct pool_histogram h = {0};
    assert_int_equal(pool_percentile(&h, 99), 0);
    pool_record(&h, 0);
    assert_int_equal(pool_percentile(&h, 50), 0);
    for (uint64_t us = 1; us < 100; us++)
        pool_record(&h, us);
    assert_int_equal(h.count, 100);
    assert_int_equal(h.total_us, 4950);
    assert_int_equal(pool_percentile(&h, 50), 55); /* 48 to 55 */
    assert_int_equal(pool_percentile(&h, 100), 99);
    assert_int_equal(pool_percentile(&h, 1), 0);
    pool_record(&h, UINT64_MAX / 2); /* longer than the last bucket */
    assert_int_equal(h.buckets[POOL_BUCKETS - 1], 1);
    assert_true(pool_percentile(&h, 100) == UINT64_MAX / 2);
    for (uint64_t us = 0; us < 100000; us += 1 + us / 50) { /* a lone value is known to a quarter of it, from above */
        h = (struct pool_histogram){0};
        pool_record(&h, us);
        h.most_us = UINT64_MAX;
        uint64_t told = pool_percentile(&h, 50);
        assert_true(told >= us && told <= us + us / 4);
    }
}

static void test_what_statements_leave(void **state)
{
    (void)state;
    assert_int_equal(pool_touched_by_tag("SELECT 1") | pool_touched_by_text("SELECT 1"), 0);
    assert_int_equal(pool_touched_by_tag("INSERT 0 1") | pool_touched_by_tag("BEGIN"), 0);
    assert_int_equal(pool_touched_by_tag("SET"), TOUCHED_SETTINGS);
    assert_int_equal(pool_touched_by_text("select Set_Config('a.b', 'c', false)"), TOUCHED_SETTINGS);
    assert_int_equal(pool_touched_by_tag("LISTEN"), TOUCHED_LISTEN);
    assert_int_equal(pool_touched_by_tag("PREPARE"), TOUCHED_PREPARED);
    assert_int_equal(pool_touched_by_tag("DECLARE CURSOR"), TOUCHED_CURSORS);
    assert_int_equal(pool_touched_by_text("CREATE TEMPORARY TABLE x ()"), TOUCHED_TEMP);
    assert_int_equal(pool_touched_by_text("SELECT pg_try_advisory_lock(1)"), TOUCHED_LOCKS);
    assert_int_equal(pool_touched_by_tag("DO"), TOUCHED_ALL);
    for (int why = 0; why < POOL_CLOSED_REASONS; why++)
        assert_true(*pool_closed_name((enum pool_closed)why));
}

/* 16: what connect leaves in a new session is undone, or the session is none. */
static void test_a_new_one_is_clean(void **state)
{
    (void)state;
    struct err e;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    atomic_store(&fakes.new_ones, POOL_CLEAN | POOL_ROLLED_BACK);
    struct pg_conn *conn = get(p, 20000);
    assert_non_null(conn);
    atomic_store(&fake_of(conn)->comes_back, POOL_CLEAN);
    atomic_store(&fakes.new_ones, 0);
    atomic_store(&fake_of(conn)->dead, true);
    pool_return(p, conn);
    err_init(&e);
    assert_null(pool_checkout(p, 20000, NULL, &e));
    assert_int_equal(e.code, ERR_CONNECT);
    assert_non_null(strstr(e.text, "a new connection of pool 'fake' is dead, or busy"));
    assert_int_equal(atomic_load(&fakes.open), 0);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_a_new_one_is_clean),
        cmocka_unit_test(test_a_pool_fills_to_min),
        cmocka_unit_test(test_the_last_used_is_lent_first),
        cmocka_unit_test(test_a_thread_keeps_its_connection_for_a_moment),
        cmocka_unit_test(test_exhaustion_teaches),
        cmocka_unit_test(test_return_rules),
        cmocka_unit_test(test_a_dead_one_is_never_lent),
#ifndef __SANITIZE_THREAD__
        cmocka_unit_test(test_wrong_returns_are_bugs),
#endif
        cmocka_unit_test(test_lifetime),
        cmocka_unit_test(test_lifetimes_are_spread),
        cmocka_unit_test(test_idle_ones_go),
        cmocka_unit_test(test_fail_fast_and_come_back),
        cmocka_unit_test(test_pauses_grow),
        cmocka_unit_test(test_waiters_outlive_a_failed_attempt),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_close_during_a_connect),
        cmocka_unit_test(test_wait_reports),
        cmocka_unit_test(test_no_descriptor_left),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_what_statements_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
