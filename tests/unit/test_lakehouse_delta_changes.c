/* The change data feed as files: which actions count, and everything that ends a feed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delta_tables.h"

/* "0:insert a|1:cdc c": what a range gives. */
static void gives(int64_t from, int64_t to, const char *want)
{
    static const char *const kinds[] = {"", "cdc", "insert", "delete"};
    struct delta_changes c;
    struct err e;
    struct buf b;
    err_init(&e);
    if (!delta_changes_load(delta_root, from, to, &c, &e))
        fail_msg("%s", e.text);
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < c.count; i++) {
        buf_printf(&b, "%s%lld:%s %s", i ? "|" : "", (long long)c.files[i].version, kinds[c.files[i].kind], c.files[i].file.uri);
        assert_true(!c.files[i].only_rows || c.files[i].file.deletion_vector);
        for (size_t k = 0; k < c.files[i].n_rows; k++)
            buf_printf(&b, "%s%d", k ? "," : " rows ", (int)c.files[i].rows[k]);
    }
    assert_string_equal(buf_str(&b), want);
    assert_int_equal(c.from, from);
    if (to >= 0)
        assert_int_equal(c.to, to);
    buf_release(&b);
    delta_changes_release(&c);
}

static void stops(int64_t from, int64_t to, enum err_code code, const char *text)
{
    struct delta_changes c;
    struct err e;
    err_init(&e);
    if (delta_changes_load(delta_root, from, to, &c, &e) || e.code != code || !strstr(e.text, text))
        fail_msg("%s: %s", err_info(e.code)->symbol, e.text);
    assert_null(c.files);
}

static void put_data(void)
{
    static const char *const names[] = {"a", "b", "c d", "_change_data/x", "_change_data/y"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        put_file(names[i], "data");
}

static void test_rules(void **state)
{
    (void)state;
    table_of(INFO("10") P1 META(FEED));
    put_data();
    put_commit(1, INFO("20") ADD("a") ADD("b"));
    put_commit(2, INFO("30") REMOVE("a") ADD("c%20d") CDC("_change_data/x") CDC("_change_data/y")); /* cdc wins */
    put_commit(3, INFO("40") REMOVE("b"));
    put_commit(4, INFO("50") "{\"add\":{\"path\":\"a\",\"dataChange\":false}}\n{\"remove\":{\"path\":\"c%20d\",\"dataChange\":false}}\n");
    put_commit(5, INFO("60"));
    put_commit(6, INFO("70") REMOVE("a") ADD("b"));
    put_commit(7, INFO("80") REMOVE("b") ADD("b")); /* the same file again: no row changed */
    gives(0, 0, "");
    gives(0, -1, "1:insert a|1:insert b|2:cdc _change_data/x|2:cdc _change_data/y|3:delete b|6:delete a|6:insert b");
    gives(2, 3, "2:cdc _change_data/x|2:cdc _change_data/y|3:delete b");
    gives(4, 5, "");
    struct delta_changes c;
    struct err e;
    err_init(&e);
    assert_true(delta_changes_load(delta_root, 1, 3, &c, &e));
    assert_int_equal(c.to_timestamp, 40);
    assert_int_equal(c.files[0].timestamp, 20);
    assert_int_equal(c.schema.count, 1);
    assert_true(c.files[2].file.path[0] == '/');
    delta_changes_release(&c);
    stops(3, 8, ERR_NOT_FOUND, "no version 8; its newest is 7");
    stops(-1, 3, ERR_NOT_FOUND, "no version -1");
    stops(4, 3, ERR_INVALID_PARAMETER, "before it begins");
}

static void test_feed_off(void **state)
{
    (void)state;
    table_of(INFO("1") P1 META("") ADD("a"));
    put_data();
    put_commit(1, INFO("2") ADD("b"));
    stops(0, -1, ERR_INVALID_STATE, "was off at version 0");
    put_commit(2, INFO("3") META(FEED));
    put_commit(3, INFO("4") ADD("c%20d"));
    stops(1, -1, ERR_INVALID_STATE, "was off at version 1");
    gives(2, -1, "3:insert c%20d");
    put_commit(4, INFO("5") META("\"delta.enableChangeDataFeed\":\"false\""));
    stops(2, -1, ERR_INVALID_STATE, "was off at version 4");
    gives(2, 3, "3:insert c%20d");
    put_commit(5, INFO("6") META(FEED));
    gives(5, 5, "");
    stops(4, 5, ERR_INVALID_STATE, "was off at version 4");
}

static void test_cleaned(void **state)
{
    (void)state;
    table_of(INFO("1") P1 META(FEED) ADD("a"));
    put_data();
    put_commit(1, INFO("2") ADD("b"));
    put_commit(2, INFO("3") REMOVE("b"));
    put_commit(3, INFO("4") ADD("vacuumed"));
    gives(0, 2, "0:insert a|1:insert b|2:delete b");
    stops(0, 3, ERR_INVALID_STATE, "version 3 is gone: its file 'vacuumed'");
    char *path = delta_path_commit(delta_root, 1);
    assert_int_equal(unlink(path), 0);
    free(path);
    stops(0, 2, ERR_INVALID_STATE, "version 1 is gone: its commit");
    stops(2, 2, ERR_INVALID_STATE, "version 1 is gone"); /* the rules in force cannot be found */
}

static void test_schema(void **state)
{
    (void)state;
#define TWO(type) FIELD("id", "long") "," FIELD("v", type)
    table_of(INFO("1") P1 META(FEED) ADD("a"));
    put_data();
    put_commit(1, INFO("2") META_OF("one", TWO("string"), "", FEED) ADD("b"));
    struct delta_changes c;
    struct err e;
    err_init(&e);
    assert_true(delta_changes_load(delta_root, 0, 1, &c, &e));
    assert_int_equal(c.schema.count, 2); /* as it is in the end */
    delta_changes_release(&c);
    put_commit(2, INFO("3") META_OF("one", TWO("long"), "", FEED));
    stops(0, -1, ERR_INVALID_STATE, "version 2 changed the type of the column 'v'");
    gives(2, 2, "");
    put_commit(2, INFO("3") META_OF("one", FIELD("id", "long"), "", FEED));
    stops(1, -1, ERR_INVALID_STATE, "version 2 dropped or renamed the column 'v'");
    put_commit(2, INFO("3") META_OF("two", TWO("string"), "", FEED));
    stops(1, -1, ERR_INVALID_STATE, "another table lies here since version 2");
    put_commit(2, INFO("3") META_OF("one", TWO("string"), "\"v\"", FEED));
    stops(1, -1, ERR_INVALID_STATE, "version 2 changed how the table is partitioned");
    put_commit(2, INFO("3") META_OF("one", TWO("string") ",{\\\"name\\\":\\\"n\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":false}", "", FEED));
    stops(1, -1, ERR_INVALID_STATE, "version 2 added the column 'n', which must not be NULL");
    put_commit(2, INFO("3") P3("\"catalogManaged\"", ""));
    stops(1, -1, ERR_NOT_IMPLEMENTED, "catalogManaged");
    stops(2, 2, ERR_NOT_IMPLEMENTED, "catalogManaged");
    gives(0, 1, "0:insert a|1:insert b");
}

/* One action on the file "a" with a vector of these rows. */
static char *on_a(const char *kind, size_t n, const uint16_t *rows)
{
    char *vector = n ? inline_vector_of(n, rows) : xstrdup("\"x\":0");
    char *out = xasprintf("{\"%s\":{\"path\":\"a\",\"dataChange\":true,%s}}\n", kind, vector);
    free(vector);
    return out;
}

static void move(int64_t version, size_t n_before, const uint16_t *before, size_t n_after, const uint16_t *after)
{
    char *remove = on_a("remove", n_before, before), *add = on_a("add", n_after, after);
    char *all = xasprintf(INFO("9") "%s%s", version % 2 ? add : remove, version % 2 ? remove : add); /* order means nothing */
    put_commit(version, all);
    free(all);
    free(remove);
    free(add);
}

static void test_vectors(void **state)
{
    (void)state;
    static const uint16_t one[] = {4}, more[] = {1, 4, 9}, other[] = {1, 7};
    table_of(INFO("1") P3("\"deletionVectors\"", "\"deletionVectors\"") META(FEED) ADD("a"));
    put_data();
    move(1, 0, NULL, 1, one);     /* DELETE */
    move(2, 1, one, 3, more);     /* DELETE of more */
    move(3, 3, more, 2, other);   /* some come back, another goes */
    move(4, 2, other, 0, NULL);   /* RESTORE */
    move(5, 0, NULL, 1, one);
    move(6, 1, one, 1, one);      /* nothing */
    gives(1, 5, "1:delete a rows 4|2:delete a rows 1,9|3:delete a rows 7|3:insert a rows 4,9|4:insert a rows 1,7|5:delete a rows 4");
    gives(6, 6, "");
    put_commit(7, INFO("9") "{\"remove\":{\"path\":\"a\",\"dataChange\":true,\"deletionVector\":{\"storageType\":\"i\","
                  "\"pathOrInlineDv\":\"wrong\",\"sizeInBytes\":4,\"cardinality\":1}}}\n" ADD("a"));
    stops(7, 7, ERR_MALFORMED, "the deletion vector");
    put_commit(7, INFO("9") REMOVE("a")); /* with all its rows: what the vector masks is for whoever reads the file */
    gives(7, 7, "7:delete a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules), cmocka_unit_test(test_feed_off), cmocka_unit_test(test_cleaned), cmocka_unit_test(test_schema),
        cmocka_unit_test(test_vectors),
    };
    return cmocka_run_group_tests_name("lakehouse_delta_changes", tests, delta_set_up, delta_tear_down);
}
