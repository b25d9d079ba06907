/* Logins: refused ones by their SQLSTATE and without the password, bad parameters, a silent server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "pg_record.h"

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

static int socket_option(const struct pg_conn *conn, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(pg_socket(conn), level, option, &value, &len), 0);
    return value;
}

/* A server that goes away without a word is noticed; who says otherwise is heard. */
static void test_keepalive(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct err e;
    err_init(&e);
    struct pg_params p = {.host = cluster.address, .port = "5432", .dbname = "postgres", .user = "learner"};
    struct pg_conn *conn = pg_open(&p, NULL, &e);
    assert_non_null(conn);
    assert_true(socket_option(conn, SOL_SOCKET, SO_KEEPALIVE) != 0);
    assert_int_equal(socket_option(conn, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    assert_int_equal(socket_option(conn, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    assert_int_equal(socket_option(conn, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(socket_option(conn, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
    pg_close(conn);
    p.conninfo = "keepalives_idle=7 tcp_user_timeout=0";
    conn = pg_open(&p, NULL, &e);
    assert_non_null(conn);
    assert_int_equal(socket_option(conn, IPPROTO_TCP, TCP_KEEPIDLE), 7);
    assert_int_equal(socket_option(conn, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
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

/* Each secret is looked for from the start of the message. */
static void test_every_secret_is_hidden(void **state)
{
    (void)state;
    setenv("PGPASSWORD", "before", 1);
    struct err e = refused((struct pg_params){.host = "before.s3cret.invalid", .user = "u", .password = "s3cret"});
    unsetenv("PGPASSWORD");
    assert_int_equal(e.code, ERR_CONNECT);
    assert_non_null(strstr(e.text, "***.***.invalid"));
    assert_null(strstr(e.text, "before"));
}

/* What the environment says of another server does not redirect a login. */
static void test_redirects(void **state)
{
    (void)state;
    NEED_CLUSTER();
    setenv("PGHOSTADDR", "127.0.0.1", 1);
    setenv("PGSERVICE", "elsewhere", 1);
    setenv("PGREQUIREPEER", "nobody", 1);
    pg_forget_redirects();
    pg_close(open_one());
}

static void test_system_roots(void **state)
{
    (void)state;
    struct err e = {0};
    const char *roots = pg_system_roots(&e);
    assert_non_null(roots);
    if (PQlibVersion() >= 160000)
        assert_string_equal(roots, "system");
    else
        assert_int_equal(access(roots, R_OK), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login), cmocka_unit_test(test_bad_parameters), cmocka_unit_test(test_keepalive),
        cmocka_unit_test(test_silent_server), cmocka_unit_test(test_every_secret_is_hidden),
        cmocka_unit_test(test_redirects), cmocka_unit_test(test_system_roots),
    };
    return cmocka_run_group_tests_name("pg_login", tests, set_up_cluster, tear_down_cluster);
}
