/* %workspace: which workspace the notebook works with. */
#include <string.h>

#include "magics/remote.h"
#include "magics/session.h"
#include "magics/statement.h"

static bool show(struct magic_ctx *ctx, struct err *e)
{
    struct metastore_assignment store = {0};
    struct err none = {0};
    struct table t;
    const char *me = remote_me(ctx, e);
    if (!me)
        return false;
    struct dbx_client *c = ctx->session->client;
    bool embedded = remote_is_embedded(ctx->session);
    bool known = remote_call(ctx, DBX_current_metastore, NULL, NULL, &store, &none);
    table_init(&t);
    table_add_column(&t, "workspace", NULL, TABLE_LEFT);
    table_add_column(&t, "value", NULL, TABLE_LEFT);
    const char *const rows[][2] = {
        {"kind", embedded ? "local" : dbx_is_local(c) ? "local, from the environment or a profile" : "Databricks"},
        {"host", dbx_host(c)},
        {"user", me},
        {"login", dbx_auth_type(c)},
        {"profile", embedded || !*dbx_profile(c) ? NULL : dbx_profile(c)},
        {"workspace id", known && store.workspace_id.has
                             ? arena_printf(ctx->arena, "%lld", (long long)store.workspace_id.value) : NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i][1])
            table_add_texts(&t, rows[i]);
    }
    if (known)
        model_release(&model_metastore_assignment, &store);
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
    return true;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *target = args_get(args, "target");
    if (!target || strcmp(target, "status") == 0)
        return show(ctx, e);
    /* Back to the old one when the new one does not answer. */
    const char *before = arena_strdup(ctx->arena, ctx->session->target);
    remote_choose(ctx->session, target);
    if (show(ctx, e))
        return true;
    remote_choose(ctx->session, before);
    return err_wrap(e, "the workspace stays '%s'", before);
}

static const char *const targets[] = {"local", "env", "status", NULL};
static const struct arg_row rows[] = {
    {.name = "target", .positional = true, .type = ARG_WORD, .choices = targets,
     .placeholder = "local|env|PROFILE|status",
     .help = "local: the one on this machine; env: what DATABRICKS_HOST and the like say; else a profile of ~/.databrickscfg"},
    {.name = NULL}};

const struct magic magic_workspace = {
    .name = "workspace",
    .kinds = MAGIC_LINE,
    .group = "workshop",
    .summary = "show or choose the workspace",
    .help = "Without a choice it is the local one, which starts when it is needed. On a workspace that is not local, magics ask "
            "before they create, resize or delete, because that costs money. Open connections stay open.",
    .examples = "%workspace\n%workspace local\n%workspace my-profile",
    .args = rows,
    .run = run,
};
