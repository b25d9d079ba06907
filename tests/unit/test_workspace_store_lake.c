/* The store's Unity Catalog: rows survive, parents and children hold together, grants and lineage go with their object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/ids.h"
#include "workspace/store_lake.h"

static char dir[] = "/tmp/lb-storelake-XXXXXX";
static char path[64];
static struct store *store;

static void reopen(void)
{
    struct err e = {0};
    store_close(store);
    store = store_open(path, &e);
    assert_string_equal(e.text, "");
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

static char *text(const char *t) { return (char *)(uintptr_t)t; }

/* "a.b.c": its kind by the count of parts. */
static bool add(const char *full, struct err *e)
{
    char parent[64] = "", id[37];
    const char *dot = strrchr(full, '.');
    int dots = 0;
    for (const char *p = full; *p; p++)
        dots += *p == '.';
    if (dot)
        snprintf(parent, sizeof parent, "%.*s", (int)(dot - full), full);
    ids_uuid(id);
    struct securable_row r = {.kind = (enum securable_kind)(SECURABLE_CATALOG + dots), .full_name = text(full),
                              .parent = parent, .name = text(dot ? dot + 1 : full), .id = id, .owner = text("o"),
                              .comment = text("it's \"x\"; DROP"), .location = text(dots == 2 ? "/l" : ""),
                              .columns = text("[]"), .created_ms = 5, .updated_ms = 6, .created_by = text("c"),
                              .updated_by = text("u")};
    return store_add_securable(store, &r, e);
}

static void need(const char *full)
{
    struct err e = {0};
    assert_true(add(full, &e));
}

static size_t children(enum securable_kind kind, const char *parent, const char *after, size_t limit)
{
    struct securable_rows rows;
    struct err e = {0};
    assert_true(store_securables(store, kind, parent, after, limit, &rows, &e));
    size_t n = rows.count;
    securable_rows_release(&rows);
    return n;
}

static void rows_survive(void **state)
{
    (void)state;
    struct err e = {0};
    struct securable_row got;
    need("a");
    need("a.b");
    need("a.b.c");
    reopen();
    assert_true(store_securable(store, SECURABLE_TABLE, "a.b.c", &got, &e));
    assert_string_equal(got.parent, "a.b");
    assert_string_equal(got.name, "c");
    assert_string_equal(got.comment, "it's \"x\"; DROP");
    assert_string_equal(got.location, "/l");
    assert_int_equal(got.created_ms, 5);
    free(got.comment);
    got.comment = strdup("new");
    got.updated_ms = 9;
    assert_true(store_update_securable(store, &got, &e));
    securable_row_release(&got);
    assert_true(store_securable(store, SECURABLE_TABLE, "a.b.c", &got, &e));
    assert_string_equal(got.comment, "new");
    assert_int_equal(got.updated_ms, 9);
    got.full_name[0] = 'z';
    assert_false(store_update_securable(store, &got, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    securable_row_release(&got);
}

static void parents_first(void **state)
{
    (void)state;
    struct err e = {0};
    assert_false(add("a.b", &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    need("a");
    err_init(&e);
    assert_false(add("a", &e));
    assert_int_equal(e.code, ERR_ALREADY_EXISTS);
    err_init(&e);
    assert_false(add("a.b.c", &e)); /* the schema is missing, not the catalog */
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void pages(void **state)
{
    (void)state;
    need("a");
    need("a.x");
    need("a.y");
    need("a.z");
    assert_int_equal(children(SECURABLE_SCHEMA, "a", NULL, 0), 3);
    assert_int_equal(children(SECURABLE_SCHEMA, "a", "x", 0), 2);
    assert_int_equal(children(SECURABLE_SCHEMA, "a", "", 2), 2);
    assert_int_equal(children(SECURABLE_SCHEMA, "b", NULL, 0), 0);
}

static void grant(enum securable_kind kind, const char *name, const char *privilege)
{
    struct err e = {0};
    struct grant_row row = {.kind = kind, .full_name = text(name), .principal = text("p")};
    snprintf(row.privilege, sizeof row.privilege, "%s", privilege);
    assert_true(store_change_grants(store, &row, 1, NULL, 0, &e));
    assert_true(store_change_grants(store, &row, 1, NULL, 0, &e)); /* again is fine */
}

static size_t grants_of(enum securable_kind kind, const char *name)
{
    struct grant_rows rows;
    struct err e = {0};
    assert_true(store_grants(store, kind, name, NULL, &rows, &e));
    size_t n = rows.count;
    grant_rows_release(&rows);
    return n;
}

static size_t lineage_of_table(const char *table, bool upstream)
{
    struct lineage_rows rows;
    struct err e = {0};
    assert_true(store_lineage(store, table, upstream, &rows, &e));
    size_t n = rows.count;
    lineage_rows_release(&rows);
    return n;
}

/* What begins like the name ("ab" beside "a") stays. */
static void removal_takes_all_below(void **state)
{
    (void)state;
    struct err e = {0};
    struct securable_rows gone;
    need("a");
    need("a.s");
    need("a.s.t");
    need("a.s.u");
    need("ab");
    need("ab.s");
    need("ab.s.t");
    grant(SECURABLE_CATALOG, "a", "SELECT");
    grant(SECURABLE_TABLE, "a.s.t", "SELECT");
    grant(SECURABLE_TABLE, "ab.s.t", "SELECT");
    struct lineage_row edges[] = {{text("a.s.t"), text("ab.s.t"), text("p"), 1}, {text("ab.s.t"), text("a.s.u"), text("p"), 1},
                                  {text("x.y.z"), text("ab.s.t"), text("p"), 1}};
    for (size_t i = 0; i < 3; i++)
        assert_true(store_put_lineage(store, &edges[i], &e));
    assert_int_equal(lineage_of_table("ab.s.t", true), 2);
    assert_false(store_remove_securable(store, SECURABLE_CATALOG, "a", false, &gone, &e));
    assert_int_equal(e.code, ERR_INVALID_STATE);
    assert_int_equal(grants_of(SECURABLE_TABLE, "a.s.t"), 1); /* nothing was half removed */
    err_init(&e);
    assert_true(store_remove_securable(store, SECURABLE_CATALOG, "a", true, &gone, &e));
    assert_int_equal(gone.count, 2);
    assert_string_equal(gone.rows[0].location, "/l");
    securable_rows_release(&gone);
    assert_int_equal(children(SECURABLE_CATALOG, "", NULL, 0), 1);
    assert_int_equal(children(SECURABLE_TABLE, "ab.s", NULL, 0), 1);
    assert_int_equal(grants_of(SECURABLE_CATALOG, "a") + grants_of(SECURABLE_TABLE, "a.s.t"), 0);
    assert_int_equal(grants_of(SECURABLE_TABLE, "ab.s.t"), 1);
    assert_int_equal(lineage_of_table("ab.s.t", true), 1);
    assert_int_equal(lineage_of_table("ab.s.t", false), 0);
    assert_false(store_remove_securable(store, SECURABLE_CATALOG, "a", true, &gone, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {T(rows_survive), T(parents_first), T(pages), T(removal_takes_all_below)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
