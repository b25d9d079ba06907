/* Rows as CSV, JSON or Markdown (see export.h). */
#include "magics/export.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"

/* Types whose text is JSON already, or nearly: pg_type.dat. */
enum { OID_BOOL = 16, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_OID = 26, OID_JSON = 114, OID_FLOAT4 = 700, OID_FLOAT8 = 701,
       OID_NUMERIC = 1700, OID_JSONB = 3802 };

static void put_csv(struct buf *out, const char *text, size_t len)
{
    bool quoted = len == 0 || memchr(text, '"', len) || memchr(text, ',', len) || memchr(text, '\n', len) || memchr(text, '\r', len);
    if (!quoted) {
        buf_add(out, text, len);
        return;
    }
    buf_putc(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            buf_putc(out, '"');
        buf_putc(out, text[i]);
    }
    buf_putc(out, '"');
}

static void put_json_text(struct buf *out, const char *text, size_t len)
{
    json_t *v = jx_text(text, len);
    char *dumped = jx_dump(v);
    buf_puts(out, dumped);
    free(dumped);
    json_decref(v);
}

static void put_json(struct buf *out, unsigned type, const struct pg_value *v)
{
    bool number = type == OID_INT2 || type == OID_INT4 || type == OID_INT8 || type == OID_OID || type == OID_FLOAT4 ||
                  type == OID_FLOAT8 || type == OID_NUMERIC;
    if (!v->text)
        buf_puts(out, "null");
    else if (number && strspn(v->text, "-+.0123456789e") == v->len) /* not NaN, not Infinity */
        buf_add(out, v->text, v->len);
    else if (type == OID_BOOL)
        buf_puts(out, *v->text == 't' ? "true" : "false");
    else if (type == OID_JSON || type == OID_JSONB)
        buf_add(out, v->text, v->len);
    else
        put_json_text(out, v->text, v->len);
}

static void put_markdown(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            buf_puts(out, "<br>");
        else if (text[i] == '<')
            buf_puts(out, "&lt;");
        else if (text[i] == '&')
            buf_puts(out, "&amp;");
        else if (strchr("|\\`*_[]", text[i]) && text[i])
            buf_printf(out, "\\%c", text[i]);
        else if (text[i] != '\r')
            buf_putc(out, text[i]);
    }
}

void export_begin(struct exporter *x, enum export_format format, struct buf *out, const struct pg_column *columns, size_t n)
{
    *x = (struct exporter){.format = format, .out = out, .columns = xcalloc(n ? n : 1, sizeof *columns), .n_columns = n};
    for (size_t i = 0; i < n; i++) {
        x->columns[i] = columns[i];
        x->columns[i].name = xstrdup(columns[i].name);
    }
    if (format == EXPORT_JSON) {
        buf_putc(out, '[');
        return;
    }
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, format == EXPORT_MARKDOWN ? "| " : i ? "," : "");
        if (format == EXPORT_CSV)
            put_csv(out, columns[i].name, strlen(columns[i].name));
        else
            put_markdown(out, columns[i].name, strlen(columns[i].name));
        buf_puts(out, format == EXPORT_MARKDOWN ? " " : "");
    }
    buf_puts(out, format == EXPORT_MARKDOWN ? "|\n" : "\n");
    for (size_t i = 0; format == EXPORT_MARKDOWN && i < n; i++)
        buf_puts(out, columns[i].numeric ? "| ---: " : "| --- ");
    buf_puts(out, format == EXPORT_MARKDOWN ? "|\n" : "");
}

void export_row(struct exporter *x, const struct pg_value *values)
{
    if (x->format == EXPORT_JSON)
        buf_puts(x->out, x->rows ? ",\n {" : "\n {");
    for (size_t i = 0; i < x->n_columns; i++) {
        const struct pg_value *v = &values[i];
        if (x->format == EXPORT_JSON) {
            buf_puts(x->out, i ? ", " : "");
            put_json_text(x->out, x->columns[i].name, strlen(x->columns[i].name));
            buf_puts(x->out, ": ");
            put_json(x->out, x->columns[i].oid, v);
            continue;
        }
        buf_puts(x->out, x->format == EXPORT_MARKDOWN ? "| " : i ? "," : "");
        if (v->text && x->format == EXPORT_CSV)
            put_csv(x->out, v->text, v->len);
        else if (v->text)
            put_markdown(x->out, v->text, v->len);
        buf_puts(x->out, x->format == EXPORT_MARKDOWN ? " " : "");
    }
    buf_puts(x->out, x->format == EXPORT_JSON ? "}" : x->format == EXPORT_MARKDOWN ? "|\n" : "\n");
    x->rows++;
}

void export_end(struct exporter *x)
{
    if (x->format == EXPORT_JSON)
        buf_puts(x->out, x->rows ? "\n]\n" : "]\n");
}

void export_release(struct exporter *x)
{
    for (size_t i = 0; i < x->n_columns; i++)
        free((char *)(uintptr_t)x->columns[i].name);
    free(x->columns);
    *x = (struct exporter){0};
}
