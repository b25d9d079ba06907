/*
 * The Delta log on the command line, for tests only: what kernel/lakehouse/delta.h sees in a table, as JSON, and commits as
 * JSON tells it. Built by delta_tool.py. It reads and writes no data file: tests make those with deltalake. With $DELTA_TOOL_ROOT,
 * a folder above the tables, the engine is opened too: checkpoints need it.
 *
 *   delta_tool snapshot ROOT VERSION | history ROOT LIMIT | changes ROOT FROM TO | at ROOT MILLISECONDS | commit ROOT < JSON
 *
 * An error is one line on stderr, "CODE: text", and exit status 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/lake.h"

static json_t *text_or_null(const char *text) { return text ? jx_str(text) : json_null(); }
static json_t *copy_or_null(const json_t *value) { return value ? json_deep_copy(value) : json_null(); }

static json_t *file_json(const struct delta_file *f)
{
    return json_pack("{so so sI sI so so so sb}", "uri", text_or_null(f->uri), "path", text_or_null(f->path), "size", (json_int_t)f->size,
                     "rows", (json_int_t)f->rows, "partition_values", copy_or_null(f->partition_values), "stats",
                     text_or_null(f->stats), "deletion_vector", copy_or_null(f->deletion_vector), "data_change",
                     (int)f->data_change);
}

static json_t *rows_json(const uint64_t *rows, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer((json_int_t)rows[i]));
    return list;
}

/* With the rows that its deletion vector masks. NULL: that is broken. */
static json_t *whole_file_json(const struct delta_snapshot *s, size_t i, struct err *e)
{
    uint64_t *rows;
    size_t n;
    if (!delta_vector_rows(s->root, &s->files[i], &rows, &n, e))
        return NULL;
    json_t *out = file_json(&s->files[i]);
    json_object_set_new(out, "masked", rows_json(rows, n));
    free(rows);
    return out;
}

static json_t *schema_json(const struct delta_schema *s)
{
    json_t *columns = json_array();
    for (size_t i = 0; i < s->count; i++) {
        char *type = delta_type_text(&s->columns[i]);
        json_array_append_new(columns, json_pack("{ss ss ss sb}", "name", s->columns[i].name, "type", type, "type_name",
                                                 delta_column_type_name(&s->columns[i]), "nullable", (int)s->columns[i].nullable));
        free(type);
    }
    return columns;
}

static json_t *snapshot(const char *root, int64_t version, struct err *e)
{
    struct delta_snapshot *s = delta_open(root, version, e);
    if (!s)
        return NULL;
    json_t *files = json_array(), *partitions = json_array();
    for (size_t i = 0; i < s->n_files && e->code == ERR_NONE; i++)
        json_array_append_new(files, whole_file_json(s, i, e));
    for (size_t i = 0; i < s->n_partition_columns; i++)
        json_array_append_new(partitions, jx_str(s->partition_columns[i]));
    json_t *out = json_pack("{sI sI so so so sI so so so si si so so so so}", "version", (json_int_t)s->version, "timestamp",
                            (json_int_t)s->timestamp, "id", text_or_null(s->id), "name", text_or_null(s->name), "description",
                            text_or_null(s->description), "created_time", (json_int_t)s->created_time, "schema",
                            schema_json(&s->schema), "partition_columns", partitions, "configuration",
                            copy_or_null(s->configuration), "min_reader", s->min_reader, "min_writer", s->min_writer,
                            "writer_features", copy_or_null(s->writer_features), "transactions",
                            copy_or_null(s->transactions), "domains", copy_or_null(s->domains), "files", files);
    delta_close(s);
    if (e->code != ERR_NONE) {
        json_decref(out);
        out = NULL;
    }
    return out;
}

static json_t *changes(const char *root, int64_t from, int64_t to, struct err *e)
{
    static const char *const kinds[] = {"", "cdc", "insert", "delete"};
    struct delta_changes c;
    if (!delta_changes_load(root, from, to, &c, e))
        return NULL;
    json_t *files = json_array();
    for (size_t i = 0; i < c.count; i++) {
        json_t *f = file_json(&c.files[i].file);
        json_object_set_new(f, "version", json_integer(c.files[i].version));
        json_object_set_new(f, "timestamp", json_integer(c.files[i].timestamp));
        json_object_set_new(f, "kind", json_string(kinds[c.files[i].kind]));
        if (c.files[i].only_rows)
            json_object_set_new(f, "changed", rows_json(c.files[i].rows, c.files[i].n_rows));
        json_array_append_new(files, f);
    }
    json_t *out = json_pack("{so so sI sI sI}", "files", files, "schema", schema_json(&c.schema), "from", (json_int_t)c.from, "to",
                            (json_int_t)c.to, "to_timestamp", (json_int_t)c.to_timestamp);
    delta_changes_release(&c);
    return out;
}

/* ---- commit ---- */
static bool read_schema(const json_t *columns, struct delta_schema *s, struct err *e)
{
    for (size_t i = 0; i < json_array_size(columns); i++) {
        const json_t *c = json_array_get(columns, i);
        if (!delta_schema_add(s, jx_get_str(c, "name", ""), jx_get_str(c, "type", ""), jx_get_bool(c, "nullable", true),
                              jx_get_str(c, "comment", NULL), e))
            return false;
    }
    return true;
}

static bool set_metadata(struct delta_commit *c, const json_t *m, struct err *e)
{
    struct delta_schema schema = {0};
    const json_t *names = json_object_get(m, "partition_columns");
    char *columns[16];
    size_t n = json_array_size(names);
    bool ok = read_schema(json_object_get(m, "schema"), &schema, e);
    for (size_t i = 0; i < n && i < 16; i++)
        columns[i] = (char *)(uintptr_t)json_string_value(json_array_get(names, i));
    if (ok)
        delta_commit_metadata(c, NULL, jx_get_str(m, "name", NULL), jx_get_str(m, "description", NULL), &schema, columns, n,
                              json_object_get(m, "configuration"));
    delta_schema_release(&schema);
    return ok;
}

static void add_files(struct delta_commit *c, const json_t *list, void (*fn)(struct delta_commit *, const struct delta_file *))
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *f = json_array_get(list, i);
        struct delta_file file = {.uri = (char *)(uintptr_t)jx_get_str(f, "uri", NULL),
                                  .path = (char *)(uintptr_t)jx_get_str(f, "path", NULL),
                                  .size = jx_get_int(f, "size", 0),
                                  .rows = jx_get_int(f, "rows", -1),
                                  .partition_values = json_object_get(f, "partition_values"),
                                  .stats = (char *)(uintptr_t)jx_get_str(f, "stats", NULL),
                                  .data_change = jx_get_bool(f, "data_change", true)};
        fn(c, &file);
    }
}

/* The files of the snapshot whose uri is named. */
static bool remove_files(struct delta_commit *c, const char *root, int64_t version, const json_t *uris, struct err *e)
{
    struct delta_snapshot *s = json_array_size(uris) ? delta_open(root, version, e) : NULL;
    for (size_t i = 0; s && i < json_array_size(uris); i++)
        for (size_t k = 0; k < s->n_files; k++)
            if (!strcmp(s->files[k].uri, json_string_value(json_array_get(uris, i))))
                delta_commit_remove(c, &s->files[k]);
    bool ok = s || !json_array_size(uris);
    delta_close(s);
    return ok;
}

static json_t *commit(const char *root, const json_t *in, struct err *e)
{
    int64_t version = jx_get_int(in, "read_version", -1);
    struct delta_commit *c = delta_commit_new(root, version, jx_get_str(in, "operation", "WRITE"));
    const json_t *m = json_object_get(in, "metadata");
    delta_commit_user(c, "learner@example.com");
    delta_commit_parameter(c, "mode", "Append");
    delta_commit_metric(c, "numFiles", (int64_t)json_array_size(json_object_get(in, "add")));
    bool ok = (!m || set_metadata(c, m, e)) && remove_files(c, root, version, json_object_get(in, "remove"), e);
    add_files(c, json_object_get(in, "add"), delta_commit_add);
    add_files(c, json_object_get(in, "cdc"), delta_commit_cdc);
    ok = ok && delta_commit_publish(c, &version, e);
    delta_commit_free(c);
    return ok ? json_pack("{sI}", "version", (json_int_t)version) : NULL;
}

static json_t *run(int n, char **words, struct err *e)
{
    if (n == 4 && !strcmp(words[1], "snapshot"))
        return snapshot(words[2], strtoll(words[3], NULL, 10), e);
    if (n == 4 && !strcmp(words[1], "history"))
        return delta_history(words[2], (size_t)strtoll(words[3], NULL, 10), e);
    if (n == 5 && !strcmp(words[1], "changes"))
        return changes(words[2], strtoll(words[3], NULL, 10), strtoll(words[4], NULL, 10), e);
    int64_t version;
    if (n == 4 && !strcmp(words[1], "at"))
        return delta_version_at(words[2], strtoll(words[3], NULL, 10), &version, e) ? json_pack("{sI}", "version", (json_int_t)version) : NULL;
    json_t *in = n == 3 && !strcmp(words[1], "commit") ? json_loadf(stdin, 0, NULL) : NULL;
    if (!in) {
        err_set(e, ERR_USAGE, "see the top of delta_tool.c");
        return NULL;
    }
    json_t *out = commit(words[2], in, e);
    json_decref(in);
    return out;
}

int main(int n, char **words)
{
    struct err e;
    err_init(&e);
    jx_setup();
    struct lake_options options = {.root = getenv("DELTA_TOOL_ROOT"), .temp_dir = getenv("DELTA_TOOL_ROOT"), .threads = 1};
    struct lake *lake = options.root ? lake_open(&options, &e) : NULL;
    json_t *out = lake || !options.root ? run(n, words, &e) : NULL;
    lake_close(lake);
    if (!out) {
        fprintf(stderr, "%s: %s\n", err_info(e.code)->symbol, e.text);
        return 1;
    }
    char *text = jx_dump(out);
    puts(text);
    free(text);
    json_decref(out);
    return 0;
}
