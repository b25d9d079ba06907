/* Connections and statements against a real server: streaming, cancel, notices, errors, login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/exec.h"
#include "pg_cluster.h"

static struct pg_cluster cluster;
static const char *no_cluster;

#define NEED_CLUSTER()                                        \
    do {                                                      \
        if (no_cluster) {                                     \
            print_message("skipped: %s\n", no_cluster);       \
            skip();                                           \
        }                                                     \
    } while (0)

static struct pg_conn *open_as(const char *user)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = pg_cluster_connect(&cluster, user, &e);
    if (!conn)
        fail_msg("cannot connect: %s", e.text);
    return conn;
}

static struct pg_conn *open_one(void) { return open_as("learner"); }

/* Everything that happens, as one text. */
struct record {
    struct buf log;
    unsigned long long rows, stop_after;
    struct cancel *fire; /* fired at the first row */
    bool quiet;
};

static void on_columns(void *self, const struct pg_column *columns, size_t n)
{
    struct record *r = self;
    for (size_t i = 0; i < n; i++)
        buf_printf(&r->log, "%s%s:%u%s", i ? "," : "[", columns[i].name, columns[i].oid, columns[i].numeric ? "r" : "l");
    buf_puts(&r->log, n ? "]" : "[]");
}

static bool on_row(void *self, const struct pg_value *values, size_t n)
{
    struct record *r = self;
    r->rows++;
    buf_puts(&r->log, r->quiet ? "" : "(");
    for (size_t i = 0; i < n && !r->quiet; i++) {
        buf_puts(&r->log, i ? "|" : "");
        if (values[i].text)
            buf_add(&r->log, values[i].text, values[i].len);
        else
            buf_puts(&r->log, "null");
    }
    if (!r->quiet)
        buf_puts(&r->log, ")");
    if (r->fire)
        cancel_fire(r->fire);
    return r->stop_after == 0 || r->rows < r->stop_after;
}

static void on_done(void *self, const char *tag, bool has_rows)
{
    struct record *r = self;
    buf_printf(&r->log, "<%s%s>", tag, has_rows ? "*" : "");
}

static void on_notice(void *self, const char *severity, const char *text, const char *detail, const char *hint)
{
    struct record *r = self;
    buf_printf(&r->log, "{%s:%s%s%s%s%s}", severity, text, detail ? "/" : "", detail ? detail : "", hint ? "/" : "",
               hint ? hint : "");
}

static struct pg_rows rows_of(struct record *r)
{
    *r = (struct record){0};
    buf_init(&r->log, 1 << 20);
    return (struct pg_rows){.self = r, .columns = on_columns, .row = on_row, .done = on_done};
}

/* Run and compare the record. */
static void expect(struct pg_conn *conn, const char *sql, const char *want)
{
    struct record r;
    struct pg_rows rows = rows_of(&r);
    struct err e;
    err_init(&e);
    pg_on_notice(conn, on_notice, &r);
    if (!pg_exec(conn, sql, NULL, 0, &rows, NULL, &e))
        fail_msg("%s: %s %s", sql, e.sqlstate, e.text);
    assert_string_equal(buf_str(&r.log), want);
    pg_on_notice(conn, NULL, NULL);
    buf_release(&r.log);
}

static struct err failing(struct pg_conn *conn, const char *sql, struct cancel *c)
{
    struct err e;
    err_init(&e);
    if (pg_exec(conn, sql, NULL, 0, NULL, c, &e))
        fail_msg("%s did not fail", sql);
    return e;
}

static void usable(struct pg_conn *conn) { expect(conn, "SELECT 1 AS a", "[a:23r](1)<SELECT 1*>"); }

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
           "[?column?:16l,interval:1186l,date:1082l,bytea:17l](t|P1DT2H|2026-01-31|\\x01)<SELECT 1*>");
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

struct later {
    struct cancel *c;
    int us;
};

static void *fire_later(void *arg)
{
    struct later *l = arg;
    struct err e;
    err_init(&e);
    int64_t end = clock_mono_us() + l->us;
    while (clock_mono_us() < end)
        continue;
    cancel_fire(l->c);
    return NULL;
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
    struct later l = {&c, 1000};
    pthread_t thread;
    /* A stopped postmaster takes the cancel connection and never answers. */
    assert_int_equal(kill(cluster.pid, SIGSTOP), 0);
    assert_int_equal(pthread_create(&thread, NULL, fire_later, &l), 0);
    bool ok = pg_run(conn, "SELECT pg_sleep(600)", &c, &e);
    kill(cluster.pid, SIGCONT);
    pthread_join(thread, NULL);
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

static void test_copy_is_refused(void **state)
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

static void test_big_rows(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct record r;
    struct pg_rows rows = rows_of(&r);
    struct err e;
    err_init(&e);
    r.quiet = true;
    /* Many rows under the cap, together far over it, then one row just under and one over. */
    assert_true(pg_exec(conn, "SELECT repeat('x', 10 << 20) FROM generate_series(1, 12)", NULL, 0, &rows, NULL, &e));
    assert_int_equal(r.rows, 12);
    assert_true(pg_exec(conn, "SELECT repeat('x', 60 << 20)", NULL, 0, &rows, NULL, &e));
    assert_int_equal(r.rows, 13);
    assert_false(pg_exec(conn, "SELECT repeat('x', 100 << 20)", NULL, 0, &rows, NULL, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    assert_non_null(strstr(e.text, "larger than 64 MiB"));
    assert_int_equal(r.rows, 13);
    /* Seen on its way (then the connection is given up) or when it was there: both are clean. */
    if (pg_alive(conn))
        usable(conn);
    buf_release(&r.log);
    pg_close(conn);
    conn = open_one();
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

/* Open with these parameters must fail; no part of the error may hold the password. */
static struct err refused(struct pg_params p)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = pg_open(&p, NULL, &e);
    if (conn)
        fail_msg("the login was not refused");
    assert_null(memmem(&e, sizeof e, "s3cret", 6));
    return e;
}

static void test_login(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    expect(conn, "CREATE ROLE locked LOGIN PASSWORD 'right'", "<CREATE ROLE>");
    struct pg_params p = {.host = cluster.dir, .port = "5432", .dbname = "postgres", .user = "locked", .password = "s3cret"};
    struct err e = refused(p);
    assert_int_equal(e.code, ERR_LOGIN);
    assert_string_equal(e.sqlstate, "28P01");
    assert_string_equal(e.text, "password authentication failed for user \"locked\"");
    p.password = NULL;
    p.conninfo = "password=s3cret";
    assert_string_equal(refused(p).sqlstate, "28P01");
    p.conninfo = "passfile=/nonexistent";
    assert_int_equal(refused(p).code, ERR_LOGIN);
    p.user = "barred";
    e = refused(p);
    assert_int_equal(e.code, ERR_LOGIN);
    assert_string_equal(e.sqlstate, "28000");
    p.user = "learner";
    p.dbname = "nope";
    e = refused(p);
    assert_int_equal(e.code, ERR_CONNECT);
    assert_string_equal(e.sqlstate, "3D000");
    assert_string_equal(e.text, "database \"nope\" does not exist");
    assert_non_null(strstr(e.detail, cluster.dir));
    p.user = "locked";
    p.dbname = "postgres";
    p.conninfo = NULL;
    p.password = "right";
    struct pg_conn *mine = pg_open(&p, NULL, &e);
    assert_non_null(mine);
    assert_string_equal(pg_user(mine), "locked");
    pg_close(mine);
    expect(conn, "DROP ROLE locked", "<DROP ROLE>");
    pg_close(conn);
}

static void test_bad_parameters(void **state)
{
    (void)state;
    struct err e = refused((struct pg_params){.conninfo = "host=x s3cret"});
    assert_int_equal(e.code, ERR_CONFIG);
    e = refused((struct pg_params){.conninfo = "postgresql://u:s3cret%zz@h/db"});
    assert_int_equal(e.code, ERR_CONFIG);
    e = refused((struct pg_params){.host = "/tmp", .port = "s3cret", .password = "s3cret"});
    assert_int_equal(e.code, ERR_CONFIG);
    e = refused((struct pg_params){.host = "/nonexistent", .user = "u"});
    assert_int_equal(e.code, ERR_CONNECT);
    e = refused((struct pg_params){.host = "127.0.0.1", .port = "1", .user = "u", .sslmode = "disable"});
    assert_int_equal(e.code, ERR_CONNECT);
    assert_string_equal(e.text, "cannot connect: Connection refused");
    e = refused((struct pg_params){.host = "127.0.0.1", .port = "1", .sslmode = "verify-full", .sslrootcert = "/nope"});
    assert_int_equal(e.code, ERR_CONNECT);
}

static void test_silent_server(void **state)
{
    (void)state;
    NEED_CLUSTER();
    /* A stopped postmaster accepts (the kernel does) and says nothing. */
    struct pg_params p = {.host = cluster.dir, .port = "5432", .user = "learner", .connect_timeout_ms = 300};
    kill(cluster.pid, SIGSTOP);
    struct err e = refused(p);
    struct cancel c;
    struct err ce;
    err_init(&ce);
    assert_true(cancel_init(&c, &ce));
    struct later l = {&c, 100000};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fire_later, &l), 0);
    p.connect_timeout_ms = 60000;
    struct pg_conn *conn = pg_open(&p, &c, &ce);
    kill(cluster.pid, SIGCONT);
    pthread_join(thread, NULL);
    cancel_release(&c);
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_null(conn);
    assert_int_equal(ce.code, ERR_CANCELLED);
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

static int set_up(void **state)
{
    (void)state;
    no_cluster = pg_cluster_start(&cluster,
                                  "local all locked scram-sha-256\nlocal all barred reject\nlocal all all trust\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pg_cluster_stop(&cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_flat), cmocka_unit_test(test_rows), cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_stop_reading), cmocka_unit_test(test_interrupt_in_rows),
        cmocka_unit_test(test_interrupt_anywhere), cmocka_unit_test(test_hung_server), cmocka_unit_test(test_notices),
        cmocka_unit_test(test_error_fields), cmocka_unit_test(test_copy_is_refused), cmocka_unit_test(test_big_rows),
        cmocka_unit_test(test_lost_connection), cmocka_unit_test(test_login), cmocka_unit_test(test_bad_parameters),
        cmocka_unit_test(test_silent_server), cmocka_unit_test(test_types), cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_about),
    };
    return cmocka_run_group_tests_name("pg_exec", tests, set_up, tear_down);
}
