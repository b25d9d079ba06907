/* The engine's library and database: found, refused with a reason, interrupted, closed to everything outside its folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "lake_catalog.h"
#include "lakehouse/duck.h"

/* Before anything loads the library. */
static void test_library(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    struct lake_options o = {.library = "/nowhere/libduckdb.so", .root = "/tmp"};
    assert_null(lake_open(&o, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(e.text, "/nowhere/libduckdb.so"));
    err_init(&e);
    o.library = "/proc/self/exe"; /* a program, no library */
    assert_null(lake_open(&o, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    err_init(&e);
    char *path = duck_find_library(NULL, &e);
    assert_non_null(path);
    assert_int_equal(access(path, R_OK), 0);
    free(path);
    setenv("LAKEBASE_DUCKDB", "/nowhere/else.so", 1);
    assert_null(duck_find_library(NULL, &e));
    assert_non_null(strstr(e.text, "LAKEBASE_DUCKDB"));
    unsetenv("LAKEBASE_DUCKDB");
}

static void test_version(void **state)
{
    (void)state;
    assert_int_equal(lake_library_version(lake)[0], 'v');
}

static void *fire(void *cancel)
{
    usleep(50000);
    cancel_fire(cancel);
    return NULL;
}

static void test_interrupt(void **state)
{
    (void)state;
    struct err e;
    struct cancel cancel;
    struct lake_outcome outcome;
    struct lake_batch b;
    pthread_t thread;
    err_init(&e);
    assert_true(cancel_init(&cancel, &e));
    assert_int_equal(pthread_create(&thread, NULL, fire, &cancel), 0);
    struct lake_stream *s = lake_sql("SELECT count(*) FROM range(100000000000) a, range(1000000) b WHERE a.id + b.id = 3", &outcome,
                                     &cancel, &e);
    if (s)
        assert_false(lake_next(s, &b, &cancel, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    pthread_join(thread, NULL);
    if (s) {
        lake_stream_close(s);
        lake_outcome_release(&outcome);
    }
    assert_null(lake_sql("SELECT 1", &outcome, &cancel, &e)); /* it has fired */
    assert_int_equal(e.code, ERR_CANCELLED);
    cancel_release(&cancel);
    assert_int_equal(lake_count("SELECT 1", &e), 1);
}

/* A statement that needs more than the cap fails by itself; the engine lives on. */
static void test_memory_cap(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    struct lake_options o = {.root = lake_folder, .memory_limit = 64 << 20};
    struct lake *small = lake_open(&o, &e);
    assert_non_null(small);
    struct lake_statement s = {.sql = "SELECT list(id || repeat('x', 1000)) FROM range(1000000)"};
    struct lake_outcome outcome;
    struct lake_batch b;
    struct lake_stream *stream = lake_execute(small, &test_catalog, &s, &outcome, NULL, &e);
    if (stream)
        assert_false(lake_next(stream, &b, NULL, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    if (stream) {
        lake_stream_close(stream);
        lake_outcome_release(&outcome);
    }
    lake_close(small);
    assert_int_equal(lake_count("SELECT 1", &e), 1);
}

/* What the front would let through by mistake, the engine itself refuses. */
static void test_closed(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "SELECT * FROM read_text('/etc/passwd')", "COPY (SELECT 1) TO '/tmp/lbtest-never.csv'", "INSTALL httpfs", "LOAD httpfs",
        "SET memory_limit = '1TB'", "SET enable_external_access = true", "ATTACH '/tmp/lbtest-never.db'",
        "SELECT * FROM glob('/etc/*')", "RESET lock_configuration"};
    struct err e;
    err_init(&e);
    struct duck_db *db = *(struct duck_db **)lake; /* the first member of struct lake */
    struct duck_conn *c = duck_connect(db, &e);
    assert_non_null(c);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        err_init(&e);
        assert_false(duck_run(c, refused[i], duck_no_params, NULL, &e));
        assert_int_equal(e.code, ERR_SQL);
    }
    duck_disconnect(c);
}

int main(void)
{
    const struct CMUnitTest first[] = {cmocka_unit_test(test_library)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version), cmocka_unit_test(test_interrupt), cmocka_unit_test(test_memory_cap),
        cmocka_unit_test(test_closed),
    };
    int failed = cmocka_run_group_tests_name("before loading", first, NULL, NULL);
    return failed ? failed : cmocka_run_group_tests(tests, lake_set_up, lake_tear_down);
}
