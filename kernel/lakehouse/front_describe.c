/* DESCRIBE TABLE [EXTENDED], HISTORY and DETAIL: what Unity Catalog and the Delta log know, as small tables. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/front.h"

static void add(json_t *rows, const char *name, const char *type, const char *comment)
{
    json_array_append_new(rows, json_pack("[o, o, o]", jx_str(name), jx_str(type), comment ? jx_str(comment) : json_null()));
}

/* ---- DESCRIBE TABLE ---- */
static void add_columns(json_t *rows, const json_t *info)
{
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(info, "columns"), i, c) {
        const char *type = jx_get_str(c, "type_text", "");
        char *lower = xstrdup(type);
        for (char *p = lower; *p; p++) /* DESCRIBE spells types in lower case */
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        add(rows, jx_get_str(c, "name", ""), lower, jx_get_str(c, "comment", NULL));
        free(lower);
    }
    bool header = false;
    json_array_foreach(json_object_get(info, "columns"), i, c) {
        if (!json_is_integer(json_object_get(c, "partition_index")))
            continue;
        if (!header) {
            add(rows, "# Partition Information", "", "");
            add(rows, "# col_name", "data_type", "comment");
        }
        header = true;
        add(rows, jx_get_str(c, "name", ""), jx_get_str(c, "type_text", ""), jx_get_str(c, "comment", NULL));
    }
}

static void add_extended(json_t *rows, const json_t *info)
{
    static const struct { const char *label, *key; } facts[] = {
        {"Catalog", "catalog_name"}, {"Database", "schema_name"}, {"Table", "name"}, {"Owner", "owner"}, {"Type", "table_type"},
        {"Comment", "comment"}, {"Location", "storage_location"}, {"Provider", "data_source_format"},
    };
    add(rows, "", "", "");
    add(rows, "# Detailed Table Information", "", "");
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        if (jx_get_str(info, facts[i].key, NULL))
            add(rows, facts[i].label, jx_get_str(info, facts[i].key, ""), "");
    const char *key;
    json_t *value;
    struct buf text;
    buf_init(&text, 1 << 20);
    json_object_foreach(json_object_get(info, "properties"), key, value)
        buf_printf(&text, "%s%s=%s", text.len ? "," : "[", key, json_is_string(value) ? json_string_value(value) : "");
    if (text.len) {
        buf_putc(&text, ']');
        add(rows, "Table Properties", buf_str(&text), "");
    }
    buf_release(&text);
}

static struct lake_stream *describe_table(struct front *f, struct err *e)
{
    static const struct front_column columns[] = {{"col_name", "VARCHAR"}, {"data_type", "VARCHAR"}, {"comment", "VARCHAR"}};
    struct front_name name;
    front_take(f, "table");
    bool extended = front_take(f, "extended") || front_take(f, "formatted");
    if (!front_take_name(f, 3, &name, e) || !front_need_end(f, e))
        return NULL;
    json_t *info = front_call(f, name.token, "describe", json_pack("{s:o}", "name", front_name_json(&name)), e);
    if (!info)
        return NULL;
    json_t *rows = json_array();
    add_columns(rows, info);
    if (extended)
        add_extended(rows, info);
    struct lake_stream *s = front_rows(f, columns, ARRAY_LEN(columns), rows, e);
    json_decref(rows);
    json_decref(info);
    return s;
}

/* ---- DESCRIBE HISTORY ---- */
static json_t *moment(int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return json_sprintf("%04d-%02d-%02d %02d:%02d:%02d.%03d+00", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                        tm.tm_min, tm.tm_sec, (int)(ms % 1000));
}

static json_t *as_text(const json_t *value)
{
    if (!value || json_is_null(value))
        return json_null();
    if (json_is_string(value))
        return json_incref((json_t *)(uintptr_t)value);
    char *text = jx_dump(value);
    json_t *s = jx_str(text);
    free(text);
    return s;
}

static json_t *history_row(const json_t *c)
{
    return json_pack("[o, o, o, o, o, o, o, o, o]", json_integer(jx_get_int(c, "version", 0)),
                     moment(jx_get_int(c, "timestamp", 0)), as_text(json_object_get(c, "userName")),
                     as_text(json_object_get(c, "operation")), as_text(json_object_get(c, "operationParameters")),
                     as_text(json_object_get(c, "readVersion")), as_text(json_object_get(c, "isolationLevel")),
                     as_text(json_object_get(c, "isBlindAppend")), as_text(json_object_get(c, "operationMetrics")));
}

static struct front_source *readable(struct front *f, struct front_name *name, struct err *e)
{
    return front_take_name(f, 3, name, e) ? front_open(f, name, false, e) : NULL;
}

static struct lake_stream *describe_history(struct front *f, struct err *e)
{
    static const struct front_column columns[] = {
        {"version", "BIGINT"}, {"timestamp", "TIMESTAMPTZ"}, {"userName", "VARCHAR"}, {"operation", "VARCHAR"},
        {"operationParameters", "JSON) AS MAP(VARCHAR, VARCHAR)"}, {"readVersion", "BIGINT"}, {"isolationLevel", "VARCHAR"},
        {"isBlindAppend", "BOOLEAN"}, {"operationMetrics", "JSON) AS MAP(VARCHAR, VARCHAR)"}};
    struct front_name name;
    size_t limit = 0;
    struct front_source *s = readable(f, &name, e);
    if (!s)
        return NULL;
    if (front_take(f, "limit")) {
        limit = front_now(f)->kind == TOKEN_NUMBER ? (size_t)strtoull(front_now(f)->text, NULL, 10) : 0;
        if (!limit && !front_expected(f, "a number", e))
            return NULL;
        f->at++;
    }
    json_t *commits = front_need_end(f, e) ? delta_history(s->object.location, limit, e) : NULL;
    if (!commits)
        return NULL;
    json_t *rows = json_array(), *c;
    size_t i;
    json_array_foreach(commits, i, c)
        json_array_append_new(rows, history_row(c));
    struct lake_stream *stream = front_rows(f, columns, ARRAY_LEN(columns), rows, e);
    json_decref(rows);
    json_decref(commits);
    return stream;
}

/* ---- DESCRIBE DETAIL ---- */
static json_t *text_list(char *const *list, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, jx_str(list[i]));
    json_t *text = as_text(array);
    json_decref(array);
    return text;
}

static json_t *features(const struct delta_snapshot *s)
{
    json_t *all = json_array(), *one;
    size_t i;
    json_array_foreach(s->writer_features, i, one)
        json_array_append(all, one);
    json_t *text = as_text(all);
    json_decref(all);
    return text;
}

static struct lake_stream *describe_detail(struct front *f, struct err *e)
{
    static const struct front_column columns[] = {
        {"format", "VARCHAR"}, {"id", "VARCHAR"}, {"name", "VARCHAR"}, {"description", "VARCHAR"}, {"location", "VARCHAR"},
        {"createdAt", "TIMESTAMPTZ"}, {"lastModified", "TIMESTAMPTZ"}, {"partitionColumns", "JSON) AS VARCHAR[]"},
        {"numFiles", "BIGINT"}, {"sizeInBytes", "BIGINT"}, {"properties", "JSON) AS MAP(VARCHAR, VARCHAR)"},
        {"minReaderVersion", "INTEGER"}, {"minWriterVersion", "INTEGER"}, {"tableFeatures", "JSON) AS VARCHAR[]"}};
    struct front_name name;
    struct front_source *source = readable(f, &name, e);
    if (!source || !front_need_end(f, e))
        return NULL;
    const struct delta_snapshot *s = source->snapshot;
    int64_t bytes = 0;
    for (size_t i = 0; i < s->n_files; i++)
        bytes += s->files[i].size;
    json_t *row = json_pack("[s, o, o, o, o, o, o, o, I, I, o, i, i, o]", "delta", jx_str(s->id),
                            jx_str(source->object.full_name), s->description ? jx_str(s->description) : json_null(),
                            jx_str(s->root), moment(s->created_time), moment(s->timestamp),
                            text_list(s->partition_columns, s->n_partition_columns), (json_int_t)s->n_files,
                            (json_int_t)bytes, as_text(s->configuration), s->min_reader, s->min_writer, features(s));
    json_t *rows = json_pack("[o]", row);
    struct lake_stream *stream = front_rows(f, columns, ARRAY_LEN(columns), rows, e);
    json_decref(rows);
    return stream;
}

struct lake_stream *front_describe(struct front *f, struct err *e)
{
    f->at = 1;
    if (front_take(f, "history"))
        return describe_history(f, e);
    if (front_take(f, "detail"))
        return describe_detail(f, e);
    const struct token *t = front_now(f);
    if (token_is(t, "volume") && token_names(&t[1])) {
        f->at++;
        return front_describe_volume(f, e);
    }
    bool other = token_is(t, "schema") || token_is(t, "database") || token_is(t, "catalog") || token_is(t, "function") ||
                 token_is(t, "query");
    if (other && t[1].kind != TOKEN_END && !token_symbol(&t[1], ".")) {
        front_error(f, t, "UNSUPPORTED_STATEMENT", "0A000", e,
                    "of DESCRIBE, this workspace has [TABLE] [EXTENDED], HISTORY, DETAIL and VOLUME");
        return NULL;
    }
    return describe_table(f, e);
}
