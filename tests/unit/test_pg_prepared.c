/* Statements that are prepared by themselves, on a real server: when, how many, and everything that makes the server forget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/xalloc.h"
#include "pg/pool.h"
#include "pg/prepared.h"
#include "pg_record.h"

static struct err run(struct pg_conn *conn, const char *sql, const char *value, const char *want)
{
    struct record r;
    struct pg_rows rows = rows_of(&r);
    struct pg_param param = {.text = value};
    struct err e;
    err_init(&e);
    bool ok = pg_exec_prepared(conn, sql, &param, value != NULL, &rows, NULL, &e);
    if (want && !ok)
        fail_msg("%s: %s %s", sql, e.sqlstate, e.text);
    if (want)
        assert_string_equal(buf_str(&r.log), want);
    buf_release(&r.log);
    return e;
}

/* What the server says that it has. */
static int on_server(struct pg_conn *conn)
{
    char *count;
    struct err e;
    err_init(&e);
    if (!pg_scalar(conn, "SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql", NULL, 0, &count, NULL, &e))
        fail_msg("%s", e.text);
    int n = (int)strtol(count, NULL, 10);
    free(count);
    return n;
}

static const char question[] = "SELECT $1::int + 1 AS n";

static void twice(struct pg_conn *conn)
{
    run(conn, question, "1", "[n:23r](2)<SELECT 1*>");
    run(conn, question, "41", "[n:23r](42)<SELECT 1*>");
    assert_int_equal(on_server(conn), 1);
}

static void test_from_the_second_run_on(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    run(conn, question, "1", "[n:23r](2)<SELECT 1*>");
    assert_int_equal(on_server(conn), 0);
    for (int i = 0; i < 5; i++)
        run(conn, question, "41", "[n:23r](42)<SELECT 1*>");
    assert_int_equal(on_server(conn), 1);
    for (int i = 0; i < 3; i++)
        run(conn, "SELECT 1 AS a;", NULL, "[a:23r](1)<SELECT 1*>");
    assert_int_equal(on_server(conn), 2);
    assert_int_equal(pg_prepared_count(conn), 2);
    for (int i = 0; i < 3; i++) /* other types are another statement */
        assert_int_equal(run(conn, "SELECT $1 AS n", "x", "[n:25l](x)<SELECT 1*>").code, ERR_NONE);
    assert_int_equal(on_server(conn), 3);
    pg_close(conn);
}

static void test_several_statements_are_run_as_they_are(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    for (int i = 0; i < 3; i++)
        run(conn, "SELECT 1 AS a; SELECT 2 AS b", NULL, "[a:23r](1)<SELECT 1*>[b:23r](2)<SELECT 1*>");
    assert_int_equal(on_server(conn), 0);
    pg_close(conn);
}

static void test_errors_are_the_statements_own(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    for (int i = 0; i < 3; i++) {
        struct err e = run(conn, "SELECT nothing FROM pg_class", NULL, NULL);
        assert_string_equal(e.sqlstate, "42703");
        assert_int_equal(e.position, 8);
    }
    for (int i = 0; i < 3; i++)
        assert_string_equal(run(conn, "SELECT 1 / $1::int", "0", NULL).sqlstate, "22012");
    expect(conn, "DEALLOCATE ALL", "<DEALLOCATE ALL>");
    expect(conn, "BEGIN", "<BEGIN>");
    twice(conn);
    assert_string_equal(run(conn, "SELECT 1 / $1::int", "0", NULL).sqlstate, "22012");
    assert_int_equal(pg_tx_state(conn), PG_TX_FAILED);
    assert_string_equal(run(conn, question, "1", NULL).sqlstate, "25P02");
    expect(conn, "ROLLBACK", "<ROLLBACK>");
    twice(conn); /* what a transaction prepared stays */
    pg_close(conn);
}

static void test_what_the_server_forgets(void **state)
{
    (void)state;
    NEED_CLUSTER();
    static const char *const forget[] = {"DEALLOCATE ALL", "DISCARD ALL"};
    struct pg_conn *conn = open_one();
    for (size_t i = 0; i < ARRAY_LEN(forget); i++) {
        twice(conn);
        char tag[40];
        snprintf(tag, sizeof tag, "<%s>", forget[i]);
        expect(conn, forget[i], tag);
        assert_int_equal(pg_prepared_count(conn), 0);
    }
    twice(conn);
    /* Behind our back: no tag tells of it (26000). */
    expect(conn, "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$", "<DO>");
    run(conn, question, "9", "[n:23r](10)<SELECT 1*>");
    twice(conn);
    expect(conn, "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$", "<DO>");
    expect(conn, "BEGIN", "<BEGIN>"); /* warned by the first time, it sends text here */
    run(conn, question, "9", "[n:23r](10)<SELECT 1*>");
    expect(conn, "COMMIT", "<COMMIT>");
    pg_close(conn);
    conn = open_one();
    twice(conn);
    expect(conn, "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$", "<DO>");
    expect(conn, "BEGIN", "<BEGIN>"); /* for the first time in a transaction, it is an error: that has failed */
    struct err e = run(conn, question, "9", NULL);
    assert_string_equal(e.sqlstate, "26000");
    assert_non_null(strstr(e.hint, "run the transaction again"));
    expect(conn, "ROLLBACK", "<ROLLBACK>");
    twice(conn);
    pg_close(conn);
}

static void test_a_table_that_changed(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    expect(conn, "CREATE TABLE changing AS SELECT 1 AS a", "<SELECT 1>");
    for (int i = 0; i < 3; i++)
        run(conn, "SELECT * FROM changing", NULL, "[a:23r](1)<SELECT 1*>");
    expect(conn, "ALTER TABLE changing ADD COLUMN b int", "<ALTER TABLE>");
    run(conn, "SELECT * FROM changing", NULL, "[a:23r,b:23r](1|null)<SELECT 1*>"); /* 0A000, prepared anew */
    expect(conn, "DROP TABLE changing", "<DROP TABLE>");
    assert_string_equal(run(conn, "SELECT * FROM changing", NULL, NULL).sqlstate, "42P01");
    pg_close(conn);
}

/* At the limit, the one used longest ago goes, also on the server. */
static void test_the_limit(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    char sql[60], want[60];
    for (int i = 0; i < PREPARED_MAX + 20; i++) {
        snprintf(sql, sizeof sql, "SELECT %d AS n", i);
        snprintf(want, sizeof want, "[n:23r](%d)<SELECT 1*>", i);
        run(conn, sql, NULL, want);
        run(conn, sql, NULL, want);
        run(conn, "SELECT 'always' AS s", NULL, "[s:25l](always)<SELECT 1*>");
    }
    assert_int_equal(on_server(conn), PREPARED_MAX);
    assert_int_equal(pg_prepared_count(conn), PREPARED_MAX);
    char *long_one = xmalloc(PREPARED_SQL_MAX + 100);
    memset(long_one, ' ', PREPARED_SQL_MAX + 99);
    memcpy(long_one, "SELECT 5 AS n", 13);
    for (size_t size = PREPARED_SQL_MAX; size <= PREPARED_SQL_MAX + 1; size++) {
        expect(conn, "DEALLOCATE ALL", "<DEALLOCATE ALL>");
        long_one[size] = '\0';
        run(conn, long_one, NULL, "[n:23r](5)<SELECT 1*>");
        run(conn, long_one, NULL, "[n:23r](5)<SELECT 1*>");
        assert_int_equal(pg_prepared_count(conn), size <= PREPARED_SQL_MAX);
        long_one[size] = ' ';
    }
    free(long_one);
    pg_close(conn);
}

static struct pg_conn *log_in(void *self, struct cancel *c, struct err *e)
{
    (void)self;
    (void)c;
    return pg_cluster_connect(&cluster, "learner", e);
}

/* 23: they survive a return; what a borrower prepares in SQL takes them along, and that is noticed. */
static void test_in_a_pool(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct err e;
    err_init(&e);
    struct pool *p = pool_open(&(struct pool_options){.name = "test", .max_size = 1, .connect = log_in}, &e);
    struct pg_conn *conn = pool_checkout(p, 20000, NULL, &e);
    twice(conn);
    pool_return(p, conn);
    conn = pool_checkout(p, 20000, NULL, &e);
    assert_int_equal(on_server(conn), 1);
    expect(conn, "PREPARE mine AS SELECT 1", "<PREPARE>");
    pool_return(p, conn);
    conn = pool_checkout(p, 20000, NULL, &e);
    assert_int_equal(pg_prepared_count(conn), 0);
    twice(conn);
    pool_return(p, conn);
    assert_true(pool_close(p, 20000));
    pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_the_second_run_on),        cmocka_unit_test(test_several_statements_are_run_as_they_are),
        cmocka_unit_test(test_errors_are_the_statements_own), cmocka_unit_test(test_what_the_server_forgets),
        cmocka_unit_test(test_a_table_that_changed),          cmocka_unit_test(test_the_limit),
        cmocka_unit_test(test_in_a_pool),
    };
    return cmocka_run_group_tests(tests, set_up_cluster, tear_down_cluster);
}
