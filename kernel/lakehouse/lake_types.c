/* Types, three ways: DuckDB's, Delta's and how Databricks SQL spells them. */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/lake_parts.h"

enum { TYPE_TEXT_MAX = 1 << 20, TYPE_DEPTH_MAX = 64 };

static const struct plain_type {
    int duck;
    enum delta_type delta;
    const char *spark;
    const char *convert; /* NULL: our layout already */
} plain_types[] = {
    {DUCKDB_BOOLEAN, DELTA_BOOLEAN, "BOOLEAN", NULL},
    {DUCKDB_TINYINT, DELTA_BYTE, "TINYINT", NULL},
    {DUCKDB_SMALLINT, DELTA_SHORT, "SMALLINT", NULL},
    {DUCKDB_INTEGER, DELTA_INTEGER, "INT", NULL},
    {DUCKDB_BIGINT, DELTA_LONG, "BIGINT", NULL},
    {DUCKDB_FLOAT, DELTA_FLOAT, "FLOAT", NULL},
    {DUCKDB_DOUBLE, DELTA_DOUBLE, "DOUBLE", NULL},
    {DUCKDB_VARCHAR, DELTA_STRING, "STRING", NULL},
    {DUCKDB_BLOB, DELTA_BINARY, "BINARY", NULL},
    {DUCKDB_DATE, DELTA_DATE, "DATE", NULL},
    {DUCKDB_TIMESTAMP, DELTA_TIMESTAMP_NTZ, "TIMESTAMP_NTZ", NULL},
    {DUCKDB_TIMESTAMP_TZ, DELTA_TIMESTAMP, "TIMESTAMP", NULL},
    {DUCKDB_UTINYINT, DELTA_SHORT, "SMALLINT", "CAST(%s AS SMALLINT)"},
    {DUCKDB_USMALLINT, DELTA_INTEGER, "INT", "CAST(%s AS INTEGER)"},
    {DUCKDB_UINTEGER, DELTA_LONG, "BIGINT", "CAST(%s AS BIGINT)"},
    {DUCKDB_UBIGINT, DELTA_LONG, "BIGINT", "CAST(%s AS BIGINT)"},
    {DUCKDB_HUGEINT, DELTA_LONG, "BIGINT", "CAST(%s AS BIGINT)"}, /* sums of integers, as in Spark */
    {DUCKDB_UHUGEINT, DELTA_LONG, "BIGINT", "CAST(%s AS BIGINT)"},
    {DUCKDB_TIMESTAMP_S, DELTA_TIMESTAMP_NTZ, "TIMESTAMP_NTZ", "CAST(%s AS TIMESTAMP)"},
    {DUCKDB_TIMESTAMP_MS, DELTA_TIMESTAMP_NTZ, "TIMESTAMP_NTZ", "CAST(%s AS TIMESTAMP)"},
    {DUCKDB_TIMESTAMP_NS, DELTA_TIMESTAMP_NTZ, "TIMESTAMP_NTZ", "CAST(%s AS TIMESTAMP)"},
};

static const struct plain_type *find_plain(int duck_type)
{
    static const struct plain_type text = {DUCKDB_VARCHAR, DELTA_STRING, "STRING", "CAST(%s AS VARCHAR)"};
    for (size_t i = 0; i < ARRAY_LEN(plain_types); i++)
        if (plain_types[i].duck == duck_type)
            return &plain_types[i];
    return &text;
}

static void spell(struct buf *out, duckdb_type_ref t, int depth);

static void spell_child(struct buf *out, duckdb_type_ref child, int depth)
{
    spell(out, child, depth + 1);
    duck->destroy_logical_type(&child);
}

static void spell_struct(struct buf *out, duckdb_type_ref t, int depth)
{
    buf_puts(out, "STRUCT<");
    for (idx_t i = 0; i < duck->struct_type_child_count(t); i++) {
        char *name = duck->struct_type_child_name(t, i);
        buf_printf(out, "%s%s: ", i ? ", " : "", name);
        duck->free(name);
        spell_child(out, duck->struct_type_child_type(t, i), depth);
    }
    buf_putc(out, '>');
}

/* As Databricks SQL spells the type. */
static void spell(struct buf *out, duckdb_type_ref t, int depth)
{
    int id = depth < TYPE_DEPTH_MAX ? duck->get_type_id(t) : DUCKDB_VARCHAR;
    if (id == DUCKDB_DECIMAL) {
        buf_printf(out, "DECIMAL(%d,%d)", duck->decimal_width(t), duck->decimal_scale(t));
    } else if (id == DUCKDB_LIST) {
        buf_puts(out, "ARRAY<");
        spell_child(out, duck->list_type_child_type(t), depth);
        buf_putc(out, '>');
    } else if (id == DUCKDB_MAP) {
        buf_puts(out, "MAP<");
        spell_child(out, duck->map_type_key_type(t), depth);
        buf_puts(out, ", ");
        spell_child(out, duck->map_type_value_type(t), depth);
        buf_putc(out, '>');
    } else if (id == DUCKDB_STRUCT) {
        spell_struct(out, t, depth);
    } else {
        buf_puts(out, find_plain(id)->spark);
    }
}

void lake_column_of(duckdb_type_ref t, struct lake_column *out, const char **convert)
{
    struct buf text;
    buf_init(&text, TYPE_TEXT_MAX);
    spell(&text, t, 0);
    int id = duck->get_type_id(t);
    const struct plain_type *plain = find_plain(id);
    out->nullable = true;
    out->precision = out->scale = 0;
    out->type = plain->delta;
    *convert = plain->convert;
    if (id == DUCKDB_DECIMAL) {
        out->type = DELTA_DECIMAL;
        out->precision = duck->decimal_width(t);
        out->scale = duck->decimal_scale(t);
        *convert = NULL;
    } else if (id == DUCKDB_LIST || id == DUCKDB_MAP || id == DUCKDB_STRUCT) {
        out->type = DELTA_NESTED;
        *convert = "CAST(to_json(%s) AS VARCHAR)";
    }
    out->type_text = text.failed ? xstrdup("STRUCT<>") : buf_detach(&text);
    buf_release(&text);
}

void lake_column_of_delta(const struct delta_column *from, struct lake_column *out)
{
    *out = (struct lake_column){.name = xstrdup(from->name), .type = from->type, .precision = from->precision,
                                .scale = from->scale, .type_text = delta_type_text(from), .nullable = from->nullable};
}

void lake_column_release(struct lake_column *c)
{
    free(c->name);
    free(c->type_text);
    *c = (struct lake_column){0};
}

/* ---- Delta's types in DuckDB's SQL ---- */
static void duck_struct(struct buf *out, const json_t *fields)
{
    size_t i;
    json_t *field;
    buf_puts(out, "STRUCT(");
    json_array_foreach(fields, i, field) {
        buf_puts(out, i ? ", " : "");
        lake_quote_name(out, jx_get_str(field, "name", ""));
        buf_putc(out, ' ');
        lake_duck_type(out, json_object_get(field, "type"));
    }
    buf_putc(out, ')');
}

static void duck_nested(struct buf *out, const json_t *type)
{
    const char *kind = jx_get_str(type, "type", "");
    if (!strcmp(kind, "array")) {
        lake_duck_type(out, json_object_get(type, "elementType"));
        buf_puts(out, "[]");
    } else if (!strcmp(kind, "map")) {
        buf_puts(out, "MAP(");
        lake_duck_type(out, json_object_get(type, "keyType"));
        buf_puts(out, ", ");
        lake_duck_type(out, json_object_get(type, "valueType"));
        buf_putc(out, ')');
    } else {
        duck_struct(out, json_object_get(type, "fields"));
    }
}

void lake_duck_type(struct buf *out, const json_t *type)
{
    static const char *const names[][2] = {
        {"boolean", "BOOLEAN"}, {"byte", "TINYINT"}, {"short", "SMALLINT"}, {"integer", "INTEGER"}, {"long", "BIGINT"},
        {"float", "FLOAT"}, {"double", "DOUBLE"}, {"string", "VARCHAR"}, {"binary", "BLOB"}, {"date", "DATE"},
        {"timestamp", "TIMESTAMP WITH TIME ZONE"}, {"timestamp_ntz", "TIMESTAMP"}, {"void", "VARCHAR"},
    };
    if (json_is_object(type)) {
        duck_nested(out, type);
        return;
    }
    const char *name = json_string_value(type);
    for (size_t i = 0; name && i < ARRAY_LEN(names); i++)
        if (!strcmp(names[i][0], name)) {
            buf_puts(out, names[i][1]);
            return;
        }
    buf_puts(out, name && !strncmp(name, "decimal", 7) ? name : "VARCHAR"); /* decimal(12,2) reads the same */
}

/* ---- quoting ---- */
static void quote(struct buf *out, const char *text, char mark)
{
    buf_putc(out, mark);
    for (; *text; text++) {
        if (*text == mark)
            buf_putc(out, mark);
        buf_putc(out, *text);
    }
    buf_putc(out, mark);
}

void lake_quote_name(struct buf *out, const char *name)
{
    quote(out, name, '"');
}

void lake_quote_text(struct buf *out, const char *text)
{
    quote(out, text, '\'');
}
