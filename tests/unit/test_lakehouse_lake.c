/* Streams of Delta tables in memory layout: versions, chosen columns, the change feed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lake_catalog.h"

static void run(const char *sql)
{
    struct err e;
    if (lake_count(sql, &e) < 0)
        fail_msg("%s: %s", sql, e.text);
}

static int make_table(void **state)
{
    if (lake_set_up(state))
        return -1;
    run("CREATE TABLE t (id BIGINT NOT NULL, name STRING, n DECIMAL(20,3), tags ARRAY<INT>, part DATE) PARTITIONED BY (part) "
        "TBLPROPERTIES (delta.enableChangeDataFeed = true)");
    run("INSERT INTO t SELECT id, 'a name of more than twelve ' || id, id / 4, array(1, 2), DATE'2026-01-01' + CAST(id % 2 AS INT) "
        "FROM range(5000)");
    run("UPDATE t SET name = NULL WHERE id = 7");
    run("DELETE FROM t WHERE id >= 4000");
    return 0;
}

static const char *root(void)
{
    return jx_get_str(lake_names, "main.default.t", NULL);
}

static void test_scan(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    int64_t version = -1, sum = 0;
    struct lake_stream *s = lake_scan(lake, root(), -1, NULL, &version, &e);
    assert_non_null(s);
    assert_int_equal(version, 3);
    size_t n, rows = 0, nulls = 0;
    const struct lake_column *c = lake_stream_columns(s, &n);
    assert_int_equal(n, 5);
    assert_string_equal(c[2].type_text, "DECIMAL(20,3)");
    assert_int_equal(c[3].type, DELTA_NESTED);
    assert_false(c[0].nullable);
    struct lake_batch b;
    while (lake_next(s, &b, NULL, &e) && b.rows) {
        assert_int_equal(b.vectors[2].width, 16);
        for (size_t i = 0; i < b.rows; i++, rows++) {
            int64_t id = ((const int64_t *)b.vectors[0].data)[i];
            sum += id;
            const struct lake_string *tags = (const struct lake_string *)b.vectors[3].data + i;
            assert_memory_equal(lake_string_text(tags), "[1,2]", tags->length);
            assert_int_equal(((const int32_t *)b.vectors[4].data)[i], 20454 + id % 2);
            if (lake_is_null(&b.vectors[1], i)) {
                nulls++;
                continue;
            }
            char want[64];
            int len = snprintf(want, sizeof want, "a name of more than twelve %lld", (long long)id);
            const struct lake_string *name = (const struct lake_string *)b.vectors[1].data + i;
            assert_int_equal(name->length, len);
            assert_memory_equal(lake_string_text(name), want, (size_t)len);
        }
    }
    assert_int_equal(e.code, ERR_NONE);
    assert_int_equal(rows, 4000);
    assert_int_equal(nulls, 1);
    assert_int_equal(sum, 4000LL * 3999 / 2);
    lake_stream_close(s);
}

static void test_chosen_columns(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    const char *const names[] = {"part", "ID", NULL}, *const unknown[] = {"nope", NULL};
    struct lake_stream *s = lake_scan(lake, root(), 1, names, NULL, &e);
    assert_non_null(s);
    size_t n, rows = 0;
    const struct lake_column *c = lake_stream_columns(s, &n);
    assert_int_equal(n, 2);
    assert_string_equal(c[0].name, "part");
    assert_string_equal(c[1].name, "id");
    struct lake_batch b;
    while (lake_next(s, &b, NULL, &e) && b.rows)
        rows += b.rows;
    assert_int_equal(rows, 5000);
    lake_stream_close(s);
    assert_null(lake_scan(lake, root(), -1, unknown, NULL, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    err_init(&e);
    assert_null(lake_scan(lake, root(), 99, NULL, NULL, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void test_changes(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    struct lake_stream *s = lake_changes(lake, root(), 2, 3, &e);
    assert_non_null(s);
    size_t n, deletes = 0, pre = 0, post = 0;
    const struct lake_column *c = lake_stream_columns(s, &n);
    assert_int_equal(n, 8);
    assert_string_equal(c[5].name, "_change_type");
    assert_int_equal(c[7].type, DELTA_TIMESTAMP);
    struct lake_batch b;
    int64_t last = 0;
    while (lake_next(s, &b, NULL, &e) && b.rows)
        for (size_t i = 0; i < b.rows; i++) {
            const struct lake_string *type = (const struct lake_string *)b.vectors[5].data + i;
            int64_t version = ((const int64_t *)b.vectors[6].data)[i];
            assert_true(version >= last); /* in the order of versions */
            last = version;
            deletes += type->length == 6;
            pre += type->length == 15;
            post += type->length == 16;
        }
    assert_int_equal(e.code, ERR_NONE);
    assert_int_equal(deletes, 1000);
    assert_int_equal(pre, 1);
    assert_int_equal(post, 1);
    lake_stream_close(s);
    assert_null(lake_changes(lake, root(), 5, 9, &e));
}

/* Closing early, or never reading, is fine. */
static void test_early_close(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    struct lake_batch b;
    struct lake_stream *s = lake_scan(lake, root(), -1, NULL, NULL, &e), *unread = lake_scan(lake, root(), -1, NULL, NULL, &e);
    assert_true(lake_next(s, &b, NULL, &e));
    lake_stream_close(s);
    lake_stream_close(unread);
    lake_stream_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan), cmocka_unit_test(test_chosen_columns), cmocka_unit_test(test_changes),
        cmocka_unit_test(test_early_close),
    };
    return cmocka_run_group_tests(tests, make_table, lake_tear_down);
}
