/*
 * Data files as a SELECT: an explicit list of Parquet files, the columns of the schema by name, partition values as
 * constants, what a file lacks as NULL, everything in the type that the schema says (never in the file's).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/lake_parts.h"

enum { MASKED_AT_ONCE = 20000 };

struct group {
    size_t first, count; /* in files, after sorting */
    const json_t *values;
    bool masked, only;   /* some rows do not count; only some count */
};

/* ---- groups ---- */
static bool is_part(const struct lake_file *f) { return f->change && f->change->only_rows; }

static bool same_group(const struct lake_file *a, const struct lake_file *b)
{
    bool same_kind = !a->change || (a->change->kind == b->change->kind && is_part(a) == is_part(b));
    return same_kind && json_equal(a->file->partition_values, b->file->partition_values);
}

/* Stable: files of a group come together, groups by their first file. */
static struct group *make_groups(struct lake_file *files, size_t n, size_t *count)
{
    struct group *groups = xcalloc(n + 1, sizeof *groups);
    size_t *of = xcalloc(n + 1, sizeof *of);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        size_t g = *count; /* neighbours mostly belong together: look from the end */
        while (g > 0 && !same_group(&files[groups[g - 1].first], &files[i]))
            g--;
        if (g == 0) {
            groups[(*count)++] = (struct group){.first = i, .values = files[i].file->partition_values};
            g = *count;
        }
        of[i] = g - 1;
        groups[g - 1].count++;
    }
    struct lake_file *sorted = xcalloc(n + 1, sizeof *sorted);
    size_t at = 0;
    for (size_t g = 0; g < *count; g++) {
        groups[g].first = at;
        at += groups[g].count;
        groups[g].count = 0;
    }
    for (size_t i = 0; i < n; i++)
        sorted[groups[of[i]].first + groups[of[i]].count++] = files[i];
    if (n)
        memcpy(files, sorted, n * sizeof *files);
    free(sorted);
    free(of);
    return groups;
}

/* ---- what the files have ---- */
static bool check_file(const struct delta_file *f, struct err *e)
{
    if (strpbrk(f->path, "*?["))
        return err_set(e, ERR_NOT_IMPLEMENTED, "the data file '%s' has a character in its name that the engine takes for "
                                               "a pattern", f->path);
    return true;
}

static void add_reader(struct buf *out, const struct lake_file *files, size_t n)
{
    buf_puts(out, "read_parquet([");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? ", " : "");
        lake_quote_text(out, files[i].file->path);
    }
    buf_printf(out, "], hive_partitioning = false%s)", n > 1 ? ", union_by_name = true" : "");
}

/* Names of the columns that the files have, lower case, as keys of an object. */
static json_t *probe(struct duck_conn *c, const struct lake_file *files, size_t n, struct err *e)
{
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    buf_puts(&sql, "SELECT * FROM ");
    add_reader(&sql, files, n);
    duckdb_statement s = buf_ok(&sql, "a scan", e) ? duck_prepare(c, buf_str(&sql), e) : NULL;
    buf_release(&sql);
    if (!s)
        return NULL;
    json_t *names = json_object();
    for (idx_t i = 0; i < duck->prepared_statement_column_count(s); i++) {
        const char *name = duck->prepared_statement_column_name(s, i);
        json_object_set_new(names, name, json_true());
        duck->free((void *)(uintptr_t)name);
    }
    duck->destroy_prepare(&s);
    return names;
}

static bool has_column(const json_t *names, const char *name)
{
    const char *key;
    json_t *value;
    if (json_object_get(names, name))
        return true;
    json_object_foreach((json_t *)(uintptr_t)names, key, value)
        if (!strcasecmp(key, name))
            return true;
    return false;
}

/* ---- columns ---- */
static bool wanted(const struct lake_files_options *o, const char *name)
{
    for (size_t i = 0; o->columns && o->columns[i]; i++)
        if (!strcasecmp(o->columns[i], name))
            return true;
    return !o->columns;
}

static bool is_partition(const struct lake_files_options *o, const char *name)
{
    for (size_t i = 0; i < o->n_partitions; i++)
        if (!strcasecmp(o->partitions[i], name))
            return true;
    return false;
}

static const char *physical_name(const struct delta_column *c)
{
    return jx_get_str(c->metadata, "delta.columnMapping.physicalName", c->name);
}

/* The value of a column before the cast. names NULL: there is no file. */
static void add_value(struct buf *out, const struct delta_column *c, const struct lake_files_options *o,
                      const json_t *values, const json_t *names)
{
    const char *physical = physical_name(c);
    if (is_partition(o, c->name)) {
        const char *text = jx_get_str(values, physical, NULL);
        if (text && *text) /* the empty text is NULL for every type */
            lake_quote_text(out, text);
        else
            buf_puts(out, "NULL");
    } else if (names && c->type != DELTA_VOID && has_column(names, physical)) {
        lake_quote_name(out, physical);
    } else {
        buf_puts(out, "NULL");
    }
}

static void add_column(struct buf *out, const struct delta_column *c, const struct lake_files_options *o,
                       const json_t *values, const json_t *names)
{
    bool text = o->text && c->type == DELTA_NESTED;
    buf_puts(out, text ? "CAST(to_json(CAST(" : "CAST(");
    add_value(out, c, o, values, names);
    buf_puts(out, " AS ");
    lake_duck_type(out, c->type_json);
    buf_puts(out, text ? ")) AS VARCHAR) AS " : ") AS ");
    lake_quote_name(out, c->name);
}

static void add_columns(struct buf *out, const struct delta_schema *schema, const struct lake_files_options *o,
                        const json_t *values, const json_t *names)
{
    bool first = true;
    for (size_t i = 0; i < schema->count; i++) {
        if (!wanted(o, schema->columns[i].name))
            continue;
        buf_puts(out, first ? "" : ", ");
        add_column(out, &schema->columns[i], o, values, names);
        first = false;
    }
    if (first)
        buf_puts(out, "true AS __lake_any");
}

/* ---- rows that do not count ---- */
static bool has_vector(const struct lake_file *f)
{
    return is_part(f) || (f->file->deletion_vector && !json_is_null(f->file->deletion_vector));
}

/* INSERT INTO it the rows of file `at`, some at a time. */
static bool add_rows(struct duck_conn *c, const char *table, size_t at, const uint64_t *rows, size_t n, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; ok && i < n;) {
        struct buf sql;
        buf_init(&sql, LAKE_SQL_MAX);
        buf_printf(&sql, "INSERT INTO %s SELECT %zu, unnest([", table, at);
        for (size_t end = n - i > MASKED_AT_ONCE ? i + MASKED_AT_ONCE : n, first = i; i < end; i++)
            buf_printf(&sql, "%s%llu", i > first ? "," : "", (unsigned long long)rows[i]);
        buf_puts(&sql, "])");
        ok = buf_ok(&sql, "a deletion vector", e) && duck_run(c, buf_str(&sql), duck_no_params, NULL, e);
        buf_release(&sql);
    }
    return ok;
}

/* All vectors of the scan in one temporary table: place of the file, row in it. table: "" when there is none. */
static bool load_vectors(struct duck_conn *c, const struct lake_file *files, size_t n, const struct lake_files_options *o,
                         char table[32], struct err *e)
{
    bool ok = true;
    table[0] = '\0';
    for (size_t i = 0; ok && i < n; i++) {
        if (!has_vector(&files[i]))
            continue;
        if (!table[0]) {
            char sql[96];
            snprintf(table, 32, "__lake_masked_%u", c->serial++);
            snprintf(sql, sizeof sql, "CREATE TEMP TABLE %s (file BIGINT, place BIGINT)", table);
            ok = duck_run(c, sql, duck_no_params, NULL, e);
        }
        uint64_t *rows = NULL;
        size_t count = 0;
        if (ok && is_part(&files[i]))
            ok = add_rows(c, table, i, files[i].change->rows, files[i].change->n_rows, e);
        else if (ok)
            ok = delta_vector_rows(o->root, files[i].file, &rows, &count, e) && add_rows(c, table, i, rows, count, e);
        free(rows);
    }
    return ok;
}

static void add_mask(struct buf *out, const struct group *g, const char *table)
{
    buf_printf(out, " AS lake_p %s JOIN %s AS lake_m ON lake_m.place = lake_p.file_row_number AND lake_m.file = "
                    "CAST(lake_p.file_index AS BIGINT) + %zu", g->only ? "SEMI" : "ANTI", table, g->first);
}

/* What differs from file to file: the engine counts the files of one reader. */
static void add_of_file(struct buf *out, const int64_t *values, size_t n)
{
    bool same = true, in_order = true;
    for (size_t i = 1; i < n; i++) {
        same = same && values[i] == values[0];
        in_order = in_order && values[i] == values[0] + (int64_t)i;
    }
    if (same || in_order) {
        buf_printf(out, "%sCAST(%lld AS BIGINT)", same ? "" : "CAST(file_index AS BIGINT) + ", (long long)values[0]);
        return;
    }
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%lld", i ? ", " : "CAST(list_extract([", (long long)values[i]);
    buf_puts(out, "], CAST(file_index AS BIGINT) + 1) AS BIGINT)");
}

static void add_hidden(struct buf *out, const struct lake_file *files, size_t n)
{
    int64_t *ids = xreallocarray(NULL, n, sizeof *ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = (int64_t)files[i].id;
    buf_puts(out, ", ");
    add_of_file(out, ids, n);
    free(ids);
    buf_puts(out, " AS __lake_file, CAST(file_row_number AS BIGINT) AS __lake_row");
}

static void add_change(struct buf *out, const struct lake_file *files, size_t n)
{
    int64_t *values = xreallocarray(NULL, n, sizeof *values);
    enum delta_change kind = files[0].change->kind;
    buf_puts(out, kind == DELTA_CHANGE_CDC ? ", CAST(_change_type AS VARCHAR)" : kind == DELTA_CHANGE_INSERT ? ", 'insert'" : ", 'delete'");
    buf_puts(out, " AS _change_type, ");
    for (size_t i = 0; i < n; i++)
        values[i] = files[i].change->version;
    add_of_file(out, values, n);
    buf_puts(out, " AS _commit_version, make_timestamptz(");
    for (size_t i = 0; i < n; i++)
        values[i] = files[i].change->timestamp * 1000;
    add_of_file(out, values, n);
    buf_puts(out, ") AS _commit_timestamp");
    free(values);
}

static bool add_group(struct duck_conn *c, const struct delta_schema *schema, const struct lake_file *files,
                      const struct group *g, const char *masks, const struct lake_files_options *o, struct buf *out,
                      struct err *e)
{
    json_t *names = probe(c, files + g->first, g->count, e);
    if (!names)
        return false;
    buf_puts(out, "SELECT ");
    add_columns(out, schema, o, g->values, names);
    if (o->hidden)
        add_hidden(out, files + g->first, g->count);
    if (o->changes)
        add_change(out, files + g->first, g->count);
    buf_puts(out, " FROM ");
    add_reader(out, files + g->first, g->count);
    if (g->masked)
        add_mask(out, g, masks);
    json_decref(names);
    return true;
}

bool lake_files_sql(struct duck_conn *c, const struct delta_schema *schema, struct lake_file *files, size_t n,
                    const struct lake_files_options *o, struct buf *out, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = check_file(files[i].file, e);
    size_t count = 0;
    struct group *groups = make_groups(files, n, &count);
    char masks[32];
    ok = ok && load_vectors(c, files, n, o, masks, e);
    for (size_t g = 0; ok && g < count; g++) {
        buf_puts(out, g ? " UNION ALL " : "");
        groups[g].only = is_part(&files[groups[g].first]);
        for (size_t i = 0; i < groups[g].count; i++)
            groups[g].masked = groups[g].masked || has_vector(&files[groups[g].first + i]);
        ok = add_group(c, schema, files, &groups[g], masks, o, out, e);
    }
    free(groups);
    if (ok && n == 0) {
        buf_puts(out, "SELECT ");
        add_columns(out, schema, o, NULL, NULL);
        buf_puts(out, o->hidden ? ", CAST(0 AS BIGINT) AS __lake_file, CAST(0 AS BIGINT) AS __lake_row" : "");
        buf_puts(out, o->changes ? ", CAST(NULL AS VARCHAR) AS _change_type, CAST(NULL AS BIGINT) AS _commit_version, "
                                   "CAST(NULL AS TIMESTAMPTZ) AS _commit_timestamp" : "");
        buf_puts(out, " WHERE false");
    }
    return ok && buf_ok(out, "the scan of a table", e);
}

bool lake_snapshot_sql(struct duck_conn *c, const struct delta_snapshot *s, const struct lake_files_options *options,
                       const bool *chosen, struct buf *out, struct err *e)
{
    struct lake_files_options o = *options;
    o.root = s->root;
    o.partitions = s->partition_columns;
    o.n_partitions = s->n_partition_columns;
    struct lake_file *files = xcalloc(s->n_files + 1, sizeof *files);
    size_t n = 0;
    for (size_t i = 0; i < s->n_files; i++)
        if (!chosen || chosen[i])
            files[n++] = (struct lake_file){.file = &s->files[i], .id = i};
    bool ok = lake_files_sql(c, &s->schema, files, n, &o, out, e);
    free(files);
    return ok;
}

/* ---- the change feed ---- */
bool lake_changes_sql(struct duck_conn *c, const char *root, int64_t from, int64_t to, bool text,
                      struct delta_schema *schema, struct buf *out, struct err *e)
{
    struct delta_changes changes = {0};
    if (!delta_changes_load(root, from, to, &changes, e))
        return false;
    struct delta_snapshot *s = delta_open(root, to, e); /* for the partition columns */
    struct lake_file *files = xcalloc(changes.count + 1, sizeof *files);
    for (size_t i = 0; i < changes.count; i++)
        files[i] = (struct lake_file){&changes.files[i].file, i, &changes.files[i]};
    struct lake_files_options o = {.root = root,
                                   .text = text,
                                   .partitions = s ? s->partition_columns : NULL,
                                   .n_partitions = s ? s->n_partition_columns : 0,
                                   .changes = true};
    bool ok = s && lake_files_sql(c, &changes.schema, files, changes.count, &o, out, e);
    if (ok && schema)
        delta_schema_copy(schema, &changes.schema);
    free(files);
    delta_close(s);
    delta_changes_release(&changes);
    return ok;
}
