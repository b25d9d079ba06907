/* %plot and %%plot: a chart of a query's rows, or of the last result, as Vega-Lite, which JupyterLab draws by itself. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/connect.h"
#include "magics/statement.h"

enum { POINTS_MAX = 5000, BYTES_MAX = 4 << 20, COLUMNS_MAX = 1664 };
/* pg_type.dat */
enum { OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_FLOAT4 = 700, OID_FLOAT8 = 701, OID_DATE = 1082, OID_TIMESTAMP = 1114,
       OID_TIMESTAMPTZ = 1184, OID_NUMERIC = 1700 };

struct plot {
    const char *x, *y, *color; /* names of columns; x, y: the first and the first number behind it when not given */
    char **names;
    unsigned *oids;
    size_t n_columns;
    json_t *values;
    size_t bytes;
    bool began, several, full;
};

/* The last Vega-Lite that JupyterLab 4 bundles is 5.6.1; its types. */
static const char *kind_of(unsigned oid)
{
    switch (oid) {
    case OID_INT2: case OID_INT4: case OID_INT8: case OID_FLOAT4: case OID_FLOAT8: case OID_NUMERIC: return "quantitative";
    case OID_DATE: case OID_TIMESTAMP: case OID_TIMESTAMPTZ: return "temporal";
    default: return "nominal";
    }
}

static void on_columns(void *self, const struct pg_column *columns, size_t n)
{
    struct plot *p = self;
    p->several = p->several || p->began;
    if (p->began)
        return;
    p->began = true;
    p->n_columns = n;
    p->names = xcalloc(n + 1, sizeof *p->names);
    p->oids = xcalloc(n + 1, sizeof *p->oids);
    for (size_t i = 0; i < n; i++) {
        p->names[i] = xstrdup(columns[i].name);
        p->oids[i] = columns[i].oid;
    }
}

static json_t *value_of(unsigned oid, const struct pg_value *v)
{
    char *end;
    if (!v->text)
        return json_null();
    const char *kind = kind_of(oid);
    double number = strtod(v->text, &end);
    if (strcmp(kind, "quantitative") == 0 && *end == '\0' && number - number == 0) /* not NaN, not infinite */
        return json_real(number);
    if (strcmp(kind, "quantitative") == 0)
        return json_null();
    return jx_text(v->text, v->len);
}

static bool on_row(void *self, const struct pg_value *values, size_t n)
{
    struct plot *p = self;
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += values[i].len + strlen(p->names[i]) + 8;
    if (p->several)
        return false;
    if (json_array_size(p->values) == POINTS_MAX || size > BYTES_MAX - p->bytes) {
        p->full = true;
        return false;
    }
    p->bytes += size;
    json_t *row = json_object();
    for (size_t i = 0; i < n; i++)
        json_object_set_new(row, p->names[i], value_of(p->oids[i], &values[i]));
    json_array_append_new(p->values, row);
    return true;
}

static bool feed_last(struct plot *p, const struct last_result *last, struct err *e)
{
    const struct pg_rows rows = {.self = p, .columns = on_columns, .row = on_row};
    if (last->serial == 0) {
        err_set(e, ERR_INVALID_STATE, "there is no result yet");
        err_hint(e, "%%plot bar SELECT ... runs a query and draws its rows");
        return false;
    }
    last_result_each(last, &rows);
    p->full = p->full || last->kept.truncated;
    return true;
}

static bool feed_query(struct magic_ctx *ctx, struct plot *p, const char *on, const char *sql, size_t len, struct err *e)
{
    struct pg_rows rows = {.self = p, .columns = on_columns, .row = on_row};
    return statement_feed(ctx, on, "%plot", sql, len, &rows, e);
}

/* ---- what is drawn ---- */

static bool find_column(const struct plot *p, const char *name, size_t *at, struct err *e)
{
    const char *names[COLUMNS_MAX + 1];
    char all[200] = "";
    size_t n = p->n_columns < COLUMNS_MAX ? p->n_columns : COLUMNS_MAX;
    for (size_t i = 0; i < n; i++) {
        names[i] = p->names[i];
        if (strlen(all) + strlen(names[i]) + 3 < sizeof all)
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", names[i]);
        if (strcasecmp(name, names[i]) == 0) {
            *at = i;
            return true;
        }
    }
    names[n] = NULL;
    const char *near = args_nearest(name, strlen(name), names);
    err_set(e, ERR_USAGE, "the result has no column '%.100s'", name);
    if (near)
        err_hint(e, "did you mean %s?", near);
    else
        err_hint(e, "its columns: %s", all);
    return false;
}

/* x: the first column; y: the first number behind it. */
static bool choose(struct plot *p, size_t *x, size_t *y, struct err *e)
{
    *x = 0;
    *y = p->n_columns;
    if (p->x && !find_column(p, p->x, x, e))
        return false;
    if (p->y)
        return find_column(p, p->y, y, e);
    for (size_t i = 0; i < p->n_columns && *y == p->n_columns; i++) {
        if (i != *x && strcmp(kind_of(p->oids[i]), "quantitative") == 0)
            *y = i;
    }
    if (*y < p->n_columns)
        return true;
    if (p->n_columns == 1)
        err_set(e, ERR_USAGE, "the result has one column, '%.100s', and a chart needs two", p->names[0]);
    else
        err_set(e, ERR_USAGE, "the result has no column of numbers %s%.100s to draw", p->x ? "beside " : "behind ", p->names[*x]);
    err_hint(e, "a chart needs one column for x and one of numbers for y: SELECT name, count(*) ...");
    return false;
}

/* Vega-Lite reads dots and brackets in the name of a field as a path. */
static json_t *axis(const struct plot *p, size_t column, const char *kind, bool sorted)
{
    struct buf field;
    buf_init(&field, 10000);
    for (const char *c = p->names[column]; *c; c++)
        buf_printf(&field, strchr(".[]\\'\"", *c) ? "\\%c" : "%c", *c);
    json_t *a = json_pack("{s:o,s:s,s:o}", "field", jx_text(buf_str(&field), field.len), "type", kind, "title",
                          jx_str(p->names[column]));
    buf_release(&field);
    if (sorted) /* in the order of the rows, as ORDER BY made it */
        json_object_set_new(a, "sort", json_null());
    return a;
}

static void draw(struct magic_ctx *ctx, struct plot *p, const char *mark, const char *title, size_t x, size_t y, const size_t *color)
{
    size_t n = json_array_size(p->values);
    const char *heading = title ? title : arena_printf(ctx->arena, "%s by %s", p->names[y], p->names[x]);
    const char *kind = kind_of(p->oids[x]);
    if (strcmp(mark, "bar") == 0 && strcmp(kind, "quantitative") == 0)
        kind = "ordinal"; /* a bar for each of them, not slivers on a scale */
    bool words = strcmp(kind, "nominal") == 0 || strcmp(kind, "ordinal") == 0;
    json_t *encoding = json_pack("{s:o,s:o}", "x", axis(p, x, kind, words), "y", axis(p, y, kind_of(p->oids[y]), false));
    if (color)
        json_object_set_new(encoding, "color", axis(p, *color, kind_of(p->oids[*color]), true));
    json_t *spec = json_pack("{s:s,s:o,s:{s:s,s:b},s:{s:O},s:o,s:i,s:i}", "$schema", "https://vega.github.io/schema/vega-lite/v5.json",
                             "title", jx_str(heading), "mark", "type", mark, "tooltip", 1, "data", "values", p->values, "encoding",
                             encoding, "width", 480, "height", 280);
    char *plain = arena_printf(ctx->arena, "%s chart: %s (%zu point%s%s)", mark, heading, n, n == 1 ? "" : "s",
                               p->full ? ", not all rows" : "");
    json_t *data = json_pack("{s:o,s:o}", "application/vnd.vegalite.v5+json", spec, "text/plain", jx_str(plain));
    ctx->out->show(ctx->out->self, ctx->last ? SINK_RESULT : SINK_DISPLAY, data, NULL, NULL);
    json_decref(data);
}

static bool draw_rows(struct magic_ctx *ctx, struct plot *p, const struct args *args, struct err *e)
{
    size_t x, y, color;
    if (p->several)
        return err_set(e, ERR_USAGE, "the statement gave several results, and a chart has one");
    if (!p->began)
        return err_set(e, ERR_USAGE, "the statement was run, but it returned no rows to draw");
    if (!choose(p, &x, &y, e) || (p->color && !find_column(p, p->color, &color, e)))
        return false;
    if (p->full)
        sink_warn(ctx->out, "Only the first %zu rows are drawn; GROUP BY or LIMIT makes fewer of them.\n", json_array_size(p->values));
    draw(ctx, p, args_get(args, "mark"), args_get(args, "title"), x, y, p->color ? &color : NULL);
    return true;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *sql;
    size_t len;
    if (!statement_given(ctx, args, "%plot", &sql, &len, e))
        return false;
    struct plot p = {.x = args_get(args, "x"), .y = args_get(args, "y"), .color = args_get(args, "color"), .values = json_array()};
    bool ok = sql ? feed_query(ctx, &p, args_get(args, "on"), sql, len, e) : feed_last(&p, &ctx->session->last, e);
    ok = ok && draw_rows(ctx, &p, args, e);
    for (size_t i = 0; i < p.n_columns; i++)
        free(p.names[i]);
    free(p.names);
    free(p.oids);
    json_decref(p.values);
    return ok;
}

static const char *const marks[] = {"bar", "line", "point", "area", NULL};

static const struct arg_row rows[] = {
    {.name = "x", .type = ARG_WORD, .placeholder = "COLUMN", .help = "else the first column"},
    {.name = "y", .type = ARG_WORD, .placeholder = "COLUMN", .help = "else the first column of numbers behind it"},
    {.name = "color", .type = ARG_WORD, .placeholder = "COLUMN", .help = "a colour for each of its values"},
    {.name = "title", .type = ARG_WORD, .placeholder = "TEXT", .help = "above the chart"},
    {.name = "on", .type = ARG_WORD, .placeholder = "ALIAS", .complete = "connection",
     .help = "the connection to use; else the current one"},
    {.name = "mark", .positional = true, .type = ARG_CHOICE, .flags = ARG_REQUIRED, .choices = marks, .help = "what is drawn"},
    {.name = "sql", .positional = true, .type = ARG_REST, .placeholder = "STATEMENT",
     .help = "whose rows are drawn; else those of the last result"},
    {.name = NULL}};

const struct magic magic_plot = {
    .name = "plot",
    .kinds = MAGIC_LINE | MAGIC_CELL,
    .group = "SQL",
    .summary = "draw the rows of a query, or the last result",
    .help = "Columns of numbers, of dates and times, and of names get the axes that fit them; names stay in the order of the rows, so "
            "ORDER BY decides. JupyterLab draws the chart by itself, offline too (Vega-Lite 5); elsewhere a line of text stands for it.",
    .examples = "%plot bar SELECT sku, count(*) FROM shop.orders GROUP BY sku ORDER BY 2 DESC\n%plot line\n"
                "%%plot bar --color state --title 'Orders'\nSELECT day, count(*), state FROM shop.orders GROUP BY day, state;",
    .args = rows,
    .run = run,
};
