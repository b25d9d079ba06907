/* %export and %%export: the rows of a query, or the last result, as a file. */
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "magics/connect.h"
#include "magics/export.h"
#include "magics/outfile.h"
#include "magics/statement.h"

enum { PIECE = 64 << 10, PIECES_MAX = 256 << 20 };

struct exporting {
    struct exporter x;
    enum export_format format;
    struct buf bytes;
    struct outfile file;
    struct err why; /* of writing */
    bool began, several;
};

static const struct {
    const char *name;
    enum export_format format;
} formats[] = {{"csv", EXPORT_CSV}, {"json", EXPORT_JSON}, {"md", EXPORT_MARKDOWN}};
static const char *const format_names[] = {"csv", "json", "md", NULL};

static bool find_format(const char *given, const char *file, enum export_format *out, struct err *e)
{
    const char *dot = strrchr(file, '.'), *name = given ? given : dot ? dot + 1 : "";
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (strcasecmp(formats[i].name, name) == 0) {
            *out = formats[i].format;
            return true;
        }
    }
    err_set(e, ERR_USAGE, "the format of '%.200s' is not known", file);
    err_hint(e, "end its name in .csv, .json or .md, or say --format");
    return false;
}

static bool flush(struct exporting *w, bool all)
{
    if (w->why.code == ERR_NONE && buf_ok(&w->bytes, "a row of the file", &w->why) && w->bytes.len > 0 &&
        (all || w->bytes.len >= PIECE) && outfile_write(&w->file, buf_str(&w->bytes), w->bytes.len, &w->why))
        buf_clear(&w->bytes);
    return w->why.code == ERR_NONE;
}

static void on_columns(void *self, const struct pg_column *columns, size_t n)
{
    struct exporting *w = self;
    w->several = w->several || w->began;
    if (w->began)
        return;
    w->began = true;
    export_begin(&w->x, w->format, &w->bytes, columns, n);
}

static bool on_row(void *self, const struct pg_value *values, size_t n)
{
    struct exporting *w = self;
    (void)n;
    if (w->several)
        return false;
    export_row(&w->x, values);
    return flush(w, false);
}

/* The last result as it was kept. */
static bool export_last(struct exporting *w, const struct last_result *last, struct err *e)
{
    if (last->serial == 0) {
        err_set(e, ERR_INVALID_STATE, "there is no result yet");
        err_hint(e, "%%export FILE SELECT ... runs a query and writes its rows");
        return false;
    }
    if (last->kept.truncated) {
        err_set(e, ERR_INVALID_STATE, "the last result was not kept whole: it is too large");
        err_hint(e, "%%export FILE SELECT ... writes all rows of a query");
        return false;
    }
    const struct pg_rows rows = {.self = w, .columns = on_columns, .row = on_row};
    last_result_each(last, &rows);
    return true;
}

static bool export_query(struct magic_ctx *ctx, struct exporting *w, const struct args *args, const char *sql, size_t len, struct err *e)
{
    struct pg_rows rows = {.self = w, .columns = on_columns, .row = on_row};
    bool ok = statement_feed(ctx, args_get(args, "on"), "%export", sql, len, &rows, e);
    if (ok && w->several)
        ok = err_set(e, ERR_USAGE, "the statement gave several results, and a file has one");
    if (ok && w->why.code == ERR_NONE && !w->began) {
        ok = err_set(e, ERR_USAGE, "the statement was run, but it returned no rows to write");
        err_hint(e, "INSERT, UPDATE and DELETE return rows with RETURNING");
    }
    return ok;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *file = args_get(args, "file"), *sql;
    size_t len;
    struct exporting w = {0};
    if (!statement_given(ctx, args, "%export", &sql, &len, e) || !find_format(args_get(args, "format"), file, &w.format, e) || !outfile_open(&w.file, ctx->arena, file, e))
        return false;
    buf_init(&w.bytes, PIECES_MAX);
    bool ok = sql ? export_query(ctx, &w, args, sql, len, e) : export_last(&w, &ctx->session->last, e);
    if (ok && w.why.code == ERR_NONE) {
        export_end(&w.x);
        flush(&w, true);
    }
    if (w.why.code != ERR_NONE && e->code == ERR_NONE)
        *e = w.why;
    ok = outfile_close(&w.file, ok && w.why.code == ERR_NONE, e);
    if (ok)
        sink_printf(ctx->out, "%llu row%s%s written to %s\n", w.x.rows, w.x.rows == 1 ? "" : "s", sql ? "" : " of the last result", file);
    export_release(&w.x);
    buf_release(&w.bytes);
    return ok;
}

static const struct arg_row rows[] = {
    {.name = "format", .letter = 'f', .type = ARG_CHOICE, .choices = format_names, .help = "else the ending of the file says it"},
    {.name = "on", .type = ARG_WORD, .placeholder = "ALIAS", .complete = "connection",
     .help = "the connection to use; else the current one"},
    {.name = "file", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .help = "relative to the notebook's folder; .csv, .json or .md"},
    {.name = "sql", .positional = true, .type = ARG_REST, .placeholder = "STATEMENT",
     .help = "whose rows are written; else those of the last result"},
    {.name = NULL}};

const struct magic magic_export = {
    .name = "export",
    .kinds = MAGIC_LINE | MAGIC_CELL,
    .group = "SQL",
    .summary = "write the rows of a query, or the last result, to a file",
    .help = "CSV as COPY writes it, JSON as an array of objects, Markdown as a table. All rows are written, however many; %set rows does "
            "not count. A file that is there is replaced when the new one is whole.",
    .examples = "%export orders.csv SELECT * FROM shop.orders\n%export orders.json\n%%export --format md report.txt\nSELECT * FROM shop.orders;",
    .args = rows,
    .run = run,
};
