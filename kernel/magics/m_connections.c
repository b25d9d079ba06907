/* %connections: the open sessions and their state. */
#include "magics/connect.h"
#include "magics/statement.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    static const char *const names[] = {"current", "alias", "where", "database", "user", "state"};
    struct table t;
    (void)args;
    (void)e;
    if (!ctx->session->connections) {
        sink_printf(ctx->out, "No connection is open. %%connect INSTANCE opens one.\n");
        return true;
    }
    table_init(&t);
    t.row_cap = CONNECTIONS_MAX;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        table_add_column(&t, names[i], NULL, TABLE_LEFT);
    for (struct connection *c = ctx->session->connections; c; c = c->next)
        table_add_texts(&t, (const char *const[]){c == ctx->session->current ? "*" : "", c->alias,
                                                  connect_where(ctx, c),
                                                  c->dbname, pg_user(c->pg), connection_state(c)});
    statement_show(ctx, &t);
    table_release(&t);
    return true;
}

const struct magic magic_connections = {
    .name = "connections",
    .kinds = MAGIC_LINE,
    .group = "connections",
    .summary = "list the open sessions; * marks the current one",
    .examples = "%connections",
    .run = run,
};
