/* %grant: privileges in Unity Catalog. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/remote.h"
#include "magics/statement.h"

static const char *spelled(struct magic_ctx *ctx, const char *privilege)
{
    char *text = arena_strdup(ctx->arena, text_or_empty(privilege));
    for (char *p = text; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    return text;
}

static void add_text(struct model_list *list, const char *text, size_t len)
{
    list->items = xreallocarray(list->items, list->count + 1, sizeof(char *));
    ((char **)list->items)[list->count++] = xstrndup(text, len);
}

/* "SELECT,MODIFY" or "use catalog", as the API wants them: upper case, underscores. */
static void take_privileges(const char *text, struct model_list *out)
{
    while (*text) {
        size_t len = strcspn(text, ",");
        const char *from = text;
        text += len + (text[len] == ',');
        while (len > 0 && *from == ' ') {
            from++;
            len--;
        }
        while (len > 0 && from[len - 1] == ' ')
            len--;
        if (len == 0)
            continue;
        add_text(out, from, len);
        for (char *p = ((char **)out->items)[out->count - 1]; *p; p++)
            *p = *p == ' ' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    }
}

static bool change(struct magic_ctx *ctx, const struct args *args, bool grant, struct err *e)
{
    const char *type = args_get(args, "type"), *name = args_get(args, "object"), *who = args_get(args, "principal");
    struct dbx_param params[] = {{"securable_type", type}, {"full_name", name}, {NULL, NULL}};
    struct permissions_update update = {0};
    struct permissions_change *one = model_list_add(&model_permissions_change, &update.changes);
    one->principal = xstrdup(who);
    take_privileges(args_get(args, "privileges"), grant ? &one->add : &one->remove);
    const struct model_list *list = grant ? &one->add : &one->remove;
    bool ok = list->count > 0 || err_set(e, ERR_USAGE, "which privilege? For example SELECT, or 'USE CATALOG'");
    ok = ok && (remote_call(ctx, DBX_update_grants, params, &update, NULL, e) ||
                err_wrap(e, "cannot change privileges on %s '%s'", type, name));
    for (size_t i = 0; ok && i < list->count; i++)
        sink_printf(ctx->out, "%s on %s %s %s %s.\n", spelled(ctx, ((char **)list->items)[i]), type, name,
                    grant ? "is granted to" : "is revoked from", who);
    model_release(&model_permissions_update, &update);
    return ok;
}

static bool run_grant(struct magic_ctx *ctx, const struct args *args, struct err *e) { return change(ctx, args, true, e); }
static bool run_revoke(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    return change(ctx, args, false, e);
}

/* ---- show ---- */

struct shown {
    const char *texts[3];
};

static int by_text(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    for (int i = 0; i < 3; i++) {
        int order = strcmp(x->texts[i], y->texts[i]);
        if (order)
            return order;
    }
    return 0;
}

static void show_table(struct magic_ctx *ctx, const struct effective_permissions_list *list)
{
    const struct effective_assignment *all = list->privilege_assignments.items;
    size_t n = 0, count = 0;
    for (size_t i = 0; i < list->privilege_assignments.count; i++)
        count += all[i].privileges.count;
    struct shown *rows = arena_alloc(ctx->arena, (count + 1) * sizeof *rows);
    for (size_t i = 0; i < list->privilege_assignments.count; i++) {
        const struct effective_privilege *p = all[i].privileges.items;
        for (size_t k = 0; k < all[i].privileges.count; k++)
            rows[n++] = (struct shown){{text_or_empty(all[i].principal), spelled(ctx, p[k].privilege),
                                        p[k].inherited_from_name
                                            ? arena_printf(ctx->arena, "%s %s", text_or_empty(p[k].inherited_from_type),
                                                           p[k].inherited_from_name)
                                            : ""}};
    }
    qsort(rows, n, sizeof *rows, by_text);
    struct table t;
    table_init(&t);
    table_add_column(&t, "principal", NULL, TABLE_LEFT);
    table_add_column(&t, "privilege", NULL, TABLE_LEFT);
    table_add_column(&t, "inherited from", NULL, TABLE_LEFT);
    for (size_t i = 0; i < n; i++)
        table_add_texts(&t, rows[i].texts);
    statement_show(ctx, &t);
    table_release(&t);
}

static bool run_show(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *type = args_get(args, "type"), *name = args_get(args, "object");
    struct dbx_param params[] = {{"securable_type", type}, {"full_name", name},
                                 {"principal", args_get(args, "principal")}, {NULL, NULL}};
    struct effective_permissions_list list = {0};
    if (!remote_call(ctx, DBX_get_effective_grants, params, NULL, &list, e))
        return err_wrap(e, "%s '%s'", type, name);
    show_table(ctx, &list);
    model_release(&model_effective_permissions_list, &list);
    return true;
}

/* ---- descriptor ---- */

static const char *const types[] = {"catalog", "schema", "table", NULL};

#define PRIVILEGES \
    {.name = "privileges", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .placeholder = "PRIVILEGE", \
     .help = "SELECT, MODIFY, USE_SCHEMA … or several with commas"}
#define TYPE(word) \
    {.name = "type", .positional = true, .type = ARG_CHOICE, .flags = ARG_REQUIRED, .choices = types, .keyword = word, \
     .help = "what kind of object it is"}
#define OBJECT \
    {.name = "object", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .placeholder = "NAME", \
     .help = "full name: main, main.shop, main.shop.orders"}
#define WHO(word) \
    {.name = "principal", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .keyword = word, \
     .help = "a user, a service principal's client id, or 'account users'"}
#define END {.name = NULL}

static const struct arg_row grant_rows[] = {PRIVILEGES, TYPE("on"), OBJECT, WHO("to"), END};
static const struct arg_row revoke_rows[] = {PRIVILEGES, TYPE("on"), OBJECT, WHO("from"), END};
static const struct arg_row show_rows[] = {
    {.name = "principal", .type = ARG_WORD, .help = "of this principal only"}, TYPE(NULL), OBJECT, END};

static const struct magic_sub subs[] = {
    {"", grant_rows, "grant privileges", run_grant},
    {"revoke", revoke_rows, "take granted privileges back", run_revoke},
    {"show", show_rows, "show who has what, with what is inherited", run_show},
    {.name = NULL}};

const struct magic magic_grant = {
    .name = "grant",
    .kinds = MAGIC_LINE,
    .group = "catalog",
    .summary = "grant, revoke and show privileges in Unity Catalog",
    .help = "What is granted on a catalog or schema holds for everything in it. To read a table one needs USE_CATALOG, USE_SCHEMA and "
            "SELECT. Privileges in Unity Catalog and in PostgreSQL are separate: neither gives the other.",
    .examples = "%grant USE_CATALOG on catalog main to 'account users'\n%grant SELECT,MODIFY on table main.shop.orders to "
                "analyst@example.com\n%grant revoke SELECT on schema main.shop from 'account users'\n%grant show schema main.shop",
    .subs = subs,
};
