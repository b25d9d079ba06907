/* The pool over a real server, seen from the server: each trace of a borrower, round trips, credentials of the moment, how many
 * sessions there are, and a server that is away. More of it: test_pg_pool_server.c. */
#include "pg_record.h"

#include "base/xalloc.h"
#include "pg/pool.h"

static struct {
    const char *user;
    atomic_int asked; /* connections */
} login;

static struct pg_conn *connect_here(void *self, struct cancel *c, struct err *e)
{
    (void)self;
    atomic_fetch_add(&login.asked, 1);
    struct pg_params p = {.host = cluster.dir, .port = "5432", .dbname = "postgres", .user = login.user,
                          .application_name = "pool under test"};
    return pg_open(&p, c, e);
}

static struct pool *open_pool(struct pool_options o)
{
    struct err e;
    err_init(&e);
    login.user = "learner";
    atomic_store(&login.asked, 0);
    o.name = "real";
    o.connect = connect_here;
    struct pool *p = pool_open(&o, &e);
    assert_non_null(p);
    return p;
}

static struct pg_conn *get(struct pool *p)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = pool_checkout(p, 20000, NULL, &e);
    if (!conn)
        fail_msg("%s", e.text);
    return conn;
}

static void end(struct pool *p)
{
    assert_true(pool_close(p, 20000));
    pool_free(p);
}

static void run(struct pg_conn *conn, const char *sql)
{
    struct err e;
    err_init(&e);
    if (!pg_run(conn, sql, NULL, &e))
        fail_msg("%s: %s", sql, e.text);
}

static long long number(struct pg_conn *conn, const char *sql)
{
    struct err e;
    char *text = NULL;
    err_init(&e);
    if (!pg_scalar(conn, sql, NULL, 0, &text, NULL, &e) || !text)
        fail_msg("%s: %s", sql, e.text);
    long long n = strtoll(text, NULL, 10);
    free(text);
    return n;
}

/* Sessions of the pool, as the server counts them. */
static long long sessions(struct pg_conn *watcher)
{
    return number(watcher, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pool under test'");
}

/* ---- what a borrower leaves ---- */

static const struct {
    const char *leave, *look; /* look: 1 when it is still there */
} traces[] = {
    {"SET work_mem = '77MB'", "SELECT (current_setting('work_mem') = '77MB')::int"},
    {"SELECT set_config('app.user', 'ann', false)", "SELECT (coalesce(current_setting('app.user', true), '') = 'ann')::int"},
    {"SET ROLE pg_monitor", "SELECT (current_user = 'pg_monitor')::int"},
    {"CREATE TEMP TABLE basket (i int)", "SELECT (to_regclass('pg_temp.basket') IS NOT NULL)::int"},
    {"SELECT 1 AS a INTO TEMP basket2", "SELECT (to_regclass('pg_temp.basket2') IS NOT NULL)::int"},
    {"LISTEN news", "SELECT count(*) FROM pg_listening_channels()"},
    {"PREPARE two AS SELECT 2", "SELECT count(*) FROM pg_prepared_statements"},
    {"DECLARE c CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) FROM pg_cursors WHERE is_holdable"},
    {"SELECT pg_advisory_lock(7)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"},
    {"DO $$ BEGIN LISTEN more; END $$", "SELECT count(*) FROM pg_listening_channels()"},
    {"BEGIN; SET work_mem = '78MB'; COMMIT; BEGIN", "SELECT (current_setting('work_mem') = '78MB')::int"},
};

/* One at a time, so that each is removed for its own reason. */
static void leave_each(enum pool_reset reset, bool stays)
{
    for (size_t i = 0; i < ARRAY_LEN(traces); i++) {
        struct pool *p = open_pool((struct pool_options){.max_size = 1, .reset = reset});
        struct pool_stats s;
        struct pg_conn *conn = get(p);
        run(conn, traces[i].leave);
        assert_int_equal(number(conn, traces[i].look), 1);
        pool_return(p, conn);
        assert_ptr_equal(get(p), conn); /* the same session */
        if (number(conn, traces[i].look) != stays)
            fail_msg("after %s", traces[i].leave);
        pool_stats(p, &s);
        assert_int_equal(s.resets, stays ? 0 : 1);
        pool_return(p, conn);
        end(p);
    }
}

static void test_each_trace_alone(void **state)
{
    (void)state;
    NEED_CLUSTER();
    leave_each(POOL_RESET_SMART, false);
    leave_each(POOL_RESET_ROLLBACK, true); /* so the test would see them */
}

static void test_a_clean_session_costs_no_round_trip(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool_stats s;
    struct pg_conn *watcher = open_one();
    struct pool *p = open_pool((struct pool_options){.max_size = 1});
    struct pg_conn *conn = get(p);
    for (int i = 0; i < 20; i++) {
        run(conn, "SELECT 1 AS ours");
        pool_return(p, conn);
        conn = get(p); /* the server has seen nothing else in between */
        assert_int_equal(number(watcher, "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT 1 AS ours'"), 1);
    }
    run(conn, "SET work_mem = '5MB'");
    pool_return(p, conn);
    conn = get(p);
    run(conn, "SELECT 1"); /* what was reset is not reset again */
    pool_return(p, conn);
    pool_stats(p, &s);
    assert_int_equal(s.resets, 1);
    assert_int_equal(s.rollbacks, 0);
    end(p);
    pg_close(watcher);
}

static void test_notices_stay_with_their_borrower(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct record r;
    struct pool *p = open_pool((struct pool_options){.max_size = 1});
    struct pg_conn *conn = get(p);
    rows_of(&r);
    pg_on_notice(conn, on_notice, &r);
    pool_return(p, conn);
    assert_ptr_equal(get(p), conn);
    run(conn, "DO $$ BEGIN RAISE NOTICE 'for nobody'; END $$");
    assert_string_equal(buf_str(&r.log), "");
    buf_release(&r.log);
    pool_return(p, conn);
    end(p);
}

/* Credentials are asked for each connection, so what is right now counts; sessions that are open live on. */
static void test_credentials_of_the_moment(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *super = open_one();
    struct pool *p = open_pool((struct pool_options){.max_size = 2});
    struct pg_conn *before = get(p);
    run(super, "CREATE ROLE renewed LOGIN");
    login.user = "renewed";
    struct pg_conn *after = get(p);
    assert_int_equal(atomic_load(&login.asked), 2);
    assert_string_equal(pg_user(before), "learner");
    assert_string_equal(pg_user(after), "renewed");
    usable(before);
    pool_return(p, before);
    pool_return(p, after);
    end(p);
    run(super, "DROP ROLE renewed");
    pg_close(super);
}

/* ---- how many, and none ---- */

enum { CLIENTS = 24, CALLS = 50, MOST = 4 };

struct client {
    struct pool *p;
    pthread_t thread;
    struct err e;
};

static void *work(void *arg)
{
    struct client *me = arg;
    err_init(&me->e);
    for (int i = 0; i < CALLS && !me->e.code; i++) {
        struct pg_conn *conn = pool_checkout(me->p, 60000, NULL, &me->e);
        if (!conn)
            break;
        if (i % 10 == 3)
            pg_run(conn, "BEGIN; SET LOCAL work_mem = '5MB'", NULL, &me->e);
        else if (i % 10 == 7)
            pg_run(conn, "CREATE TEMP TABLE mine (i int)", NULL, &me->e); /* fails when somebody's is still there */
        else
            pg_run(conn, "SELECT 1", NULL, &me->e);
        pool_return(me->p, conn);
    }
    return NULL;
}

static void test_never_more_sessions_than_max(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct client clients[CLIENTS];
    struct pool_stats s;
    struct pg_conn *watcher = open_one();
    struct pool *p = open_pool((struct pool_options){.max_size = MOST});
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].p = p;
        assert_int_equal(pthread_create(&clients[i].thread, NULL, work, &clients[i]), 0);
    }
    for (int i = 0; i < 30; i++)
        assert_in_range(sessions(watcher), 0, MOST);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        if (clients[i].e.code)
            fail_msg("%s", clients[i].e.text);
    }
    pool_stats(p, &s);
    assert_int_equal(s.checkouts, CLIENTS * CALLS);
    assert_int_equal(s.rollbacks, CLIENTS * CALLS / 10);
    assert_int_equal(s.resets, CLIENTS * CALLS / 5);
    assert_in_range(s.connects, 1, MOST);
    end(p);
    pg_close(watcher);
}

/* The last test: there is no server afterwards. */
static void test_the_server_goes_away(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct err e;
    struct pool *p = open_pool((struct pool_options){.min_size = 2, .max_size = 2});
    err_init(&e);
    assert_true(pool_wait(p, 20000, NULL, &e));
    struct pg_conn *lent = get(p);
    kill(cluster.pid, SIGQUIT);
    waitpid(cluster.pid, NULL, 0);
    cluster.pid = 0;
    e = failing(lent, "SELECT 1", NULL);
    assert_int_equal(e.code, ERR_CONNECT);
    pool_return(p, lent);
    for (int i = 0; i < 50; i++) {
        err_init(&e);
        assert_null(pool_checkout(p, 20000, NULL, &e));
        assert_int_equal(e.code, ERR_CONNECT); /* the system's word, not a time-out */
    }
    assert_in_range(atomic_load(&login.asked), 3, 12); /* nobody hammers it */
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_trace_alone),
        cmocka_unit_test(test_a_clean_session_costs_no_round_trip),
        cmocka_unit_test(test_notices_stay_with_their_borrower),
        cmocka_unit_test(test_credentials_of_the_moment),
        cmocka_unit_test(test_never_more_sessions_than_max),
        cmocka_unit_test(test_the_server_goes_away),
    };
    return cmocka_run_group_tests(tests, set_up_cluster, tear_down_cluster);
}
