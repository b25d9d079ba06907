/* Stopping: enough rows, interrupts at any moment, a server that does not answer, sessions that were ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pg_record.h"

static void test_stop_reading(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct record r;
    struct pg_rows rows = rows_of(&r);
    struct err e;
    err_init(&e);
    r.stop_after = 3;
    /* Would run for hours. */
    assert_true(pg_exec(conn, "SELECT generate_series(1, 100000000000) AS i", NULL, 0, &rows, NULL, &e));
    assert_int_equal(r.rows, 3);
    assert_string_equal(buf_str(&r.log), "[i:20r](1)(2)(3)<*>");
    buf_release(&r.log);
    usable(conn);
    /* A write must not be undone because its rows are too many to show. */
    expect(conn, "CREATE TEMP TABLE w (i int)", "<CREATE TABLE>");
    rows = rows_of(&r);
    r.stop_after = 2;
    assert_true(pg_exec(conn, "INSERT INTO w SELECT generate_series(1, 20000) RETURNING i", NULL, 0, &rows, NULL, &e));
    assert_string_equal(buf_str(&r.log), "[i:23r](1)(2)<INSERT 0 20000*>");
    buf_release(&r.log);
    expect(conn, "SELECT count(*) FROM w", "[count:20r](20000)<SELECT 1*>");
    /* Nor may an open transaction fail for it. */
    expect(conn, "BEGIN", "<BEGIN>");
    rows = rows_of(&r);
    r.stop_after = 1;
    assert_true(pg_exec(conn, "SELECT i FROM generate_series(1, 50000) i", NULL, 0, &rows, NULL, &e));
    assert_string_equal(buf_str(&r.log), "[i:23r](1)<SELECT 50000*>");
    buf_release(&r.log);
    assert_int_equal(pg_tx_state(conn), PG_TX_IN_BLOCK);
    pg_close(conn);
}

static void test_interrupt_in_rows(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct cancel c;
    struct record r;
    struct pg_rows rows = rows_of(&r);
    struct err e;
    err_init(&e);
    assert_true(cancel_init(&c, &e));
    r.fire = &c;
    assert_false(pg_exec(conn, "SELECT generate_series(1, 100000000000) AS i", NULL, 0, &rows, &c, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_string_equal(e.sqlstate, "57014");
    assert_int_equal(r.rows, 1);
    buf_release(&r.log);
    assert_true(pg_alive(conn));
    /* The token is still fired: nothing starts. */
    err_init(&e);
    assert_false(pg_run(conn, "SELECT 1", &c, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    cancel_reset(&c);
    usable(conn);
    expect(conn, "BEGIN", "<BEGIN>");
    rows = rows_of(&r);
    r.fire = &c;
    err_init(&e);
    assert_false(pg_exec(conn, "SELECT generate_series(1, 100000000000) AS i", NULL, 0, &rows, &c, &e));
    buf_release(&r.log);
    assert_int_equal(pg_tx_state(conn), PG_TX_FAILED);
    cancel_release(&c);
    pg_close(conn);
}

/* At any moment: before the statement is sent, before the server has begun it, while it runs. */
static void test_interrupt_anywhere(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct cancel c;
    struct err e;
    err_init(&e);
    assert_true(cancel_init(&c, &e));
    unsigned seed = 42;
    for (int i = 0; i < 100; i++) {
        struct later l = {&c, rand_r(&seed) % 2500};
        pthread_t thread;
        err_init(&e);
        assert_int_equal(pthread_create(&thread, NULL, fire_later, &l), 0);
        assert_false(pg_run(conn, "SELECT pg_sleep(600)", &c, &e));
        assert_int_equal(e.code, ERR_CANCELLED);
        pthread_join(thread, NULL);
        cancel_reset(&c);
        usable(conn);
    }
    cancel_release(&c);
    pg_close(conn);
}

static void test_hung_server(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct cancel c;
    struct err e;
    err_init(&e);
    assert_true(cancel_init(&c, &e));
    struct record r;
    struct pg_rows rows = rows_of(&r);
    r.fire = &c;
    /* A stopped postmaster takes the cancel connection and never answers. */
    assert_int_equal(kill(cluster.pid, SIGSTOP), 0);
    bool ok = pg_exec(conn, "SELECT generate_series(1, 100000000000) AS i", NULL, 0, &rows, &c, &e);
    kill(cluster.pid, SIGCONT);
    buf_release(&r.log);
    assert_false(ok);
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_non_null(strstr(e.text, "connection was closed"));
    assert_false(pg_alive(conn));
    assert_string_equal(pg_host(conn), "");
    err_init(&e);
    assert_false(pg_run(conn, "SELECT 1", NULL, &e));
    assert_int_equal(e.code, ERR_CONNECT);
    cancel_release(&c);
    pg_close(conn);
}

static void test_lost_connection(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one(), *other = open_one();
    struct err e = failing(conn, "SELECT pg_terminate_backend(pg_backend_pid())", NULL);
    assert_int_equal(e.code, ERR_CONNECT);
    assert_string_equal(e.sqlstate, "57P01");
    assert_false(pg_alive(conn));
    pg_close(conn);
    /* While idle: the reason comes as a notice, before the next statement is sent. */
    conn = open_one();
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 10000)", pg_backend_pid(conn));
    expect(other, sql, "[pg_terminate_backend:16l](t)<SELECT 1*>");
    e = failing(conn, "SELECT 1", NULL);
    assert_int_equal(e.code, ERR_CONNECT);
    assert_string_equal(e.sqlstate, "57P01");
    assert_false(pg_alive(conn));
    pg_close(conn);
    conn = open_one();
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 10000)", pg_backend_pid(conn));
    expect(other, sql, "[pg_terminate_backend:16l](t)<SELECT 1*>");
    assert_false(pg_alive(conn));
    e = failing(conn, "SELECT 1", NULL);
    assert_string_equal(e.sqlstate, "57P01");
    pg_close(conn);
    pg_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_reading), cmocka_unit_test(test_interrupt_in_rows),
        cmocka_unit_test(test_interrupt_anywhere), cmocka_unit_test(test_hung_server),
        cmocka_unit_test(test_lost_connection),
    };
    return cmocka_run_group_tests_name("pg_interrupt", tests, set_up_cluster, tear_down_cluster);
}
