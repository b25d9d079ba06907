/* Writing a Delta log: what a commit says, what it refuses, and that of two writers one wins and nothing half-written is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "delta_tables.h"

static struct delta_schema plain_schema(const char *type)
{
    struct delta_schema s = {0};
    struct err e;
    err_init(&e);
    assert_true(delta_schema_add(&s, "id", "BIGINT", false, "key", &e) && delta_schema_add(&s, "v", type, true, NULL, &e));
    return s;
}

static struct delta_commit *creation(const char *type, const char *properties)
{
    struct delta_schema s = plain_schema(type);
    struct delta_commit *c = delta_commit_new(delta_root, -1, "CREATE TABLE");
    json_t *conf = json_loads(properties, 0, NULL);
    delta_commit_metadata(c, NULL, "t", "about t", &s, NULL, 0, conf);
    delta_schema_release(&s);
    json_decref(conf);
    return c;
}

static void publishes(struct delta_commit *c, int64_t want)
{
    struct err e;
    int64_t version = -7;
    err_init(&e);
    if (!delta_commit_publish(c, &version, &e))
        fail_msg("%s: %s", err_info(e.code)->symbol, e.text);
    assert_int_equal(version, want);
    delta_commit_free(c);
}

static void fails(struct delta_commit *c, enum err_code code, const char *text)
{
    struct err e;
    int64_t version = -7;
    int before = log_entries();
    err_init(&e);
    bool ok = delta_commit_publish(c, &version, &e);
    if (ok || e.code != code || !strstr(e.text, text))
        fail_msg("%s: %s", err_info(e.code)->symbol, e.text);
    assert_int_equal(version, -7);
    assert_int_equal(log_entries(), before); /* nothing is left, half-written or whole */
    delta_commit_free(c);
}

static void create(const char *properties) { publishes(creation("STRING", properties), 0); }

/* A data file below the root that is there. */
static struct delta_file data_file(const char *name)
{
    static char paths[8][512];
    static int turn;
    char *path = paths[turn++ % 8];
    put_file(name, "data");
    snprintf(path, sizeof paths[0], "%s/%s", delta_root, name);
    return (struct delta_file){.path = path, .rows = 2, .data_change = true};
}

static struct delta_commit *adding(int64_t read_version, const char *name)
{
    struct delta_file f = data_file(name);
    struct delta_commit *c = delta_commit_new(delta_root, read_version, "WRITE");
    delta_commit_add(c, &f);
    return c;
}

static char *commit_text(int64_t version)
{
    struct buf b;
    struct err e;
    err_init(&e);
    buf_init(&b, 1 << 20);
    char *path = delta_path_commit(delta_root, version);
    assert_true(fs_read(path, &b, &e));
    free(path);
    return buf_detach(&b);
}

static void test_create(void **state)
{
    (void)state;
    char key[37];
    new_table();
    struct delta_commit *c = creation("STRING", "{" FEED ",\"mine\":\"x\"}");
    delta_commit_user(c, "learner@example.com");
    delta_commit_parameter(c, "isManaged", "true");
    publishes(c, 0);
    char *text = commit_text(0);
    assert_ptr_equal(strstr(text, "{\"commitInfo\":{\"inCommitTimestamp\":"), text); /* the first line */
    assert_non_null(strstr(text, "\"writerFeatures\":[\"appendOnly\",\"invariants\",\"changeDataFeed\",\"inCommitTimestamp\"]"));
    assert_non_null(strstr(text, "\"minReaderVersion\":1,\"minWriterVersion\":7"));
    assert_null(strstr(text, "readerFeatures"));
    free(text);
    struct delta_snapshot *s = open_table(-1);
    assert_string_equal(s->name, "t");
    assert_string_equal(s->description, "about t");
    assert_int_equal(strlen(s->id), sizeof key - 1);
    assert_string_equal(delta_property(s, "mine"), "x");
    assert_string_equal(delta_property(s, "delta.enableInCommitTimestamps"), "true");
    assert_int_equal(s->timestamp, s->created_time);
    assert_int_equal(s->schema.count, 2);
    assert_false(s->schema.columns[0].nullable);
    delta_close(s);
    struct err e;
    err_init(&e);
    json_t *h = delta_history(delta_root, 0, &e);
    assert_string_equal(jx_get_str(json_array_get(h, 0), "userName", ""), "learner@example.com");
    json_decref(h);
    new_table();
    fails(delta_commit_new(delta_root, -1, "CREATE TABLE"), ERR_INVALID_PARAMETER, "needs a schema");
    create("{}");
    s = open_table(-1);
    assert_int_equal(json_array_size(s->writer_features), 3); /* no feed */
    delta_close(s);
    fails(creation("STRING", "{}"), ERR_CONFLICT, "version 0");
}

static void test_ntz(void **state)
{
    (void)state;
    static const char *const types[] = {"TIMESTAMP_NTZ", "ARRAY<TIMESTAMP_NTZ>", "STRUCT<a: MAP<STRING, TIMESTAMP_NTZ>>"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        new_table();
        publishes(creation(types[i], "{}"), 0);
        struct delta_snapshot *s = open_table(-1);
        assert_int_equal(s->min_reader, 3);
        assert_string_equal(json_string_value(json_array_get(s->reader_features, 0)), "timestampNtz");
        assert_int_equal(json_array_size(s->writer_features), 4);
        delta_close(s);
    }
}

static void test_files(void **state)
{
    (void)state;
    new_table();
    create("{" FEED "}");
    struct delta_commit *c = adding(0, "p q/a%20b.parquet");
    delta_commit_blind_append(c);
    delta_commit_metric(c, "numFiles", 1);
    publishes(c, 1);
    struct delta_snapshot *s = open_table(-1);
    assert_int_equal(s->n_files, 1);
    assert_string_equal(s->files[0].uri, "p%20q/a%2520b.parquet");
    assert_int_equal(s->files[0].size, 4);
    assert_int_equal(s->files[0].rows, 2);
    assert_true(s->files[0].modification_time > 0);
    struct delta_file cdc = data_file("_change_data/c.parquet");
    c = adding(1, "b.parquet");
    delta_commit_remove(c, &s->files[0]);
    delta_commit_cdc(c, &cdc);
    publishes(c, 2);
    delta_close(s);
    s = open_table(-1);
    assert_int_equal(s->n_files, 1);
    assert_string_equal(s->files[0].uri, "b.parquet");
    delta_close(s);
    char *one = commit_text(1), *two = commit_text(2);
    assert_non_null(strstr(one, "\"isBlindAppend\":true"));
    assert_non_null(strstr(one, "\"operationMetrics\":{\"numFiles\":\"1\"}"));
    assert_non_null(strstr(two, "{\"remove\":{\"path\":\"p%20q/a%2520b.parquet\""));
    assert_non_null(strstr(two, "{\"cdc\":{\"path\":\"_change_data/c.parquet\""));
    assert_non_null(strstr(two, "\"isBlindAppend\":false"));
    free(one);
    free(two);
}

static struct delta_commit *with_file(struct delta_file f, void (*fn)(struct delta_commit *, const struct delta_file *))
{
    struct delta_commit *c = delta_commit_new(delta_root, 0, "WRITE");
    fn(c, &f);
    return c;
}

static void test_wrong_files(void **state)
{
    (void)state;
    new_table();
    create("{}");
    struct delta_file f = data_file("a.parquet"), g = f;
    g.path = (char *)(uintptr_t)"/tmp/elsewhere";
    fails(with_file(g, delta_commit_add), ERR_INVALID_PARAMETER, "not below the table's folder");
    g.path = NULL;
    fails(with_file(g, delta_commit_add), ERR_INVALID_PARAMETER, "no path");
    g = f;
    g.size = 5;
    fails(with_file(g, delta_commit_add), ERR_INVALID_PARAMETER, "has 4 bytes, not 5");
    g = f;
    g.stats = (char *)(uintptr_t)"[1]";
    fails(with_file(g, delta_commit_add), ERR_INVALID_PARAMETER, "statistics");
    g = f;
    g.partition_values = json_pack("{ss}", "id", "1");
    fails(with_file(g, delta_commit_add), ERR_INVALID_PARAMETER, "do not partition");
    json_decref(g.partition_values);
    fails(with_file(f, delta_commit_cdc), ERR_INVALID_PARAMETER, "_change_data/");
    fails(with_file(data_file("_change_data/x"), delta_commit_add), ERR_INVALID_PARAMETER, "_change_data/");
    fails(with_file(data_file("_other/x"), delta_commit_add), ERR_INVALID_PARAMETER, "_change_data/");
    g = data_file("gone.parquet");
    unlink(g.path);
    fails(with_file(g, delta_commit_add), ERR_IO, "gone.parquet");
    put_file("empty.parquet", "");
    g = f;
    g.path = xasprintf("%s/empty.parquet", delta_root);
    fails(with_file(g, delta_commit_add), ERR_INVALID_PARAMETER, "is empty");
    free(g.path);
    g = f;
    g.uri = NULL;
    fails(with_file(g, delta_commit_remove), ERR_INVALID_PARAMETER, "does not have");
}

static void test_partitions(void **state)
{
    (void)state;
    struct delta_schema s = plain_schema("STRING");
    char *columns[] = {(char *)(uintptr_t)"id"};
    new_table();
    struct delta_commit *c = delta_commit_new(delta_root, -1, "CREATE TABLE");
    delta_commit_metadata(c, "my-id", NULL, NULL, &s, columns, 1, NULL);
    publishes(c, 0);
    fails(adding(0, "id=1/a"), ERR_INVALID_PARAMETER, "no value of partition column 'id'");
    struct delta_file f = data_file("id=1/a");
    f.partition_values = json_pack("{si}", "id", 1);
    fails(with_file(f, delta_commit_add), ERR_INVALID_PARAMETER, "is no text");
    json_decref(f.partition_values);
    f.partition_values = json_pack("{ss}", "id", "1");
    publishes(with_file(f, delta_commit_add), 1);
    json_decref(f.partition_values);
    struct delta_snapshot *t = open_table(-1);
    assert_string_equal(t->id, "my-id");
    assert_string_equal(jx_get_str(t->files[0].partition_values, "id", ""), "1");
    c = delta_commit_new(delta_root, 1, "REPLACE");
    delta_commit_metadata(c, NULL, NULL, NULL, &s, NULL, 0, NULL);
    fails(c, ERR_INVALID_PARAMETER, "only when all its rows are replaced");
    c = delta_commit_new(delta_root, 1, "REPLACE");
    delta_commit_metadata(c, NULL, NULL, NULL, &s, NULL, 0, NULL);
    delta_commit_remove(c, &t->files[0]);
    publishes(c, 2);
    delta_close(t);
    t = open_table(-1);
    assert_int_equal(t->n_partition_columns + t->n_files, 0);
    assert_string_equal(t->id, "my-id"); /* still the same table */
    delta_close(t);
    delta_schema_release(&s);
}

static void test_properties(void **state)
{
    (void)state;
    static const struct { const char *json; enum err_code code; const char *text; } rows[] = {
        {"{\"delta.enableDeletionVectors\":\"true\"}", ERR_NOT_IMPLEMENTED, "delta.enableDeletionVectors"},
        {"{\"delta.columnMapping.mode\":\"name\"}", ERR_NOT_IMPLEMENTED, "delta.columnMapping.mode"},
        {"{\"delta.enableChangeDataFeed\":\"yes\"}", ERR_INVALID_PARAMETER, "is true or false"},
        {"{\"delta.enableChangeDataFeed\":true}", ERR_INVALID_PARAMETER, "no text"},
        {"{\"delta.somethingNew\":\"1\"}", ERR_NOT_IMPLEMENTED, "delta.somethingNew"},
        {"{\"delta.feature.rowTracking\":\"supported\"}", ERR_NOT_IMPLEMENTED, "delta.feature.rowTracking"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        new_table();
        fails(creation("STRING", rows[i].json), rows[i].code, rows[i].text);
    }
    new_table();
    table_of(P1 META("\"delta.somethingOld\":\"1\"")); /* what is there already may stay */
    struct delta_schema s = plain_schema("STRING");
    struct delta_commit *c = delta_commit_new(delta_root, 0, "SET TBLPROPERTIES");
    json_t *conf = json_pack("{ss}", "delta.somethingOld", "1");
    delta_commit_metadata(c, NULL, NULL, NULL, &s, NULL, 0, conf);
    publishes(c, 1);
    json_decref(conf);
    delta_schema_release(&s);
    new_table();
    create("{\"delta.enableChangeDataFeed\":\"FALSE\",\"delta.autoOptimize.optimizeWrite\":\"true\",\"delta.columnMapping.mode\":\"none\"}");
    struct delta_snapshot *t = open_table(0);
    assert_string_equal(delta_property(t, "delta.enableChangeDataFeed"), "false"); /* one spelling */
    delta_close(t);
}

static void test_append_only(void **state)
{
    (void)state;
    new_table();
    create("{\"delta.appendOnly\":\"true\"}");
    publishes(adding(0, "a"), 1);
    struct delta_snapshot *s = open_table(-1);
    struct delta_commit *c = delta_commit_new(delta_root, 1, "DELETE");
    delta_commit_remove(c, &s->files[0]);
    fails(c, ERR_INVALID_STATE, "delta.appendOnly");
    s->files[0].data_change = false; /* rows that are moved stay */
    struct delta_file f = data_file("b");
    f.data_change = false;
    c = delta_commit_new(delta_root, 1, "OPTIMIZE");
    delta_commit_remove(c, &s->files[0]);
    delta_commit_add(c, &f);
    publishes(c, 2);
    delta_close(s);
}

static void test_foreign_tables(void **state)
{
    (void)state;
#define COLUMN_WITH(metadata) META_OF("x", "{\\\"name\\\":\\\"a\\\",\\\"type\\\":\\\"long\\\",\\\"metadata\\\":{\\\"" metadata "\\\":\\\"x\\\"}}", "", "")
#define W(version) "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":" version "}}\n"
#define F(features) "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[" features "]}}\n"
    static const struct { const char *log, *text; } rows[] = {
        {W("2") META(""), NULL},
        {W("2") COLUMN_WITH("delta.invariants"), "does not write: invariants"},
        {W("4") META(""), NULL},
        {W("3") META("\"delta.constraints.c\":\"id > 0\""), "checkConstraints"},
        {W("4") COLUMN_WITH("delta.generationExpression"), "generatedColumns"},
        {W("6") META(""), NULL},
        {W("6") COLUMN_WITH("delta.identity.start"), "identityColumns"},
        {W("5") META("\"delta.columnMapping.mode\":\"name\""), "columnMapping"},
        {W("8") META(""), "writer version 8"},
        {F("\"rowTracking\",\"appendOnly\",\"clustering\"") META(""), "does not write: rowTracking, clustering"},
        {F("\"allowColumnDefaults\"") META(""), NULL},
        {F("\"allowColumnDefaults\"") COLUMN_WITH("CURRENT_DEFAULT"), "allowColumnDefaults"},
        {W("2") COLUMN_WITH("__CHAR_VARCHAR_TYPE_STRING"), "CHAR or VARCHAR"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        table_of(rows[i].log);
        if (rows[i].text)
            fails(adding(0, "a"), ERR_NOT_IMPLEMENTED, rows[i].text);
        else
            publishes(adding(0, "a"), 1);
    }
}

/* Switching the feed on in a table of legacy versions lists what those versions stood for. */
static void test_upgrade(void **state)
{
    (void)state;
    table_of(P1 META(""));
    struct delta_schema s = plain_schema("STRING");
    struct delta_commit *c = delta_commit_new(delta_root, 0, "SET TBLPROPERTIES");
    json_t *conf = json_pack("{ss ss}", "delta.enableChangeDataFeed", "true", "delta.enableInCommitTimestamps", "true");
    delta_commit_metadata(c, NULL, NULL, NULL, &s, NULL, 0, conf);
    publishes(c, 1);
    char *text = commit_text(1);
    assert_non_null(strstr(text, "\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"appendOnly\",\"invariants\","
                                 "\"changeDataFeed\",\"inCommitTimestamp\"]"));
    assert_non_null(strstr(text, "\"delta.inCommitTimestampEnablementVersion\":\"1\""));
    free(text);
    c = delta_commit_new(delta_root, 1, "SET TBLPROPERTIES");
    json_object_set_new(conf, "x", json_string("y"));
    delta_commit_metadata(c, NULL, NULL, NULL, &s, NULL, 0, conf);
    publishes(c, 2);
    text = commit_text(2);
    assert_null(strstr(text, "\"protocol\"")); /* nothing new is needed */
    free(text);
    json_object_clear(conf);
    json_object_set_new(conf, "only", json_string("this"));
    c = delta_commit_new(delta_root, 2, "REPLACE TABLE");
    delta_commit_metadata(c, NULL, NULL, NULL, &s, NULL, 0, conf);
    publishes(c, 3);
    struct delta_snapshot *t = open_table(3); /* in-commit timestamps stay on, from where they were */
    assert_string_equal(delta_property(t, "delta.enableInCommitTimestamps"), "true");
    assert_string_equal(delta_property(t, "delta.inCommitTimestampEnablementVersion"), "1");
    assert_int_equal(json_object_size(t->configuration), 4);
    delta_close(t);
    json_decref(conf);
    delta_schema_release(&s);
}

static void test_conflict(void **state)
{
    (void)state;
    new_table();
    create("{}");
    struct delta_commit *a = adding(0, "a"), *b = adding(0, "b");
    publishes(a, 1);
    fails(b, ERR_CONFLICT, "version 1");
    fails(adding(7, "c"), ERR_NOT_FOUND, "no version 7");
    struct delta_snapshot *s = open_table(-1);
    assert_int_equal(s->n_files, 1);
    delta_close(s);
}

static void test_clock(void **state)
{
    (void)state;
    new_table();
    create("{}");
    struct delta_snapshot *s = open_table(0);
    int64_t first = s->timestamp;
    delta_close(s);
    clock_shift(-3600 * 1000);
    publishes(adding(0, "a"), 1);
    clock_shift(3600 * 1000);
    s = open_table(1);
    assert_int_equal(s->timestamp, first + 1); /* later, whatever the clock says */
    delta_close(s);
}

/* A writer that died between its temporary file and the link leaves something that no reader sees and the next commit removes. */
static void test_crash(void **state)
{
    (void)state;
    new_table();
    create("{}");
    put_file("orphan.parquet", "data of a commit that never was");
    put_file("_delta_log/.00000000000000000001.json.01234567-89ab-cdef-0123-456789abcdef.tmp", "{\"add\":");
    put_file("_delta_log/.00000000000000000005.json.01234567-89ab-cdef-0123-456789abcdef.tmp", "of a version to come");
    put_file("_delta_log/.00000000000000000001.json.mine.tmp", "of somebody else");
    struct delta_snapshot *s = open_table(-1);
    assert_int_equal(s->version, 0);
    delta_close(s);
    publishes(adding(0, "a"), 1);
    assert_int_equal(log_entries(), 4); /* two commits, the temporary files of version 5 and of somebody else */
    s = open_table(-1);
    assert_int_equal(s->n_files, 1);
    delta_close(s);
}

/* The disk takes only the beginning of a commit: nothing of it stays, and the next try works. */
static void test_full_disk(void **state)
{
    (void)state;
    struct rlimit was, small;
    new_table();
    create("{}");
    struct delta_commit *first = adding(0, "a"), *again = adding(0, "a");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t bytes = 0; bytes <= 100; bytes += 50) {
        struct delta_commit *c = bytes < 100 ? adding(0, "a") : first;
        small = (struct rlimit){bytes, was.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        fails(c, ERR_IO, "cannot write");
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    }
    signal(SIGXFSZ, SIG_DFL);
    delta_close(open_table(0));
    publishes(again, 1);
}

enum { WRITERS = 4, ROUNDS = 12 };

static void *writer(void *arg)
{
    const struct delta_file *f = arg;
    for (int done = 0; done < ROUNDS;) {
        struct err e;
        err_init(&e);
        int64_t newest = delta_newest(delta_root, &e);
        struct delta_commit *c = delta_commit_new(delta_root, newest, "WRITE");
        delta_commit_add(c, f);
        if (delta_commit_publish(c, NULL, &e))
            done++;
        else if (e.code != ERR_CONFLICT)
            return arg;
        delta_commit_free(c);
    }
    return NULL;
}

static void test_writers(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    struct delta_file files[WRITERS];
    char names[WRITERS][16];
    new_table();
    create("{}");
    for (int i = 0; i < WRITERS; i++) {
        snprintf(names[i], sizeof names[i], "f%d", i);
        files[i] = data_file(names[i]);
        assert_int_equal(pthread_create(&threads[i], NULL, writer, &files[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    struct delta_snapshot *s = open_table(-1);
    assert_int_equal(s->version, WRITERS * ROUNDS);
    assert_int_equal(s->n_files, WRITERS);
    delta_close(s);
    assert_int_equal(log_entries(), WRITERS * ROUNDS + 1); /* no temporary file stays */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create), cmocka_unit_test(test_ntz), cmocka_unit_test(test_files), cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_partitions), cmocka_unit_test(test_properties), cmocka_unit_test(test_append_only),
        cmocka_unit_test(test_foreign_tables), cmocka_unit_test(test_upgrade), cmocka_unit_test(test_conflict),
        cmocka_unit_test(test_clock), cmocka_unit_test(test_crash),
        cmocka_unit_test(test_full_disk), cmocka_unit_test(test_writers),
    };
    return cmocka_run_group_tests_name("lakehouse_delta_commit", tests, delta_set_up, delta_tear_down);
}
