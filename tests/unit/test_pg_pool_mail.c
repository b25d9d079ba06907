/*
 * The pool's check without a round trip, over a real server: what came for a connection while it idled. Goodbyes, notifications,
 * notices and changed parameters, whole and cut in the middle, plain and over TLS.
 */
#include "pool_server.h"

/* ---- 17: the check without a round trip ---- */

enum { HALF = 7 }; /* bytes: in the middle of a message, and of a record of TLS */

static struct pool *passive_pool(void)
{
    return open_pool(proxy.port, (struct pool_options){.min_size = 1, .max_size = 1, .ping_idle_ms = -1, .reset = POOL_RESET_ROLLBACK});
}

/* One idle connection with mail: it listened, and somebody else has something to say. */
static struct pg_conn *with_mail(struct pool *p, struct pg_conn *other)
{
    struct pg_conn *conn = get(p);
    run(conn, "LISTEN news");
    pool_return(p, conn);
    assert_false(has_mail(conn));
    run(other, "NOTIFY news, 'hello, whoever you are'");
    UNTIL(has_mail(conn));
    return conn;
}

/* It is lent, and the borrower hears of it. */
static void mail_is_read(struct pool *p, const struct pg_conn *idle, bool whole)
{
    struct record r;
    struct pg_conn *conn = get(p);
    assert_ptr_equal(conn, idle);
    if (!whole)
        tell(PROXY_RELEASE, 0);
    rows_of(&r);
    pg_on_notice(conn, on_notice, &r);
    run(conn, "SELECT 1");
    assert_string_equal(buf_str(&r.log), "{NOTIFY:news/hello, whoever you are}");
    buf_release(&r.log);
    usable(conn);
    pool_return(p, conn);
    struct pool_stats s = stats_of(p);
    assert_int_equal(s.connects, 1);
    assert_int_equal(s.pings, 0);
}

/* 17: NOTIFY, whole and cut. */
static void notify_pending(struct pg_conn *other, bool whole)
{
    struct pool *p = passive_pool();
    if (whole) {
        mail_is_read(p, with_mail(p, other), true);
    } else {
        struct pg_conn *conn = get(p);
        run(conn, "LISTEN news");
        tell(PROXY_NARROW, HALF);
        pool_return(p, conn);
        run(other, "NOTIFY news, 'hello, whoever you are'");
        UNTIL(has_mail(conn));
        mail_is_read(p, conn, false);
    }
    end(p);
}

static void terminate(struct pg_conn *other, int pid)
{
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, %d)::int", pid, LONG_MS);
    assert_int_equal(number(other, sql), 1);
}

/* The session of an idle connection has ended; its reason has come. */
static void ended_is_replaced(struct pool *p, const struct pg_conn *idle, int pid)
{
    UNTIL(has_mail(idle));
    struct pg_conn *conn = get(p);
    assert_int_not_equal(pg_backend_pid(conn), pid);
    usable(conn);
    pool_return(p, conn);
    struct pool_stats s = stats_of(p);
    assert_int_equal(s.closed[POOL_CLOSED_LOST], 1);
    assert_int_equal(s.connects, 2);
    assert_int_equal(s.pings, 0);
    end(p);
}

/* 17: terminated (57P01), and idle for longer than the server allows (57P05). */
static void session_ended(struct pg_conn *other)
{
    struct pool *p = passive_pool();
    struct pg_conn *conn = get(p);
    int pid = pg_backend_pid(conn);
    pool_return(p, conn);
    terminate(other, pid);
    ended_is_replaced(p, conn, pid);
    p = passive_pool();
    conn = get(p);
    pid = pg_backend_pid(conn);
    run(conn, "SET idle_session_timeout = '50ms'");
    pool_return(p, conn);
    ended_is_replaced(p, conn, pid);
}

/* 17: half a goodbye is no goodbye yet; the borrower gets the other half, and the one after that a new session. */
static void half_a_goodbye(struct pg_conn *other)
{
    struct pool *p = passive_pool();
    struct pg_conn *conn = get(p);
    int pid = pg_backend_pid(conn);
    tell(PROXY_NARROW, HALF);
    pool_return(p, conn);
    terminate(other, pid);
    UNTIL(has_mail(conn));
    assert_ptr_equal(get(p), conn); /* at once: nothing waits for the rest */
    tell(PROXY_RELEASE, 0);
    struct err e = failing(conn, "SELECT 1", NULL);
    assert_int_equal(e.code, ERR_CONNECT);
    assert_string_equal(e.sqlstate, "57P01");
    pool_return(p, conn);
    conn = get(p);
    assert_int_not_equal(pg_backend_pid(conn), pid);
    usable(conn);
    pool_return(p, conn);
    end(p);
}

/* 17: notices. A session that traces its notifications says more than the notification when one comes. */
static void notice_pending(struct pg_conn *other)
{
    struct record r;
    struct err e;
    struct pool *p = passive_pool();
    struct pg_conn *conn = get(p);
    run(conn, "LISTEN news; SET trace_notify = on; SET client_min_messages = debug1");
    err_init(&e);
    rows_of(&r);
    pg_on_notice(conn, on_notice, &r);
    run(other, "NOTIFY news");
    assert_true(pg_await_notifications(conn, pg_notified(conn) + 1, LONG_MS, NULL, &e));
    contains(buf_str(&r.log), "{DEBUG:"); /* so it would, for the next one too */
    buf_release(&r.log);
    pool_return(p, conn);
    run(other, "NOTIFY news, 'hello, whoever you are'");
    UNTIL(has_mail(conn));
    struct pg_conn *again = get(p);
    assert_ptr_equal(again, conn);
    run(again, "SELECT 1");
    pool_return(p, again);
    assert_int_equal(stats_of(p).connects, 1);
    end(p);
}

static void every_mail(void)
{
    struct pg_conn *other = open_one();
    need_proxy();
    notify_pending(other, true);
    notify_pending(other, false);
    session_ended(other);
    half_a_goodbye(other);
    notice_pending(other);
    pg_close(other);
}

static void test_mail_for_an_idle_connection(void **state)
{
    (void)state;
    NEED_CLUSTER();
    every_mail();
}

/* 17: a parameter that changed, and a notice out of nowhere, as a proxy sends them: no server of today does so of itself. */
static void test_a_parameter_changes(void **state)
{
    (void)state;
    NEED_CLUSTER();
    static const char said[] = "S\0\0\0\x14house.mood\0good\0"
                               "N\0\0\0\x2aSNOTICE\0VNOTICE\0C00000\0Mtea is ready\0\0";
    need_proxy();
    struct pool *p = passive_pool();
    struct pg_conn *conn = get(p);
    pool_return(p, conn);
    assert_true(proxy_tell(&proxy, PROXY_SAY, said, sizeof said - 1));
    UNTIL(has_mail(conn));
    assert_ptr_equal(get(p), conn);
    assert_string_equal(pg_parameter(conn, "house.mood"), "good");
    assert_false(has_mail(conn));
    usable(conn);
    pool_return(p, conn);
    assert_int_equal(stats_of(p).connects, 1);
    end(p);
}

/* A certificate for the server; false: there is no program openssl. */
static bool make_certificate(void)
{
    char key[128], cert[128], data[96];
    struct stat owner;
    int status;
    snprintf(data, sizeof data, "%s/data", cluster.dir);
    snprintf(key, sizeof key, "%s/server.key", data);
    snprintf(cert, sizeof cert, "%s/server.crt", data);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        unsetenv("LD_PRELOAD");
        execlp("openssl", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
               "/CN=test", "-days", "2", "-keyout", key, "-out", cert, (char *)NULL);
        _exit(127);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return false;
    assert_int_equal(stat(data, &owner) || chmod(key, 0600) || chown(key, owner.st_uid, owner.st_gid) ||
                         chown(cert, owner.st_uid, owner.st_gid), 0);
    return true;
}

/* 17: the same over TLS, where a record may be half there and its bytes say nothing yet. */
static void test_mail_over_tls(void **state)
{
    (void)state;
    NEED_CLUSTER();
    if (!make_certificate()) {
        print_message("skipped: there is no program openssl to make a certificate with\n");
        skip();
    }
    struct pg_conn *super = open_one();
    run(super, "ALTER SYSTEM SET ssl = on");
    run(super, "SELECT pg_reload_conf()");
    UNTIL(number(super, "SELECT current_setting('ssl')::bool::int") == 1);
    pg_close(super);
    way.sslmode = "require";
    struct pg_conn *conn = NULL;
    struct pg_params params = {.host = cluster.address, .port = "5432", .dbname = "postgres", .user = "learner", .sslmode = "require"};
    struct err e;
    UNTIL((err_init(&e), conn = pg_open(&params, NULL, &e))); /* the reload takes a moment to reach the postmaster */
    contains(pg_tls(conn), "TLSv1");
    pg_close(conn);
    every_mail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        counted(test_mail_for_an_idle_connection),
        counted(test_a_parameter_changes),
        counted(test_mail_over_tls),
    };
    return cmocka_run_group_tests_name("pg_pool_mail", tests, set_up_cluster, tear_down_cluster);
}
