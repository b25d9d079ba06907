/* The pool over a real server: what a borrower leaves behind, sessions that end, a server that refuses, closing while
 * statements run. Its rules one by one, and under threads: test_pg_pool.c, test_pg_pool_load.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pg/pool.h"
#include "pg_record.h"

enum { LONG_MS = 20000, MORE_THAN_THE_SERVER_TAKES = 30 };

/* Whom the pool logs in as; changed while it is open, as a token is. */
static _Atomic(const char *) user;

static struct pg_conn *log_in(void *self, struct cancel *c, struct err *e)
{
    (void)self;
    struct pg_params p = {.host = cluster.dir, .port = "5432", .dbname = "postgres", .user = atomic_load(&user),
                          .application_name = "pooled"};
    return pg_open(&p, c, e);
}

static struct pool *open_pool(const struct pool_options *o)
{
    struct pool_options with = *o;
    struct err e;
    err_init(&e);
    with.name = "test";
    with.connect = log_in;
    atomic_store(&user, "learner");
    struct pool *p = pool_open(&with, &e);
    if (!p || !pool_wait(p, LONG_MS, NULL, &e))
        fail_msg("no pool: %s", e.text);
    return p;
}

static struct pg_conn *get(struct pool *p)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = pool_checkout(p, LONG_MS, NULL, &e);
    if (!conn)
        fail_msg("no checkout: %s", e.text);
    return conn;
}

static struct pool_stats stats_of(struct pool *p)
{
    struct pool_stats s;
    pool_stats(p, &s);
    return s;
}

static void until_waiting(struct pool *p, int n)
{
    int64_t end = clock_mono_ms() + LONG_MS;
    struct err e;
    err_init(&e);
    while (stats_of(p).waiting != n && clock_mono_ms() < end)
        cancel_poll(NULL, -1, 0, 1, &e);
    assert_int_equal(stats_of(p).waiting, n);
}

/* Close; a moment later the server has no session of the pool. */
static void end(struct pool *p)
{
    struct pg_conn *conn = open_one();
    assert_true(pool_close(p, LONG_MS));
    pool_free(p);
    expect(conn, "DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_stat_clear_snapshot();"
                 " EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pooled');"
                 " PERFORM pg_sleep(0.01); END LOOP; END $$", "<DO>");
    expect(conn, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pooled'", "[count:20r](0)<SELECT 1*>");
    pg_close(conn);
}

static void terminate(int pid)
{
    char sql[100];
    struct pg_conn *conn = open_one();
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 20000) AS ended", pid);
    expect(conn, sql, "[ended:16l](t)<SELECT 1*>");
    pg_close(conn);
}

/* ---- what a borrower leaves ---- */

static void test_an_open_transaction_is_undone(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = open_pool(&(struct pool_options){.min_size = 1, .max_size = 1});
    struct pg_conn *conn = get(p);
    int pid = pg_backend_pid(conn);
    expect(conn, "CREATE TABLE kept (i int)", "<CREATE TABLE>");
    expect(conn, "BEGIN", "<BEGIN>");
    expect(conn, "INSERT INTO kept VALUES (1)", "<INSERT 0 1>");
    pool_return(p, conn);
    conn = get(p);
    assert_int_equal(pg_backend_pid(conn), pid);
    assert_int_equal(pg_tx_state(conn), PG_TX_IDLE);
    expect(conn, "SELECT count(*) FROM kept", "[count:20r](0)<SELECT 1*>");
    expect(conn, "BEGIN", "<BEGIN>");
    assert_string_equal(failing(conn, "SELECT 1/0", NULL).sqlstate, "22012");
    pool_return(p, conn);
    conn = get(p);
    assert_int_equal(pg_backend_pid(conn), pid);
    usable(conn);
    expect(conn, "DROP TABLE kept", "<DROP TABLE>");
    pool_return(p, conn);
    assert_int_equal(stats_of(p).rollbacks, 2);
    assert_int_equal(stats_of(p).connects, 1);
    end(p);
}

static const char *const LEFT_BEHIND[] = {
    "SET work_mem = '7MB'", "SELECT set_config('search_path', 'pg_catalog', false)", "LISTEN news", "PREPARE ask AS SELECT 1",
    "CREATE TEMP TABLE mine (i int)", "SELECT pg_advisory_lock(7)", "DECLARE far CURSOR WITH HOLD FOR SELECT 1",
    "SET ROLE pg_monitor"};
static const char WHAT_IS_LEFT[] =
    "SELECT current_setting('work_mem') AS m, current_setting('search_path') AS p, current_user AS u,"
    " (SELECT count(*) FROM pg_listening_channels()) AS l, (SELECT count(*) FROM pg_prepared_statements) AS s,"
    " (SELECT count(*) FROM pg_class WHERE relname = 'mine') AS t, (SELECT count(*) FROM pg_cursors WHERE name = 'far') AS c,"
    " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS a";
static const char COLUMNS[] = "[m:25l,p:25l,u:19l,l:20r,s:20r,t:20r,c:20r,a:20r]";

static void leave_traces(struct pg_conn *conn)
{
    struct err e;
    err_init(&e);
    for (size_t i = 0; i < sizeof LEFT_BEHIND / sizeof *LEFT_BEHIND; i++) {
        if (!pg_run(conn, LEFT_BEHIND[i], NULL, &e))
            fail_msg("%s: %s", LEFT_BEHIND[i], e.text);
    }
}

static void left(enum pool_reset reset, const char *want)
{
    char whole[300];
    struct pool *p = open_pool(&(struct pool_options){.min_size = 1, .max_size = 1, .reset = reset});
    struct pg_conn *conn = get(p);
    int pid = pg_backend_pid(conn);
    leave_traces(conn);
    pool_return(p, conn);
    conn = get(p);
    assert_int_equal(pg_backend_pid(conn), pid);
    snprintf(whole, sizeof whole, "%s(%s)<SELECT 1*>", COLUMNS, want);
    expect(conn, WHAT_IS_LEFT, whole);
    pool_return(p, conn);
    end(p);
}

static void test_what_the_next_borrower_finds(void **state)
{
    (void)state;
    NEED_CLUSTER();
    left(POOL_RESET_SMART, "4MB|\"$user\", public|learner|0|0|0|0|0");
    left(POOL_RESET_DISCARD, "4MB|\"$user\", public|learner|0|0|0|0|0");
    left(POOL_RESET_ROLLBACK, "7MB|pg_catalog|pg_monitor|1|1|1|1|1");
}

/* ---- sessions that end, a server that refuses ---- */

static void test_ended_sessions_are_replaced(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = open_pool(&(struct pool_options){.min_size = 1, .max_size = 1});
    struct pg_conn *conn = get(p);
    int first = pg_backend_pid(conn);
    pool_return(p, conn);
    terminate(first); /* while it idles: its borrower does not notice */
    conn = get(p);
    int second = pg_backend_pid(conn);
    assert_int_not_equal(second, first);
    usable(conn);
    terminate(second); /* while it is lent */
    assert_string_equal(failing(conn, "SELECT 1", NULL).sqlstate, "57P01");
    pool_return(p, conn);
    conn = get(p);
    assert_int_not_equal(pg_backend_pid(conn), second);
    usable(conn);
    pool_return(p, conn);
    struct pool_stats s = stats_of(p);
    assert_int_equal(s.closed[POOL_CLOSED_LOST], 1);
    assert_int_equal(s.closed[POOL_CLOSED_BROKEN], 1);
    assert_int_equal(s.connects, 3);
    end(p);
}

/* The server says no: the waiter hears why. When it says yes again, the pool works. */
static void test_a_refused_login(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = open_pool(&(struct pool_options){.max_size = 2});
    struct err e;
    err_init(&e);
    atomic_store(&user, "barred");
    assert_null(pool_checkout(p, LONG_MS, NULL, &e));
    assert_int_not_equal(e.code, ERR_POOL_TIMEOUT);
    assert_non_null(strstr(e.text, "barred"));
    assert_int_equal(stats_of(p).waiting, 0);
    atomic_store(&user, "learner");
    struct pg_conn *conn = NULL;
    for (int64_t until = clock_mono_ms() + LONG_MS; !conn && clock_mono_ms() < until;) {
        err_init(&e);
        conn = pool_checkout(p, LONG_MS, NULL, &e);
    }
    assert_non_null(conn);
    usable(conn);
    pool_return(p, conn);
    end(p);
}

/* More than the server takes (53300): those that are there go on, and the time-out says why there are no more. */
static void test_more_than_the_server_takes(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = open_pool(&(struct pool_options){.max_size = MORE_THAN_THE_SERVER_TAKES});
    struct pg_conn *lent[MORE_THAN_THE_SERVER_TAKES];
    struct err e;
    int n = 0;
    err_init(&e);
    while ((lent[n] = pool_checkout(p, 200, NULL, &e)))
        assert_true(++n < MORE_THAN_THE_SERVER_TAKES);
    assert_in_range(n, 10, 20);
    assert_int_equal(e.code, ERR_POOL_TIMEOUT);
    assert_non_null(strstr(e.detail, "too many clients"));
    pool_return(p, lent[--n]);
    struct pg_conn *again = get(p);
    usable(again);
    pool_return(p, again);
    while (n > 0)
        pool_return(p, lent[--n]);
    assert_true(pool_close(p, LONG_MS));
    pool_free(p);
}

/* ---- threads ---- */

struct borrower {
    struct pool *p;
    pthread_t thread;
    struct cancel cancel;
    struct pg_conn *conn;
    struct err e;
    const char *sql; /* run it and give back */
};

static void *borrow(void *arg)
{
    struct borrower *b = arg;
    b->conn = pool_checkout(b->p, LONG_MS, &b->cancel, &b->e);
    if (!b->conn || !b->sql)
        return NULL;
    pg_run(b->conn, b->sql, NULL, &b->e);
    pool_return(b->p, b->conn);
    return NULL;
}

static void start(struct borrower *b, struct pool *p, const char *sql)
{
    *b = (struct borrower){.p = p, .sql = sql};
    err_init(&b->e);
    assert_true(cancel_init(&b->cancel, &b->e));
    assert_int_equal(pthread_create(&b->thread, NULL, borrow, b), 0);
}

static void join(struct borrower *b)
{
    pthread_join(b->thread, NULL);
    cancel_release(&b->cancel);
}

/* Two wait for the only connection; the first one gives up, the second one gets it. */
static void test_cancel_in_the_queue(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = open_pool(&(struct pool_options){.min_size = 1, .max_size = 1});
    struct borrower first, second;
    struct pg_conn *conn = get(p);
    start(&first, p, NULL);
    until_waiting(p, 1);
    start(&second, p, NULL);
    until_waiting(p, 2);
    cancel_fire(&first.cancel);
    join(&first);
    assert_null(first.conn);
    assert_int_equal(first.e.code, ERR_CANCELLED);
    pool_return(p, conn);
    join(&second);
    assert_ptr_equal(second.conn, conn);
    usable(conn);
    pool_return(p, conn);
    assert_int_equal(stats_of(p).cancelled, 1);
    assert_int_equal(stats_of(p).connects, 1);
    end(p);
}

/* Who waits is woken, and a statement that would run for minutes is cancelled on the server. */
static void test_close_while_lent(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = open_pool(&(struct pool_options){.min_size = 1, .max_size = 1});
    struct borrower runs, waits;
    struct pg_conn *watcher = open_one();
    start(&runs, p, "SELECT pg_sleep(600)");
    expect(watcher, "DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_stat_clear_snapshot();"
                    " EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pooled' AND state = 'active');"
                    " PERFORM pg_sleep(0.01); END LOOP; END $$", "<DO>");
    start(&waits, p, NULL);
    until_waiting(p, 1);
    assert_true(pool_close(p, 0));
    join(&waits);
    join(&runs);
    assert_null(waits.conn);
    assert_int_equal(waits.e.code, ERR_POOL_CLOSED);
    assert_string_equal(runs.e.sqlstate, "57014");
    pg_close(watcher);
    end(p);
}

/* Many threads, few connections, real transactions: nothing is lost, nobody gets another one's transaction. */
static void test_sums_are_right(void **state)
{
    (void)state;
    NEED_CLUSTER();
    enum { THREADS = 24 };
    struct borrower all[THREADS];
    struct pg_conn *conn = open_one();
    expect(conn, "CREATE TABLE sums (i int)", "<CREATE TABLE>");
    struct pool *p = open_pool(&(struct pool_options){.max_size = 4});
    for (int i = 0; i < THREADS; i++) /* each third one forgets to commit */
        start(&all[i], p, i % 3 ? "INSERT INTO sums VALUES (1)" : "BEGIN; INSERT INTO sums VALUES (1)");
    for (int i = 0; i < THREADS; i++) {
        join(&all[i]);
        assert_int_equal(all[i].e.code, ERR_NONE);
    }
    struct pool_stats s = stats_of(p);
    assert_int_equal(s.checkouts, THREADS);
    assert_int_equal(s.rollbacks, THREADS / 3);
    assert_int_equal(s.busy, 0);
    assert_in_range(s.most_busy, 1, 4);
    assert_in_range(s.connects, 1, 4);
    expect(conn, "SELECT count(*) FROM sums", "[count:20r](16)<SELECT 1*>");
    expect(conn, "DROP TABLE sums", "<DROP TABLE>");
    pg_close(conn);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_open_transaction_is_undone), cmocka_unit_test(test_what_the_next_borrower_finds),
        cmocka_unit_test(test_ended_sessions_are_replaced),   cmocka_unit_test(test_a_refused_login),
        cmocka_unit_test(test_more_than_the_server_takes),    cmocka_unit_test(test_cancel_in_the_queue),
        cmocka_unit_test(test_close_while_lent),              cmocka_unit_test(test_sums_are_right),
    };
    return cmocka_run_group_tests_name("pg_pool_server", tests, set_up_cluster, tear_down_cluster);
}
