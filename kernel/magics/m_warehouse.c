/* %%warehouse: Databricks SQL in a SQL warehouse. */
#include <string.h>

#include "cell/dbsql.h"
#include "cell/split.h"
#include "magics/deadline.h"
#include "magics/session.h"
#include "magics/warehouse.h"

static bool open_error(struct magic_ctx *ctx, const char *at, struct err *e)
{
    err_set(e, ERR_SYNTAX, "a quote or a comment is not closed");
    cell_place(ctx->cell, ctx->cell_len, (size_t)(at - ctx->cell), &e->line, &e->column);
    return false;
}

/* The statements one after the other; the first error ends it and says where it was. */
static bool run_all(struct magic_ctx *ctx, const char *id, const char *text, size_t len, const struct settings *s,
                    struct err *e)
{
    struct sql_span span = {0}, next = {0};
    enum sql_open open = SQL_CLOSED;
    size_t pos = 0, seen = 0;
    bool last = ctx->last, ok = true, more = dbsql_next(text, len, &pos, &span, &open);
    if (!more && open != SQL_CLOSED)
        return open_error(ctx, text + span.open_at, e);
    if (!more && strspn(text, " \t\r\n") < len)
        return true; /* comments only: nothing to run, as in a cell of SQL */
    if (!more)
        return err_set(e, ERR_USAGE, "%%%%warehouse takes its statements from the lines below");
    while (ok && more) {
        if (open != SQL_CLOSED)
            return open_error(ctx, text + span.open_at, e);
        more = dbsql_next(text, len, &pos, &next, &open);
        ctx->last = last && !more;
        ok = warehouse_run(ctx, id, text + span.start, span.len, s, e);
        if (!ok && e->line == 0 && (more || seen > 0))
            cell_place(ctx->cell, ctx->cell_len, (size_t)(text - ctx->cell) + span.start, &e->line, &e->column);
        seen++;
        span = next;
    }
    ctx->last = last;
    return ok;
}

static bool run_in_time(struct magic_ctx *ctx, const char *id, const char *text, size_t len, const struct settings *s,
                        struct err *e)
{
    struct deadline d;
    if (s->timeout <= 0)
        return run_all(ctx, id, text, len, s, e);
    struct cancel *user = ctx->cancel;
    if (!deadline_begin(&d, s->timeout, user, e))
        return false;
    ctx->cancel = &d.token;
    bool ok = run_all(ctx, id, text, len, s, e);
    ctx->cancel = user;
    bool passed = deadline_end(&d);
    if (!ok && passed && e->code == ERR_CANCELLED && !cancel_fired(user)) {
        *e = (struct err){0};
        err_set(e, ERR_TIMEOUT, "the cell's statements took longer than %lld ms; the running one was cancelled",
                s->timeout);
    }
    return ok;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct settings s = ctx->session->settings;
    s.rows = args_int(args, "limit", s.rows);
    s.timeout = args_int(args, "timeout", s.timeout);
    const char *id = warehouse_find(ctx, args_get(args, "on"), e);
    return id && run_in_time(ctx, id, ctx->body, ctx->body_len, &s, e);
}

static const struct arg_row rows[] = {
    {.name = "on", .type = ARG_WORD, .placeholder = "WAREHOUSE", .help = "name or id of the warehouse; else the first one"},
    {.name = "limit", .type = ARG_INT, .min = 1, .max = 10000, .placeholder = "N",
     .help = "how many rows of a result are shown"},
    {.name = "timeout", .type = ARG_DURATION, .placeholder = "T",
     .help = "cancel the running statement when the cell takes longer"},
    {.name = NULL}};

const struct magic magic_warehouse = {
    .name = "warehouse",
    .kinds = MAGIC_CELL,
    .group = "lakehouse",
    .summary = "run Databricks SQL in a SQL warehouse",
    .help = "The lines below are Databricks SQL: Delta tables, and the tables of registered databases beside them. Statements run one "
            "after the other, each is committed by itself, and the first error ends the cell. USE CATALOG and USE SCHEMA hold for the "
            "cells that follow.",
    .examples = "%%warehouse --limit 5\nSELECT * FROM main.shop.orders;\nSELECT current_catalog(), current_schema()",
    .args = rows,
    .run = run,
};
