/*
 * When a checkpoint is read, when it is not, and when one is written. The reader here takes JSON lines for Parquet: what the engine makes of
 * real Parquet is tested in tests/lakehouse/test_delta_checkpoints.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delta_tables.h"

static int reads, writes;
static bool broken; /* the next writes fail */

static bool read_lines(void *self, const char *path, const char *const *columns,
                       bool (*row)(void *, const char *, size_t, struct err *), void *arg, struct err *e)
{
    struct buf b;
    (void)self;
    assert_non_null(columns[0]);
    reads++;
    buf_init(&b, 1 << 22);
    bool ok = fs_read(path, &b, e);
    for (const char *p = buf_str(&b), *end; ok && *p; p = end + 1) {
        end = strchr(p, '\n');
        ok = row(arg, p, (size_t)(end - p), e);
    }
    buf_release(&b);
    return ok;
}

static bool write_lines(void *self, const char *lines, const char *const (*columns)[2], const char *path, struct err *e)
{
    struct buf b;
    (void)self;
    assert_string_equal(columns[0][0], "txn");
    writes++;
    buf_init(&b, 1 << 22);
    bool ok = !broken || err_set(e, ERR_IO, "broken on purpose");
    ok = ok && fs_read(lines, &b, e) && fs_write_atomic(path, buf_str(&b), b.len, 0644, e);
    buf_release(&b);
    return ok;
}

static const struct delta_parquet lines_for_parquet = {NULL, read_lines, write_lines};

static void put_checkpoint(const char *rest, const char *lines)
{
    char name[128];
    snprintf(name, sizeof name, "_delta_log/%s", rest);
    put_file(name, lines);
}

static void drop_commit(int64_t version)
{
    char *path = delta_path_commit(delta_root, version);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static void has_files(int64_t version, size_t n, int want_reads)
{
    reads = 0;
    struct delta_snapshot *s = open_table(version);
    assert_int_equal(s->n_files, n);
    assert_int_equal(reads, want_reads);
    delta_close(s);
}

#define AT(version) "0000000000000000000" version ".checkpoint."
#define NULLS "\"txn\":null,\"remove\":null"

static void test_read(void **state)
{
    (void)state;
    delta_use_parquet(&lines_for_parquet);
    table_of(INFO("1") P1 META("") ADD("a"));
    put_commit(1, INFO("2") ADD("b"));
    put_commit(2, INFO("3") REMOVE("a"));
    put_checkpoint(AT("1") "parquet", P1 META("") "{\"add\":{\"path\":\"a\",\"dataChange\":false}," NULLS "}\n{\"add\":{\"path\":\"b\"}," NULLS "}\n");
    has_files(2, 1, 0); /* it would save two commits: not worth it */
    drop_commit(0);
    has_files(2, 1, 1);
    has_files(1, 2, 1);
    struct delta_snapshot *s = open_table(1);
    assert_int_equal(s->timestamp, 2); /* from the commit of the checkpoint */
    assert_true(s->files[0].data_change);
    delta_close(s);
    refused(0, ERR_INVALID_STATE, "version 0 is missing");
    put_checkpoint(AT("2") "parquet", "{\"add\":7}\n");
    has_files(2, 1, 2); /* broken: the older one and the commits do */
    drop_commit(2);
    refused(2, ERR_MALFORMED, "checkpoint.parquet");
    put_checkpoint(AT("2") "0000000001.0000000002.parquet", P1 META(""));
    put_checkpoint(AT("2") "0000000002.0000000002.parquet", "{\"add\":{\"path\":\"c\"}}\n");
    has_files(2, 1, 2); /* in parts; its time is its file's */
    delta_use_parquet(NULL);
    refused(2, ERR_NOT_IMPLEMENTED, "begins with a checkpoint (version 1)");
}

static void test_json(void **state)
{
    (void)state;
    static const char rest[] = AT("3") "80a083e8-7026-4e79-81be-64bd76c43a11.json";
    delta_use_parquet(NULL);
    new_table();
    put_checkpoint(rest, P1 META("") ADD("x") "{\"checkpointMetadata\":{\"version\":3}}\n");
    put_commit(4, INFO("5") ADD("y"));
    has_files(4, 2, 0);
    has_files(3, 1, 0);
    put_checkpoint(rest, P1 META("") "{\"sidecar\":{\"path\":\"s.parquet\"}}\n");
    refused(4, ERR_NOT_IMPLEMENTED, "only the lakehouse engine reads");
    delta_use_parquet(&lines_for_parquet);
    put_checkpoint("_sidecars/s.parquet", ADD("x") ADD("z"));
    has_files(4, 3, 1);
    static const char *const hostile[] = {"../x", "/etc/passwd", "", ".", "..", "a/b"};
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        char *lines = xasprintf(P1 META("") "{\"sidecar\":{\"path\":\"%s\"}}\n", hostile[i]);
        put_checkpoint(rest, lines);
        refused(4, ERR_NOT_IMPLEMENTED, "not in _sidecars");
        free(lines);
    }
    put_checkpoint(rest, P1 META("") "{\"sidecar\":{\"path\":\"%2e%2e%2Fx\"}}\n");
    refused(4, ERR_NOT_IMPLEMENTED, "outside");
    delta_use_parquet(NULL);
}

static void grow(int64_t from, int64_t to)
{
    for (int64_t v = from; v < to; v++) {
        struct delta_commit *c = delta_commit_new(delta_root, v, "WRITE");
        struct err e;
        err_init(&e);
        if (!delta_commit_publish(c, NULL, &e))
            fail_msg("%s", e.text);
        delta_commit_free(c);
    }
}

static bool has_entry(const char *name)
{
    char *path = xasprintf("%s/_delta_log/%s", delta_root, name);
    bool there = fs_exists(path);
    free(path);
    return there;
}

static void test_write(void **state)
{
    (void)state;
    delta_use_parquet(&lines_for_parquet);
    writes = 0;
    table_of(INFO("1") P1 META("") ADD("a") ADD("gone") "{\"txn\":{\"appId\":\"app\",\"version\":3}}\n"
             "{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"{}\"}}\n");
    put_commit(1, INFO("2") REMOVE("gone")); /* deleted in 1970: no reader needs it any more */
    put_checkpoint(".00000000000000000003.checkpoint.01234567-89ab-cdef-0123-456789abcdef.tmp", "of a writer that crashed");
    grow(1, 9);
    assert_int_equal(writes, 0);
    grow(9, 11);
    assert_int_equal(writes, 1);
    assert_true(has_entry("00000000000000000010.checkpoint.parquet"));
    assert_int_equal(log_entries(), 12 + 2); /* the commits, the checkpoint, the hint to it; nothing half-written */
    for (int64_t v = 0; v <= 10; v++)
        drop_commit(v);
    struct delta_snapshot *s = open_table(11);
    assert_int_equal(s->n_files, 1);
    assert_string_equal(s->files[0].uri, "a");
    assert_int_equal(jx_get_int(s->transactions, "app", 0), 3);
    assert_string_equal(jx_get_str(s->domains, "d", ""), "{}");
    delta_close(s);
    broken = true;
    grow(11, 20); /* a checkpoint that cannot be written costs no commit */
    broken = false;
    assert_int_equal(writes, 2);
    assert_false(has_entry("00000000000000000020.checkpoint.parquet"));
    grow(20, 21);
    has_files(21, 1, 1);
    delta_use_parquet(NULL);
}

static void test_interval(void **state)
{
    (void)state;
    static const struct { const char *properties; int writes; } rows[] = {
        {"\"delta.checkpointInterval\":\"2\"", 2}, {"\"delta.checkpointInterval\":\"0\"", 0},
        {"\"delta.checkpointInterval\":\"2\",\"delta.checkpointPolicy\":\"v2\"", 0}};
    delta_use_parquet(&lines_for_parquet);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *log = xasprintf(INFO("1") P1 "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"{\\\"fields\\\":[]}\",\"configuration\":{%s}}}\n",
                              rows[i].properties);
        table_of(log);
        free(log);
        writes = 0;
        grow(0, 5);
        assert_int_equal(writes, rows[i].writes);
    }
    delta_use_parquet(NULL);
}

static void test_gain(void **state)
{
    (void)state;
    delta_use_parquet(&lines_for_parquet);
    table_of(INFO("1") P1 META(""));
    for (int64_t v = 1; v < 80; v++)
        put_commit(v, INFO("2"));
    put_checkpoint("00000000000000000070.checkpoint.parquet", P1 META("") ADD("only here"));
    has_files(79, 1, 1); /* saves 70 commits */
    delta_use_parquet(NULL);
    has_files(79, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read), cmocka_unit_test(test_json), cmocka_unit_test(test_write), cmocka_unit_test(test_interval),
        cmocka_unit_test(test_gain),
    };
    return cmocka_run_group_tests_name("lakehouse_delta_checkpoint", tests, delta_set_up, delta_tear_down);
}
