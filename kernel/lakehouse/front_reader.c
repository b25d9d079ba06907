/* The SELECT that reads files of a volume: CSV (front_csv.c), JSON, Parquet. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "lakehouse/front_csv.h"

void front_put_path(const struct front_files *x, const struct volume_file *file, struct buf *out)
{
    struct buf path;
    buf_init(&path, 64 << 10);
    buf_printf(&path, "%s/", x->folder);
    for (const char *p = file->name; *p; p++) /* the engine takes names for patterns: [*] is a star and nothing else */
        buf_printf(&path, strchr("*?[", *p) ? "[%c]" : "%c", *p);
    lake_quote_text(out, buf_str(&path));
    buf_release(&path);
}

static void put_list(const struct front_files *x, bool empty_too, struct buf *out)
{
    size_t n = 0;
    buf_putc(out, '[');
    for (size_t i = 0; i < x->files.count; i++)
        if (empty_too || x->files.list[i].size > 0) {
            buf_puts(out, n++ ? ", " : "");
            front_put_path(x, &x->files.list[i], out);
        }
    buf_putc(out, ']');
}

/* ---- JSON ---- */
static void put_json_call(const struct front_files *x, struct buf *out)
{
    const char *mode = front_files_text(x, "mode");
    buf_puts(out, "read_json(");
    put_list(x, false, out);
    buf_printf(out, ", format='%s', hive_partitioning=false, compression='none', ignore_errors=%s",
               front_files_flag(x, "multiLine", false) ? "auto" : "newline_delimited",
               mode && !strcasecmp(mode, "dropmalformed") ? "true" : "false");
}

/* Spark takes dates and times in JSON for text, and what is of several types too. */
static bool is_text_in_spark(int type)
{
    return type == DUCKDB_DATE || type == DUCKDB_TIMESTAMP || type == DUCKDB_TIMESTAMP_TZ || type == DUCKDB_TIME ||
           type == DUCKDB_UUID || type == DUCKDB_VARCHAR;
}

/* One column as the wanted schema says, else as the engine found it. */
static bool add_found(struct delta_schema *to, const struct delta_schema *wanted, const char *name, duckdb_type_ref type,
                      struct err *e)
{
    const struct delta_column *column = wanted ? delta_schema_find(wanted, name) : NULL;
    if (delta_schema_find(to, name))
        return true; /* "a" and "A" are one column of a table */
    struct lake_column found = {0};
    const char *convert;
    char *text = column ? delta_type_text(column) : NULL;
    lake_column_of(type, &found, &convert);
    bool ok = delta_schema_add(to, name, text ? text : is_text_in_spark(duck->get_type_id(type)) ? "STRING" : found.type_text,
                               true, NULL, e);
    lake_column_release(&found);
    free(text);
    return ok;
}

/* What columns the files have, as the engine finds by looking at all of them. */
static bool json_columns(struct front *f, const struct front_files *x, const struct delta_schema *wanted,
                         struct delta_schema *out, struct err *e)
{
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    buf_puts(&sql, "SELECT * FROM ");
    put_json_call(x, &sql);
    buf_printf(&sql, ", union_by_name=true, sample_size=-1, maximum_sample_files=%zu, map_inference_threshold=-1)", x->files.count + 1);
    duckdb_statement s = buf_ok(&sql, "the statement", e) ? duck_prepare(f->conn, buf_str(&sql), e) : NULL;
    bool ok = s != NULL;
    for (idx_t i = 0; ok && i < duck->prepared_statement_column_count(s); i++) {
        const char *name = duck->prepared_statement_column_name(s, i);
        duckdb_type_ref type = duck->prepared_statement_column_logical_type(s, i);
        ok = add_found(out, wanted, name, type, e);
        duck->destroy_logical_type(&type);
        duck->free((void *)(uintptr_t)name);
    }
    if (s)
        duck->destroy_prepare(&s);
    buf_release(&sql);
    e->position = 0;
    return ok;
}

static bool json_sql(struct front *f, const struct front_files *x, const struct delta_schema *wanted, struct buf *out,
                     struct err *e)
{
    struct delta_schema found = {0};
    size_t bytes = 0;
    for (size_t i = 0; i < x->files.count; i++)
        bytes += (size_t)x->files.list[i].size;
    if (!bytes)
        return true;
    if (x->schema.count)
        delta_schema_copy(&found, &x->schema);
    else if (!json_columns(f, x, wanted, &found, e))
        return delta_schema_release(&found), false;
    buf_puts(out, "SELECT * FROM ");
    put_json_call(x, out);
    buf_puts(out, ", columns={");
    for (size_t i = 0; i < found.count; i++) {
        struct buf type;
        buf_init(&type, 1 << 20);
        lake_duck_type(&type, found.columns[i].type_json);
        buf_puts(out, i ? ", " : "");
        lake_quote_text(out, found.columns[i].name);
        buf_puts(out, ": ");
        lake_quote_text(out, buf_str(&type));
        buf_release(&type);
    }
    buf_puts(out, "})");
    delta_schema_release(&found);
    return true;
}

/* ---- Parquet ---- */
static void parquet_sql(const struct front_files *x, struct buf *out)
{
    const struct delta_schema *s = &x->schema;
    buf_puts(out, s->count ? "SELECT " : "SELECT *");
    for (size_t i = 0; i < s->count; i++) {
        buf_puts(out, i ? ", CAST(" : "CAST(");
        lake_quote_name(out, s->columns[i].name);
        buf_puts(out, " AS ");
        lake_duck_type(out, s->columns[i].type_json);
        buf_puts(out, ") AS ");
        lake_quote_name(out, s->columns[i].name);
    }
    buf_puts(out, " FROM read_parquet(");
    put_list(x, true, out);
    buf_puts(out, ", union_by_name=true, hive_partitioning=false)");
}

bool front_reader_sql(struct front *f, const struct front_files *x, const struct delta_schema *wanted, struct buf *out,
                      struct err *e)
{
    /* As on the service: what did not fit an inferred schema. Here that is an error, so nothing ever gets there. */
    bool rescued = !x->load && !x->schema.count && strcmp(x->format, "parquet") != 0;
    buf_puts(out, rescued ? "SELECT *, CAST(NULL AS VARCHAR) AS _rescued_data FROM (" : "");
    size_t before = out->len;
    bool ok = true;
    if (!strcmp(x->format, "csv"))
        ok = front_csv_sql(f, x, wanted, out, e);
    else if (!strcmp(x->format, "json"))
        ok = json_sql(f, x, wanted, out, e);
    else
        parquet_sql(x, out);
    if (ok && out->len == before && !x->load)
        ok = front_error(f, x->at, "UNABLE_TO_INFER_SCHEMA", "42KD9", e, "the files are empty: nothing says which columns they have");
    buf_puts(out, rescued ? ")" : "");
    return ok && buf_ok(out, "the statement", e);
}
