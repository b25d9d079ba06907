/* %wait: what came of statements in the background. */
#include "magics/statement.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct session *s = ctx->session;
    const char *alias = args_get(args, "alias");
    struct connection *c = alias ? session_connection(s, alias, e) : s->connections;
    bool was_last = ctx->last, ok = true;
    size_t n = 0;
    if (alias && !c)
        return false;
    if (alias && !c->background) {
        err_set(e, ERR_INVALID_STATE, "connection '%s' runs nothing in the background", alias);
        err_hint(e, "%%sql --on %s --async STATEMENT does", alias);
        return false;
    }
    for (; c && ok; c = alias ? NULL : c->next) {
        if (!c->background)
            continue;
        ctx->last = was_last && alias;
        if (!alias)
            sink_printf(ctx->out, "[%s]\n", c->alias);
        ok = statement_collect(ctx, c, e);
        n++;
    }
    ctx->last = was_last;
    if (ok && n == 0)
        sink_printf(ctx->out, "Nothing runs in the background.\n");
    return ok;
}

static const struct arg_row rows[] = {
    {.name = "alias", .positional = true, .type = ARG_WORD, .complete = "connection",
     .help = "the connection; else all that run something, in the order they were opened"},
    {.name = NULL}};

const struct magic magic_wait = {
    .name = "wait",
    .kinds = MAGIC_LINE,
    .group = "SQL",
    .summary = "wait for a statement in the background and show its result",
    .help = "What %sql --async left to the server: its rows, its notices or its error, as if it had run here. Stop ends the "
            "statement too.",
    .examples = "%wait\n%wait b",
    .args = rows,
    .run = run,
};
