/* %use: which open session plain SQL runs on. */
#include "magics/connect.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct connection *c = session_connection(ctx->session, args_get(args, "alias"), e);
    if (!c)
        return false;
    ctx->session->current = c;
    sink_printf(ctx->out, "Using %s: database %s on %s.\n", c->alias, c->dbname, connect_where(ctx, c));
    return true;
}

static const struct arg_row rows[] = {
    {.name = "alias", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .complete = "connection",
     .help = "an open connection"},
    {.name = NULL}};

const struct magic magic_use = {
    .name = "use",
    .kinds = MAGIC_LINE,
    .group = "connections",
    .summary = "make an open session the current one",
    .examples = "%use workshop",
    .args = rows,
    .run = run,
};
