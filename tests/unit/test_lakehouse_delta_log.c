/* Reading a Delta log: replay, the protocol gate, hostile commits, history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/time.h>

#include "delta_tables.h"

static void test_replay(void **state)
{
    (void)state;
    table_of(INFO("1000") P1 META("\"a\":\"b\"") ADD("one%20file") ADD("two"));
    put_commit(1, INFO("2000") ADD("three") REMOVE("one file") "{\"unknown\":{\"x\":1}}\n"
                  "{\"txn\":{\"appId\":\"app\",\"version\":4}}\n{\"txn\":{\"appId\":\"app\",\"version\":5}}\n");
    put_commit(2, "\n \r\n" INFO("3000") REMOVE("two") ADD("two") "{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"{}\",\"removed\":false}}\r\n"
                  "{\"domainMetadata\":{\"domain\":\"gone\",\"configuration\":\"x\"}}\n");
    put_commit(3, INFO("4000") META_OF("one", FIELD("id", "long") "," FIELD("v", "string"), "\"v\"", "\"c\":\"d\"")
                  "{\"domainMetadata\":{\"domain\":\"gone\",\"removed\":true}}"); /* no line feed at the end */
    struct delta_snapshot *s = open_table(-1);
    assert_int_equal(s->version, 3);
    assert_int_equal(s->timestamp, 4000);
    assert_int_equal(s->n_files, 2);
    assert_string_equal(s->files[0].uri, "three"); /* in the order of their commits */
    assert_string_equal(s->files[1].uri, "two");
    assert_int_equal(s->files[1].rows, 3);
    assert_int_equal(s->files[1].modification_time, 7);
    assert_int_equal(s->schema.count, 2);
    assert_int_equal(s->n_partition_columns, 1);
    assert_string_equal(s->partition_columns[0], "v");
    assert_string_equal(delta_property(s, "c"), "d");
    assert_null(delta_property(s, "a")); /* the newest metaData counts as a whole */
    assert_string_equal(s->id, "one");
    assert_int_equal(s->created_time, 5);
    assert_int_equal(jx_get_int(s->transactions, "app", 0), 5);
    assert_int_equal(json_object_size(s->domains), 1);
    delta_close(s);
    s = open_table(0);
    assert_int_equal(s->n_files, 2);
    assert_string_equal(strrchr(s->files[0].path, '/'), "/one file");
    delta_close(s);
    struct err e;
    err_init(&e);
    assert_int_equal(delta_newest(delta_root, &e), 3);
    refused(4, ERR_NOT_FOUND, "no version 4; its newest is 3");
    refused(-2, ERR_NOT_FOUND, "no version -2");
}

static void test_vectors(void **state)
{
    (void)state;
#define DV(id, offset) "\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"" id "\",\"offset\":" offset ",\"sizeInBytes\":4,\"cardinality\":1}"
    table_of(INFO("1") P3("\"deletionVectors\"", "\"deletionVectors\"") META("") ADD("a") ADD("b"));
    put_commit(1, INFO("2") "{\"add\":{\"path\":\"a\",\"dataChange\":true," DV("x", "1") "}}\n" REMOVE("a"));
    put_commit(2, INFO("3") "{\"remove\":{\"path\":\"a\",\"dataChange\":true," DV("x", "1") "}}\n{\"add\":{\"path\":\"a\"," DV("x", "9") "}}\n");
    for (int64_t v = 1; v < 3; v++) {
        struct delta_snapshot *s = open_table(v);
        assert_int_equal(s->n_files, 2);
        assert_string_equal(s->files[1].uri, "a");
        assert_int_equal(jx_get_int(s->files[1].deletion_vector, "offset", 0), v == 1 ? 1 : 9);
        assert_null(s->files[0].deletion_vector);
        delta_close(s);
    }
}

static void test_missing(void **state)
{
    (void)state;
    struct err e;
    new_table();
    refused(-1, ERR_NOT_FOUND, "no Delta table");
    put_file("_delta_log/readme", "x");
    refused(-1, ERR_NOT_FOUND, "no Delta table");
    err_init(&e);
    assert_int_equal(delta_newest(delta_root, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    put_commit(0, INFO("1") P1 META(""));
    put_commit(2, INFO("3") ADD("x"));
    refused(-1, ERR_INVALID_STATE, "version 1 is missing");
    struct delta_snapshot *s = open_table(0);
    delta_close(s);
    put_file("_delta_log/.00000000000000000003.json.x.tmp", "half");
    put_file("_delta_log/00000000000000000001.json.tmp", "half");
    put_file("_delta_log/0000000000000000001.json", "19 digits");
    put_file("_delta_log/99999999999999999999.json", "more than fits");
    err_init(&e);
    assert_int_equal(delta_newest(delta_root, &e), 2);
    table_of(INFO("1") P1);
    refused(-1, ERR_MALFORMED, "no metaData action");
    table_of(INFO("1") META(""));
    refused(-1, ERR_MALFORMED, "no protocol action");
}

static void test_gate(void **state)
{
    (void)state;
    static const struct { const char *log, *text; } rows[] = {
        {P3("\"catalogManaged\"", "\"catalogManaged\"") META(""), "does not read: catalogManaged"},
        {P3("\"typeWidening\",\"deletionVectors\",\"variantType\"", "") META(""), "does not read: typeWidening, variantType"},
        {P3("7", "") META(""), "(no text)"},
        {"{\"protocol\":{\"minReaderVersion\":4,\"minWriterVersion\":7}}\n" META(""), "reader version 4"},
        {"{\"protocol\":{\"minReaderVersion\":2,\"minWriterVersion\":5}}\n" META("\"delta.columnMapping.mode\":\"id\""), "columnMapping (mode id)"},
        {P3("\"columnMapping\"", "\"columnMapping\"") META("\"delta.columnMapping.mode\":\"strange\""), "columnMapping (mode strange)"},
        {P1 META_OF("x", FIELD("a", "variant"), "", ""), "column 'a': has the type 'variant'"},
        {P1 META_OF("x", FIELD("a", "geometry(4326)"), "", ""), "'geometry(4326)'"},
        {P3("\"columnMapping\"", "\"columnMapping\"") META_OF("x", "{\\\"name\\\":\\\"a\\\",\\\"type\\\":{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}}", "",
         "\"delta.columnMapping.mode\":\"name\""), "columnMapping (with nested columns)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        table_of(rows[i].log);
        refused(-1, ERR_NOT_IMPLEMENTED, rows[i].text);
    }
    static const char *const fine[] = {
        P3("\"deletionVectors\",\"timestampNtz\",\"v2Checkpoint\",\"vacuumProtocolCheck\"", "\"anything\"") META(""),
        P3("\"columnMapping\"", "\"columnMapping\"") META("\"delta.columnMapping.mode\":\"name\""),
        "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"unknownToUs\"]}}\n" META(""),
        "{\"protocol\":{\"minReaderVersion\":2,\"minWriterVersion\":5}}\n" META(""),
    };
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        table_of(fine[i]);
        delta_close(open_table(-1));
    }
}

static void test_hostile(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "", "\n\n", "x", "[]", "1", "{", "{\"add\":1}", "{\"add\":[]}", "{\"add\":{}}", "{\"add\":{\"path\":7}}", "{\"add\":{\"path\":\"../x\"}}",
        "{\"add\":{\"path\":\"/etc/passwd\"}}", "{\"add\":{\"path\":\"a\"}}{\"add\":{\"path\":\"b\"}}", "{\"add\":{\"path\":\"a\",\"path\":\"b\"}}",
        "{\"add\":{\"path\":\"\\u0000\"}}", "{\"add\":{\"path\":\"\xff\"}}", "{\"remove\":{}}", "{\"txn\":{}}", "{\"txn\":{\"appId\":\"a\"}}",
        "{\"domainMetadata\":{}}", "{\"protocol\":{}}", "{\"protocol\":{\"minReaderVersion\":\"x\"}}", "{\"protocol\":{\"minReaderVersion\":3}}",
        "{\"metaData\":{}}", "{\"metaData\":{\"schemaString\":\"\"}}", "{\"metaData\":{\"schemaString\":\"{}\"}}",
        "{\"metaData\":{\"schemaString\":\"{\\\"fields\\\":[]}\",\"partitionColumns\":[\"x\"]}}",
        "{\"metaData\":{\"schemaString\":\"{\\\"fields\\\":[]}\",\"partitionColumns\":[7]}}", "{\"add\":{\"path\":\"a\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct err e;
        err_init(&e);
        table_of(INFO("1") P1 META("") ADD("fine"));
        put_commit(1, bodies[i]);
        struct delta_snapshot *s = delta_open(delta_root, -1, &e);
        if (s || e.code == ERR_NONE || e.code == ERR_INTERNAL)
            fail_msg("taken: %s", bodies[i]);
        delta_close(open_table(0)); /* what was there before is not lost */
    }
    table_of(INFO("1") P1 META("") "{\"add\":\nnull}\n");
    refused(-1, ERR_MALFORMED, "line 4");
}

static void test_tolerated(void **state)
{
    (void)state;
    table_of(INFO("1") P1 META("") "{\"add\":{\"path\":\"a\",\"size\":\"12\",\"stats\":\"{\\\"numRecords\\\":5,\\\"maxValues\\\":{\\\"d\\\":99999999999999999999999}}\","
             "\"partitionValues\":null,\"deletionVector\":null}}\n{\"add\":{\"path\":\"b\",\"stats\":\"not JSON\"}}\n"
             "{\"add\":{\"path\":\"c\",\"stats\":\"{\\\"numRecords\\\":-4}\"},\"remove\":null}\n{\"\\u0061dd\":{\"path\":\"d\"}}\n");
    struct delta_snapshot *s = open_table(-1);
    assert_int_equal(s->n_files, 4);
    assert_int_equal(s->files[0].size, 12);
    assert_int_equal(s->files[0].rows, 5);
    assert_null(s->files[0].deletion_vector);
    assert_non_null(s->files[0].partition_values);
    assert_int_equal(s->files[1].rows, -1);
    assert_string_equal(s->files[1].stats, "not JSON");
    assert_int_equal(s->files[2].rows, -1);
    delta_close(s);
}

static void test_deep(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, INFO("1") P1 META("") "{\"unknown\":");
    buf_fill(&b, '[', 100000);
    table_of(buf_str(&b));
    refused(-1, ERR_MALFORMED, "line 4");
    buf_release(&b);
}

static void test_history(void **state)
{
    (void)state;
    struct err e;
    int64_t version = -1;
    err_init(&e);
    table_of("{\"commitInfo\":{\"inCommitTimestamp\":1000,\"operation\":\"CREATE TABLE\",\"operationParameters\":{\"a\":\"b\"},\"userName\":\"u\"}}\n" P1 META(""));
    put_commit(1, ADD("x")); /* no commitInfo: the file's time */
    char *path = delta_path_commit(delta_root, 1);
    struct timeval times[2] = {{2, 500000}, {2, 500000}};
    assert_int_equal(utimes(path, times), 0);
    free(path);
    put_commit(2, INFO("3000") ADD("y"));
    json_t *h = delta_history(delta_root, 0, &e);
    assert_int_equal(json_array_size(h), 3);
    const json_t *first = json_array_get(h, 2), *second = json_array_get(h, 1);
    assert_int_equal(jx_get_int(json_array_get(h, 0), "version", -1), 2);
    assert_string_equal(jx_get_str(first, "operation", ""), "CREATE TABLE");
    assert_string_equal(jx_get_str(first, "userName", ""), "u");
    assert_string_equal(jx_get_str(json_object_get(first, "operationParameters"), "a", ""), "b");
    assert_int_equal(jx_get_int(second, "timestamp", -1), 2500);
    assert_true(json_is_null(json_object_get(second, "operation")));
    json_decref(h);
    h = delta_history(delta_root, 2, &e);
    assert_int_equal(json_array_size(h), 2);
    json_decref(h);
    static const struct { int64_t ms, version; } moments[] = {{1000, 0}, {2499, 0}, {2500, 1}, {2999, 1}, {3000, 2}, {99999, 2}};
    for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
        assert_true(delta_version_at(delta_root, moments[i].ms, &version, &e));
        assert_int_equal(version, moments[i].version);
    }
    assert_false(delta_version_at(delta_root, 999, &version, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    err_init(&e);
    new_table();
    assert_null(delta_history(delta_root, 0, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void test_checkpoint_names(void **state)
{
    (void)state;
    struct err e;
    struct delta_list l;
    err_init(&e);
    table_of(INFO("1") P1 META("") ADD("x"));
    put_commit(1, INFO("2") ADD("y"));
    put_file("_delta_log/00000000000000000001.checkpoint.parquet", "PAR1");
    put_file("_delta_log/_last_checkpoint", "broken");
    struct delta_snapshot *s = open_table(-1); /* the commits are all there */
    assert_int_equal(s->n_files, 2);
    delta_close(s);
    put_file("_delta_log/00000000000000000003.checkpoint.0000000002.0000000002.parquet", "");
    put_file("_delta_log/00000000000000000003.checkpoint.0000000001.0000000002.parquet", "");
    put_file("_delta_log/00000000000000000003.checkpoint.0000000003.0000000002.parquet", "");
    put_file("_delta_log/00000000000000000003.checkpoint.0000000000.0000000002.parquet", "");
    put_file("_delta_log/00000000000000000004.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", "");
    put_file("_delta_log/00000000000000000004.checkpoint.80a083e8-7026-4e79-81be.json", "");
    put_file("_delta_log/00000000000000000004.checkpoint.", "");
    assert_true(delta_list_load(delta_root, &l, &e));
    assert_int_equal(l.n_commits, 2);
    assert_int_equal(l.n_checkpoints, 4);
    assert_int_equal(delta_list_newest(&l), 4);
    assert_int_equal(l.checkpoints[1].part, 1);
    assert_int_equal(l.checkpoints[2].part, 2);
    assert_true(l.checkpoints[3].json);
    delta_list_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay), cmocka_unit_test(test_vectors), cmocka_unit_test(test_missing), cmocka_unit_test(test_gate),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_tolerated), cmocka_unit_test(test_deep),
        cmocka_unit_test(test_history), cmocka_unit_test(test_checkpoint_names),
    };
    return cmocka_run_group_tests_name("lakehouse_delta_log", tests, delta_set_up, delta_tear_down);
}
