/*
 * What comes back to the pool in the middle of something, over a real server: copies, results that nobody has read, resets that
 * fail. What a session keeps (SET, temporary tables, locks …) is in test_pg_pool_sessions.c.
 */
#include "base/xalloc.h"
#include "pg/copy.h"
#include "pool_server.h"

/* ---- 15: returned in the middle of something ---- */

static void send_off(struct pg_conn *conn, const char *sql)
{
    struct err e;
    err_init(&e);
    if (!pg_send(conn, sql, NULL, 0, NULL, &e))
        fail_msg("%s: %s", sql, e.text);
}

static void copies_in(struct pg_conn *conn)
{
    struct err e;
    err_init(&e);
    assert_true(pg_copy_in(conn, "COPY kept FROM STDIN", NULL, &e));
    assert_true(pg_copy_put(conn, "1\n2\n", 4, NULL, &e));
}

static void copies_in_later(struct pg_conn *conn)
{
    run(conn, "BEGIN; INSERT INTO kept VALUES (3)");
    copies_in(conn);
}

static void copies_out(struct pg_conn *conn)
{
    send_off(conn, "COPY (SELECT generate_series(1, 100000000000)) TO STDOUT");
    assert_true(pg_sent_ready(conn, LONG_MS, NULL));
}

static void half_read(struct pg_conn *conn)
{
    send_off(conn, "SELECT generate_series(1, 100000000000)");
    assert_true(pg_sent_ready(conn, LONG_MS, NULL));
}

static void not_collected(struct pg_conn *conn)
{
    send_off(conn, "SELECT 1");
    assert_true(pg_sent_ready(conn, LONG_MS, NULL)); /* the server is done with it */
}

static void writes_still(struct pg_conn *conn) { send_off(conn, "INSERT INTO kept SELECT i FROM pg_sleep(600), generate_series(1, 3) i"); }

static void waits_for_a_lock(struct pg_conn *conn) { send_off(conn, "BEGIN; LOCK TABLE kept; SELECT pg_sleep(600)"); }

/* 15: such a connection is closed, the server stops what it was at, undoes it and lets go of its locks. */
static void test_busy_returns(void **state)
{
    (void)state;
    NEED_CLUSTER();
    void (*const busy[])(struct pg_conn *) = {copies_in, copies_in_later, copies_out, half_read, not_collected, writes_still, waits_for_a_lock};
    struct pg_conn *watcher = open_one();
    run(watcher, "CREATE TABLE kept (i int); SET lock_timeout = '20s'");
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 1, .max_size = 1});
    for (size_t i = 0; i < ARRAY_LEN(busy); i++) {
        struct pg_conn *conn = get(p);
        int pid = pg_backend_pid(conn);
        busy[i](conn);
        assert_int_equal(pg_tx_state(conn), PG_TX_ACTIVE);
        pool_return(p, conn);
        conn = get(p);
        assert_int_not_equal(pg_backend_pid(conn), pid);
        assert_int_equal(pg_tx_state(conn), PG_TX_IDLE);
        usable(conn);
        pool_return(p, conn);
        assert_int_equal(stats_of(p).closed[POOL_CLOSED_BROKEN], i + 1);
        UNTIL(sessions(watcher) == 1);
        run(watcher, "BEGIN; LOCK TABLE kept; COMMIT");
        assert_int_equal(number(watcher, "SELECT count(*) FROM kept"), 0);
    }
    end(p);
    run(watcher, "DROP TABLE kept");
    pg_close(watcher);
}

static void *give_back(void *arg)
{
    struct borrower *b = arg;
    pool_return(b->p, b->conn);
    return NULL;
}

/* 15: the cancel of a statement that the server has not begun yet is lost; the session ends all the same, and its lock goes. */
static void test_a_return_before_the_statement_began(void **state)
{
    (void)state;
    NEED_CLUSTER();
    static const char *const late[] = {"LOCK TABLE kept; SELECT pg_sleep(600)", "LOCK TABLE kept; SELECT generate_series(1, 100000000000)"};
    struct pg_conn *watcher = open_one();
    run(watcher, "CREATE TABLE kept (i int); SET lock_timeout = '20s'");
    need_proxy();
    struct pool *p = open_pool(proxy.port, (struct pool_options){.min_size = 1, .max_size = 1});
    for (size_t i = 0; i < ARRAY_LEN(late); i++) {
        struct borrower b = {.p = p, .conn = get(p)};
        int pid = pg_backend_pid(b.conn), before = atomic_load(&proxy.accepted);
        kill(pid, SIGSTOP);
        send_off(b.conn, late[i]);
        assert_int_equal(pthread_create(&b.thread, NULL, give_back, &b), 0);
        UNTIL(atomic_load(&proxy.accepted) > before + 1); /* cancel requests; the first one is there */
        kill(pid, SIGCONT);
        join(&b);
        UNTIL(sessions(watcher) == stats_of(p).size);
        run(watcher, "BEGIN; LOCK TABLE kept; COMMIT");
        pool_return(p, get(p));
    }
    end(p);
    run(watcher, "DROP TABLE kept");
    pg_close(watcher);
}

/* 15: a read that its borrower has stopped, or a statement that failed, leaves nothing to close. */
static void test_stopped_reads(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 1, .max_size = 1});
    struct pg_conn *conn = get(p);
    int pid = pg_backend_pid(conn);
    for (int i = 0; i < 4; i++) {
        struct record r;
        struct pg_rows rows = rows_of(&r);
        struct err e;
        err_init(&e);
        r.stop_after = 1;
        assert_true(pg_exec(conn, i % 2 ? "BEGIN; SELECT generate_series(1, 100000)" : "SELECT generate_series(1, 100000000000)", NULL, 0,
                            &rows, NULL, &e));
        buf_release(&r.log);
        assert_string_equal(failing(conn, "SELECT 1/0", NULL).sqlstate, "22012");
        pool_return(p, conn);
        conn = get(p);
        assert_int_equal(pg_backend_pid(conn), pid);
        usable(conn);
    }
    pool_return(p, conn);
    assert_int_equal(stats_of(p).rollbacks, 2);
    assert_int_equal(stats_of(p).connects, 1);
    end(p);
}

/* 15: what was sent to a borrower that listened is not for the next one. */
static void test_notifications_stay_with_their_borrower(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct record r;
    struct pg_conn *other = open_one();
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 1, .max_size = 1});
    struct pg_conn *conn = get(p);
    run(conn, "LISTEN news");
    run(other, "NOTIFY news, 'for the first one'");
    UNTIL(has_mail(conn));
    pool_return(p, conn);
    run(other, "NOTIFY news, 'for nobody'");
    assert_ptr_equal(get(p), conn);
    rows_of(&r);
    pg_on_notice(conn, on_notice, &r);
    run(conn, "SELECT 1");
    assert_string_equal(buf_str(&r.log), "");
    buf_release(&r.log);
    pool_return(p, conn);
    end(p);
    pg_close(other);
}

/* ---- 16: a reset that does not work ---- */

/* 16: somebody has a lock on the temporary table that goes. With a lock_timeout the server refuses the reset, without one it
 * never answers; the connection is not lent again. */
static void reset_is_held_up(const char *lock_timeout, int64_t least_ms)
{
    char sql[200];
    struct pg_conn *other = open_one();
    snprintf(sql, sizeof sql, "ALTER ROLE learner SET lock_timeout = '%s'", lock_timeout);
    run(other, sql);
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 1, .max_size = 1, .reset_timeout_ms = 600});
    struct pg_conn *conn = get(p);
    int pid = pg_backend_pid(conn);
    char *schema = NULL;
    struct err e;
    err_init(&e);
    run(conn, "CREATE TEMP TABLE basket (i int)");
    assert_true(pg_scalar(conn, "SELECT pg_my_temp_schema()::regnamespace::text", NULL, 0, &schema, NULL, &e));
    snprintf(sql, sizeof sql, "BEGIN; LOCK TABLE %s.basket IN ACCESS SHARE MODE", schema);
    free(schema);
    run(other, sql);
    int64_t from = clock_mono_ms();
    pool_return(p, conn);
    assert_in_range(clock_mono_ms() - from, least_ms, LONG_MS / 2);
    conn = get(p);
    assert_int_not_equal(pg_backend_pid(conn), pid);
    usable(conn);
    pool_return(p, conn);
    struct pool_stats s = stats_of(p);
    assert_int_equal(s.closed[POOL_CLOSED_BROKEN], 1);
    assert_int_equal(s.reset.count, 0); /* of those that went well */
    run(other, "COMMIT; ALTER ROLE learner RESET lock_timeout");
    end(p);
    pg_close(other);
}

static void test_resets_that_fail(void **state)
{
    (void)state;
    NEED_CLUSTER();
    reset_is_held_up("50ms", 49);
    reset_is_held_up("0", 599);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        counted(test_busy_returns),
        counted(test_a_return_before_the_statement_began),
        counted(test_stopped_reads),
        counted(test_notifications_stay_with_their_borrower),
        counted(test_resets_that_fail),
    };
    return cmocka_run_group_tests_name("pg_pool_return", tests, set_up_cluster, tear_down_cluster);
}
