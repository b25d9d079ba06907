/* The life of instances: states and their order, what a crash at any moment leaves, failures, holding answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "clusters_in_memory.h"
#include "workspace/instances.h"

static char dir[] = "/tmp/lb-inst-XXXXXX";
static struct store *store;
static struct instances *all;

static void open_all(void)
{
    struct err e = {0};
    all = instances_open(store, &memory, &e);
    assert_string_equal(e.text, "");
    assert_non_null(all);
}

static int set_up(void **state)
{
    (void)state;
    struct err e = {0};
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(dir));
    char *path = xasprintf("%s/db", dir);
    store = store_open(path, &e);
    free(path);
    assert_non_null(store);
    memory_reset();
    open_all();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct err e = {0};
    memory_hold(false);
    instances_close(all);
    store_close(store);
    fs_remove_tree(dir, &e);
    return 0;
}

static struct instance_row new_row(const char *name)
{
    struct instance_row row = {.state = INST_STARTING, .retention_days = 7};
    ids_uuid(row.uid);
    snprintf(row.name, sizeof row.name, "%s", name);
    snprintf(row.capacity, sizeof row.capacity, "%s", "CU_2");
    snprintf(row.creator, sizeof row.creator, "%s", "learner@example.com");
    snprintf(row.creation_time, sizeof row.creation_time, "%s", "2026-01-02T03:04:05Z");
    return row;
}

static struct instance_row create(const char *name)
{
    struct err e = {0};
    struct instance_row row = new_row(name);
    assert_true(instances_create(all, &row, &e));
    return row;
}

/* GET until the state is there; each GET is held, so this does not spin. */
static struct instance_row await(const char *name, enum inst_state want)
{
    struct instance_row row;
    struct err e = {0};
    for (int i = 0; i < 20; i++) {
        assert_true(instances_get(all, name, &row, &e));
        if (row.state == want)
            return row;
    }
    fail_msg("%s stays %s", name, inst_state_name(row.state));
    return row;
}

static void await_gone(const char *name)
{
    struct instance_row row;
    struct err e = {0};
    for (int i = 0; i < 20 && instances_get(all, name, &row, &e); i++)
        continue;
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_string_equal(e.text, "Database instance is not found.");
}

static struct instance_row update(const char *name, const struct instance_update *u)
{
    struct err e = {0};
    struct instance_row row;
    bool ok = instances_update(all, name, u, &row, &e);
    assert_string_equal(e.text, "");
    assert_true(ok);
    return row;
}

static void create_to_available(void **state)
{
    (void)state;
    memory_hold(true);
    struct instance_row row = create("demo");
    memory_await_held(1);
    struct instance_row seen;
    struct err e = {0};
    int64_t start = clock_mono_ms();
    assert_true(instances_get(all, "demo", &seen, &e));
    assert_int_equal(seen.state, INST_STARTING);
    assert_true(clock_mono_ms() - start >= INSTANCES_HOLD_MS - 50); /* held as long as the state passes */
    memory_hold(false);
    seen = await("demo", INST_AVAILABLE);
    assert_string_equal(seen.address, "127.77.0.1");
    assert_int_equal(seen.port, 5432);
    assert_true(memory_look(row.uid).running);
}

static void names_and_quota(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_row row = create("demo");
    row = new_row("demo");
    assert_false(instances_create(all, &row, &e));
    assert_int_equal(e.code, ERR_ALREADY_EXISTS);
    assert_string_equal(e.text, "Instance name is not unique");
    for (int i = 1; i < INSTANCES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "i%d", i);
        create(name);
    }
    err_init(&e);
    row = new_row("one-more");
    assert_false(instances_create(all, &row, &e));
    assert_int_equal(e.code, ERR_QUOTA);
}

static void stop_and_start(void **state)
{
    (void)state;
    struct instance_row row = create("demo");
    await("demo", INST_AVAILABLE);
    struct instance_update stop = {.set_stopped = true, .stopped = true}, start = {.set_stopped = true};
    assert_int_equal(update("demo", &stop).state, INST_UPDATING);
    await("demo", INST_STOPPED);
    assert_false(memory_look(row.uid).running);
    assert_int_equal(update("demo", &stop).state, INST_STOPPED); /* nothing to do */
    assert_int_equal(update("demo", &start).state, INST_STARTING);
    await("demo", INST_AVAILABLE);
    assert_int_equal(memory_look(row.uid).starts, 2);
}

static void capacity_restarts(void **state)
{
    (void)state;
    struct instance_row row = create("demo");
    await("demo", INST_AVAILABLE);
    struct instance_update same = {.set_capacity = true, .capacity = "CU_2"},
                           more = {.set_capacity = true, .capacity = "CU_8"};
    assert_int_equal(update("demo", &same).state, INST_AVAILABLE);
    assert_int_equal(memory_look(row.uid).starts, 1);
    assert_int_equal(update("demo", &more).state, INST_UPDATING);
    await("demo", INST_AVAILABLE);
    assert_string_equal(memory_look(row.uid).capacity, "CU_8");
    assert_int_equal(memory_look(row.uid).starts, 2);
    /* Of a stopped one: kept for the next start. */
    update("demo", &(struct instance_update){.set_stopped = true, .stopped = true});
    await("demo", INST_STOPPED);
    assert_int_equal(update("demo", &(struct instance_update){.set_capacity = true, .capacity = "CU_1"}).state,
                     INST_STOPPED);
    update("demo", &(struct instance_update){.set_stopped = true});
    await("demo", INST_AVAILABLE);
    assert_string_equal(memory_look(row.uid).capacity, "CU_1");
}

static void no_update_while_passing(void **state)
{
    (void)state;
    memory_hold(true);
    create("demo");
    memory_await_held(1);
    struct err e = {0};
    struct instance_row row;
    struct instance_update u = {.set_stopped = true, .stopped = true};
    assert_false(instances_update(all, "demo", &u, &row, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
}

/* A delete does not wait for the create it makes useless. */
static void delete_while_starting(void **state)
{
    (void)state;
    struct err e = {0};
    memory_hold(true);
    struct instance_row row = create("demo");
    memory_await_held(1);
    assert_true(instances_delete(all, "demo", &e));
    assert_true(store_instance(store, "demo", &row, &e));
    assert_int_equal(row.state, INST_DELETING);
    memory_hold(false);
    await_gone("demo");
    assert_false(memory_look(row.uid).there);
    create("demo"); /* the name is free again */
    await("demo", INST_AVAILABLE);
}

static void delete_needs_free_catalogs(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_row row = create("demo");
    await("demo", INST_AVAILABLE);
    struct catalog_row c = {.name = "cat", .uid = "u", .database = "databricks_postgres", .owner = "o"};
    memcpy(c.instance_uid, row.uid, sizeof c.instance_uid);
    assert_true(store_add_catalog(store, &c, &e));
    assert_false(instances_delete(all, "demo", &e));
    assert_int_equal(e.code, ERR_BAD_REQUEST);
    assert_non_null(strstr(e.text, "'cat'"));
    err_init(&e);
    assert_true(store_remove_catalog(store, "cat", &e));
    assert_true(instances_delete(all, "demo", &e));
    await_gone("demo");
}

static void failure_is_said_and_can_be_tried_again(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_row row;
    memory.fail = "no space left on device";
    create("demo");
    for (int i = 0; i < 20 && instances_get(all, "demo", &row, &e); i++)
        continue;
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_non_null(strstr(e.text, "no space left on device"));
    memory.fail = NULL;
    assert_int_equal(update("demo", &(struct instance_update){.set_stopped = true}).state, INST_STARTING);
    await("demo", INST_AVAILABLE);
}

static void failed_one_can_be_deleted(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_row row;
    memory.fail = "no space left on device";
    create("demo");
    for (int i = 0; i < 20 && instances_get(all, "demo", &row, &e); i++)
        continue;
    err_init(&e);
    assert_true(instances_delete(all, "demo", &e));
    await_gone("demo");
}

static void dead_server_is_started_again(void **state)
{
    (void)state;
    struct instance_row row = create("demo");
    await("demo", INST_AVAILABLE);
    memory_crash(row.uid);
    await("demo", INST_AVAILABLE);
    assert_true(memory_look(row.uid).running);
    assert_int_equal(memory_look(row.uid).starts, 2);
}

/* As after kill -9: the rows stay as they were, nothing else is remembered. */
static void reopened(void (*meanwhile)(const char *uid), const char *uid)
{
    instances_begin_close(all);
    memory_hold(false);
    instances_close(all);
    if (meanwhile)
        meanwhile(uid);
    open_all();
}

static void completes_a_create(void **state)
{
    (void)state;
    memory_hold(true);
    struct instance_row row = create("demo");
    memory_await_held(1);
    reopened(NULL, row.uid);
    await("demo", INST_AVAILABLE);
    assert_true(memory_look(row.uid).running);
}

static void completes_a_delete(void **state)
{
    (void)state;
    struct err e = {0};
    struct instance_row row = create("demo");
    await("demo", INST_AVAILABLE);
    memory_hold(true);
    assert_true(instances_delete(all, "demo", &e));
    memory_await_held(1);
    instances_begin_close(all);
    memory_hold(false);
    instances_close(all);
    /* The row as a workspace killed before the end leaves it. */
    row.state = INST_DELETING;
    store_remove_instance(store, row.uid, &e);
    assert_true(store_add_instance(store, &row, 10, &e));
    open_all();
    await_gone("demo");
    assert_false(memory_look(row.uid).there);
}

static void adopts_what_runs(void **state)
{
    (void)state;
    struct instance_row row = create("demo");
    await("demo", INST_AVAILABLE);
    reopened(NULL, row.uid);
    await("demo", INST_AVAILABLE);
    assert_int_equal(memory_look(row.uid).starts, 1); /* not started a second time */
}

static void starts_what_died_meanwhile(void **state)
{
    (void)state;
    struct instance_row row = create("demo");
    await("demo", INST_AVAILABLE);
    reopened(memory_crash, row.uid);
    await("demo", INST_AVAILABLE);
    assert_int_equal(memory_look(row.uid).starts, 2);
}

static void add_stranger(const char *uid)
{
    (void)uid;
    memory_find("00000000-0000-4000-8000-000000000000", true)->running = true;
}

static void keeps_clusters_without_a_row(void **state)
{
    (void)state;
    struct instance_row row = create("demo");
    await("demo", INST_AVAILABLE);
    reopened(add_stranger, row.uid);
    assert_true(memory_look("00000000-0000-4000-8000-000000000000").there);
    assert_true(memory_look(row.uid).there);
    /* Its server ends with the others. */
    struct err e = {0};
    assert_true(instances_stop_servers(store, &memory, &e));
    assert_false(memory_look("00000000-0000-4000-8000-000000000000").running);
}

int main(void)
{
    jx_setup();
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(create_to_available), T(names_and_quota), T(stop_and_start), T(capacity_restarts), T(no_update_while_passing),
        T(delete_while_starting), T(delete_needs_free_catalogs), T(failure_is_said_and_can_be_tried_again),
        T(failed_one_can_be_deleted), T(dead_server_is_started_again), T(completes_a_create), T(completes_a_delete),
        T(adopts_what_runs), T(starts_what_died_meanwhile), T(keeps_clusters_without_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
