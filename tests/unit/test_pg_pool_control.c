/* The pool's controls without a server: resize, pause, check, leaks, loans, detach, trace, fork. The numbers are those of the
 * list in the pool's specification (1 basics … 25 stats). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "pool_fakes.h"

enum { LONG = 20000 };

static struct pool_stats stats_of(struct pool *p)
{
    struct pool_stats s;
    pool_stats(p, &s);
    return s;
}

static bool paused(struct pool *p, int deadline_ms)
{
    struct err e;
    err_init(&e);
    bool all = pool_pause(p, deadline_ms, NULL, &e);
    assert_true(all || e.code == ERR_TIMEOUT || e.code == ERR_POOL_FORKED);
    return all;
}

static struct pool_checked check(struct pool *p)
{
    struct pool_checked n;
    struct err e;
    err_init(&e);
    pool_check_idle(p, &n, NULL, &e);
    return n;
}

static void *check_once(void *p)
{
    check(p);
    return NULL;
}

struct borrower {
    struct pool *p;
    pthread_t thread;
    struct pg_conn *conn;
    struct err e;
    int timeout_ms;
};

static void *borrow(void *arg)
{
    struct borrower *b = arg;
    err_init(&b->e);
    b->conn = pool_checkout_for(b->p, "a thread", b->timeout_ms, NULL, &b->e);
    return NULL;
}

static void start(struct borrower *b, struct pool *p, int timeout_ms)
{
    *b = (struct borrower){.p = p, .timeout_ms = timeout_ms};
    assert_int_equal(pthread_create(&b->thread, NULL, borrow, b), 0);
}

/* 1: beyond those that are lent, min_idle are ready. */
static void test_some_are_kept_idle(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 5, .min_idle = 2});
    UNTIL(p, s, s.idle == 2);
    struct pg_conn *a = get(p, LONG), *b = get(p, LONG);
    UNTIL(p, s, s.idle == 2 && s.busy == 2);
    struct pg_conn *c = get(p, LONG), *d = get(p, LONG);
    UNTIL(p, s, s.idle == 1 && s.busy == 4); /* no more than max */
    pool_return(p, a);
    pool_return(p, b);
    pool_return(p, c);
    pool_return(p, d);
    fakes_advance(p, 10 * 60 * 1000);
    UNTIL(p, s, s.size == 2); /* those stay */
    end(p);
}

/* 13 */
static void test_resize(void **state)
{
    (void)state;
    struct pool_stats s;
    struct err e;
    struct pg_conn *lent[4];
    struct borrower waiting;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 4, .max_size = 4});
    UNTIL(p, s, s.idle == 4);
    for (int i = 0; i < 3; i++)
        lent[i] = get(p, LONG);
    err_init(&e);
    assert_true(pool_resize(p, 1, 2, &e)); /* below those that are lent */
    s = stats_of(p);
    assert_int_equal(s.size, 3);
    assert_int_equal(s.closed[POOL_CLOSED_SURPLUS], 1);
    pool_return(p, lent[0]);
    assert_int_equal(stats_of(p).size, 2);
    refused(p, 0, ERR_POOL_TIMEOUT);
    start(&waiting, p, LONG);
    UNTIL(p, s, s.waiting == 1);
    assert_true(pool_resize(p, 1, 3, &e)); /* room for the one that waits */
    pthread_join(waiting.thread, NULL);
    assert_non_null(waiting.conn);
    assert_int_equal(stats_of(p).busy, 3);
    pool_return(p, waiting.conn);
    pool_return(p, lent[1]);
    pool_return(p, lent[2]);
    assert_true(pool_resize(p, 0, 1, &e));
    assert_int_equal(stats_of(p).size, 1);
    assert_true(pool_resize(p, 6, 8, &e));
    UNTIL(p, s, s.idle == 6);
    static const int bad[][2] = {{-1, 3}, {4, 3}, {0, 0}, {0, POOL_SIZE_MAX + 1}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        err_init(&e);
        assert_false(pool_resize(p, bad[i][0], bad[i][1], &e));
        assert_int_equal(e.code, ERR_INVALID_PARAMETER);
    }
    assert_true(pool_close(p, LONG));
    err_init(&e);
    assert_false(pool_resize(p, 1, 2, &e));
    assert_int_equal(e.code, ERR_POOL_CLOSED);
    end(p);
}

/* 13: never more than max, whatever is asked while connections come and go. */
static atomic_bool over;

static void *churn(void *arg)
{
    struct pool *p = arg;
    while (!atomic_load(&over)) {
        struct err e;
        err_init(&e);
        struct pg_conn *conn = pool_checkout(p, 5, NULL, &e);
        if (conn)
            pool_return(p, conn);
    }
    return NULL;
}

static void test_resize_under_load(void **state)
{
    (void)state;
    enum { THREADS = 8, TIMES = 300, MOST = 7 };
    pthread_t threads[THREADS];
    struct err e;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = MOST});
    atomic_store(&over, false);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, p), 0);
    for (int i = 0; i < TIMES; i++) {
        int max = 1 + i * 5 % MOST;
        err_init(&e);
        assert_true(pool_resize(p, max / 2, max, &e));
        if (i % 3 == 0)
            pool_drain(p);
        if (i % 5 == 0) {
            assert_true(paused(p, LONG));
            assert_int_equal(stats_of(p).busy, 0);
            pool_resume(p);
        }
        struct pool_stats s = stats_of(p);
        assert_int_equal(s.size, s.idle + s.busy + s.cleaning);
    }
    atomic_store(&over, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(atomic_load(&fakes.most_open) <= MOST);
    end(p);
}

/* 14 */
static void test_pause(void **state)
{
    (void)state;
    struct pool_stats s;
    struct borrower first, second;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 2, .max_size = 2});
    UNTIL(p, s, s.idle == 2);
    struct pg_conn *conn = get(p, LONG);
    assert_false(paused(p, 1)); /* one is lent */
    assert_true(stats_of(p).paused);
    refused(p, 0, ERR_POOL_PAUSED);
    refused(p, 1, ERR_POOL_PAUSED);
    start(&first, p, LONG);
    UNTIL(p, s, s.waiting == 1);
    start(&second, p, LONG);
    UNTIL(p, s, s.waiting == 2);
    pool_return(p, conn);
    assert_true(paused(p, LONG)); /* again is fine, and now nothing is lent */
    s = stats_of(p);
    assert_true(s.idle == 2 && s.waiting == 2 && s.busy == 0);
    pool_resume(p);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    assert_true(first.conn && second.conn);
    pool_return(p, first.conn);
    pool_return(p, second.conn);
    conn = get(p, 0);
    pool_return(p, conn);
    assert_int_equal(stats_of(p).timeouts, 2);
    end(p);
}

/* 14: one waits in a paused pool that closes. */
static void test_close_of_a_paused_pool(void **state)
{
    (void)state;
    struct pool_stats s;
    struct borrower b;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 1, .max_size = 1});
    UNTIL(p, s, s.idle == 1);
    assert_true(paused(p, 0));
    start(&b, p, LONG);
    UNTIL(p, s, s.waiting == 1);
    assert_true(pool_close(p, LONG));
    pthread_join(b.thread, NULL);
    assert_null(b.conn);
    assert_int_equal(b.e.code, ERR_POOL_CLOSED);
    end(p);
}

/* 5, 17: what the socket does not show, a round trip does; only when one idled long enough. */
static void test_one_that_idled_is_asked(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 1, .max_size = 1, .ping_idle_ms = 500});
    UNTIL(p, s, s.idle == 1);
    struct pg_conn *conn = get(p, LONG);
    pool_return(p, conn);
    atomic_fetch_add(&fakes.now, 499);
    conn = get(p, LONG);
    assert_int_equal(atomic_load(&fakes.pings), 0);
    atomic_store(&fake_of(conn)->deaf, true);
    pool_return(p, conn);
    atomic_fetch_add(&fakes.now, 500);
    conn = get(p, LONG); /* another one: that one does not answer */
    assert_int_equal(fake_of(conn)->id, 2);
    s = stats_of(p);
    assert_int_equal(s.pings, 1);
    assert_int_equal(s.pings_failed, 1);
    assert_int_equal(s.closed[POOL_CLOSED_LOST], 1);
    assert_int_equal(s.checkouts, 2 + 1);
    pool_return(p, conn);
    end(p);
}

static void test_kinds_of_checks(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 1, .max_size = 1, .check = POOL_CHECK_NONE});
    UNTIL(p, s, s.idle == 1);
    struct pg_conn *conn = get(p, LONG);
    pool_return(p, conn);
    atomic_store(&fake_of(conn)->dead, true);
    conn = get(p, LONG); /* unseen: nobody looks */
    assert_int_equal(fake_of(conn)->id, 1);
    pool_return(p, conn);
    end(p);

    p = fake_pool(&(struct pool_options){.min_size = 1, .max_size = 1, .check = POOL_CHECK_PING});
    for (int i = 0; i < 5; i++) {
        conn = get(p, LONG);
        pool_return(p, conn);
    }
    assert_int_equal(atomic_load(&fakes.pings), 5);
    end(p);

    p = fake_pool(&(struct pool_options){.min_size = 1, .max_size = 1, .ping_idle_ms = -1, .max_idle_ms = 1000000});
    UNTIL(p, s, s.idle == 1);
    atomic_fetch_add(&fakes.now, 100000);
    conn = get(p, LONG);
    pool_return(p, conn);
    assert_int_equal(atomic_load(&fakes.pings), 0);
    end(p);
}

static void test_all_idle_ones_are_asked(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pg_conn *conns[4];
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 4, .max_size = 4});
    UNTIL(p, s, s.idle == 4);
    for (int i = 0; i < 4; i++)
        conns[i] = get(p, LONG);
    atomic_store(&fake_of(conns[1])->deaf, true);
    atomic_store(&fake_of(conns[2])->dead, true);
    for (int i = 1; i < 4; i++)
        pool_return(p, conns[i]); /* one comes back broken, one is lent */
    UNTIL(p, s, s.idle == 3);
    assert_int_equal(check(p).dead, 1);
    UNTIL(p, s, s.idle == 3); /* replaced */
    s = stats_of(p);
    assert_int_equal(s.pings, 3);
    assert_int_equal(s.pings_failed, 1);
    struct pool_checked all = check(p);
    assert_true(all.asked == 3 && all.dead == 0);
    pool_return(p, conns[0]);
    end(p);
}

static void *check_often(void *arg)
{
    for (int i = 0; i < 200; i++)
        check(arg);
    return NULL;
}

/* Two at once end, and none asks the other's again and again. */
static void test_two_checks_at_once(void **state)
{
    (void)state;
    struct pool_stats s;
    pthread_t other;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 8, .max_size = 8});
    UNTIL(p, s, s.idle == 8);
    assert_int_equal(pthread_create(&other, NULL, check_often, p), 0);
    check_often(p);
    pthread_join(other, NULL);
    s = stats_of(p);
    assert_int_equal(s.idle, 8);
    assert_true(s.pings <= 2 * 200 * 8);
    end(p);
}

/* What was drained is not lent again: not after it was asked, not when it comes to one who does not want it any more, and
 * not when it was being made meanwhile. */
static void test_a_drained_one_is_never_lent(void **state)
{
    (void)state;
    struct pool_stats s;
    struct borrower b;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    atomic_store(&fakes.gate_shut, true);
    start(&b, p, LONG);
    UNTIL(p, s, s.making == 1);
    pool_drain(p);
    atomic_store(&fakes.gate_shut, false);
    pthread_join(b.thread, NULL);
    assert_int_equal(fake_of(b.conn)->id, 2);
    assert_int_equal(stats_of(p).closed[POOL_CLOSED_DRAIN], 1);
    pool_return(p, b.conn);

    atomic_store(&fakes.pings_held, true);
    assert_int_equal(pthread_create(&b.thread, NULL, check_once, p), 0);
    while (atomic_load(&fakes.pings) == 0)
        fakes_pause();
    pool_drain(p);
    atomic_store(&fakes.pings_held, false);
    pthread_join(b.thread, NULL);
    UNTIL(p, s, s.closed[POOL_CLOSED_DRAIN] == 2);
    struct pg_conn *conn = get(p, LONG);
    assert_int_equal(fake_of(conn)->id, 3);
    pool_return(p, conn);
    end(p);
}

/* An interrupted pause leaves the pool as it was, an interrupted check says so. */
static void test_interrupted(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool_checked n;
    struct cancel now;
    struct err e;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 2, .max_size = 2});
    UNTIL(p, s, s.idle == 2);
    struct pg_conn *conn = get(p, LONG);
    err_init(&e);
    assert_true(cancel_init(&now, &e));
    cancel_fire(&now);
    assert_false(pool_pause(p, LONG, &now, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_false(stats_of(p).paused);
    err_init(&e);
    assert_false(pool_check_idle(p, &n, &now, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_int_equal(n.asked, 0);
    assert_false(paused(p, 0));
    err_init(&e);
    assert_false(pool_pause(p, LONG, &now, &e));
    assert_true(stats_of(p).paused); /* it was before */
    pool_return(p, conn);
    cancel_release(&now);
    end(p);
}

/* 8 */
static void test_a_leak_has_a_name(void **state)
{
    (void)state;
    struct pool_stats s;
    struct err e;
    struct pool_loan loans[4];
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 2, .leak_after_ms = 60000});
    err_init(&e);
    struct pg_conn *forgotten = pool_checkout_for(p, "report.c:12", LONG, NULL, &e);
    fakes_advance(p, 59999);
    struct pg_conn *other = get(p, LONG);
    assert_int_equal(stats_of(p).leaks, 0);
    fakes_advance(p, 1);
    UNTIL(p, s, s.leaks == 1 && s.leaked == 1);
    fakes_advance(p, 30000);
    assert_int_equal(pool_loans(p, loans, 4), 2);
    assert_string_equal(loans[0].who, "report.c:12");
    assert_true(loans[0].leaked && loans[0].us == 90000000 && !loans[1].leaked && !*loans[1].who);
    assert_int_equal(pool_loans(p, loans, 1), 1);
    err_init(&e);
    assert_null(pool_checkout(p, 0, NULL, &e));
    assert_non_null(strstr(e.detail, "one for 90000 ms, to report.c:12"));
    assert_int_equal(stats_of(p).leaks, 1); /* told once */
    pool_return(p, forgotten);
    pool_return(p, other);
    s = stats_of(p);
    assert_true(s.leaked == 0 && s.leaks == 1);
    char longer[POOL_WHO_MAX + 20];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    forgotten = pool_checkout_for(p, longer, LONG, NULL, &e);
    assert_int_equal(pool_loans(p, loans, 4), 1);
    assert_true(strlen(loans[0].who) <= POOL_WHO_MAX);
    pool_return(p, forgotten);
    end(p);
}

static void test_detach(void **state)
{
    (void)state;
    struct pool_stats s;
    struct borrower b;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    struct pg_conn *conn = get(p, LONG);
    start(&b, p, LONG);
    UNTIL(p, s, s.waiting == 1);
    pool_detach(p, conn); /* its place is free: one is made for who waits */
    pthread_join(b.thread, NULL);
    assert_non_null(b.conn);
    assert_ptr_not_equal(b.conn, conn);
    pool_return(p, b.conn);
    s = stats_of(p);
    assert_true(s.detached == 1 && s.size == 1 && s.connects == 2);
    fake_close(conn);
    end(p);
}

static void test_trace(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool_event events[16];
    struct borrower b;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    struct pg_conn *conn = get(p, LONG);
    pool_return(p, conn);
    assert_int_equal(pool_trace_read(p, events, 16), 0); /* it is off */
    pool_trace(p, 8);
    conn = get(p, LONG);
    start(&b, p, LONG);
    UNTIL(p, s, s.waiting == 1);
    refused(p, 1, ERR_POOL_TIMEOUT);
    pool_return(p, conn);
    pthread_join(b.thread, NULL);
    pool_return(p, b.conn);
    static const enum pool_event_kind expected[] = {POOL_LENT, POOL_QUEUED, POOL_QUEUED, POOL_GAVE_UP, POOL_RETURNED, POOL_LENT, POOL_RETURNED};
    assert_int_equal(pool_trace_read(p, events, 16), ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        assert_int_equal(events[i].kind, expected[i]);
    assert_true(events[1].waiting == 1 && events[2].waiting == 2 && events[0].busy == 1 && events[0].connection == 1);
    for (int i = 0; i < 10; i++) {
        conn = get(p, LONG);
        pool_return(p, conn);
    }
    assert_int_equal(pool_trace_read(p, events, 16), ARRAY_LEN(expected) + 20); /* what did not fit is counted */
    pool_trace(p, 0);
    assert_int_equal(pool_trace_read(p, events, 16), 0);
    end(p);
}

/* 18: a child's copy of the pool is refused, and what the child does leaves the parent's as it is. */
static void test_fork(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 1, .max_size = 2});
    UNTIL(p, s, s.idle == 1);
    struct pg_conn *conn = get(p, LONG);
    pid_t child = fork();
    if (child == 0) {
        struct err e;
        struct pool_loan loan;
        err_init(&e);
        bool ok = !pool_checkout(p, 0, NULL, &e) && e.code == ERR_POOL_FORKED;
        err_init(&e);
        ok = ok && !pool_resize(p, 1, 1, &e) && e.code == ERR_POOL_FORKED;
        ok = ok && !paused(p, 0) && check(p).asked == 0 && pool_loans(p, &loan, 1) == 0;
        pool_return(p, conn);
        pool_resume(p);
        pool_drain(p);
        pool_stats(p, &s);
        ok = ok && pool_close(p, LONG) && s.size == 0;
        pool_free(p);
        _exit(ok ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(fake_alive(conn));
    pool_return(p, conn);
    assert_int_equal(stats_of(p).checkouts, 1);
    end(p);
}

/* 25: each counter once, and the same in Prometheus' words. */
static void test_every_counter(void **state)
{
    (void)state;
    struct pool_stats s;
    struct err e;
    struct buf text;
    struct borrower b;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1, .max_waiting = 1, .leak_after_ms = 1000});
    struct pg_conn *conn = get(p, LONG); /* 1 lent after a wait, 1 connect */
    start(&b, p, LONG);
    UNTIL(p, s, s.waiting == 1);
    refused(p, 0, ERR_POOL_FULL);
    fakes_advance(p, 1000);
    UNTIL(p, s, s.leaks == 1);
    atomic_store(&fake_of(conn)->comes_back, POOL_CLEAN | POOL_ROLLED_BACK | POOL_WAS_RESET);
    pool_return(p, conn);
    pthread_join(b.thread, NULL);
    refused(p, 1, ERR_POOL_TIMEOUT);
    struct cancel now;
    err_init(&e);
    assert_true(cancel_init(&now, &e));
    cancel_fire(&now);
    assert_null(pool_checkout(p, LONG, &now, &e));
    cancel_release(&now);
    atomic_fetch_add(&fakes.now, 20);
    pool_return(p, b.conn);
    s = stats_of(p);
    assert_int_equal(s.checkouts, 2);
    assert_int_equal(s.waited, 2);
    assert_int_equal(s.refused, 1);
    assert_int_equal(s.timeouts, 1);
    assert_int_equal(s.connects, 1);
    assert_int_equal(s.rollbacks, 2);
    assert_int_equal(s.resets, 2);
    assert_int_equal(s.leaks, 1);
    assert_int_equal(s.hold.count, 2);
    assert_int_equal(s.hold.most_us, 1000 * 1000);
    assert_int_equal(s.hold.total_us, 1020 * 1000);
    assert_int_equal(s.reset.count, 2);
    assert_int_equal(s.wait.count, 3); /* the one that gave up too */
    buf_init(&text, 1 << 20);
    pool_metrics(p, &text);
    static const char *const lines[] = {
        "# TYPE lakebase_pool_checkouts_total counter\nlakebase_pool_checkouts_total{pool=\"fake\"} 2\n",
        "lakebase_pool_waited_total{pool=\"fake\"} 2\n", "lakebase_pool_idle{pool=\"fake\"} 1\n", "lakebase_pool_busy{pool=\"fake\"} 0\n",
        "lakebase_pool_rollbacks_total{pool=\"fake\"} 2\n", "# TYPE lakebase_pool_hold_seconds histogram\n",
        "lakebase_pool_hold_seconds_bucket{pool=\"fake\",le=\"+Inf\"} 2\nlakebase_pool_hold_seconds_sum{pool=\"fake\"} 1.020000\n"
        "lakebase_pool_hold_seconds_count{pool=\"fake\"} 2\n"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (!strstr(buf_str(&text), lines[i]))
            fail_msg("no %s in\n%s", lines[i], buf_str(&text));
    }
    buf_release(&text);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_some_are_kept_idle),   cmocka_unit_test(test_resize),
        cmocka_unit_test(test_resize_under_load),    cmocka_unit_test(test_pause),
        cmocka_unit_test(test_close_of_a_paused_pool), cmocka_unit_test(test_one_that_idled_is_asked),
        cmocka_unit_test(test_kinds_of_checks),      cmocka_unit_test(test_all_idle_ones_are_asked),
        cmocka_unit_test(test_a_leak_has_a_name),    cmocka_unit_test(test_detach),
        cmocka_unit_test(test_trace),                cmocka_unit_test(test_fork),
        cmocka_unit_test(test_every_counter),         cmocka_unit_test(test_two_checks_at_once),
        cmocka_unit_test(test_a_drained_one_is_never_lent), cmocka_unit_test(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
