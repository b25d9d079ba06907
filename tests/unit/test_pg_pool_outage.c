/*
 * The pool and a server that is away, restarts, or is a port that says nothing: real servers, real sockets, and a proxy whose line
 * breaks (tcp_proxy.h). What must hold each time: the reason is told, nobody waits longer than said, nobody hammers the
 * server, the pool comes back by itself, and no descriptor, thread or session stays.
 */
#include "pool_server.h"

/* ---- 2: an outage ---- */

/* Attempts that fail are followed by pauses of 200 ms at least; two are made side by side up to min. */
static void not_hammered(int attempts, int64_t ms) { assert_in_range(attempts, 1, 2 * (ms / 200 + 2)); }

/* 2: the line is cut under idle connections. */
static void test_an_outage(void **state)
{
    (void)state;
    NEED_CLUSTER();
    enum { OUTAGE_MS = 1500 };
    need_proxy();
    struct pool *p = open_pool(proxy.port, (struct pool_options){.min_size = 2, .max_size = 4});
    assert_int_equal(stats_of(p).idle, 2);
    tell(PROXY_STOP, 0);
    int64_t from = clock_mono_ms();
    int before = atomic_load(&way.asked), tries = 0;
    for (; clock_mono_ms() < from + OUTAGE_MS; tries++) {
        struct err e = refused(p, LONG_MS); /* far sooner than LONG_MS, or tries would be few */
        assert_int_equal(e.code, ERR_CONNECT);
        contains(e.text, "Connection refused");
        breathe();
    }
    not_hammered(atomic_load(&way.asked) - before, clock_mono_ms() - from);
    struct pool_stats s = stats_of(p);
    assert_true(tries >= 10);
    assert_int_equal(s.failed, tries);
    assert_int_equal(s.timeouts, 0);
    assert_int_equal(s.closed[POOL_CLOSED_LOST], 2);
    assert_int_equal(s.size, 0);
    assert_in_range(s.connect_failures, 1, atomic_load(&way.asked) - before); /* one may be under way */
    tell(PROXY_START, 0);
    struct pg_conn *conn = get_again(p);
    usable(conn);
    pool_return(p, conn);
    UNTIL(stats_of(p).idle == 2); /* min again */
    end(p);
}

/* 2: the line is cut under a borrower while another one waits for its connection. */
static void test_an_outage_reaches_those_who_wait(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct borrower waits;
    need_proxy();
    struct pool *p = open_pool(proxy.port, (struct pool_options){.min_size = 1, .max_size = 1});
    struct pg_conn *conn = get(p);
    start(&waits, p, NULL);
    UNTIL(stats_of(p).waiting == 1);
    tell(PROXY_STOP, 0);
    assert_int_equal(failing(conn, "SELECT 1", NULL).code, ERR_CONNECT);
    assert_int_equal(stats_of(p).waiting, 1); /* as far as the pool knows, the connection is good until it comes back */
    pool_return(p, conn);
    join(&waits);
    assert_false(waits.got);
    assert_int_equal(waits.e.code, ERR_CONNECT);
    contains(waits.e.text, "Connection refused");
    assert_int_equal(stats_of(p).closed[POOL_CLOSED_BROKEN], 1);
    tell(PROXY_START, 0);
    conn = get_again(p);
    usable(conn);
    pool_return(p, conn);
    end(p);
}

/* ---- 3: restarts ---- */

/* Two are lent when the server stops: one runs a statement, one does not; a third one idles. */
struct lent {
    struct borrower runs;
    struct pg_conn *rests;
};

static void lend(struct lent *l, struct pool *p)
{
    struct pg_conn *watcher = open_one();
    start(&l->runs, p, "SELECT pg_sleep(600)");
    UNTIL(number(watcher, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pooled' AND state = 'active'") == 1);
    l->rests = get(p);
    pg_close(watcher);
}

/* Both borrowers have lost their session, and say so in the server's words. */
static void lost(struct lent *l, struct pool *p, const char *sqlstate)
{
    join(&l->runs);
    struct err e = failing(l->rests, "SELECT 1", NULL);
    assert_int_equal(l->runs.e.code, ERR_CONNECT);
    assert_int_equal(e.code, ERR_CONNECT);
    assert_string_equal(l->runs.e.sqlstate, sqlstate);
    assert_string_equal(e.sqlstate, sqlstate);
    pool_return(p, l->rests);
}

/* A backend may end a moment after those that were seen to end: then the first statement finds out. */
static void back_again(struct pool *p)
{
    struct err e;
    struct pg_conn *conn;
    bool ok;
    UNTIL((err_init(&e), conn = get_again(p), ok = pg_run(conn, "SELECT 1", NULL, &e), pool_return(p, conn), ok));
    struct pool_stats s = stats_of(p);
    assert_int_equal(s.busy, 0);
    assert_int_equal(s.closed[POOL_CLOSED_BROKEN] + s.closed[POOL_CLOSED_LOST], 3);
}

static void restart(int sig, const char *sqlstate)
{
    struct lent l;
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 3, .max_size = 3});
    lend(&l, p);
    pg_cluster_halt(&cluster, sig);
    lost(&l, p, sqlstate);
    assert_int_equal(refused(p, LONG_MS).code, ERR_CONNECT); /* there is no server at all */
    pg_cluster_serve(&cluster);
    back_again(p);
    end(p);
}

/* 3 */
static void test_restart_fast(void **state)
{
    (void)state;
    NEED_CLUSTER();
    restart(SIGINT, "57P01");
}

/* 3: the server hangs up with a warning instead of a goodbye; it recovers when it starts. */
static void test_restart_immediate(void **state)
{
    (void)state;
    NEED_CLUSTER();
    restart(SIGQUIT, "57P01");
}

/* 3: one backend is killed, and the server ends all sessions (57P02) and starts again, with 57P03 for those who come
 * too early. */
static void test_a_crash_of_one_backend(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct lent l;
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 3, .max_size = 3});
    lend(&l, p);
    struct pg_conn *other = open_one();
    kill(pg_backend_pid(other), SIGKILL);
    lost(&l, p, "57P02");
    back_again(p);
    pg_close(other);
    end(p);
}

/* 3: a server that listens and does not take logins yet (57P03). It is held there: a standby without hot standby. */
static void test_a_server_that_still_starts(void **state)
{
    (void)state;
    NEED_CLUSTER();
    char data[96];
    int status;
    struct err e;
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 1, .max_size = 2});
    pg_cluster_halt(&cluster, SIGINT);
    assert_true(pg_cluster_write(&cluster, "standby.signal", ""));
    assert_true(pg_cluster_write(&cluster, "postgresql.auto.conf", "hot_standby = off\n"));
    pg_cluster_serve(&cluster);
    UNTIL((e = refused(p, LONG_MS), strcmp(e.sqlstate, "57P03") == 0)); /* before: nobody listens */
    assert_int_equal(e.code, ERR_CONNECT);
    uint64_t failures = stats_of(p).connect_failures;
    int64_t from = clock_mono_ms();
    int before = atomic_load(&way.asked);
    while (stats_of(p).connect_failures < failures + 2) { /* it is asked again, with pauses, and still says no */
        assert_string_equal(refused(p, LONG_MS).sqlstate, "57P03");
        breathe();
    }
    not_hammered(atomic_load(&way.asked) - before, clock_mono_ms() - from);
    snprintf(data, sizeof data, "%s/data", cluster.dir);
    const char *promote[] = {"pg_ctl", "-D", data, "-W", "promote", NULL};
    pid_t pid = pg_cluster_spawn(&cluster, promote);
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    struct pg_conn *conn = get_again(p);
    usable(conn);
    pool_return(p, conn);
    assert_true(pg_cluster_write(&cluster, "postgresql.auto.conf", ""));
    end(p);
}

/* ---- 6: a deaf port ---- */

/* 6: it accepts and says nothing. */
static void test_a_port_that_says_nothing(void **state)
{
    (void)state;
    NEED_CLUSTER();
    need_proxy();
    tell(PROXY_HOLD, 0);
    way.connect_ms = 1000;
    struct pool *p = open_pool(proxy.port, (struct pool_options){.max_size = 2});
    int64_t from = clock_mono_ms();
    struct err e = refused(p, 200); /* the caller has less time than the login */
    assert_int_equal(e.code, ERR_POOL_TIMEOUT);
    contains(e.detail, "1 being made");
    e = refused(p, LONG_MS);
    assert_in_range(clock_mono_ms() - from, way.connect_ms - 1, LONG_MS / 2);
    assert_int_equal(e.code, ERR_TIMEOUT);
    contains(e.text, "did not complete the login within 1 s");
    way.connect_ms = 600000;
    UNTIL((e = refused(p, 100), stats_of(p).making == 1 && atomic_load(&proxy.accepted) >= 2));
    from = clock_mono_ms();
    assert_true(pool_close(p, LONG_MS)); /* a login under way does not hold it up */
    assert_in_range(clock_mono_ms() - from, 0, LONG_MS / 2);
    pool_free(p);
}

/* 6: its queue is full, so that the handshake of TCP does not even begin. */
static void test_a_port_that_accepts_nothing(void **state)
{
    (void)state;
    enum { FILL = 8 };
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof here;
    int fill[FILL], deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char port[8];
    assert_int_equal(bind(deaf, (struct sockaddr *)&here, sizeof here) || listen(deaf, 0) ||
                         getsockname(deaf, (struct sockaddr *)&here, &len), 0);
    for (int i = 0; i < FILL; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(fill[i], (struct sockaddr *)&here, sizeof here);
    }
    struct pollfd last = {.fd = fill[FILL - 1], .events = POLLOUT};
    assert_int_equal(poll(&last, 1, 100), 0); /* it is full */
    snprintf(port, sizeof port, "%d", ntohs(here.sin_port));
    way.connect_ms = 1000;
    struct pool *p = open_pool(port, (struct pool_options){.max_size = 2});
    int64_t from = clock_mono_ms();
    struct err e = refused(p, LONG_MS);
    assert_in_range(clock_mono_ms() - from, way.connect_ms - 1, LONG_MS / 2);
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_int_equal(stats_of(p).connect_failures, 1);
    assert_true(pool_close(p, LONG_MS));
    pool_free(p);
    for (int i = 0; i < FILL; i++)
        close(fill[i]);
    close(deaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        counted(test_an_outage),
        counted(test_an_outage_reaches_those_who_wait),
        counted(test_restart_fast),
        counted(test_restart_immediate),
        counted(test_a_crash_of_one_backend),
        counted(test_a_server_that_still_starts),
        counted(test_a_port_that_says_nothing),
        counted(test_a_port_that_accepts_nothing),
    };
    return cmocka_run_group_tests_name("pg_pool_outage", tests, set_up_cluster, tear_down_cluster);
}
