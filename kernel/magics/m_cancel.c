/* %cancel: end a statement in the background. */
#include "magics/statement.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct connection *c = session_connection(ctx->session, args_get(args, "alias"), e);
    struct cancel now, *of_cell = ctx->cancel;
    if (!c)
        return false;
    if (!c->background) {
        err_set(e, ERR_INVALID_STATE, "connection '%s' runs nothing in the background", c->alias);
        err_hint(e, "%%connections shows what each one does; Stop ends a statement that this notebook waits for");
        return false;
    }
    if (!cancel_init(&now, e))
        return false;
    cancel_fire(&now);
    ctx->cancel = &now;
    bool ok = statement_collect(ctx, c, e);
    ctx->cancel = of_cell;
    cancel_release(&now);
    if (ok || e->code != ERR_CANCELLED)
        return ok;
    sink_printf(ctx->out, *e->detail ? "The statement on %s had ended before the cancel reached it.\n"
                                     : "The statement on %s was cancelled.\n", c->alias);
    err_init(e);
    return true;
}

static const struct arg_row rows[] = {
    {.name = "alias", .positional = true, .type = ARG_WORD, .complete = "connection", .help = "the connection; else the current one"},
    {.name = NULL}};

const struct magic magic_cancel = {
    .name = "cancel",
    .kinds = MAGIC_LINE,
    .group = "SQL",
    .summary = "end a statement that runs in the background",
    .help = "The session and its transaction stay; in a transaction the cancelled statement makes it fail, so ROLLBACK comes next.",
    .examples = "%cancel b",
    .args = rows,
    .run = run,
};
