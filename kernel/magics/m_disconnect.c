/* %disconnect: close a session. */
#include "magics/session.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct connection *c = session_connection(ctx->session, args_get(args, "alias"), e);
    if (!c)
        return false;
    if (c->in_tx && pg_alive(c->pg) && !args_flag(args, "force")) {
        err_set(e, ERR_INVALID_STATE, "connection '%s' has an open transaction, which would be lost", c->alias);
        err_hint(e, "COMMIT or ROLLBACK first, or add --force");
        return false;
    }
    sink_printf(ctx->out, "Disconnected %s.\n", c->alias);
    session_remove(ctx->session, c);
    return true;
}

static const struct arg_row rows[] = {
    {.name = "force", .type = ARG_FLAG, .help = "also when a transaction is open: it is undone"},
    {.name = "alias", .positional = true, .type = ARG_WORD, .complete = "connection",
     .help = "an open connection; else the current one"},
    {.name = NULL}};

const struct magic magic_disconnect = {
    .name = "disconnect",
    .kinds = MAGIC_LINE,
    .group = "connections",
    .summary = "close a session",
    .examples = "%disconnect\n%disconnect workshop --force",
    .args = rows,
    .run = run,
};
