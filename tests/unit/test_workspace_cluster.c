/* Clusters against the real PostgreSQL: life cycle, logins, crashes, what the owner may and may not do. */
#include "cluster_fixture.h"

static struct fixture f;

static int set_up(void **state)
{
    (void)state;
    fixture_init(&f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_release(&f);
    return 0;
}

static void test_life(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    fixture_create(&f);
    print_message("address %s port %d\n", f.spec.address, f.spec.port);
    struct pg_conn *conn = login(&f);
    assert_asked(conn, "SELECT current_user", OWNER);
    run(conn, "CREATE TABLE kept (v int)");
    run(conn, "INSERT INTO kept VALUES (42)");
    pg_close(conn);
    assert_true(cluster_pid(f.all, f.uid) > 0);
    assert_true(cluster_stop(f.all, f.uid, &e));
    no_error(&e);
    assert_int_equal(cluster_pid(f.all, f.uid), 0);
    assert_true(cluster_start(f.all, &f.spec, NULL, &e));
    no_error(&e);
    conn = login(&f);
    assert_asked(conn, "SELECT v FROM kept", "42");
    pg_close(conn);
    assert_true(cluster_delete(f.all, f.uid, &e));
    no_error(&e);
    assert_int_equal(cluster_pid(f.all, f.uid), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
