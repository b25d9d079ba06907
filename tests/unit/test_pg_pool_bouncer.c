/* The pool and its statements behind a transaction pooler: PgBouncer in front of a real server. (facts/pool.md §8, 23 and 24.) */
#include "base/xalloc.h"
#include "pg/pool_parts.h"
#include "pg/prepared.h"
#include "pool_server.h"

#include "pgbouncer.h"

static int set_up(void **state)
{
    set_up_cluster(state);
    if (no_cluster)
        return 0;
    struct pg_conn *conn = open_one();
    run(conn, "CREATE TABLE ran (run int); CREATE SEQUENCE tries");
    pg_close(conn);
    return bouncer_start("ignore_startup_parameters = options\ndefault_pool_size = 4\nmax_client_conn = 100") ? 0 : -1;
}

static int tear_down(void **state)
{
    bouncer_stop();
    return tear_down_cluster(state);
}

/* ---- 24: found out ---- */

static struct pg_conn *by_bouncer(void *dbname, struct cancel *c, struct err *e)
{
    atomic_fetch_add(&way.asked, 1);
    return bouncer_open(dbname, c, e);
}

static struct pool *bounced(const char *dbname, struct pool_options o)
{
    struct err e;
    err_init(&e);
    atomic_store(&way.asked, 0);
    o.name = "bounced";
    o.connect = by_bouncer;
    o.self = (void *)(uintptr_t)dbname;
    struct pool *p = pool_open(&o, &e);
    if (!p || !pool_wait(p, LONG_MS, NULL, &e))
        fail_msg("no pool: %s %s", e.text, e.detail);
    return p;
}

/* The sessions behind are PgBouncer's, and stay. */
static void finish(struct pool *p)
{
    assert_true(pool_close(p, LONG_MS));
    pool_free(p);
}

static void test_without_a_pooler(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 2, .max_size = 2});
    assert_int_equal(stats_of(p).route, POOL_ROUTE_OWN);
    assert_int_equal(atomic_load(&way.asked), 2);
    struct pg_conn *conn = get(p);
    assert_false(conn->shared);
    pool_return(p, conn);
    end(p);
}

static void test_transaction_mode_is_found(void **state)
{
    (void)state;
    NEED_BOUNCER();
    struct pool *p = bounced("postgres", (struct pool_options){.min_size = 1, .max_size = 3});
    assert_int_equal(stats_of(p).route, POOL_ROUTE_SHARED);
    assert_int_equal(atomic_load(&way.asked), 2); /* the second one was there for a moment */
    assert_int_equal(stats_of(p).connects, 1);
    struct pg_conn *all[] = {get(p), get(p), get(p)};
    for (int i = 0; i < 3; i++) {
        assert_true(all[i]->shared);
        usable(all[i]);
        pool_return(p, all[i]);
    }
    assert_int_equal(atomic_load(&way.asked), 4); /* nobody is asked again */
    assert_int_equal(stats_of(p).route, POOL_ROUTE_SHARED);
    pool_drain(p); /* the address may lead elsewhere now */
    UNTIL(stats_of(p).closed[POOL_CLOSED_DRAIN] == 3 && stats_of(p).idle == 1);
    assert_int_equal(atomic_load(&way.asked), 6);
    assert_int_equal(stats_of(p).route, POOL_ROUTE_SHARED);
    struct buf text;
    buf_init(&text, 1 << 20);
    pool_metrics(p, &text);
    contains(buf_str(&text), "lakebase_pool_shared_sessions{pool=\"bounced\"} 1\n");
    buf_release(&text);
    finish(p);
}

/* Several makers at once; they must not take each other for neighbours that keep their sessions. */
static void test_found_by_several_makers(void **state)
{
    (void)state;
    NEED_BOUNCER();
    for (int i = 0; i < 40; i++) {
        struct pool *p = bounced("postgres", (struct pool_options){.min_size = 3, .max_size = 3});
        assert_int_equal(stats_of(p).route, POOL_ROUTE_SHARED);
        assert_int_equal(atomic_load(&way.asked), 4); /* one asked, for all */
        finish(p);
    }
}

static void test_session_mode_is_no_reason_to_warn(void **state)
{
    (void)state;
    NEED_BOUNCER();
    struct pool *p = bounced("sessions", (struct pool_options){.min_size = 2, .max_size = 2});
    assert_int_equal(stats_of(p).route, POOL_ROUTE_POOLER);
    struct pg_conn *conn = get(p);
    assert_false(conn->shared);
    run(conn, "SET work_mem = '5MB'");
    expect(conn, "SHOW work_mem", "[work_mem:25l](5MB)<SHOW*>");
    pool_return(p, conn);
    finish(p);
}

/* ---- 23: statements that are prepared by themselves ---- */

/* Somebody else at the same PgBouncer. It lends the session that came back last: one that opens a transaction now takes the one that
 * a client has just used, and that client is in another one at its next statement. */
static struct pg_conn *neighbour(void)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = bouncer_open("postgres", NULL, &e);
    if (!conn)
        fail_msg("%s %s", e.text, e.detail);
    return conn;
}

static struct err exec(struct pg_conn *conn, const char *sql, int value, const char *want)
{
    struct record r;
    struct pg_rows rows = rows_of(&r);
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    struct pg_param param = {.text = text};
    struct err e;
    err_init(&e);
    bool ok = pg_exec_prepared(conn, sql, &param, 1, &rows, NULL, &e);
    if (want && !ok)
        fail_msg("%s: %s %s", sql, e.sqlstate, e.text);
    if (want)
        assert_string_equal(buf_str(&r.log), want);
    buf_release(&r.log);
    return e;
}

static const char insert[] = "INSERT INTO ran VALUES ($1::int) RETURNING pg_backend_pid() > 0 AS ok";
static const char inserted[] = "[ok:16l](t)<INSERT 0 1*>";

static void each_ran_once(int from, int to)
{
    struct pg_conn *conn = open_one();
    char sql[160];
    snprintf(sql, sizeof sql, "SELECT count(*) * 1000000 + count(DISTINCT run) FROM ran WHERE run >= %d AND run < %d", from, to);
    assert_int_equal(number(conn, sql), (to - from) * 1000001LL);
    pg_close(conn);
}

/* Its statement is not there (26000), then there already (42P05), then there; the caller sees rows. */
static void test_a_statement_moves_along(void **state)
{
    (void)state;
    NEED_BOUNCER();
    struct err e;
    err_init(&e);
    struct pg_conn *conn = neighbour(), *other = neighbour();
    exec(conn, insert, 100, inserted);
    exec(conn, insert, 101, inserted);
    assert_int_equal(pg_prepared_count(conn), 1);
    assert_false(conn->shared);
    long long before = number(conn, "SELECT pg_backend_pid()");
    run(other, "BEGIN");
    assert_int_equal(number(other, "SELECT pg_backend_pid()"), before);
    exec(conn, insert, 102, inserted); /* 26000 */
    assert_true(number(conn, "SELECT pg_backend_pid()") != before);
    assert_true(conn->shared);
    assert_int_equal(pg_prepared_count(conn), 0);
    run(other, "COMMIT");
    assert_int_equal(number(conn, "SELECT pg_backend_pid()"), before);
    exec(conn, insert, 103, inserted); /* 42P05 */
    assert_int_equal(pg_prepared_count(conn), 1);
    exec(conn, insert, 104, inserted);
    each_ran_once(100, 105);
    pg_close(conn);
    pg_close(other);
}

/* What failed in a transaction cannot be healed; it is said what to do, and it does not happen again. */
static void test_in_a_transaction(void **state)
{
    (void)state;
    NEED_BOUNCER();
    struct pg_conn *conn = neighbour(), *other = neighbour();
    exec(conn, insert, 200, inserted);
    exec(conn, insert, 201, inserted);
    run(other, "BEGIN");
    run(conn, "BEGIN");
    struct err e = exec(conn, insert, 202, NULL);
    assert_string_equal(e.sqlstate, "26000");
    contains(e.hint, "run the transaction again");
    run(conn, "ROLLBACK; BEGIN");
    exec(conn, insert, 202, inserted);
    exec(conn, insert, 203, inserted);
    run(conn, "COMMIT");
    run(other, "COMMIT");
    each_ran_once(200, 204);
    pg_close(conn);
    pg_close(other);
    /* a pool knows before the first one */
    struct pool *p = bounced("postgres", (struct pool_options){.min_size = 1, .max_size = 1});
    conn = get(p);
    other = neighbour();
    exec(conn, insert, 204, inserted);
    exec(conn, insert, 205, inserted);
    run(other, "BEGIN");
    run(conn, "BEGIN");
    exec(conn, insert, 206, inserted);
    run(conn, "COMMIT");
    run(other, "COMMIT");
    each_ran_once(200, 207);
    pg_close(other);
    pool_return(p, conn);
    finish(p);
}

/* At the limit a statement is closed in whatever session; it need not be there. */
static void test_the_limit_of_a_moving_connection(void **state)
{
    (void)state;
    NEED_BOUNCER();
    struct pg_conn *conn = neighbour(), *other = neighbour();
    char sql[60];
    for (int i = 0; i < PREPARED_MAX; i++) {
        snprintf(sql, sizeof sql, "SELECT $1::int + %d AS n", i);
        assert_int_equal(exec(conn, sql, 0, NULL).code, ERR_NONE);
        assert_int_equal(exec(conn, sql, 0, NULL).code, ERR_NONE);
    }
    run(other, "BEGIN");
    for (int i = 0; i < 5; i++) {
        snprintf(sql, sizeof sql, "SELECT $1::int - %d AS n", i);
        assert_int_equal(exec(conn, sql, 0, NULL).code, ERR_NONE);
    }
    run(other, "COMMIT");
    pg_close(conn);
    pg_close(other);
}

struct client {
    struct pool *p;
    pthread_t thread;
    int first;
    struct err e;
};

enum { CLIENTS = 6, RUNS = 60 };

/* A third of them in transactions of two. */
static void *serve(void *arg)
{
    struct client *me = arg;
    for (int i = 0; i < RUNS && !me->e.code; i++) {
        struct pg_conn *conn = pool_checkout(me->p, LONG_MS, NULL, &me->e);
        bool two = i % 3 == 0 && i + 1 < RUNS;
        char text[16];
        struct pg_param param = {.text = text};
        if (!conn)
            return NULL;
        bool ok = !two || pg_run(conn, "BEGIN", NULL, &me->e);
        for (int k = 0; k <= two && ok; k++) {
            snprintf(text, sizeof text, "%d", me->first + i);
            ok = pg_exec_prepared(conn, insert, &param, 1, NULL, NULL, &me->e);
            i += two && k == 0;
        }
        if (ok && two)
            pg_run(conn, "COMMIT", NULL, &me->e);
        pool_return(me->p, conn);
    }
    return NULL;
}

static void test_many_clients_on_few_sessions(void **state)
{
    (void)state;
    NEED_BOUNCER();
    struct pool *p = bounced("postgres", (struct pool_options){.min_size = CLIENTS, .max_size = CLIENTS});
    struct client all[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        all[i] = (struct client){.p = p, .first = 10000 + i * RUNS};
        err_init(&all[i].e);
        assert_int_equal(pthread_create(&all[i].thread, NULL, serve, &all[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(all[i].thread, NULL);
    for (int i = 0; i < CLIENTS; i++) {
        if (all[i].e.code)
            fail_msg("client %d: %s %s", i, all[i].e.sqlstate, all[i].e.text);
    }
    each_ran_once(10000, 10000 + CLIENTS * RUNS);
    assert_int_equal(stats_of(p).rollbacks, 0);
    finish(p);
}

/* As it comes, PgBouncer refuses our start-up settings. The last test: it starts another one. */
static void test_a_pooler_that_takes_no_settings(void **state)
{
    (void)state;
    NEED_BOUNCER();
    bouncer_stop();
    assert_true(bouncer_start(""));
    struct pg_conn *admin = open_one();
    run(admin, "ALTER ROLE learner SET TimeZone = 'Asia/Tokyo'; ALTER ROLE learner SET DateStyle = 'German'");
    struct pool *p = bounced("postgres", (struct pool_options){.min_size = 2, .max_size = 2});
    assert_int_equal(stats_of(p).route, POOL_ROUTE_SHARED);
    static const char question[] = "SELECT timestamptz '2020-01-01 00:00:00Z' AS t", answer[] = "[t:1184l](2020-01-01 00:00:00+00)<SELECT 1*>";
    for (int i = 0; i < 2; i++) {
        struct pg_conn *both[] = {get(p), get(p)};
        expect(both[0], question, answer);
        run(both[1], "BEGIN"); /* the one takes the other's session */
        expect(both[1], question, answer);
        expect(both[0], question, answer);
        run(both[1], "COMMIT");
        run(both[0], "SET TimeZone = 'Europe/Rome'");
        pool_return(p, both[0]);
        pool_return(p, both[1]);
    }
    assert_int_equal(stats_of(p).resets, 2);
    finish(p);
    run(admin, "ALTER ROLE learner RESET ALL");
    pg_close(admin);
    /* what the user asked for is not left out in silence */
    struct err e;
    err_init(&e);
    struct pg_params own = {.conninfo = "options='-c work_mem=5MB'", .host = cluster.address, .port = BOUNCER_PORT, .dbname = "postgres",
                            .user = "learner", .sslmode = "disable"};
    assert_null(pg_open(&own, NULL, &e));
    contains(e.text, "startup parameter");
}

/* A statement that raises these states itself had begun: it is not run again. */
static void test_its_own_errors_are_final(void **state)
{
    (void)state;
    NEED_CLUSTER();
    static const char *const states[] = {"26000", "0A000", "42P05"};
    struct pg_conn *conn = open_one();
    run(conn, "CREATE FUNCTION raises(state text) RETURNS int LANGUAGE plpgsql AS "
              "$$BEGIN PERFORM nextval('tries'); RAISE EXCEPTION 'no' USING ERRCODE = state; END$$");
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        struct pg_param param = {.text = states[i]};
        for (int k = 1; k <= 3; k++) {
            struct err e;
            err_init(&e);
            run(conn, "SELECT setval('tries', 1000)");
            assert_false(pg_exec_prepared(conn, "SELECT raises($1)", &param, 1, NULL, NULL, &e));
            assert_string_equal(e.sqlstate, states[i]);
            assert_int_equal(number(conn, "SELECT last_value FROM tries"), 1001);
        }
    }
    assert_false(conn->shared);
    pg_close(conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        counted(test_without_a_pooler),         counted(test_transaction_mode_is_found),
        counted(test_found_by_several_makers),
        counted(test_session_mode_is_no_reason_to_warn), counted(test_a_statement_moves_along),
        counted(test_in_a_transaction),         counted(test_the_limit_of_a_moving_connection),
        counted(test_many_clients_on_few_sessions), counted(test_its_own_errors_are_final),
        counted(test_a_pooler_that_takes_no_settings),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
