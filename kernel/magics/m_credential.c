/* %credential: a token for an instance, masked unless asked. */
#include <string.h>

#include "base/clock.h"
#include "magics/remote.h"
#include "magics/session.h"
#include "magics/statement.h"

static const char *expiry(struct magic_ctx *ctx, const struct database_credential *c)
{
    int64_t at;
    if (!c->expiration_time || !clock_parse_rfc3339(c->expiration_time, &at))
        return "unknown";
    return arena_printf(ctx->arena, "in %lld minutes", (long long)(at - clock_wall_s() + 30) / 60);
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *instance = args_get(args, "instance");
    struct connection *current = ctx->session->current;
    struct database_instance seen = {0};
    struct database_credential credential = {0};
    struct table t;
    bool reveal = args_flag(args, "reveal");
    if (!instance && current)
        instance = current->instance;
    if (!instance) {
        err_set(e, ERR_USAGE, "which instance?");
        err_hint(e, "%%credential INSTANCE; without a name it is the instance of the current connection");
        return false;
    }
    const char *me = remote_me(ctx, e);
    if (!me || !remote_instance(ctx, instance, &seen, e))
        return false;
    model_release(&model_database_instance, &seen);
    if (!remote_credential(ctx, instance, &credential, e))
        return false;
    table_init(&t);
    table_add_column(&t, "credential", NULL, TABLE_LEFT);
    table_add_column(&t, "value", NULL, TABLE_LEFT);
    table_add_texts(&t, (const char *const[]){"instance", instance});
    table_add_texts(&t, (const char *const[]){"user", me});
    table_add_texts(&t, (const char *const[]){"token", reveal ? "below" : "******** (--reveal shows it)"});
    table_add_texts(&t, (const char *const[]){"expires", expiry(ctx, &credential)});
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
    if (reveal) /* whole: a table cuts long cells */
        sink_printf(ctx->out, "%s\n", credential.token);
    explicit_bzero(credential.token, strlen(credential.token));
    model_release(&model_database_credential, &credential);
    return true;
}

static const struct arg_row rows[] = {
    {.name = "reveal", .type = ARG_FLAG, .help = "show the token; it is then in the notebook's output"},
    {.name = "instance", .positional = true, .type = ARG_WORD, .complete = "instance",
     .help = "else the one of the current connection"},
    {.name = NULL}};

const struct magic magic_credential = {
    .name = "credential",
    .kinds = MAGIC_LINE,
    .group = "instances",
    .summary = "make a token, the password of a login",
    .help = "The token is checked when a session logs in and lives for one hour; sessions that are open outlive it. "
            "%connect makes its own, so you need this only for other programs.",
    .examples = "%credential workshop\n%credential workshop --reveal",
    .args = rows,
    .run = run,
};
