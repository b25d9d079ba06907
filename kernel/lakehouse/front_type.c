/* Types as Databricks SQL spells them, in DuckDB's SQL and in their own canonical spelling. TIMESTAMP is an instant. */
#include <stdlib.h>
#include <strings.h>

#include "base/xalloc.h"
#include "lakehouse/front.h"

static const struct type_name {
    const char *spark, *duck, *canonical;
} type_names[] = {
    {"boolean", "BOOLEAN", "BOOLEAN"}, {"tinyint", "TINYINT", "TINYINT"}, {"byte", "TINYINT", "TINYINT"},
    {"smallint", "SMALLINT", "SMALLINT"}, {"short", "SMALLINT", "SMALLINT"}, {"int", "INTEGER", "INT"},
    {"integer", "INTEGER", "INT"}, {"bigint", "BIGINT", "BIGINT"}, {"long", "BIGINT", "BIGINT"}, {"float", "FLOAT", "FLOAT"},
    {"real", "FLOAT", "FLOAT"}, {"double", "DOUBLE", "DOUBLE"}, {"string", "VARCHAR", "STRING"},
    {"binary", "BLOB", "BINARY"}, {"date", "DATE", "DATE"}, {"timestamp", "TIMESTAMPTZ", "TIMESTAMP"},
    {"timestamp_ltz", "TIMESTAMPTZ", "TIMESTAMP"}, {"timestamp_ntz", "TIMESTAMP", "TIMESTAMP_NTZ"},
    {"varchar", "VARCHAR", "STRING"}, {"char", "VARCHAR", "STRING"}, {"text", "VARCHAR", "STRING"},
    {"void", "VARCHAR", "VOID"},
};

static void both(struct buf *out, struct buf *spark, const char *text)
{
    buf_puts(out, text);
    if (spark)
        buf_puts(spark, text);
}

static bool type_expected(struct front *f, size_t at, const char *what, struct err *e)
{
    f->at = at;
    return front_expected(f, what, e);
}

/* (12,2); Spark's default is (10,0). */
static bool decimal_type(struct front *f, size_t *at, struct buf *out, struct buf *spark, struct err *e)
{
    const struct token *t = front_token(f, *at);
    int p = 10, s = 0;
    if (token_symbol(t, "(")) {
        bool scaled = token_symbol(&t[1 + 1], ",");
        p = (int)strtol(t[1].text, NULL, 10);
        s = scaled ? (int)strtol(t[3].text, NULL, 10) : 0;
        *at += scaled ? 5 : 3;
        if (t[1].kind != TOKEN_NUMBER || !token_symbol(front_token(f, *at - 1), ")"))
            return type_expected(f, *at, "DECIMAL(precision, scale)", e);
    }
    if (p < 1 || p > 38 || s < 0 || s > p)
        return front_error(f, t, "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION", "22003", e,
                           "DECIMAL takes a precision of 1 to 38 and a scale up to it, not (%d,%d)", p, s);
    buf_printf(out, "DECIMAL(%d,%d)", p, s);
    if (spark)
        buf_printf(spark, "DECIMAL(%d,%d)", p, s);
    return true;
}

static bool any_type(struct front *f, size_t *at, struct buf *out, struct buf *spark, int depth, struct err *e);

static bool need(struct front *f, size_t *at, const char *symbol, struct err *e)
{
    if (!token_symbol(front_token(f, *at), symbol))
        return type_expected(f, *at, symbol, e);
    ++*at;
    return true;
}

/* <name: type, …>; the colon may be missing. "name:type" without a space reads as a parameter token. */
static bool struct_type(struct front *f, size_t *at, struct buf *out, struct buf *spark, int depth, struct err *e)
{
    buf_puts(out, "STRUCT(");
    if (spark)
        buf_puts(spark, "STRUCT<");
    for (bool first = true; first || token_symbol(front_token(f, *at - 1), ","); first = false) {
        const struct token *t = front_token(f, *at);
        if (!token_names(t))
            return type_expected(f, *at, "the name of a field", e);
        buf_puts(out, first ? "" : ", ");
        lake_quote_name(out, t->text);
        buf_putc(out, ' ');
        if (spark)
            buf_printf(spark, "%s%s: ", first ? "" : ", ", t->text);
        ++*at;
        if (token_symbol(front_token(f, *at), ":"))
            ++*at;
        if (!any_type(f, at, out, spark, depth, e))
            return false;
        if (!token_symbol(front_token(f, *at), ",") && !token_symbol(front_token(f, *at), ">"))
            return type_expected(f, *at, "',' or '>'", e);
        ++*at;
    }
    buf_putc(out, ')');
    if (spark)
        buf_putc(spark, '>');
    return true;
}

static bool nested_type(struct front *f, size_t *at, const char *kind, struct buf *out, struct buf *spark, int depth,
                        struct err *e)
{
    if (!need(f, at, "<", e))
        return false;
    if (!strcasecmp(kind, "struct"))
        return struct_type(f, at, out, spark, depth, e);
    bool map = !strcasecmp(kind, "map");
    buf_puts(out, map ? "MAP(" : "");
    if (spark)
        buf_puts(spark, map ? "MAP<" : "ARRAY<");
    if (!any_type(f, at, out, spark, depth, e))
        return false;
    if (map) {
        both(out, spark, ", ");
        if (!need(f, at, ",", e) || !any_type(f, at, out, spark, depth, e))
            return false;
    }
    buf_puts(out, map ? ")" : "[]");
    if (spark)
        buf_putc(spark, '>');
    return need(f, at, ">", e);
}

static bool any_type(struct front *f, size_t *at, struct buf *out, struct buf *spark, int depth, struct err *e)
{
    const struct token *t = front_token(f, *at);
    if (t->kind != TOKEN_WORD && t->kind != TOKEN_PARAMETER)
        return type_expected(f, *at, "a type", e);
    ++*at;
    if (depth > 32)
        return front_error(f, t, "PARSE_SYNTAX_ERROR", "42601", e, "the type is nested deeper than 32");
    if (!strcasecmp(t->text, "decimal") || !strcasecmp(t->text, "dec") || !strcasecmp(t->text, "numeric"))
        return decimal_type(f, at, out, spark, e);
    if (!strcasecmp(t->text, "array") || !strcasecmp(t->text, "map") || !strcasecmp(t->text, "struct"))
        return nested_type(f, at, t->text, out, spark, depth + 1, e);
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
        if (!strcasecmp(type_names[i].spark, t->text)) {
            buf_puts(out, type_names[i].duck);
            if (spark)
                buf_puts(spark, type_names[i].canonical);
            if ((i == 18 || i == 19) && token_symbol(front_token(f, *at), "(")) /* VARCHAR(20): the length is not kept */
                *at = front_after_bracket(f, *at, e);
            return *at != 0;
        }
    return front_error(f, t, "UNSUPPORTED_DATATYPE", "0A000", e, "the type %s is not supported", t->text);
}

bool front_rewrite_type(struct front *f, size_t *at, struct buf *out, struct buf *spark, struct err *e)
{
    return any_type(f, at, out, spark, 0, e);
}
