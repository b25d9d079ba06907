/* %disconnect: close a session. */
#include "magics/session.h"
#include "pg/pool.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct connection *c = session_connection(ctx->session, args_get(args, "alias"), e);
    if (!c)
        return false;
    const char *work = connection_work(c);
    if (work && !args_flag(args, "force")) {
        err_set(e, ERR_INVALID_STATE, "connection '%s' has %s, which would be lost", c->alias, work);
        err_hint(e, c->background ? "%%wait %s first, or add --force" : "COMMIT or ROLLBACK first, or add --force", c->alias);
        return false;
    }
    if (c->pool)
        sink_printf(ctx->out, "Gave %s back to pool %s.\n", c->alias, pool_name(c->pool));
    else
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
