/*
 * The pool and the limits of time and room, over a real server: sessions that hang, packets that vanish, too many connections, too
 * many descriptors. Times are given up when they are over, the others go on, and the pool serves with what it has.
 */
#include <limits.h>
#include <sys/resource.h>

#include "pool_server.h"

/* ---- 4: a session that hangs ---- */

struct giver {
    struct pool *p;
    struct pg_conn *conn;
    pthread_t thread;
    atomic_bool done;
    int64_t took;
};

static void *give_back(void *arg)
{
    struct giver *g = arg;
    int64_t from = clock_mono_ms();
    pool_return(g->p, g->conn);
    g->took = clock_mono_ms() - from;
    atomic_store(&g->done, true);
    return NULL;
}

/* 4: a session that does not answer its rollback is given up after reset_timeout; meanwhile the others go on. */
static void test_a_hung_reset(void **state)
{
    (void)state;
    NEED_CLUSTER();
    enum { RESET_MS = 700 };
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 2, .max_size = 2, .reset_timeout_ms = RESET_MS});
    struct giver g = {.p = p, .conn = get(p)};
    int pid = pg_backend_pid(g.conn), served = 0;
    run(g.conn, "BEGIN");
    kill(pid, SIGSTOP);
    assert_int_equal(pthread_create(&g.thread, NULL, give_back, &g), 0);
    for (; !atomic_load(&g.done); served++) {
        struct pg_conn *conn = get(p);
        assert_int_not_equal(pg_backend_pid(conn), pid);
        run(conn, "SELECT 1");
        pool_return(p, conn);
    }
    pthread_join(g.thread, NULL);
    kill(pid, SIGCONT);
    assert_in_range(g.took, RESET_MS - 1, LONG_MS / 2);
    assert_in_range(served, 3, INT_MAX);
    struct pool_stats s = stats_of(p);
    assert_int_equal(s.closed[POOL_CLOSED_BROKEN], 1);
    assert_int_equal(s.rollbacks, 1);
    UNTIL(stats_of(p).idle == 2);
    end(p);
}

/* 4: one that idled is asked before it is lent, and has check_timeout for the answer. */
static void test_a_hung_ping(void **state)
{
    (void)state;
    NEED_CLUSTER();
    enum { CHECK_MS = 500 };
    struct pool *p = open_pool(NULL, (struct pool_options){.max_size = 1, .check_timeout_ms = CHECK_MS, .check = POOL_CHECK_PING});
    struct pg_conn *conn = get(p);
    int pid = pg_backend_pid(conn), second;
    pool_return(p, conn);
    kill(pid, SIGSTOP);
    int64_t from = clock_mono_ms();
    conn = get(p);
    assert_in_range(clock_mono_ms() - from, CHECK_MS - 1, LONG_MS / 2);
    second = pg_backend_pid(conn);
    assert_int_not_equal(second, pid);
    usable(conn);
    pool_return(p, conn);
    kill(second, SIGSTOP);
    struct pool_checked checked;
    struct err e;
    err_init(&e);
    pool_check_idle(p, &checked, NULL, &e);
    assert_int_equal(checked.dead, 1);
    kill(pid, SIGCONT);
    kill(second, SIGCONT);
    struct pool_stats s = stats_of(p);
    assert_int_equal(s.closed[POOL_CLOSED_LOST], 2);
    assert_int_equal(s.pings_failed, 2);
    end(p);
}

/* 4: a new connection that takes its time keeps nobody from one that comes back meanwhile. */
static void test_a_slow_login(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct borrower waits;
    need_proxy();
    struct pool *p = open_pool(proxy.port, (struct pool_options){.min_size = 1, .max_size = 2});
    struct pg_conn *conn = get(p);
    int pid = pg_backend_pid(conn);
    tell(PROXY_HOLD, 0);
    start(&waits, p, "SELECT 1");
    UNTIL(stats_of(p).waiting == 1 && stats_of(p).making == 1);
    pool_return(p, conn);
    join(&waits);
    assert_int_equal(waits.e.code, ERR_NONE);
    assert_int_equal(waits.pid, pid);
    assert_int_equal(stats_of(p).making, 1);
    tell(PROXY_RELEASE, 0);
    UNTIL(stats_of(p).idle == 2);
    assert_int_equal(stats_of(p).connect_failures, 0);
    end(p);
}

/* ---- 5: packets that vanish ---- */

/* 5: no word of TCP says that the other end is gone; the question before the checkout finds out. */
static void test_a_silent_drop(void **state)
{
    (void)state;
    NEED_CLUSTER();
    enum { CHECK_MS = 400 };
    need_proxy();
    struct pool *p = open_pool(proxy.port, (struct pool_options){.min_size = 1, .max_size = 1, .check_timeout_ms = CHECK_MS, .ping_idle_ms = 1});
    struct pg_conn *conn = get(p);
    int pid = pg_backend_pid(conn);
    pool_return(p, conn);
    tell(PROXY_SWALLOW, 0); /* of what is connected; new ones get through */
    breathe(); /* longer than ping_idle_ms */
    conn = get(p);
    assert_int_not_equal(pg_backend_pid(conn), pid);
    usable(conn);
    pool_return(p, conn);
    struct pool_stats s = stats_of(p);
    assert_int_equal(s.pings_failed, 1);
    assert_int_equal(s.closed[POOL_CLOSED_LOST], 1);
    assert_int_equal(s.connect_failures, 0);
    end(p);
}

/* 5: the caller's limit counts, also while dead connections are asked. */
static void test_a_silent_drop_keeps_the_limit(void **state)
{
    (void)state;
    NEED_CLUSTER();
    enum { CHECK_MS = 12000, LIMIT_MS = 300 };
    need_proxy();
    struct pool *p = open_pool(proxy.port, (struct pool_options){.min_size = 3, .max_size = 3, .check_timeout_ms = CHECK_MS,
                                                             .check = POOL_CHECK_PING});
    tell(PROXY_SWALLOW, 0);
    tell(PROXY_HOLD, 0);
    int64_t from = clock_mono_ms();
    struct err e = refused(p, LIMIT_MS);
    assert_in_range(clock_mono_ms() - from, LIMIT_MS - 1, CHECK_MS / 2);
    assert_int_equal(e.code, ERR_POOL_TIMEOUT);
    struct pool_stats s = stats_of(p);
    assert_int_equal(s.timeouts, 1);
    assert_int_equal(s.closed[POOL_CLOSED_LOST], 1); /* nobody had the time to ask the others */
    tell(PROXY_RELEASE, 0);
    UNTIL(stats_of(p).making == 0);
    end(p);
}

/* ---- 7, 22: no room ---- */

/* 7: too many connections (53300): the pool serves with those that it has, and says what keeps it from more. */
static void test_no_room_on_the_server(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *super = open_one();
    struct err e;
    run(super, "CREATE ROLE few LOGIN CONNECTION LIMIT 2");
    way.user = "few";
    struct pool *p = open_pool(NULL, (struct pool_options){.max_size = 4});
    struct pg_conn *lent[] = {get(p), get(p)};
    UNTIL((e = refused(p, 100), *e.detail && strstr(e.detail, "last connect error"))); /* the first one was too soon, perhaps */
    assert_int_equal(e.code, ERR_POOL_TIMEOUT);
    contains(e.detail, "too many connections for role \"few\"");
    struct pool_stats s = stats_of(p);
    assert_in_range(s.connect_failures, 1, 1000);
    assert_int_equal(s.size, 2);
    for (int i = 0; i < 100; i++) { /* no outage: nothing here waits for an attempt to connect */
        pool_return(p, lent[i % 2]);
        lent[i % 2] = get(p);
        run(lent[i % 2], "SELECT 1");
    }
    assert_int_equal(stats_of(p).connects, 2);
    struct pool *none = open_pool(NULL, (struct pool_options){.max_size = 4});
    e = refused(none, LONG_MS); /* it has nothing to serve with: at once, in the server's words */
    assert_string_equal(e.sqlstate, "53300");
    contains(e.text, "too many connections for role \"few\"");
    pool_return(p, lent[0]);
    pool_return(p, lent[1]);
    assert_true(pool_close(p, LONG_MS));
    pool_free(p);
    pool_return(none, get_again(none)); /* now there is room */
    end(none);
    run(super, "DROP ROLE few");
    pg_close(super);
}

/* So many descriptors more than now can be opened. */
static void allow_descriptors(rlim_t more, struct rlimit *was)
{
    struct rlimit tight;
    int lowest = dup(0); /* free: the next one */
    close(lowest);
    getrlimit(RLIMIT_NOFILE, was);
    tight = *was;
    tight.rlim_cur = (rlim_t)lowest + more;
    setrlimit(RLIMIT_NOFILE, &tight);
}

/* 22: a waiter has its pipe, and the pool no socket: the limit of descriptors. */
static void test_no_descriptors(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct rlimit was;
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 1, .max_size = 2});
    struct pool *none = open_pool(NULL, (struct pool_options){.max_size = 2});
    struct pg_conn *conn = get(p);
    allow_descriptors(2, &was);
    struct err all_lent, nothing, no_pipe;
    err_init(&all_lent);
    err_init(&nothing);
    err_init(&no_pipe);
    struct pg_conn *second = pool_checkout(p, 500, NULL, &all_lent);
    setrlimit(RLIMIT_NOFILE, &was);
    allow_descriptors(2, &was);
    struct pg_conn *first = pool_checkout(none, LONG_MS, NULL, &nothing);
    pool_return(p, conn);
    conn = pool_checkout(p, 0, NULL, &no_pipe); /* what is there needs none */
    setrlimit(RLIMIT_NOFILE, &was);
    assert_null(second);
    assert_null(first);
    assert_non_null(conn);
    assert_int_equal(all_lent.code, ERR_POOL_TIMEOUT);
    contains(all_lent.detail, "Too many open files");
    assert_int_equal(nothing.code, ERR_CONNECT);
    contains(nothing.text, "Too many open files");
    usable(conn);
    second = get_again(p);
    first = get_again(none);
    usable(second);
    usable(first);
    pool_return(p, conn);
    pool_return(p, second);
    pool_return(none, first);
    assert_true(pool_close(none, LONG_MS));
    pool_free(none);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        counted(test_a_hung_reset),
        counted(test_a_hung_ping),
        counted(test_a_slow_login),
        counted(test_a_silent_drop),
        counted(test_a_silent_drop_keeps_the_limit),
        counted(test_no_room_on_the_server),
        counted(test_no_descriptors),
    };
    return cmocka_run_group_tests_name("pg_pool_limits", tests, set_up_cluster, tear_down_cluster);
}
