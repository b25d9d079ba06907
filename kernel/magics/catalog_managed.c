/* %catalog for managed catalogs (see catalog_managed.h). */
#include "magics/catalog_managed.h"

#include <string.h>

#include "base/xalloc.h"
#include "magics/remote.h"

/* The name is taken: fine when what has it is managed too. */
static bool keep_existing(struct magic_ctx *ctx, const char *name, struct err *e)
{
    struct dbx_param params[] = {{"name", name}, {NULL, NULL}};
    struct catalog_info seen = {0};
    if (!remote_call(ctx, DBX_get_catalog, params, NULL, &seen, e))
        return err_wrap(e, "catalog '%s' exists", name);
    bool managed = strcmp(text_or_empty(seen.catalog_type), "MANAGED_CATALOG") == 0;
    model_release(&model_catalog_info, &seen);
    if (managed)
        sink_printf(ctx->out, "Catalog %s exists already.\n", name);
    return managed || err_set(e, ERR_CATALOG_EXISTS, "catalog '%s' exists and shows a database", name);
}

bool catalog_managed_create(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "catalog");
    const char *what = arena_printf(ctx->arena, "Create catalog '%s'", name);
    if (!remote_consent(ctx, what, false, args_flag(args, "yes"), e))
        return false;
    struct catalog_info request = {.name = xstrdup(name), .comment = xstrdup(args_get(args, "comment"))}, made = {0};
    bool ok = remote_call(ctx, DBX_create_catalog, NULL, &request, &made, e);
    if (ok)
        sink_printf(ctx->out, "Catalog %s is created.\n", made.name ? made.name : name);
    model_release(&model_catalog_info, &made);
    model_release(&model_catalog_info, &request);
    if (!ok && e->code == ERR_CATALOG_EXISTS && args_flag(args, "if-not-exists")) {
        err_init(e);
        return keep_existing(ctx, name, e);
    }
    return ok || err_wrap(e, "cannot create catalog '%s'", name);
}

bool catalog_managed_drop(struct magic_ctx *ctx, const char *name, bool force, bool yes, struct err *e)
{
    struct dbx_param params[] = {{"name", name}, {"force", force ? "true" : "false"}, {NULL, NULL}};
    struct catalog_info seen = {0};
    if (!remote_call(ctx, DBX_get_catalog, params, NULL, &seen, e))
        return false;
    model_release(&model_catalog_info, &seen);
    const char *what = arena_printf(ctx->arena, force ? "Drop catalog '%s' with all its schemas and tables"
                                                      : "Drop catalog '%s'", name);
    if (!remote_consent(ctx, what, force, yes, e))
        return false;
    if (remote_call(ctx, DBX_delete_catalog, params, NULL, NULL, e)) {
        sink_printf(ctx->out, "Catalog %s is dropped.\n", name);
        return true;
    }
    if (e->code == ERR_CATALOG_NOT_EMPTY)
        err_hint(e, "--force drops its schemas and tables too");
    return err_wrap(e, "cannot drop catalog '%s'", name);
}
