/* Clusters against the real PostgreSQL: life cycle, addresses, settings, what is missing or broken. */
#include "cluster_fixture.h"

#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <sys/wait.h>

#include "workspace/netaddr.h"

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void walk_a_life(void)
{
    struct err e;
    err_init(&e);
    fixture_create(&f);
    struct pg_conn *conn = login(&f);
    assert_asked(conn, "SELECT current_user", OWNER);
    run(conn, "CREATE TABLE kept (v int)");
    run(conn, "INSERT INTO kept VALUES (42)");
    pg_close(conn);
    assert_true(cluster_pid(f.all, f.uid) > 0);
    fixture_create(&f); /* once more: nothing to do */
    assert_true(cluster_stop(f.all, f.uid, &e));
    assert_int_equal(cluster_pid(f.all, f.uid), 0);
    assert_true(cluster_stop(f.all, f.uid, &e));
    assert_true(cluster_start(f.all, &f.spec, NULL, &e));
    no_error(&e);
    conn = login(&f);
    assert_asked(conn, "SELECT v FROM kept", "42");
    pg_close(conn);
    assert_true(cluster_delete(f.all, f.uid, &e));
    assert_true(cluster_delete(f.all, f.uid, &e));
    assert_true(cluster_stop(f.all, f.uid, &e));
    no_error(&e);
    assert_int_equal(cluster_pid(f.all, f.uid), 0);
    assert_false(cluster_start(f.all, &f.spec, NULL, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void test_life(void **state)
{
    (void)state;
    walk_a_life();
}

/* As root the servers are somebody else's; as an ordinary user they are ours. This program again, as such a user. */
static char program[4096];
static void test_life_of_an_ordinary_user(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        char life[] = "life", *argv[] = {program, life, NULL};
        int fd = open(program, O_RDONLY | O_CLOEXEC); /* its folder may be closed to such a user */
        if (setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0 && setenv("HOME", "/nonexistent", 1) == 0)
            fexecve(fd, argv, environ);
        _exit(2);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_specs_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        const char *uid, *owner, *capacity, *said;
    } bad[] = {
        {"../x", OWNER, "CU_1", "no instance uid"},
        {"", OWNER, "CU_1", "no instance uid"},
        {"A", OWNER, "CU_1", "no instance uid"},
        {"a", "", "CU_1", "1 to 63 bytes"},
        {"a", "a123456789a123456789a123456789a123456789a123456789a123456789@example.com", "CU_1", "1 to 63 bytes"},
        {"a", "\xff", "CU_1", "1 to 63 bytes"},
        {"a", "cloud_admin", "CU_1", "reserved"},
        {"a", "pg_monitor", "CU_1", "reserved"},
        {"a", "databricks_superuser", "CU_1", "reserved"},
        {"a", OWNER, "CU_3", "not one of"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e;
        struct cluster_spec s = {.uid = bad[i].uid, .name = "x", .owner = bad[i].owner, .capacity = bad[i].capacity};
        err_init(&e);
        assert_false(cluster_create(f.all, &s, NULL, &e));
        assert_int_equal(e.code, ERR_INVALID_PARAMETER);
        assert_non_null(strstr(e.text, bad[i].said));
    }
}

static void test_settings(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } want[] = {
        {"max_connections", "1000"}, {"shared_buffers", "32MB"}, {"effective_cache_size", "96MB"}, {"fsync", "on"},
        {"server_encoding", "UTF8"}, {"TimeZone", "UTC"}, {"ssl", "on"}, {"ssl_min_protocol_version", "TLSv1.2"},
        {"cluster_name", "it's a lab"}, {"jit", "off"}, {"lc_messages", "C"}, {"data_checksums", "on"}, {"port", "5432"},
        {"log_statement", "none"}, {"autovacuum", "on"},
    };
    f.spec.name = "it's a lab";
    fixture_create(&f);
    struct pg_conn *conn = login(&f);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        char *sql = xasprintf("SHOW %s", want[i].name), *got = ask(conn, sql);
        if (strcmp(got, want[i].value) != 0 && !(i == 12 && f.spec.port != 5432))
            fail_msg("%s is %s", want[i].name, got);
        free(got);
        free(sql);
    }
    assert_asked(conn, "SELECT datcollate || ' ' || pg_get_userbyid(datdba) FROM pg_database "
                       "WHERE datname = current_database()", "C.UTF-8 " OWNER);
    assert_asked(conn, "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname !~ '^pg_'",
                 "cloud_admin databricks_control_plane databricks_gateway databricks_monitor databricks_native "
                 "databricks_replicator databricks_superuser " OWNER);
    assert_asked(conn, "SELECT count(*) FROM pg_roles WHERE rolcanlogin", "2");
    pg_close(conn);
}

static void test_databases(void **state)
{
    (void)state;
    struct err e;
    bool there = true;
    err_init(&e);
    fixture_create(&f);
    assert_true(cluster_database_exists(f.all, f.uid, "sales \"q\"", &there, &e));
    assert_false(there);
    for (int i = 0; i < 2; i++) {
        assert_true(cluster_create_database(f.all, f.uid, "sales \"q\"", OWNER, &e));
        no_error(&e);
        assert_true(cluster_database_exists(f.all, f.uid, "sales \"q\"", &there, &e));
        assert_true(there);
    }
    struct pg_conn *conn = login_as(&f, OWNER, "sales \"q\"", &e);
    no_error(&e);
    run(conn, "CREATE TABLE public.t (v int)"); /* public is the owner's */
    pg_close(conn);
    assert_false(cluster_create_database(f.all, f.uid, "x", "nobody@example.com", &e));
    assert_string_equal(e.sqlstate, "42704");
}

/* Every capacity gets its memory, and a change of it needs a restart only. */
static void test_capacity(void **state)
{
    (void)state;
    struct err e;
    struct cluster_memory m;
    err_init(&e);
    assert_false(cluster_memory_of("CU_3", &m));
    assert_true(cluster_memory_of("CU_8", &m));
    assert_true(m.service_ram == 137438953472 && m.local_shared_buffers == 268435456 && m.max_connections == 1000);
    fixture_create(&f);
    assert_true(cluster_stop(f.all, f.uid, &e));
    f.spec.capacity = "CU_8";
    assert_true(cluster_start(f.all, &f.spec, NULL, &e));
    no_error(&e);
    struct pg_conn *conn = login(&f);
    assert_asked(conn, "SHOW shared_buffers", "256MB");
    pg_close(conn);
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

static void test_address_stays_or_moves(void **state)
{
    (void)state;
    struct err e;
    char first[46];
    err_init(&e);
    fixture_create(&f);
    snprintf(first, sizeof first, "%s", f.spec.address);
    assert_false(netaddr_free(first, f.spec.port));
    assert_true(cluster_stop(f.all, f.uid, &e));
    assert_true(cluster_start(f.all, &f.spec, NULL, &e));
    assert_string_equal(f.spec.address, first);
    assert_true(cluster_stop(f.all, f.uid, &e));

    struct cluster_spec other = {.uid = "other", .name = "other", .owner = OWNER, .capacity = "CU_1"};
    snprintf(other.address, sizeof other.address, "%s", first);
    assert_true(cluster_create(f.all, &other, NULL, &e)); /* somebody else sits there now */
    assert_string_equal(other.address, first);
    assert_true(cluster_start(f.all, &f.spec, NULL, &e));
    no_error(&e);
    assert_string_not_equal(f.spec.address, first);
    pg_close(login(&f)); /* verify-full: the certificate moved along */
}

static void test_no_port_5432_anywhere(void **state)
{
    (void)state;
    struct err e;
    char address[46] = "not an address";
    int port = 5432;
    err_init(&e);
    assert_false(netaddr_free("10.0.0.1", 5432));
    assert_false(netaddr_free("127.0.0.1", 0));
    assert_false(netaddr_free("127.0.0.1", 65536));
    assert_true(netaddr_choose(address, &port, "seed", &e));
    assert_true(strncmp(address, "127.", 4) == 0 && port > 0);
}

/* The socket's path is longer than a socket address holds. */
static void test_long_state_path(void **state)
{
    (void)state;
    struct fixture outer = f;
    char *deep = xasprintf("%s/a-folder-with-a-name-that-is-rather-long", f.dir);
    struct err e;
    err_init(&e);
    assert_true(fs_mkdirs(deep, 0711, &e));
    struct cluster_options o = {.state_dir = deep, .login = check_login};
    f.all = clusters_open(&o, &e);
    no_error(&e);
    fixture_create(&f);
    pg_close(login(&f));
    assert_true(cluster_delete(f.all, f.uid, &e));
    clusters_close(f.all);
    assert_true(fs_remove_tree(deep, &e));
    free(deep);
    f = outer;
}

/* ---- what is missing or broken ----------------------------------------------------------------------------------- */

static struct clusters *open_at(const char *dir, struct err *e)
{
    struct cluster_options o = {.state_dir = dir, .login = check_login};
    err_init(e);
    return clusters_open(&o, e);
}

/* initdb fails: the create says why, and works once the reason is gone. */
static void test_no_template(void **state)
{
    (void)state;
    struct fixture outer = f;
    struct err e;
    char *dir = xasprintf("%s/broken", f.dir);
    assert_true(fs_mkdirs(dir, 0711, &e));
    f.all = open_at(dir, &e);
    no_error(&e);
    clusters_close(f.all); /* the template may be half made by now; the program is there */
    char *pattern = xasprintf("%s/prefix/*/usr/lib/postgresql/*/bin/initdb", dir), *line;
    glob_t found;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    line = xstrdup(found.gl_pathv[0]);
    globfree(&found);
    free(pattern);
    char *kept = xasprintf("%s.kept", line), *template = xasprintf("%s/template", dir);
    static const char script[] = "#!/bin/sh\necho 'initdb: error: no space for it' >&2\nexit 1\n";
    assert_int_equal(rename(line, kept), 0);
    assert_true(fs_remove_tree(template, &e));
    assert_true(fs_write_atomic(line, script, sizeof script - 1, 0755, &e));
    f.all = open_at(dir, &e);
    assert_false(cluster_create(f.all, &f.spec, NULL, &e));
    assert_string_equal(e.detail, "initdb: error: no space for it");
    assert_int_equal(rename(kept, line), 0);
    fixture_create(&f);
    pg_close(login(&f));
    err_init(&e);
    assert_true(cluster_delete(f.all, f.uid, &e));
    clusters_close(f.all);
    assert_true(fs_remove_tree(dir, &e));
    free(template);
    free(kept);
    free(line);
    free(dir);
    f = outer;
}

/* The servers' user cannot get to a folder below one that is root's alone. */
static void test_unreachable_state(void **state)
{
    (void)state;
    struct err e;
    if (geteuid() != 0)
        skip();
    char *outer = xasprintf("%s/closed", f.dir), *dir = xasprintf("%s/state", outer);
    err_init(&e);
    assert_true(fs_mkdirs(outer, 0700, &e));
    assert_null(open_at(dir, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(e.text, "cannot reach"));
    assert_non_null(strstr(e.hint, "chmod o+x"));
    err_init(&e);
    assert_true(fs_remove_tree(outer, &e));
    free(outer);
    free(dir);
}

/* Files of another major version are named, not touched. */
static void test_other_version(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    fixture_create(&f);
    assert_true(cluster_stop(f.all, f.uid, &e));
    char *path = instance_path("data/PG_VERSION");
    assert_true(fs_write_atomic(path, "9\n", 2, 0644, &e));
    assert_false(cluster_start(f.all, &f.spec, NULL, &e));
    assert_int_equal(e.code, ERR_INVALID_STATE);
    assert_non_null(strstr(e.text, "was made by PostgreSQL 9"));
    free(path);
}

static int only_life(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_life, set_up, tear_down)};
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return only_life();
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
        cmocka_unit_test(test_life_of_an_ordinary_user),
        cmocka_unit_test_setup_teardown(test_specs_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_settings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_databases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_capacity, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_address_stays_or_moves, set_up, tear_down),
        cmocka_unit_test(test_no_port_5432_anywhere),
        cmocka_unit_test_setup_teardown(test_long_state_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_template, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unreachable_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_version, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
