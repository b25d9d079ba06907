/* \conninfo: all about the current session. */
#include "magics/connect.h"
#include "magics/statement.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    (void)args;
    struct connection *c = session_connection(ctx->session, NULL, e);
    struct table t;
    if (!c)
        return false;
    const char *full = pg_parameter(c->pg, "server_version");
    table_init(&t);
    table_set_title(&t, "Connection Information");
    table_add_column(&t, "Parameter", NULL, TABLE_LEFT);
    table_add_column(&t, "Value", NULL, TABLE_LEFT);
    const char *const rows[][2] = {
        {"Alias", c->alias},
        {"Instance", c->instance},
        {"Database", c->dbname},
        {"User", pg_user(c->pg)},
        {"Host", pg_host(c->pg)},
        {"Port", pg_port(c->pg)},
        {"TLS", *pg_tls(c->pg) ? pg_tls(c->pg) : "none"},
        {"Server version", full ? full : connect_major(ctx, c)},
        {"Backend PID", arena_printf(ctx->arena, "%d", pg_backend_pid(c->pg))},
        {"State", connection_state(c)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i][1])
            table_add_texts(&t, rows[i]);
    }
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
    return true;
}

const struct magic magic_conninfo = {
    .name = "conninfo",
    .kinds = MAGIC_BACKSLASH,
    .group = "connections",
    .summary = "show who and where you are on the current connection",
    .examples = "\\conninfo",
    .run = run,
};
