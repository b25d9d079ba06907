/* %role: the roles of an instance: who may log in, and with which rights. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/remote.h"
#include "magics/session.h"
#include "magics/statement.h"

enum { LIST_CAP = 10000 };

static const char superuser[] = "DATABRICKS_SUPERUSER";

static const char *instance_of(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *named = args_get(args, "instance");
    const struct connection *current = ctx->session->current;
    if (!named && current)
        named = current->instance;
    if (!named) {
        err_set(e, ERR_USAGE, "which instance?");
        err_hint(e, "--instance NAME; without it, it is the instance of the current connection");
    }
    return named;
}

/* ---- what is shown ---- */

static const char *rights(struct magic_ctx *ctx, const struct instance_role *role)
{
    const struct role_attributes none = {0}, *a = role->effective_attributes ? role->effective_attributes : role->attributes ? role->attributes : &none;
    const struct {
        enum tri has;
        const char *name;
    } all[] = {{a->createdb, "CREATEDB"}, {a->createrole, "CREATEROLE"}, {a->bypassrls, "BYPASSRLS"}};
    const char *text = "";
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i].has == TRI_TRUE)
            text = arena_printf(ctx->arena, "%s%s%s", text, *text ? ", " : "", all[i].name);
    }
    return text;
}

struct listing {
    struct magic_ctx *ctx;
    struct table *t;
};

static void add_role(struct listing *l, const struct instance_role *role)
{
    table_add_texts(l->t, (const char *const[]){role->name, role->identity_type,
                                                strcmp(text_or_empty(role->membership_role), superuser) == 0 ? "databricks_superuser" : "",
                                                rights(l->ctx, role)});
}

static void open_listing(struct listing *l, struct magic_ctx *ctx, struct table *t)
{
    static const char *const names[] = {"role", "identity", "member of", "rights"};
    *l = (struct listing){ctx, t};
    table_init(t);
    t->row_cap = LIST_CAP;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        table_add_column(t, names[i], NULL, TABLE_LEFT);
}

static bool add_page(void *self, const void *page, const char **next_token)
{
    const struct instance_role_list *list = page;
    const struct instance_role *items = list->database_instance_roles.items;
    for (size_t i = 0; i < list->database_instance_roles.count; i++)
        add_role(self, &items[i]);
    *next_token = list->next_page_token;
    return true;
}

static bool run_list(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *instance = instance_of(ctx, args, e);
    struct listing l;
    struct table t;
    if (!instance)
        return false;
    open_listing(&l, ctx, &t);
    struct dbx_param params[] = {{"instance", instance}, {NULL, NULL}};
    bool ok = remote_pages(ctx, DBX_list_database_instance_roles, params, add_page, &l, e);
    if (ok)
        statement_show(ctx, &t);
    table_release(&t);
    return ok || err_wrap(e, "cannot list the roles of instance '%s'", instance);
}

static void show_role(struct magic_ctx *ctx, const struct instance_role *role)
{
    struct listing l;
    struct table t;
    open_listing(&l, ctx, &t);
    add_role(&l, role);
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
}

static bool run_show(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *instance = instance_of(ctx, args, e);
    struct dbx_param params[] = {{"instance", instance}, {"name", args_get(args, "role")}, {NULL, NULL}};
    struct instance_role role = {0};
    if (!instance || !remote_call(ctx, DBX_get_database_instance_role, params, NULL, &role, e))
        return false;
    show_role(ctx, &role);
    model_release(&model_instance_role, &role);
    return true;
}

/* ---- create and change ---- */

static enum tri asked(const struct args *args, const char *name)
{
    const char *text = args_get(args, name);
    return !text ? TRI_ABSENT : tri_of(strcmp(text, "on") == 0);
}

/* What the options say; released with model_release. */
static struct instance_role request_of(const struct args *args, const char *name)
{
    struct instance_role r = {.name = xstrdup(name)};
    enum tri member = asked(args, "superuser");
    if (member != TRI_ABSENT)
        r.membership_role = xstrdup(member == TRI_TRUE ? superuser : "");
    r.attributes = xcalloc(1, sizeof *r.attributes);
    *r.attributes = (struct role_attributes){asked(args, "bypassrls"), asked(args, "createdb"), asked(args, "createrole")};
    return r;
}

static bool run_create(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *instance = instance_of(ctx, args, e), *name = args_get(args, "role");
    if (!instance || !remote_consent(ctx, arena_printf(ctx->arena, "Create role '%s' on instance '%s'", name, instance), false,
                                     args_flag(args, "yes"), e))
        return false;
    struct instance_role request = request_of(args, name), made = {0};
    const char *identity = args_get(args, "identity");
    request.identity_type = xstrdup(identity ? identity : strchr(name, '@') ? "USER" : "PG_ONLY");
    struct dbx_param params[] = {{"instance", instance}, {NULL, NULL}};
    bool ok = remote_call(ctx, DBX_create_database_instance_role, params, &request, &made, e);
    model_release(&model_instance_role, &request);
    if (ok) {
        show_role(ctx, &made);
        model_release(&model_instance_role, &made);
    } else if (e->code == ERR_ALREADY_EXISTS && args_flag(args, "if-not-exists")) {
        err_init(e);
        sink_printf(ctx->out, "Role %s exists and is left as it is.\n", name);
        ok = true;
    } else if (e->code == ERR_ALREADY_EXISTS) {
        err_hint(e, "with --if-not-exists a role that exists is no error; %%role change changes it");
    }
    return ok;
}

static bool run_change(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *instance = instance_of(ctx, args, e), *name = args_get(args, "role");
    if (!instance)
        return false;
    struct instance_role request = request_of(args, name), made = {0};
    const struct role_attributes *a = request.attributes;
    bool ok = request.membership_role || a->bypassrls || a->createdb || a->createrole ||
              err_set(e, ERR_USAGE, "nothing to change is said: --createdb, --createrole, --bypassrls or --superuser, with on or off");
    struct dbx_param params[] = {{"instance", instance}, {"name", name}, {NULL, NULL}};
    ok = ok && remote_consent(ctx, arena_printf(ctx->arena, "Change role '%s' of instance '%s'", name, instance), false, args_flag(args, "yes"), e) &&
         remote_call(ctx, DBX_update_database_instance_role, params, &request, &made, e);
    model_release(&model_instance_role, &request);
    if (ok) {
        show_role(ctx, &made);
        model_release(&model_instance_role, &made);
    }
    return ok;
}

/* ---- drop ---- */

static bool run_drop(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *instance = instance_of(ctx, args, e), *name = args_get(args, "role"), *heir = args_get(args, "reassign-to");
    if (!instance || !remote_consent(ctx, arena_printf(ctx->arena, "Drop role '%s' of instance '%s'", name, instance), true,
                                     args_flag(args, "yes"), e))
        return false;
    struct dbx_param params[] = {{"instance", instance}, {"name", name}, {"reassign_owned_to", heir}, {NULL, NULL}};
    if (!remote_call(ctx, DBX_delete_database_instance_role, params, NULL, NULL, e)) {
        if (e->code == ERR_NOT_FOUND && args_flag(args, "if-exists")) {
            struct database_instance seen = {0};
            err_init(e);
            if (!remote_instance(ctx, instance, &seen, e)) /* it was that which is not there */
                return false;
            model_release(&model_database_instance, &seen);
            sink_printf(ctx->out, "There is no role %s.\n", name);
            return true;
        }
        if (e->code == ERR_INVALID_STATE && !heir)
            err_hint(e, "%%role drop %s --reassign-to ROLE gives what it owns to another role", name);
        return false;
    }
    sink_printf(ctx->out, "Role %s is dropped.\n", name);
    return true;
}

/* ---- descriptor ---- */

static const char *const switches[] = {"on", "off", NULL};
static const char *const identities[] = {"USER", "SERVICE_PRINCIPAL", "GROUP", "PG_ONLY", NULL};

#define END {.name = NULL}
#define YES_ROW {.name = "yes", .letter = 'y', .type = ARG_FLAG, .help = "do not ask"}
#define INSTANCE_ROW \
    {.name = "instance", .letter = 'i', .type = ARG_WORD, .complete = "instance", .help = "else the one of the current connection"}
#define ROLE_ROW \
    {.name = "role", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .help = "its name: for a person the e-mail address"}
#define RIGHTS_ROWS \
    {.name = "createdb", .type = ARG_CHOICE, .flags = ARG_BARE, .choices = switches, .help = "may it make databases?"}, \
    {.name = "createrole", .type = ARG_CHOICE, .flags = ARG_BARE, .choices = switches, .help = "may it make roles? (PostgreSQL 16 and later)"}, \
    {.name = "bypassrls", .type = ARG_CHOICE, .flags = ARG_BARE, .choices = switches, .help = "do row-level security policies not hold for it?"}, \
    {.name = "superuser", .type = ARG_CHOICE, .flags = ARG_BARE, .choices = switches, \
     .help = "is it a member of databricks_superuser, which reads and writes all tables? (no superuser of PostgreSQL)"}

static const struct arg_row list_rows[] = {INSTANCE_ROW, END};
static const struct arg_row show_rows[] = {INSTANCE_ROW, ROLE_ROW, END};
static const struct arg_row create_rows[] = {
    {.name = "identity", .type = ARG_CHOICE, .choices = identities,
     .help = "whose tokens log in; PG_ONLY: nobody's. Without it USER for an e-mail address, else PG_ONLY"},
    RIGHTS_ROWS, {.name = "if-not-exists", .type = ARG_FLAG, .help = "a role that exists is no error and is left as it is"},
    INSTANCE_ROW, YES_ROW, ROLE_ROW, END};
static const struct arg_row change_rows[] = {RIGHTS_ROWS, INSTANCE_ROW, YES_ROW, ROLE_ROW, END};
static const struct arg_row drop_rows[] = {
    {.name = "reassign-to", .type = ARG_WORD, .placeholder = "ROLE", .help = "who gets what it owns"},
    {.name = "if-exists", .type = ARG_FLAG, .help = "no such role is no error"}, INSTANCE_ROW, YES_ROW, ROLE_ROW, END};

static const struct magic_sub subs[] = {
    {"list", list_rows, "list the roles of an instance", run_list},
    {"show", show_rows, "show one role", run_show},
    {"create", create_rows, "make a role", run_create},
    {"change", change_rows, "change what a role may do", run_change},
    {"drop", drop_rows, "remove a role (asks)", run_drop},
    {.name = NULL}};

const struct magic magic_role = {
    .name = "role",
    .kinds = MAGIC_LINE,
    .group = "instances",
    .summary = "make, change and drop the roles of an instance",
    .help = "A role is who one is in PostgreSQL. A role of an identity logs in with that identity's tokens and needs no password; what it may "
            "do with schemas and tables is said with GRANT, in SQL.",
    .examples = "%role list\n%role create ana@example.com\n%role create reporting --identity PG_ONLY\n%role change ana@example.com --createdb on\n"
                "%role drop reporting --reassign-to learner@example.com --yes",
    .subs = subs,
};
