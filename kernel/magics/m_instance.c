/* %instance: create, look at, stop, start, resize and delete database instances. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/catalog_error.h"
#include "magics/remote.h"
#include "magics/session.h"
#include "magics/statement.h"

static const char *const capacities[] = {"CU_1", "CU_2", "CU_4", "CU_8", NULL};

static const char *capacity_of(const struct database_instance *i)
{
    return text_or_empty(i->effective_capacity ? i->effective_capacity : i->capacity);
}

static void say_state(struct magic_ctx *ctx, const struct database_instance *i)
{
    sink_printf(ctx->out, "Instance %s is %s (%s).\n", text_or_empty(i->name), text_or_empty(i->state),
                capacity_of(i));
}

/* Wait, then one stable line. */
static bool finish(struct magic_ctx *ctx, const char *name, const char *want, const char *verb, struct err *e)
{
    struct database_instance done = {0};
    if (!remote_wait(ctx, name, want, arena_printf(ctx->arena, "%s instance %s", verb, name), &done, e))
        return false;
    say_state(ctx, &done);
    model_release(&model_database_instance, &done);
    return true;
}

/* ---- create ---- */

static bool is_settling(const char *state)
{
    return strcmp(state, "STARTING") == 0 || strcmp(state, "UPDATING") == 0 || strcmp(state, "FAILING_OVER") == 0;
}

/* It exists, and --if-not-exists was said: left as it is, but waited for when it is on its way. */
static bool keep_existing(struct magic_ctx *ctx, const char *name, struct err *e)
{
    struct database_instance seen = {0};
    if (!remote_instance(ctx, name, &seen, e))
        return false;
    bool ok = true;
    if (is_settling(text_or_empty(seen.state))) {
        ok = finish(ctx, name, "AVAILABLE", "waiting for", e);
    } else {
        say_state(ctx, &seen);
        if (strcmp(text_or_empty(seen.state), "STOPPED") == 0)
            sink_printf(ctx->out, "It existed before and is left as it is; %%instance start %s starts it.\n", name);
    }
    model_release(&model_database_instance, &seen);
    return ok;
}

static bool exists(struct magic_ctx *ctx, const char *name, bool *yes, struct err *e)
{
    struct dbx_param params[] = {{"name", name}, {NULL, NULL}};
    struct database_instance seen = {0};
    *yes = remote_call(ctx, DBX_get_database_instance, params, NULL, &seen, e);
    if (*yes)
        model_release(&model_database_instance, &seen);
    else if (e->http == 404)
        err_init(e);
    return e->code == ERR_NONE;
}

static bool run_create(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name"), *capacity = args_get(args, "capacity");
    long long retention = args_int(args, "retention", 0);
    bool there = false, idempotent = args_flag(args, "if-not-exists");
    if (idempotent && !exists(ctx, name, &there, e))
        return false;
    if (there)
        return keep_existing(ctx, name, e);
    const char *size = capacity ? capacity : "default capacity";
    const char *what = arena_printf(ctx->arena, "Create instance '%s' (%s)", name, size);
    if (!remote_consent(ctx, what, false, args_flag(args, "yes"), e))
        return false;
    struct database_instance request = {.name = xstrdup(name), .capacity = xstrdup(capacity)}, made = {0};
    request.retention_window_in_days.has = retention > 0;
    request.retention_window_in_days.value = retention;
    bool ok = remote_call(ctx, DBX_create_database_instance, NULL, &request, &made, e);
    model_release(&model_database_instance, &request);
    if (!ok && e->code == ERR_ALREADY_EXISTS && idempotent) {
        err_init(e); /* somebody else was faster */
        return keep_existing(ctx, name, e);
    }
    if (!ok) {
        if (e->code == ERR_ALREADY_EXISTS)
            err_hint(e, "with --if-not-exists an instance that exists is no error");
        return err_wrap(e, "cannot create instance '%s'", name);
    }
    model_release(&model_database_instance, &made);
    return finish(ctx, name, "AVAILABLE", "creating", e);
}

/* ---- list and show ---- */

static bool add_page(void *self, const void *page, const char **next_token)
{
    struct table *t = self;
    const struct database_instance_list *list = page;
    const struct database_instance *items = list->database_instances.items;
    for (size_t i = 0; i < list->database_instances.count; i++)
        table_add_texts(t, (const char *const[]){items[i].name, items[i].state, capacity_of(&items[i]),
                                                 items[i].pg_version,
                                                 items[i].creator});
    *next_token = list->next_page_token;
    return true;
}

static bool run_list(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    static const char *const names[] = {"name", "state", "capacity", "pg_version", "creator"};
    struct table t;
    (void)args;
    table_init(&t);
    t.row_cap = 1000;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        table_add_column(&t, names[i], NULL, TABLE_LEFT);
    bool ok = remote_pages(ctx, DBX_list_database_instances, NULL, add_page, &t, e);
    if (ok)
        statement_show(ctx, &t);
    table_release(&t);
    return ok;
}

static const char *number(struct magic_ctx *ctx, struct opt_int n, const char *unit)
{
    return n.has ? arena_printf(ctx->arena, "%lld%s", (long long)n.value, unit) : NULL;
}

static const char *yes_no(enum tri t) { return t == TRI_TRUE ? "yes" : t == TRI_FALSE ? "no" : NULL; }

static void show_instance(struct magic_ctx *ctx, const struct database_instance *i, bool all)
{
    struct table t;
    table_init(&t);
    table_add_column(&t, "field", NULL, TABLE_LEFT);
    table_add_column(&t, "value", NULL, TABLE_LEFT);
    const struct {
        const char *name, *value;
        bool only_all;
    } rows[] = {
        {"name", i->name, false},
        {"state", i->state, false},
        {"capacity", capacity_of(i), false},
        {"pg_version", i->pg_version, false},
        {"read_write_dns", i->read_write_dns, false},
        {"read_only_dns", i->read_only_dns, false},
        {"creator", i->creator, false},
        {"nodes", number(ctx, i->effective_node_count, ""), false},
        {"retention", number(ctx, i->effective_retention_window_in_days, " days"), false},
        {"readable secondaries", yes_no(i->effective_enable_readable_secondaries), true},
        {"native login", yes_no(i->effective_enable_pg_native_login), true},
        {"parent", i->parent_instance_ref ? i->parent_instance_ref->name : NULL, true},
        {"uid", i->uid, true},
        {"creation_time", i->creation_time, true}};
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        if (rows[k].value && (all || !rows[k].only_all))
            table_add_texts(&t, (const char *const[]){rows[k].name, rows[k].value});
    }
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
}

static bool run_show(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct database_instance seen = {0};
    if (!remote_instance(ctx, args_get(args, "name"), &seen, e))
        return false;
    show_instance(ctx, &seen, args_flag(args, "all"));
    model_release(&model_database_instance, &seen);
    return true;
}

/* ---- changes ---- */

/* A session of this notebook on the instance: by its name, or by the address that it listens at. */
static bool is_on(const struct session *s, const struct connection *c, const struct database_instance *i)
{
    if (c->instance)
        return strcmp(c->instance, i->name) == 0 && strcmp(text_or_empty(c->workspace), text_or_empty(s->target)) == 0;
    return i->read_write_dns && strcmp(pg_host(c->pg), i->read_write_dns) == 0;
}

/* The sessions of the instance will end: not while one has work that nobody has kept. Sessions of other notebooks and
 * programs are not seen from here. */
static bool nothing_open(struct magic_ctx *ctx, const struct database_instance *i, bool force, struct err *e)
{
    for (struct connection *c = ctx->session->connections; c && !force; c = c->next) {
        const char *work = connection_work(c);
        if (!work || !is_on(ctx->session, c, i))
            continue;
        err_set(e, ERR_INVALID_STATE, "connection '%s' has %s on instance '%s', which would be lost", c->alias, work, i->name);
        err_hint(e, c->background ? "%%wait %s first, or add --force"
                    : ctx->session->current == c ? "COMMIT or ROLLBACK first, or add --force"
                                               : "%%use %s and COMMIT or ROLLBACK first, or add --force", c->alias);
        return false;
    }
    return true;
}

/* PATCH of one field, then wait. */
static bool patch(struct magic_ctx *ctx, const char *name, const char *mask, const struct database_instance *request,
                  struct err *e)
{
    struct dbx_param params[] = {{"name", name}, {"update_mask", mask}, {NULL, NULL}};
    struct database_instance after = {0};
    if (!remote_call(ctx, DBX_update_database_instance, params, request, &after, e))
        return err_wrap(e, "cannot change instance '%s'", name);
    model_release(&model_database_instance, &after);
    return true;
}

static bool switch_to(struct magic_ctx *ctx, const char *name, bool stop, bool force, struct err *e)
{
    const char *want = stop ? "STOPPED" : "AVAILABLE";
    struct database_instance seen = {0};
    if (!remote_instance(ctx, name, &seen, e))
        return false;
    bool there = strcmp(text_or_empty(seen.state), want) == 0;
    if (there)
        say_state(ctx, &seen);
    bool go = !there && (!stop || nothing_open(ctx, &seen, force, e));
    model_release(&model_database_instance, &seen);
    if (!go)
        return there;
    char *own = xstrdup(name);
    struct database_instance request = {.name = own, .stopped = tri_of(stop)};
    bool ok = patch(ctx, name, "stopped", &request, e);
    free(own);
    return ok && finish(ctx, name, want, stop ? "stopping" : "starting", e);
}

static bool run_stop(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    return switch_to(ctx, args_get(args, "name"), true, args_flag(args, "force"), e);
}

static bool run_start(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    return switch_to(ctx, args_get(args, "name"), false, false, e);
}

static bool run_resize(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name"), *capacity = args_get(args, "capacity");
    struct database_instance seen = {0};
    if (!remote_instance(ctx, name, &seen, e))
        return false;
    bool same = strcmp(text_or_empty(seen.capacity), capacity) == 0;
    bool stopped = strcmp(text_or_empty(seen.state), "STOPPED") == 0;
    if (same)
        say_state(ctx, &seen);
    bool go = !same && nothing_open(ctx, &seen, args_flag(args, "force"), e);
    model_release(&model_database_instance, &seen);
    if (!go)
        return same;
    const char *what = arena_printf(ctx->arena, "Resize instance '%s' to %s", name, capacity);
    if (!remote_consent(ctx, what, false, args_flag(args, "yes"), e))
        return false;
    struct database_instance request = {.name = xstrdup(name), .capacity = xstrdup(capacity)};
    bool ok = patch(ctx, name, "capacity", &request, e);
    model_release(&model_database_instance, &request);
    return ok && finish(ctx, name, stopped ? "STOPPED" : "AVAILABLE", "resizing", e);
}

static bool run_delete(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name");
    struct database_instance seen = {0};
    if (!remote_instance(ctx, name, &seen, e))
        return false;
    bool go = nothing_open(ctx, &seen, args_flag(args, "force"), e);
    model_release(&model_database_instance, &seen);
    if (!go)
        return false;
    const char *what = arena_printf(ctx->arena, "Delete instance '%s' with all its data", name);
    if (!remote_consent(ctx, what, true, args_flag(args, "yes"), e))
        return false;
    struct dbx_param params[] = {
        {"name", name}, {"purge", "true"}, {"force", args_flag(args, "force") ? "true" : NULL}, {NULL, NULL}};
    if (!remote_call(ctx, DBX_delete_database_instance, params, NULL, NULL, e)) {
        catalog_error_instance(ctx, name, e);
        return err_wrap(e, "cannot delete instance '%s'", name);
    }
    if (!remote_wait(ctx, name, "", arena_printf(ctx->arena, "deleting instance %s", name), NULL, e))
        return false;
    sink_printf(ctx->out, "Instance %s is deleted.\n", name);
    return true;
}

/* ---- descriptor ---- */

#define NAME_ROW \
    {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .complete = "instance", \
     .help = "the instance"}
#define YES_ROW {.name = "yes", .letter = 'y', .type = ARG_FLAG, .help = "do not ask"}
#define FORCE_ROW \
    {.name = "force", .type = ARG_FLAG, .help = "also when this notebook has an open transaction on it, which is lost"}
#define END {.name = NULL}

static const struct arg_row create_rows[] = {
    {.name = "capacity", .type = ARG_CHOICE, .choices = capacities,
     .help = "its size; the workspace's default is CU_2"},
    {.name = "retention", .type = ARG_INT, .min = 2, .max = 35, .placeholder = "DAYS",
     .help = "how far back it can be restored"},
    {.name = "if-not-exists", .type = ARG_FLAG, .help = "an instance that exists is no error and is left as it is"},
    YES_ROW,
    {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED,
     .help = "1 to 63 letters, digits and hyphens"},
    END};
static const struct arg_row show_rows[] = {
    {.name = "all", .letter = 'a', .type = ARG_FLAG, .help = "also what differs from run to run: uid, creation time"},
    NAME_ROW, END};
static const struct arg_row name_rows[] = {NAME_ROW, END};
static const struct arg_row stop_rows[] = {FORCE_ROW, NAME_ROW, END};
static const struct arg_row no_rows[] = {END};
static const struct arg_row resize_rows[] = {
    {.name = "capacity", .type = ARG_CHOICE, .flags = ARG_REQUIRED, .choices = capacities, .help = "the new size"},
    YES_ROW, FORCE_ROW, NAME_ROW, END};
static const struct arg_row delete_rows[] = {
    YES_ROW,
    {.name = "force", .type = ARG_FLAG,
     .help = "also when this notebook has an open transaction on it, and also instances that were branched from it"},
    NAME_ROW, END};

static const struct magic_sub subs[] = {
    {"create", create_rows, "make an instance and wait until it is AVAILABLE", run_create},
    {"list", no_rows, "list all instances", run_list},
    {"show", show_rows, "show one instance", run_show},
    {"stop", stop_rows, "stop it: sessions end, data stays", run_stop},
    {"start", name_rows, "start a stopped one", run_start},
    {"resize", resize_rows, "change its capacity; it restarts, sessions end", run_resize},
    {"delete", delete_rows, "delete it with all its data", run_delete},
    {.name = NULL}};

const struct magic magic_instance = {
    .name = "instance",
    .kinds = MAGIC_LINE,
    .group = "instances",
    .summary = "create and manage database instances",
    .help = "Each sub-command calls the workspace's REST API and waits until the change is done.",
    .examples = "%instance create workshop --capacity CU_1 --if-not-exists\n%instance list\n%instance show workshop\n"
                "%instance resize workshop --capacity CU_2\n%instance stop workshop\n%instance start workshop\n"
                "%instance delete workshop --yes",
    .subs = subs,
};
