/* psql's \d family (see describe.h). The queries and patterns are pg/catalog.h's; here their rows become tables. */
#include "magics/describe.h"

#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "cell/split.h"
#include "magics/connect.h"
#include "magics/statement.h"
#include "pg/catalog.h"

enum { TABLES_MAX = 20, ROWS_MAX = 1000, COLUMNS_MAX = 64 };

#define PATTERN(provider)                                                                                               \
    {{.name = "pattern", .positional = true, .type = ARG_REST, .complete = (provider),                                  \
      .help = "a name, SCHEMA.NAME; * and ? are wildcards"},                                                            \
     {.name = NULL}}
const struct arg_row describe_relations[] = PATTERN("relation");
const struct arg_row describe_indexes[] = PATTERN("index");
const struct arg_row describe_views[] = PATTERN("view");
const struct arg_row describe_sequences[] = PATTERN("sequence");
const struct arg_row describe_schemas[] = PATTERN("schema");
const struct arg_row describe_roles[] = PATTERN("role");
const struct arg_row describe_functions[] = PATTERN("function");
const struct arg_row describe_databases[] = PATTERN("database");
const struct arg_row describe_extensions[] = PATTERN("extension");

struct showing {
    struct magic_ctx *ctx;
    const char *pattern;
    struct table table;   /* the newest one; shown when the next begins, so that the last can be the cell's result */
    bool pending;         /* it is complete and not shown */
    size_t n;             /* tables begun */
};

static void show_pending(struct showing *s, bool last)
{
    bool was_last = s->ctx->last;
    if (!s->pending)
        return;
    s->pending = false;
    s->ctx->last = was_last && last;
    statement_show(s->ctx, &s->table);
    s->ctx->last = was_last;
}

static void begin(void *self, const char *title)
{
    struct showing *s = self;
    show_pending(s, false);
    table_release(&s->table);
    table_init(&s->table);
    s->table.row_cap = ROWS_MAX;
    table_set_title(&s->table, title);
    s->n++;
}

static void columns(void *self, const struct pg_column *columns, size_t n)
{
    struct showing *s = self;
    if (n > COLUMNS_MAX)
        bug("a catalog query with %zu columns", n);
    for (size_t i = 0; i < n; i++)
        table_add_column(&s->table, columns[i].name, NULL, columns[i].numeric ? TABLE_RIGHT : TABLE_LEFT);
}

static bool row(void *self, const struct pg_value *values, size_t n)
{
    struct showing *s = self;
    struct table_cell cells[COLUMNS_MAX];
    for (size_t i = 0; i < n; i++)
        cells[i] = (struct table_cell){values[i].text, values[i].len, 0};
    table_add_row(&s->table, cells);
    return true;
}

static void end(void *self, const char *footer)
{
    struct showing *s = self;
    static const char list_of[] = "List of ";
    struct table *t = &s->table;
    if ((!footer || !*footer) && t->seen == 0 && strncmp(t->title, list_of, strlen(list_of)) == 0) {
        const char *what = t->title + strlen(list_of);
        if (s->pattern) /* one of them: without the s */
            sink_printf(s->ctx->out, "Did not find any %.*s named \"%s\".\n", (int)strlen(what) - 1, what,
                        s->pattern);
        else
            sink_printf(s->ctx->out, "Did not find any %s.\n", what);
        return;
    }
    /* The footer takes the place of the line that would say so. */
    if (footer && t->n_rows < t->seen)
        footer = arena_printf(s->ctx->arena, "(%zu of %llu rows shown)%s%s", t->n_rows, t->seen, *footer ? "\n" : "",
                              footer);
    if (footer)
        table_set_footer(t, footer);
    s->pending = s->n <= TABLES_MAX;
}

/* Where a pattern ends: at a blank or semicolon outside double quotes. */
static size_t pattern_len(const char *text, bool *open)
{
    size_t n = 0;
    *open = false;
    for (; text[n] && (*open || !strchr(" \t;", text[n])); n++)
        *open = *open != (text[n] == '"');
    return n;
}

/* psql ignores what follows, and says so; here it is a mistake with a place. */
static bool one_pattern(struct magic_ctx *ctx, const char *pattern, struct err *e)
{
    if (!pattern)
        return true;
    bool open;
    size_t at = pattern_len(pattern, &open), n = strlen(pattern);
    at += strspn(pattern + at, " \t;");
    if (open)
        at = (size_t)(strrchr(pattern, '"') - pattern);
    else if (at == n)
        return true;
    /* It is the raw rest of the line, so it is the tail of the arguments. */
    const char *rest = ctx->args + ctx->args_len - n + at;
    if (open)
        err_set(e, ERR_USAGE, "a quote (\") is not closed");
    else
        err_set(e, ERR_USAGE, "\\%s takes one name; '%.100s' is left over", ctx->name, pattern + at);
    if (!open)
        err_hint(e, "a statement or another command goes on a line of its own; a name with blanks stands in double quotes");
    cell_place(ctx->cell, ctx->cell_len, (size_t)(rest - ctx->cell), &e->line, &e->column);
    e->width = (int)utf8_count(rest, n - at);
    return false;
}

bool describe_run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    if (!one_pattern(ctx, args_get(args, "pattern"), e))
        return false;
    struct connection *c = session_connection(ctx->session, NULL, e);
    if (!c || !connect_ensure(ctx, c, e))
        return false;
    struct showing s = {.ctx = ctx, .pattern = args_get(args, "pattern")};
    table_init(&s.table);
    const struct pg_listing out = {.self = &s, .begin = begin, .rows = {.self = &s, .columns = columns, .row = row},
                                   .end = end};
    bool ok = pg_describe(c->pg, ctx->name, s.pattern, &out, ctx->cancel, e);
    connect_used(c, ok, e);
    show_pending(&s, ok);
    if (ok && s.n > TABLES_MAX)
        sink_printf(ctx->out, "(%d of %zu relations shown)\n", TABLES_MAX, s.n);
    table_release(&s.table);
    return ok;
}
