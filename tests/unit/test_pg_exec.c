/* Statements against a real server: rows, notices, errors, what is refused, memory, types, quoting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>

#include "base/xalloc.h"
#include "pg_record.h"

static long peak_kb(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static void test_memory_is_flat(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct record r;
    struct pg_rows rows = rows_of(&r);
    struct err e;
    err_init(&e);
    r.quiet = true;
    long before = peak_kb();
    assert_true(pg_exec(conn, "SELECT generate_series(1, 1000000), repeat('x', 140)", NULL, 0,
                        &rows, NULL, &e));
    long grown = peak_kb() - before;
    assert_int_equal(r.rows, 1000000);
#ifndef __SANITIZE_ADDRESS__ /* it keeps freed memory back */
    assert_true(grown < 4096);
#endif
    print_message("1000000 rows of 147 bytes: peak memory grew by %ld KiB\n", grown);
    buf_release(&r.log);
    pg_close(conn);
}

static void test_rows(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    expect(conn, "SELECT 1 AS a, NULL::text AS b, '' AS c, 1.50::numeric AS d",
           "[a:23r,b:25l,c:25l,d:1700r](1|null||1.50)<SELECT 1*>");
    expect(conn, "SELECT 1 WHERE false", "[?column?:23r]<SELECT 0*>");
    expect(conn, "SELECT", "[]()<SELECT 1*>");
    expect(conn, "", "<>");
    expect(conn, "CREATE TEMP TABLE t (i int)", "<CREATE TABLE>");
    expect(conn, "INSERT INTO t SELECT generate_series(1, 3)", "<INSERT 0 3>");
    expect(conn, "INSERT INTO t VALUES (4) RETURNING i", "[i:23r](4)<INSERT 0 1*>");
    expect(conn, "SELECT 1 AS a; SELECT 2 AS b", "[a:23r](1)<SELECT 1*>[b:23r](2)<SELECT 1*>");
    expect(conn, "SHOW client_encoding", "[client_encoding:25l](UTF8)<SHOW*>");
    expect(conn, "SELECT now()::text LIKE '%+00', interval '1 day 2 hours', date '2026-01-31', '\\x01'::bytea",
           "[?column?:16l,interval:1186l,date:1082l,bytea:17l](t|1 day 02:00:00|2026-01-31|\\x01)<SELECT 1*>");
    pg_close(conn);
}

static void test_parameters(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct record r;
    struct pg_rows rows = rows_of(&r);
    struct err e;
    err_init(&e);
    const char *params[] = {"' OR '1'='1", NULL, "7"};
    assert_true(pg_exec(conn, "SELECT $1::text AS a, $2::text AS b, $3::int + 1 AS c", params, 3, &rows, NULL, &e));
    assert_string_equal(buf_str(&r.log), "[a:25l,b:25l,c:23r](' OR '1'='1|null|8)<SELECT 1*>");
    buf_release(&r.log);
    char *text = NULL;
    assert_true(pg_scalar(conn, "SELECT 'x' || $1", params + 2, 1, &text, NULL, &e));
    assert_string_equal(text, "x7");
    free(text);
    assert_true(pg_scalar(conn, "SELECT NULL", NULL, 0, &text, NULL, &e));
    assert_null(text);
    assert_false(pg_scalar(conn, "SELECT 1 WHERE false", NULL, 0, &text, NULL, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    err_init(&e);
    const char **many = xcalloc(65536, sizeof *many);
    assert_false(pg_exec(conn, "SELECT 1", many, 65536, NULL, NULL, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    free(many);
    usable(conn);
    pg_close(conn);
}

static void test_notices(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    expect(conn, "DROP TABLE IF EXISTS nope", "{NOTICE:table \"nope\" does not exist, skipping}<DROP TABLE>");
    expect(conn,
           "DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two' USING DETAIL = 'd', HINT = 'h'; END $$",
           "{NOTICE:one}{WARNING:two/d/h}<DO>");
    usable(conn);
    expect(conn, "LISTEN ch", "<LISTEN>");
    expect(conn, "NOTIFY ch, 'hello'", "<NOTIFY>{NOTIFY:ch/hello}");
    pg_close(conn);
}

static void test_error_fields(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct err e = failing(conn, "SELECT 'äöü', nope FROM pg_class", NULL);
    assert_int_equal(e.code, ERR_SQL);
    assert_string_equal(e.sqlstate, "42703");
    assert_string_equal(e.text, "column \"nope\" does not exist");
    assert_int_equal(e.position, 15); /* code points, not bytes */
    assert_string_equal(pg_condition(e.sqlstate), "UndefinedColumn");
    assert_non_null(strstr(pg_advice(e.sqlstate), "\\d TABLE"));
    e = failing(conn, "CREATE TEMP TABLE p (i int PRIMARY KEY); INSERT INTO p VALUES (1), (1)", NULL);
    assert_string_equal(e.sqlstate, "23505");
    assert_string_equal(e.detail, "Key (i)=(1) already exists.");
    e = failing(conn, "DO $$ BEGIN PERFORM 1 / 0; END $$", NULL);
    assert_string_equal(e.sqlstate, "22012");
    assert_non_null(strstr(e.context, "PL/pgSQL function inline_code_block line 1"));
    e = failing(conn, "DO $$ BEGIN EXECUTE 'SELECT nope'; END $$", NULL);
    assert_non_null(strstr(e.context, "QUERY:  SELECT nope"));
    assert_int_equal(e.position, 0);
    e = failing(conn, "BEGIN; SELECT 1/0", NULL);
    assert_int_equal(pg_tx_state(conn), PG_TX_FAILED);
    e = failing(conn, "SELECT 1", NULL);
    assert_string_equal(e.sqlstate, "25P02");
    assert_non_null(strstr(pg_advice(e.sqlstate), "ROLLBACK"));
    expect(conn, "ROLLBACK", "<ROLLBACK>");
    expect(conn, "SET statement_timeout = 20", "<SET>");
    e = failing(conn, "SELECT pg_sleep(60)", NULL);
    assert_int_equal(e.code, ERR_SQL); /* not an interrupt */
    assert_string_equal(e.sqlstate, "57014");
    pg_close(conn);
}

static void test_copy_without_data_or_reader(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    expect(conn, "CREATE TEMP TABLE c (i int)", "<CREATE TABLE>");
    struct err e = failing(conn, "COPY c FROM STDIN", NULL);
    assert_int_equal(e.code, ERR_NOT_IMPLEMENTED);
    assert_non_null(strstr(e.text, "FROM STDIN"));
    usable(conn);
    e = failing(conn, "COPY c TO STDOUT", NULL);
    assert_int_equal(e.code, ERR_NOT_IMPLEMENTED);
    usable(conn);
    e = failing(conn, "COPY (SELECT generate_series(1, 100000000000)) TO STDOUT", NULL);
    assert_int_equal(e.code, ERR_NOT_IMPLEMENTED);
    usable(conn);
    expect(conn, "SELECT count(*) FROM c", "[count:20r](0)<SELECT 1*>");
    pg_close(conn);
}

/* Many rows under the cap, together far over it; one row just under it, and one over. */
static void check_big_rows(struct pg_conn *conn, bool counted)
{
    struct record r;
    struct pg_rows rows = rows_of(&r);
    struct err e;
    err_init(&e);
    r.quiet = true;
    assert_true(pg_exec(conn, "SELECT repeat('x', 10 << 20) FROM generate_series(1, 12)", NULL, 0, &rows, NULL, &e));
    assert_int_equal(r.rows, 12);
    assert_true(pg_exec(conn, "SELECT repeat('x', 60 << 20)", NULL, 0, &rows, NULL, &e));
    assert_int_equal(r.rows, 13);
    assert_false(pg_exec(conn, "SELECT repeat('x', 200 << 20)", NULL, 0, &rows, NULL, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    assert_non_null(strstr(e.text, "larger than 64 MiB"));
    assert_int_equal(r.rows, 13);
    buf_release(&r.log);
    /* Seen on its way, which ends the connection, or when it was there. */
    if (pg_alive(conn))
        usable(conn);
    else
        assert_true(counted);
    pg_close(conn);
}

static void test_big_rows(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct err e;
    err_init(&e);
    struct pg_params p = {.host = cluster.address, .port = "5432", .dbname = "postgres", .user = "learner"};
    struct pg_conn *conn = pg_open(&p, NULL, &e);
    assert_non_null(conn);
    check_big_rows(conn, true);
    check_big_rows(open_one(), false);
}

static void test_many_columns(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct buf sql;
    buf_init(&sql, 1 << 20);
    buf_puts(&sql, "SELECT 1");
    for (int i = 1; i < 1664; i++)
        buf_puts(&sql, ",1");
    assert_true(pg_run(conn, buf_str(&sql), NULL, &(struct err){0}));
    buf_puts(&sql, ",1");
    assert_string_equal(failing(conn, buf_str(&sql), NULL).sqlstate, "54011");
    buf_release(&sql);
    pg_close(conn);
}

static void test_types(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct err e;
    err_init(&e);
    int known = 0;
    for (unsigned oid = 1; oid < 6000; oid++) {
        char sql[128], *want = NULL;
        snprintf(sql, sizeof sql, "SELECT format_type(oid, -1) FROM pg_type WHERE oid = %u AND typtype <> 'c'", oid);
        if (!pg_scalar(conn, sql, NULL, 0, &want, NULL, &e)) {
            err_init(&e);
            continue;
        }
        assert_string_equal(pg_type_name(conn, oid, -1), want);
        known++;
        free(want);
    }
    assert_true(known > 150);
    const struct {
        const char *type;
        unsigned oid;
    } cases[] = {{"numeric(10,2)", 1700}, {"numeric(5,-2)", 1700}, {"character varying(80)", 1043}, {"character(3)", 1042},
                 {"timestamp(3) without time zone", 1114}, {"interval hour to minute", 1186}, {"bit(4)", 1560}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char sql[256], *mod = NULL;
        snprintf(sql, sizeof sql,
                 "DROP TABLE IF EXISTS ty; CREATE TEMP TABLE ty (x %s); SELECT atttypmod FROM pg_attribute "
                 "WHERE attrelid = 'ty'::regclass AND attname = 'x'", cases[i].type);
        assert_true(pg_scalar(conn, sql, NULL, 0, &mod, NULL, &e));
        int m = (int)strtol(mod, NULL, 10);
        const char *name = pg_type_name(conn, cases[i].oid, m);
        assert_string_equal(name, cases[i].type);
        assert_ptr_equal(pg_type_name(conn, cases[i].oid, m), name); /* asked once */
        free(mod);
    }
    expect(conn, "BEGIN", "<BEGIN>");
    failing(conn, "SELECT 1/0", NULL);
    assert_string_equal(pg_type_name(conn, 999999, 7), "oid 999999");
    pg_close(conn);
}

static void test_quoting(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    static const char *const texts[] = {"", "it's", "a\\b", "\\'; DROP TABLE x; --", "ünï \"q\"", "$$", "\n\t"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (int standard = 0; standard < 2; standard++) {
            struct buf sql;
            char *back = NULL;
            struct err e;
            err_init(&e);
            assert_true(pg_run(conn, standard ? "SET standard_conforming_strings = on" :
                               "SET standard_conforming_strings = off; SET escape_string_warning = off", NULL, &e));
            buf_init(&sql, 1000);
            buf_puts(&sql, "SELECT");
            pg_quote_literal(&sql, texts[i]);
            buf_puts(&sql, " AS ");
            pg_quote_ident(&sql, *texts[i] ? texts[i] : "x");
            assert_true(pg_scalar(conn, buf_str(&sql), NULL, 0, &back, NULL, &e));
            assert_string_equal(back, texts[i]);
            free(back);
            buf_release(&sql);
        }
    }
    pg_close(conn);
}

static void test_about(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    assert_string_equal(pg_host(conn), cluster.dir);
    assert_string_equal(pg_port(conn), "5432");
    assert_string_equal(pg_user(conn), "learner");
    assert_string_equal(pg_dbname(conn), "postgres");
    assert_string_equal(pg_tls(conn), "");
    assert_true(pg_server_version(conn) >= 150000);
    assert_true(pg_backend_pid(conn) > 0);
    assert_string_equal(pg_parameter(conn, "TimeZone"), "UTC");
    assert_null(pg_parameter(conn, "nope"));
    assert_int_equal(pg_tx_state(conn), PG_TX_IDLE);
    expect(conn, "SHOW application_name", "[application_name:25l](lakebase)<SHOW*>");
    pg_close(conn);
    pg_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_flat), cmocka_unit_test(test_rows), cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_notices), cmocka_unit_test(test_error_fields),
        cmocka_unit_test(test_copy_without_data_or_reader), cmocka_unit_test(test_big_rows), cmocka_unit_test(test_many_columns), cmocka_unit_test(test_types),
        cmocka_unit_test(test_quoting), cmocka_unit_test(test_about),
    };
    return cmocka_run_group_tests_name("pg_exec", tests, set_up_cluster, tear_down_cluster);
}
