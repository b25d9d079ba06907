/* What the pool notices of its borrowers on a real server: a transaction that is left waiting. Time passes when the test says so. */
#include "pg/pool_parts.h"
#include "pool_server.h"

static atomic_llong ahead_us;

static int64_t clock_ahead(void) { return clock_mono_us() + atomic_load(&ahead_us); }

enum { LIMIT_MS = 60000 };

static struct pool *watching(int size)
{
    atomic_store(&ahead_us, 0);
    return open_pool(NULL, (struct pool_options){.min_size = size, .max_size = size, .idle_in_tx_ms = LIMIT_MS, .now_us = clock_ahead});
}

static void pass(struct pool *p)
{
    atomic_fetch_add(&ahead_us, (LIMIT_MS + 1000) * 1000LL);
    pool_look(p);
}

/* What a connection writes down is in the real time. */
static void now_again(void) { atomic_store(&ahead_us, 0); }

static struct pg_conn *get_as(struct pool *p, const char *who)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = pool_checkout_for(p, who, LONG_MS, NULL, &e);
    if (!conn)
        fail_msg("%s", e.text);
    return conn;
}

static void test_a_transaction_left_waiting(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = watching(2);
    struct pool_event events[20];
    struct pool_loan loans[2];
    struct pg_conn *conn = get_as(p, "cell 7"), *other = get_as(p, "cell 8");
    pool_trace(p, 20);
    run(other, "SELECT 1"); /* lent, and in no transaction */
    run(conn, "BEGIN");
    assert_int_equal(stats_of(p).sitting_in_tx, 0);
    pass(p);
    UNTIL(stats_of(p).idle_in_tx == 1);
    assert_int_equal(stats_of(p).sitting_in_tx, 1);
    assert_int_equal(pool_loans(p, loans, 2), 2);
    int of = strcmp(loans[0].who, "cell 7") == 0 ? 0 : 1;
    assert_string_equal(loans[of].who, "cell 7");
    assert_true(loans[of].idle_in_tx);
    assert_false(loans[1 - of].idle_in_tx);
    assert_int_equal(pool_trace_read(p, events, 20), 1);
    assert_int_equal(events[0].kind, POOL_IDLE_IN_TX);
    assert_int_equal(events[0].connection, loans[of].connection);
    pass(p); /* the same one still */
    pool_look(p);
    now_again();
    run(conn, "SELECT 1 / (SELECT count(*) FROM pg_class)");
    assert_int_equal(stats_of(p).sitting_in_tx, 0);
    assert_int_equal(stats_of(p).idle_in_tx, 1);
    assert_string_equal(failing(conn, "SELECT 1 / 0", NULL).sqlstate, "22012"); /* a failed one holds its locks too */
    pass(p);
    UNTIL(stats_of(p).idle_in_tx == 2);
    now_again();
    run(conn, "ROLLBACK");
    pass(p);
    assert_int_equal(stats_of(p).sitting_in_tx, 0);
    pool_return(p, other);
    pool_return(p, conn);
    assert_int_equal(stats_of(p).idle_in_tx, 2);
    end(p);
}

/* What one borrower left, the next one is not blamed for. */
static void test_a_return_ends_it(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = watching(1);
    struct pg_conn *conn = get_as(p, "cell 7");
    run(conn, "BEGIN");
    pass(p);
    UNTIL(stats_of(p).idle_in_tx == 1);
    pool_return(p, conn);
    assert_int_equal(stats_of(p).rollbacks, 1);
    now_again();
    conn = get_as(p, "cell 8");
    pass(p);
    assert_int_equal(stats_of(p).sitting_in_tx, 0);
    pool_return(p, conn);
    end(p);
}

/* It works, however long. */
static void test_a_long_statement_is_no_idling(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = watching(2);
    struct err e;
    err_init(&e);
    struct pg_conn *conn = get(p), *other = get(p);
    run(other, "SELECT pg_advisory_lock(77)");
    run(conn, "BEGIN");
    assert_true(pg_send(conn, "SELECT pg_advisory_xact_lock(77)", NULL, 0, NULL, &e));
    UNTIL(number(other, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 1);
    pass(p);
    assert_int_equal(stats_of(p).sitting_in_tx, 0);
    now_again();
    run(other, "SELECT pg_advisory_unlock(77)");
    assert_true(pg_collect(conn, NULL, NULL, &e));
    pass(p);
    UNTIL(stats_of(p).idle_in_tx == 1);
    pool_return(p, conn);
    pool_return(p, other);
    assert_int_equal(stats_of(p).idle_in_tx, 1);
    end(p);
}

struct toggler {
    struct pool *p;
    pthread_t thread;
    struct err e;
};

static void *toggle(void *arg)
{
    struct toggler *t = arg;
    for (int i = 0; i < 50; i++) {
        struct pg_conn *conn = pool_checkout_for(t->p, "toggler", LONG_MS, NULL, &t->e);
        if (!conn || !pg_run(conn, "BEGIN", NULL, &t->e) || !pg_run(conn, "SELECT 1", NULL, &t->e))
            return NULL;
        if (i % 2 && !pg_run(conn, "COMMIT", NULL, &t->e))
            return NULL;
        pool_return(t->p, conn);
    }
    return NULL;
}

/* The look from the pool's threads, while borrowers are at work: for the sanitizers. */
static void test_watched_at_work(void **state)
{
    (void)state;
    NEED_CLUSTER();
    enum { THREADS = 4 };
    struct toggler all[THREADS];
    struct pool_loan loans[THREADS];
    struct pool *p = watching(3);
    for (int i = 0; i < THREADS; i++) {
        all[i] = (struct toggler){.p = p};
        err_init(&all[i].e);
        assert_int_equal(pthread_create(&all[i].thread, NULL, toggle, &all[i]), 0);
    }
    UNTIL((pool_look(p), pool_loans(p, loans, THREADS), stats_of(p).checkouts == THREADS * 50));
    for (int i = 0; i < THREADS; i++) {
        pthread_join(all[i].thread, NULL);
        assert_int_equal(all[i].e.code, ERR_NONE);
    }
    assert_int_equal(stats_of(p).rollbacks, THREADS * 25);
    assert_int_equal(stats_of(p).idle_in_tx, 0);
    end(p);
}

static void test_below_zero_is_refused(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    assert_null(pool_open(&(struct pool_options){.name = "x", .connect = by_the_way, .idle_in_tx_ms = -1}, &e));
    assert_int_equal(e.code, ERR_INVALID_PARAMETER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        counted(test_a_transaction_left_waiting), counted(test_a_return_ends_it), counted(test_a_long_statement_is_no_idling),
        counted(test_watched_at_work),            counted(test_below_zero_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up_cluster, tear_down_cluster);
}
