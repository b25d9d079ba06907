/* Errors about catalogs (see catalog_error.h). */
#include "magics/catalog_error.h"

#include <stdio.h>
#include <string.h>

#include "magics/remote.h"

enum { NAMES_MAX = 200 };

/* ---- what is there ---- */

struct found {
    struct arena *arena;
    const char *database; /* NULL: any */
    const char *names[NAMES_MAX + 1];
    size_t n;
};

static void keep(struct found *f, const char *name)
{
    if (f->n < NAMES_MAX)
        f->names[f->n++] = arena_strdup(f->arena, text_or_empty(name));
}

static bool keep_databases(void *self, const void *page, const char **next_token)
{
    struct found *f = self;
    const struct database_catalog_list *list = page;
    const struct database_catalog *items = list->database_catalogs.items;
    for (size_t i = 0; i < list->database_catalogs.count; i++) {
        if (!f->database || strcmp(text_or_empty(items[i].database_name), f->database) == 0)
            keep(f, items[i].name);
    }
    *next_token = list->next_page_token;
    return f->n < NAMES_MAX;
}

static bool keep_catalogs(void *self, const void *page, const char **next_token)
{
    struct found *f = self;
    const struct catalog_info_list *list = page;
    const struct catalog_info *items = list->catalogs.items;
    for (size_t i = 0; i < list->catalogs.count; i++)
        keep(f, items[i].name);
    *next_token = list->next_page_token;
    return f->n < NAMES_MAX;
}

/* Catalogs over the instance's databases, or over one of them. */
static bool of_instance(struct magic_ctx *ctx, const char *instance, struct found *f)
{
    struct err none = {0};
    struct dbx_param params[] = {{"instance", instance}, {NULL, NULL}};
    return remote_pages(ctx, DBX_list_database_catalogs, params, keep_databases, f, &none) && f->n > 0;
}

/* ---- what to say ---- */

/* The same error with other words; what the workspace said is worth nothing beside them. */
static void reword(struct err *e, const char *text)
{
    struct err again = {.code = e->code, .http = e->http};
    err_copy(again.text, sizeof again.text, text, strlen(text));
    *e = again;
}

static void name_taken(struct magic_ctx *ctx, const struct database_catalog *wanted, struct err *e)
{
    struct dbx_param params[] = {{"name", wanted->name}, {NULL, NULL}};
    struct database_catalog seen = {0};
    struct err none = {0};
    if (!remote_call(ctx, DBX_get_database_catalog, params, NULL, &seen, &none)) {
        err_hint(e, "it shows no database of an instance; take another name");
        return;
    }
    const char *database = text_or_empty(seen.database_name), *instance = text_or_empty(seen.database_instance_name);
    bool same = strcmp(database, wanted->database_name) == 0 && strcmp(instance, wanted->database_instance_name) == 0;
    err_detail(e, "it shows database %s of instance %s", database, instance);
    if (same)
        err_hint(e, "that is the one you name: with --if-not-exists this is no error");
    else
        err_hint(e, "take another name, or remove the catalog first: %%catalog drop %s", wanted->name);
    model_release(&model_database_catalog, &seen);
}

static void database_taken(struct magic_ctx *ctx, const struct database_catalog *wanted, struct err *e)
{
    struct found f = {.arena = ctx->arena, .database = wanted->database_name};
    if (!of_instance(ctx, wanted->database_instance_name, &f)) {
        err_hint(e, "%%catalog list shows all catalogs");
        return;
    }
    reword(e, arena_printf(ctx->arena, "database '%s' of instance '%s' is shown by catalog '%s' already",
                           wanted->database_name, wanted->database_instance_name, f.names[0]));
    err_hint(e, "use that one, or remove it first: %%catalog drop %s", f.names[0]);
}

static void not_there(struct magic_ctx *ctx, const struct database_catalog *wanted, struct err *e)
{
    struct database_instance seen = {0};
    struct err why = {0};
    if (!remote_instance(ctx, wanted->database_instance_name, &seen, &why)) {
        if (why.http == 404)
            *e = why;
        return;
    }
    model_release(&model_database_instance, &seen);
    reword(e, arena_printf(ctx->arena, "instance '%s' has no database '%s'", wanted->database_instance_name,
                           wanted->database_name));
    err_hint(e, "--create-database makes it");
}

void catalog_error_register(struct magic_ctx *ctx, const struct database_catalog *wanted, struct err *e)
{
    if (e->code == ERR_CATALOG_EXISTS)
        name_taken(ctx, wanted, e);
    else if (e->code == ERR_ALREADY_EXISTS)
        database_taken(ctx, wanted, e);
    else if (e->http == 404)
        not_there(ctx, wanted, e);
}

void catalog_error_unknown(struct magic_ctx *ctx, const char *name, struct err *e)
{
    struct found f = {.arena = ctx->arena};
    struct err none = {0};
    if (e->http != 404 || !remote_pages(ctx, DBX_list_catalogs, NULL, keep_catalogs, &f, &none))
        return;
    bool there = false;
    for (size_t i = 0; i < f.n; i++)
        there = there || strcmp(f.names[i], name) == 0;
    const char *near = args_nearest(name, strlen(name), f.names);
    if (there)
        reword(e, arena_printf(ctx->arena, "catalog '%s' shows no database of an instance", name));
    else
        reword(e, arena_printf(ctx->arena, "there is no catalog '%s'", name));
    if (near && !there)
        err_hint(e, "did you mean %s? %%catalog list shows all", near);
    else
        err_hint(e, "%%catalog list shows all, with what they are");
}

void catalog_error_instance(struct magic_ctx *ctx, const char *instance, struct err *e)
{
    struct found f = {.arena = ctx->arena};
    struct buf names;
    if (e->code != ERR_BAD_REQUEST || !of_instance(ctx, instance, &f))
        return;
    buf_init(&names, 65536);
    for (size_t i = 0; i < f.n && names.len < 300; i++)
        buf_printf(&names, "%s%%catalog drop %s", i ? ", " : "", f.names[i]);
    err_hint(e, "remove what shows its databases first: %s", buf_str(&names));
    buf_release(&names);
}
