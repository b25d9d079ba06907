/* Types of columns: the log's JSON, the spelling of Databricks SQL, and the API's names. Knows no values. */
#include "lakehouse/delta_type.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/xalloc.h"

/* Of rows with one type the first is how we spell it. */
static const struct type_row {
    enum delta_type type;
    const char *log, *sql, *api;
} rows[] = {
    {DELTA_BOOLEAN, "boolean", "BOOLEAN", "BOOLEAN"},
    {DELTA_BYTE, "byte", "TINYINT", "BYTE"},
    {DELTA_BYTE, NULL, "BYTE", NULL},
    {DELTA_SHORT, "short", "SMALLINT", "SHORT"},
    {DELTA_SHORT, NULL, "SHORT", NULL},
    {DELTA_INTEGER, "integer", "INT", "INT"},
    {DELTA_INTEGER, NULL, "INTEGER", NULL},
    {DELTA_LONG, "long", "BIGINT", "LONG"},
    {DELTA_LONG, NULL, "LONG", NULL},
    {DELTA_FLOAT, "float", "FLOAT", "FLOAT"},
    {DELTA_FLOAT, NULL, "REAL", NULL},
    {DELTA_DOUBLE, "double", "DOUBLE", "DOUBLE"},
    {DELTA_DECIMAL, NULL, "DECIMAL", "DECIMAL"},
    {DELTA_DECIMAL, NULL, "DEC", NULL},
    {DELTA_DECIMAL, NULL, "NUMERIC", NULL},
    {DELTA_STRING, "string", "STRING", "STRING"},
    {DELTA_BINARY, "binary", "BINARY", "BINARY"},
    {DELTA_DATE, "date", "DATE", "DATE"},
    {DELTA_TIMESTAMP, "timestamp", "TIMESTAMP", "TIMESTAMP"},
    {DELTA_TIMESTAMP, NULL, "TIMESTAMP_LTZ", NULL},
    {DELTA_TIMESTAMP_NTZ, "timestamp_ntz", "TIMESTAMP_NTZ", "TIMESTAMP_NTZ"},
    {DELTA_VOID, "void", "VOID", "NULL"},
    {DELTA_VOID, "null", NULL, NULL}, /* as older writers spell it */
    {DELTA_NESTED, NULL, NULL, "STRUCT"},
};

static const struct type_row *row_of(enum delta_type type)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].type == type)
            return &rows[i];
    bug("no type %d", (int)type);
}

const char *delta_type_name(enum delta_type type) { return row_of(type)->api; }

const char *delta_column_type_name(const struct delta_column *c)
{
    const char *kind = c->type == DELTA_NESTED ? jx_get_str(c->type_json, "type", "struct") : "";
    return !strcmp(kind, "array") ? "ARRAY" : !strcmp(kind, "map") ? "MAP" : delta_type_name(c->type);
}

/* ---- from the log ---- */
/* "decimal(12,2)" */
static bool parse_decimal(const char *text, int *precision, int *scale)
{
    int n = 0;
    return sscanf(text, "decimal(%2d,%2d)%n", precision, scale, &n) == 2 && n > 0 && !text[n] && *precision >= 1 &&
           *precision <= 38 && *scale >= 0 && *scale <= *precision;
}

static bool parse_name(const char *text, struct delta_type_facts *out, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].log && !strcmp(rows[i].log, text)) {
            out->type = rows[i].type;
            return true;
        }
    }
    if (!strcmp(text, "decimal") || parse_decimal(text, &out->precision, &out->scale)) {
        out->type = DELTA_DECIMAL;
        if (!strcmp(text, "decimal"))
            out->precision = 10, out->scale = 0;
        return true;
    }
    return err_set(e, ERR_NOT_IMPLEMENTED, "has the type '%.100s', which this workspace does not read", text);
}

static bool parse_nested(const json_t *type, int depth, struct err *e);

static bool parse_part(const json_t *type, const char *what, int depth, struct err *e)
{
    struct delta_type_facts ignored;
    return type ? delta_type_parse(type, depth + 1, &ignored, e)
                : err_set(e, ERR_MALFORMED, "has a nested type without '%s'", what);
}

static bool parse_struct(const json_t *fields, int depth, struct err *e)
{
    if (!json_is_array(fields))
        return err_set(e, ERR_MALFORMED, "has a struct without 'fields'");
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const json_t *f = json_array_get(fields, i);
        if (!jx_get_str(f, "name", NULL))
            return err_set(e, ERR_MALFORMED, "has a struct with a field without a name");
        if (!parse_part(json_object_get(f, "type"), "type", depth, e))
            return false;
    }
    return true;
}

static bool parse_nested(const json_t *type, int depth, struct err *e)
{
    const char *kind = jx_get_str(type, "type", "");
    if (!strcmp(kind, "struct"))
        return parse_struct(json_object_get(type, "fields"), depth, e);
    if (!strcmp(kind, "array"))
        return parse_part(json_object_get(type, "elementType"), "elementType", depth, e);
    if (!strcmp(kind, "map"))
        return parse_part(json_object_get(type, "keyType"), "keyType", depth, e) &&
               parse_part(json_object_get(type, "valueType"), "valueType", depth, e);
    return err_set(e, ERR_NOT_IMPLEMENTED, "has the type '%.100s', which this workspace does not read", kind);
}

bool delta_type_parse(const json_t *type, int depth, struct delta_type_facts *out, struct err *e)
{
    *out = (struct delta_type_facts){.type = DELTA_NESTED};
    if (depth > DELTA_TYPE_DEPTH_MAX)
        return err_set(e, ERR_TOO_BIG, "has a type that is nested more than %d deep", DELTA_TYPE_DEPTH_MAX);
    if (json_is_string(type))
        return parse_name(json_string_value(type), out, e);
    if (json_is_object(type))
        return parse_nested(type, depth, e);
    return err_set(e, ERR_MALFORMED, "has a type that is neither text nor an object");
}

/* ---- to SQL ---- */
static void spell(struct buf *out, const json_t *type);

static void spell_name(struct buf *out, const char *name)
{
    bool plain = *name && !isdigit((unsigned char)*name);
    for (const char *p = name; *p; p++)
        plain = plain && (isalnum((unsigned char)*p) || *p == '_');
    if (plain) {
        buf_puts(out, name);
        return;
    }
    buf_putc(out, '`');
    for (const char *p = name; *p; p++) {
        buf_putc(out, *p);
        if (*p == '`')
            buf_putc(out, '`');
    }
    buf_putc(out, '`');
}

static void spell_struct(struct buf *out, const json_t *fields)
{
    buf_puts(out, "STRUCT<");
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const json_t *f = json_array_get(fields, i);
        buf_puts(out, i ? ", " : "");
        spell_name(out, jx_get_str(f, "name", ""));
        buf_puts(out, ": ");
        spell(out, json_object_get(f, "type"));
        if (!jx_get_bool(f, "nullable", true))
            buf_puts(out, " NOT NULL");
    }
    buf_putc(out, '>');
}

static void spell_simple(struct buf *out, const char *name)
{
    struct delta_type_facts t;
    struct err ignored;
    err_init(&ignored);
    if (!parse_name(name, &t, &ignored))
        buf_puts(out, name);
    else if (t.type == DELTA_DECIMAL)
        buf_printf(out, "DECIMAL(%d,%d)", t.precision, t.scale);
    else
        buf_puts(out, row_of(t.type)->sql);
}

/* Types were parsed before: no deeper than the cap. */
static void spell(struct buf *out, const json_t *type)
{
    const char *kind = jx_get_str(type, "type", "");
    if (json_is_string(type)) {
        spell_simple(out, json_string_value(type));
    } else if (!strcmp(kind, "array")) {
        buf_puts(out, "ARRAY<");
        spell(out, json_object_get(type, "elementType"));
        buf_putc(out, '>');
    } else if (!strcmp(kind, "map")) {
        buf_puts(out, "MAP<");
        spell(out, json_object_get(type, "keyType"));
        buf_puts(out, ", ");
        spell(out, json_object_get(type, "valueType"));
        buf_putc(out, '>');
    } else {
        spell_struct(out, json_object_get(type, "fields"));
    }
}

char *delta_type_text(const struct delta_column *c)
{
    struct buf out;
    buf_init(&out, SIZE_MAX / 4);
    spell(&out, c->type_json);
    char *text = buf_detach(&out);
    buf_release(&out);
    return text;
}

/* ---- from SQL ---- */
const char *delta_type_of_word(const char *word, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].sql && strlen(rows[i].sql) == len && !strncasecmp(rows[i].sql, word, len))
            return rows[i].type == DELTA_DECIMAL ? "decimal" : row_of(rows[i].type)->log;
    return NULL;
}
