/* %version: which kernel this is, and what it is connected to. */
#include "magics/connect.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    (void)args;
    (void)e;
    sink_printf(ctx->out, "lakebase-kernel %s\n", LAKEBASE_VERSION);
    struct connection *c = ctx->session->current;
    if (c && pg_alive(c->pg)) {
        const char *full = pg_parameter(c->pg, "server_version");
        sink_printf(ctx->out, "PostgreSQL %s (connection %s)\n", full ? full : connect_major(ctx, c), c->alias);
    }
    return true;
}

const struct magic magic_version = {
    .name = "version",
    .kinds = MAGIC_LINE,
    .group = "kernel",
    .summary = "show the version of the kernel and of the server behind the current connection",
    .examples = "%version",
    .run = run,
};
