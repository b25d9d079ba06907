/* The store: what is written is there after opening again, also after a crash in the middle; constraints; pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/ids.h"
#include "workspace/sqlite.h"
#include "workspace/store.h"

static char dir[] = "/tmp/lb-store-XXXXXX";
static char path[64];
static struct store *store;

static void reopen(void)
{
    struct err e = {0};
    store_close(store);
    store = store_open(path, &e);
    assert_string_equal(e.text, "");
    assert_non_null(store);
}

static int set_up(void **state)
{
    (void)state;
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/db", dir);
    store = NULL;
    reopen();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct err e = {0};
    store_close(store);
    return fs_remove_tree(dir, &e) ? 0 : -1;
}

static struct instance_row full_row(const char *name)
{
    struct instance_row r = {.state = INST_UPDATING, .retention_days = 35, .stopped = true, .created = true, .port = 5433};
    ids_uuid(r.uid);
    snprintf(r.name, sizeof r.name, "%s", name);
    snprintf(r.creator, sizeof r.creator, "%s", "learner@example.com");
    snprintf(r.creation_time, sizeof r.creation_time, "%s", "2026-01-02T03:04:05Z");
    snprintf(r.capacity, sizeof r.capacity, "%s", "CU_8");
    snprintf(r.usage_policy_id, sizeof r.usage_policy_id, "%s", "p");
    snprintf(r.address, sizeof r.address, "%s", "127.1.2.3");
    snprintf(r.failure, sizeof r.failure, "%s", "it's \"broken\"; DROP TABLE instance; -- ünï");
    memset(r.custom_tags, 'x', INST_TAGS_MAX - 1);
    return r;
}

static void add(const struct instance_row *r)
{
    struct err e = {0};
    assert_true(store_add_instance(store, r, 100, &e));
}

static void rows_survive(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_row r = full_row("demo"), got;
    add(&r);
    reopen();
    assert_true(store_instance(store, "demo", &got, &e));
    assert_memory_equal(&got, &r, sizeof r);
    assert_true(store_instance_by_uid(store, r.uid, &got, &e));
    assert_false(store_instance(store, "DEMO", &got, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_string_equal(e.text, "Database instance is not found.");
}

static bool to_available(void *self, struct instance_row *row, struct err *e)
{
    row->state = INST_AVAILABLE;
    return !self || err_set(e, ERR_CONFLICT, "no");
}

static void changes_are_all_or_nothing(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_row r = full_row("demo"), got;
    add(&r);
    assert_false(store_change_instance(store, r.uid, to_available, &r, NULL, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    err_init(&e);
    assert_true(store_instance(store, "demo", &got, &e));
    assert_int_equal(got.state, INST_UPDATING);
    assert_true(store_change_instance(store, r.uid, to_available, NULL, &got, &e));
    assert_int_equal(got.state, INST_AVAILABLE);
    reopen();
    assert_true(store_instance(store, "demo", &got, &e));
    assert_int_equal(got.state, INST_AVAILABLE);
    assert_false(store_change_instance(store, "none", to_available, NULL, &got, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void the_quota_does_not_hide_a_taken_name(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_row r = full_row("a");
    assert_true(store_add_instance(store, &r, 1, &e));
    struct instance_row same = full_row("a"), other = full_row("b");
    assert_false(store_add_instance(store, &same, 1, &e));
    assert_int_equal(e.code, ERR_ALREADY_EXISTS);
    err_init(&e);
    assert_false(store_add_instance(store, &other, 1, &e));
    assert_int_equal(e.code, ERR_QUOTA);
    err_init(&e);
    assert_false(store_instance(store, "b", &other, &e)); /* rolled back */
    assert_true(store_remove_instance(store, r.uid, &e));
}

static void pages_in_order(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_rows rows;
    static const char *const names[] = {"c", "a", "b", "B", "a-1"};
    for (size_t i = 0; i < 5; i++) {
        struct instance_row r = full_row(names[i]);
        add(&r);
    }
    assert_true(store_instances(store, NULL, 0, &rows, &e));
    assert_int_equal(rows.count, 5);
    assert_string_equal(rows.rows[0].name, "B");
    assert_string_equal(rows.rows[2].name, "a-1");
    instance_rows_release(&rows);
    assert_true(store_instances(store, "a", 2, &rows, &e));
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.rows[0].name, "a-1");
    assert_string_equal(rows.rows[1].name, "b");
    instance_rows_release(&rows);
    assert_true(store_instances(store, "z", 2, &rows, &e));
    assert_int_equal(rows.count, 0);
    instance_rows_release(&rows);
}

/* Whoever comes second is refused: no catalog stays over an instance that goes. */
static void no_catalog_over_a_doomed_instance(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_row r = full_row("demo"), got;
    struct catalog_row c = {.name = "cat", .uid = "u1", .database = "db", .owner = "o"};
    bool doomed = false;
    memcpy(c.instance_uid, r.uid, sizeof r.uid);
    add(&r);
    assert_true(store_doom_instance(store, r.uid, &doomed, &e));
    assert_true(doomed);
    assert_true(store_instance(store, "demo", &got, &e));
    assert_int_equal(got.state, INST_DELETING);
    assert_false(store_add_catalog(store, &c, &e));
    assert_int_equal(e.code, ERR_INVALID_STATE);
    assert_non_null(strstr(e.text, "DELETING"));
    err_init(&e);
    assert_true(store_remove_instance(store, r.uid, &e));
    assert_true(store_doom_instance(store, r.uid, &doomed, &e));
    assert_false(doomed);
}

static void catalogs_belong_to_instances(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_row r = full_row("demo");
    struct catalog_row c = {.name = "cat", .uid = "u1", .database = "db", .owner = "o", .created_ms = 1234567890123}, got;
    struct catalog_rows rows;
    memcpy(c.instance_uid, r.uid, sizeof r.uid);
    r.state = INST_AVAILABLE;
    assert_false(store_add_catalog(store, &c, &e)); /* no such instance */
    assert_int_equal(e.code, ERR_NOT_FOUND);
    err_init(&e);
    add(&r);
    assert_true(store_add_catalog(store, &c, &e));
    assert_false(store_add_catalog(store, &c, &e));
    assert_int_equal(e.code, ERR_CATALOG_EXISTS);
    err_init(&e);
    snprintf(c.name, sizeof c.name, "%s", "cat2");
    snprintf(c.uid, sizeof c.uid, "%s", "u2");
    assert_false(store_add_catalog(store, &c, &e));
    assert_int_equal(e.code, ERR_ALREADY_EXISTS);
    err_init(&e);
    reopen();
    assert_true(store_catalog(store, "cat", &got, &e));
    assert_string_equal(got.instance_name, "demo");
    assert_int_equal(got.created_ms, 1234567890123);
    bool doomed = true;
    assert_true(store_doom_instance(store, r.uid, &doomed, &e));
    assert_false(doomed);
    assert_true(store_catalogs(store, r.uid, NULL, 0, &rows, &e));
    assert_int_equal(rows.count, 1);
    catalog_rows_release(&rows);
    assert_true(store_catalogs(store, "none", NULL, 0, &rows, &e));
    assert_int_equal(rows.count, 0);
    catalog_rows_release(&rows);
    assert_false(store_remove_instance(store, r.uid, &e)); /* the catalog would hang in the air */
    err_init(&e);
    assert_true(store_remove_catalog(store, "cat", &e));
    assert_false(store_remove_catalog(store, "cat", &e));
    assert_int_equal(e.code, ERR_CATALOG_NOT_FOUND);
    err_init(&e);
    assert_true(store_remove_instance(store, r.uid, &e));
}

static void facts_and_principals(void **state)
{
    (void)state;
    struct err e = {0};
    char *value = NULL;
    assert_true(store_get(store, "k", &value, &e));
    assert_null(value);
    assert_true(store_set(store, "k", "v1", &e) && store_set(store, "k", "v2", &e));
    struct principal p = {.name = "n", .display = "d", .id = "1", .kind = PRINCIPAL_SERVICE, .secret_sha = "s"}, got = {0};
    assert_true(store_put_principal(store, &p, &e));
    reopen();
    assert_true(store_get(store, "k", &value, &e));
    assert_string_equal(value, "v2");
    free(value);
    assert_true(store_principal_by_sha(store, "s", &got, &e));
    assert_memory_equal(&got, &p, sizeof p);
    assert_false(store_principal(store, "x", &got, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

/* A writer that is killed: each row is there whole or not at all, and the next one can write. */
static void a_killed_writer_leaves_a_whole_store(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_rows rows;
    store_close(store);
    store = NULL;
    int told[2];
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store *s = store_open(path, &e);
        for (int i = 0; s && i < 10000; i++) {
            char name[32];
            snprintf(name, sizeof name, "n%05d", i);
            struct instance_row r = full_row(name);
            store_add_instance(s, &r, 100000, &e);
            ssize_t rc = write(told[1], "x", 1);
            (void)rc;
        }
        _exit(0);
    }
    char seen[20];
    size_t n = 0;
    for (ssize_t got; n < sizeof seen && (got = read(told[0], seen, sizeof seen - n)) > 0;)
        n += (size_t)got;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(told[0]);
    close(told[1]);
    reopen();
    assert_true(store_instances(store, NULL, 0, &rows, &e));
    assert_true(rows.count >= n); /* what was said to be done is there */
    for (size_t i = 0; i < rows.count; i++)
        assert_int_equal(strlen(rows.rows[i].custom_tags), INST_TAGS_MAX - 1);
    instance_rows_release(&rows);
    struct instance_row r = full_row("after");
    add(&r);
}

static void *add_many(void *arg)
{
    for (int i = 0; i < 20; i++) {
        char name[32];
        struct err e = {0};
        snprintf(name, sizeof name, "t%d-%d", *(int *)arg, i);
        struct instance_row r = full_row(name);
        if (!store_add_instance(store, &r, 1000, &e) || !store_change_instance(store, r.uid, to_available, NULL, NULL, &e))
            return arg;
    }
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_rows rows;
    pthread_t t[4];
    int ids[4] = {0, 1, 2, 3};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, add_many, &ids[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        pthread_join(t[i], &failed);
        assert_null(failed);
    }
    assert_true(store_instances(store, NULL, 0, &rows, &e));
    assert_int_equal(rows.count, 80);
    instance_rows_release(&rows);
}

static void files_are_private(void **state)
{
    (void)state;
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char file[80];
        struct stat st;
        snprintf(file, sizeof file, "%s%s", path, ends[i]);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 077, 0);
    }
}

static void files_that_are_no_store(void **state)
{
    (void)state;
    struct err e = {0};
    char other[80];
    snprintf(other, sizeof other, "%s/other", dir);
    char junk[4096];
    memset(junk, 'j', sizeof junk);
    assert_true(fs_write_atomic(other, junk, sizeof junk, 0600, &e));
    assert_null(store_open(other, &e));
    assert_int_equal(e.code, ERR_IO);
    err_init(&e);
    snprintf(other, sizeof other, "%s/no/such/folder", dir);
    assert_null(store_open(other, &e));
    assert_int_equal(e.code, ERR_IO);
    err_init(&e);
    /* Of a later version of the program: not touched. */
    sqlite3 *db = NULL;
    snprintf(other, sizeof other, "%s/later", dir);
    assert_int_equal(sqlite3_open(other, &db), SQLITE_OK);
    assert_true(sql_run(db, "PRAGMA user_version = 99", &e));
    sqlite3_close(db);
    assert_null(store_open(other, &e));
    assert_int_equal(e.code, ERR_CONFIG);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(rows_survive), T(changes_are_all_or_nothing), T(the_quota_does_not_hide_a_taken_name), T(pages_in_order),
        T(catalogs_belong_to_instances), T(no_catalog_over_a_doomed_instance), T(facts_and_principals), T(a_killed_writer_leaves_a_whole_store), T(many_threads),
        T(files_are_private), T(files_that_are_no_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
