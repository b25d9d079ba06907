/* %sync: synced tables: Delta tables of Unity Catalog kept as tables of a database instance. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "magics/remote.h"
#include "magics/session.h"
#include "magics/statement.h"
#include "magics/sync_verify.h"
#include "magics/warehouse.h"

enum { WAIT_LIMIT_MS = 30 * 60 * 1000, FIRST_PAUSE_MS = 100, LAST_PAUSE_MS = 5000, HELD_MS = 500, KEY_MAX = 32 };

static const char *const modes[] = {"SNAPSHOT", "TRIGGERED", "CONTINUOUS", NULL};

static const char *state_of(const struct synced_table *t)
{
    return t->data_synchronization_status ? text_or_empty(t->data_synchronization_status->detailed_state) : "";
}

/* "SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE" → "ONLINE_NO_PENDING_UPDATE" */
static const char *short_state(const char *state)
{
    return strncmp(state, "SYNCED_TABLE_", 13) == 0 ? state + 13 : strncmp(state, "SYNCED_TABLED_", 14) == 0 ? state + 14 : state;
}

static const char *mode_of(const struct synced_table *t) { return t->spec ? text_or_empty(t->spec->scheduling_policy) : ""; }
static const char *source_of(const struct synced_table *t) { return t->spec ? text_or_empty(t->spec->source_table_full_name) : ""; }

static bool get(struct magic_ctx *ctx, const char *name, struct synced_table *out, struct err *e)
{
    struct dbx_param params[] = {{"name", name}, {NULL, NULL}};
    if (remote_call(ctx, DBX_get_synced_table, params, NULL, out, e))
        return true;
    if (e->http == 404)
        err_hint(e, "%%sync list shows the synced tables; the name has three parts: catalog.schema.table");
    return false;
}

static const char *version_text(struct magic_ctx *ctx, const struct synced_table *t)
{
    const struct synced_table_position *p = t->data_synchronization_status ? t->data_synchronization_status->last_sync : NULL;
    return p && p->delta_table_sync_info && p->delta_table_sync_info->delta_commit_version.has
               ? arena_printf(ctx->arena, "%lld", (long long)p->delta_table_sync_info->delta_commit_version.value)
               : NULL;
}

/* One stable line: what state it is in, and which version it equals. */
static void say(struct magic_ctx *ctx, const struct synced_table *t)
{
    const char *version = version_text(ctx, t);
    sink_printf(ctx->out, "Synced table %s is %s%s%s.\n", text_or_empty(t->name), short_state(state_of(t)),
                version ? ", at version " : "", version ? version : "");
}

/* ---- waiting ---- */

static bool settled(const char *state)
{
    return strcmp(state, "SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE") == 0 || strcmp(state, "SYNCED_TABLE_ONLINE_CONTINUOUS_UPDATE") == 0 ||
           strstr(state, "FAILED") || strcmp(state, "SYNCED_TABLED_OFFLINE") == 0;
}

static void show_progress(struct progress *p, const struct synced_table *t)
{
    const struct synced_table_status *s = t->data_synchronization_status;
    const struct sync_pipeline_progress *g = NULL;
    if (s && s->provisioning_status)
        g = s->provisioning_status->initial_pipeline_sync_progress;
    else if (s && s->triggered_update_status)
        g = s->triggered_update_status->triggered_update_progress;
    progress_update(p, short_state(state_of(t)), g ? g->synced_row_count.value : 0, g ? g->total_row_count.value : 0);
}

static bool failed(const struct synced_table *t, struct err *e)
{
    const struct synced_table_status *s = t->data_synchronization_status;
    err_set(e, ERR_INVALID_STATE, "the sync of %s failed", text_or_empty(t->name));
    err_detail(e, "%s", s ? text_or_empty(s->message) : "");
    err_hint(e, strstr(state_of(t), "ONLINE") ? "the rows of the last sync are still served; mend the cause and %%sync run %s"
                                              : "nothing was loaded; mend the cause and %%sync run %s", text_or_empty(t->name));
    return false;
}

static bool wait_settled(struct magic_ctx *ctx, const char *name, const char *label, struct synced_table *out, struct err *e)
{
    struct progress p;
    bool ok, done = false;
    int64_t start = clock_mono_ms();
    progress_open(&p, ctx->out, label);
    for (int pause = FIRST_PAUSE_MS;; pause = pause * 3 / 2 < LAST_PAUSE_MS ? pause * 3 / 2 : LAST_PAUSE_MS) {
        int64_t asked = clock_mono_ms();
        ok = get(ctx, name, out, e);
        if (!ok)
            break;
        show_progress(&p, out);
        done = settled(state_of(out));
        if (done)
            break;
        model_release(&model_synced_table, out);
        if (clock_mono_ms() - start > WAIT_LIMIT_MS)
            ok = err_set(e, ERR_TIMEOUT, "synced table '%s' was not online after 30 minutes", name);
        else if (clock_mono_ms() - asked < HELD_MS)
            ok = cancel_poll(ctx->cancel, -1, 0, pause, e);
        if (!ok)
            break;
    }
    progress_close(&p, NULL);
    if (!ok && e->code == ERR_CANCELLED)
        err_hint(e, "the sync itself goes on; %%sync status %s shows how far it is", name);
    return ok && done;
}

static bool finish(struct magic_ctx *ctx, const char *name, const char *verb, struct err *e)
{
    struct synced_table t = {0};
    if (!wait_settled(ctx, name, arena_printf(ctx->arena, "%s %s", verb, name), &t, e))
        return false;
    bool ok = !strstr(state_of(&t), "FAILED") || failed(&t, e);
    if (ok)
        say(ctx, &t);
    model_release(&model_synced_table, &t);
    return ok;
}

/* ---- create ---- */

static bool keep_existing(struct magic_ctx *ctx, const char *name, const char *source, const char *mode, struct err *e)
{
    struct synced_table t = {0};
    if (!get(ctx, name, &t, e))
        return false;
    bool same = strcasecmp(source_of(&t), source) == 0 && strcmp(mode_of(&t), mode) == 0;
    if (!same) {
        err_set(e, ERR_ALREADY_EXISTS, "synced table '%s' exists with source %s and mode %s", name, source_of(&t), mode_of(&t));
        err_hint(e, "%%sync delete --purge %s removes it", name);
    }
    model_release(&model_synced_table, &t);
    return same && finish(ctx, name, "waiting for", e);
}

static void add_keys(struct magic_ctx *ctx, struct model_list *list, const char *text)
{
    char *copy = arena_strdup(ctx->arena, text), *save = NULL;
    char **items = xcalloc(KEY_MAX, sizeof *items);
    list->items = items;
    for (char *one = strtok_r(copy, ",", &save); one && list->count < KEY_MAX; one = strtok_r(NULL, ",", &save))
        items[list->count++] = xstrdup(one);
}

static bool run_create(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name"), *source = args_get(args, "source"), *mode = args_get(args, "mode");
    mode = mode ? mode : "SNAPSHOT";
    if (!remote_consent(ctx, arena_printf(ctx->arena, "Create synced table '%s'", name), false, args_flag(args, "yes"), e))
        return false;
    struct synced_table request = {.name = xstrdup(name), .database_instance_name = xstrdup(args_get(args, "instance")),
                                   .logical_database_name = xstrdup(args_get(args, "database"))}, made = {0};
    request.spec = xcalloc(1, sizeof *request.spec);
    request.spec->source_table_full_name = xstrdup(source);
    request.spec->scheduling_policy = xstrdup(mode);
    request.spec->timeseries_key = xstrdup(args_get(args, "timeseries-key"));
    request.spec->existing_pipeline_id = xstrdup(args_get(args, "pipeline"));
    request.spec->create_database_objects_if_missing = tri_of(true);
    add_keys(ctx, &request.spec->primary_key_columns, args_get(args, "key"));
    if (!request.spec->existing_pipeline_id) {
        request.spec->new_pipeline_spec = xcalloc(1, sizeof *request.spec->new_pipeline_spec);
        request.spec->new_pipeline_spec->storage_catalog = xstrndup(source, strcspn(source, "."));
        const char *rest = strchr(source, '.');
        request.spec->new_pipeline_spec->storage_schema = rest ? xstrndup(rest + 1, strcspn(rest + 1, ".")) : NULL;
    }
    bool ok = remote_call(ctx, DBX_create_synced_table, NULL, &request, &made, e);
    model_release(&model_synced_table, &request);
    if (!ok && e->code == ERR_ALREADY_EXISTS && args_flag(args, "if-not-exists")) {
        struct err was = *e;
        err_init(e);
        if (keep_existing(ctx, name, source, mode, e))
            return true;
        if (e->http == 404)
            *e = was; /* the name is taken in PostgreSQL, not by a synced table */
        return false;
    }
    if (!ok)
        return err_wrap(e, "cannot create synced table '%s'", name);
    model_release(&model_synced_table, &made);
    return finish(ctx, name, "first sync of", e);
}

/* ---- run ---- */

static bool await_update(struct magic_ctx *ctx, const char *pipeline, const char *update, const char *name, struct err *e)
{
    struct dbx_param params[] = {{"pipeline_id", pipeline}, {"update_id", update}, {NULL, NULL}};
    int64_t start = clock_mono_ms();
    struct progress p;
    bool ok = true, over = false;
    progress_open(&p, ctx->out, arena_printf(ctx->arena, "syncing %s", name));
    while (ok && !over) {
        struct pipeline_update_answer a = {0};
        int64_t asked = clock_mono_ms();
        ok = remote_call(ctx, DBX_get_update, params, NULL, &a, e);
        const char *state = ok && a.update ? text_or_empty(a.update->state) : "";
        over = strcmp(state, "COMPLETED") == 0 || strcmp(state, "FAILED") == 0 || strcmp(state, "CANCELED") == 0;
        progress_update(&p, state, 0, 0);
        if (ok)
            model_release(&model_pipeline_update_answer, &a);
        if (ok && !over && clock_mono_ms() - asked < HELD_MS)
            ok = cancel_poll(ctx->cancel, -1, 0, FIRST_PAUSE_MS * 3, e);
        if (ok && !over && clock_mono_ms() - start > WAIT_LIMIT_MS)
            ok = err_set(e, ERR_TIMEOUT, "the update was not over after 30 minutes");
    }
    progress_close(&p, NULL);
    return ok;
}

/* A CONTINUOUS table has nothing to run; it is waited for until it has what the source has now. */
static bool await_version(struct magic_ctx *ctx, const char *name, const char *source, struct err *e)
{
    const char *warehouse = warehouse_find(ctx, NULL, e);
    json_t *rows = NULL;
    if (!warehouse || !warehouse_query(ctx, warehouse, arena_printf(ctx->arena, "DESCRIBE HISTORY %s LIMIT 1", source), &rows, e))
        return false;
    const char *text = json_string_value(json_array_get(json_array_get(rows, 0), 0));
    long long newest = text ? strtoll(text, NULL, 10) : 0;
    json_decref(rows);
    int64_t start = clock_mono_ms();
    struct progress p;
    bool ok = true, there = false;
    progress_open(&p, ctx->out, arena_printf(ctx->arena, "%s follows its source", name));
    while (ok && !there) {
        struct synced_table t = {0};
        ok = get(ctx, name, &t, e);
        const char *version = ok ? version_text(ctx, &t) : NULL;
        there = version && strtoll(version, NULL, 10) >= newest;
        if (ok && strstr(state_of(&t), "FAILED"))
            ok = failed(&t, e);
        if (ok)
            model_release(&model_synced_table, &t);
        if (ok && !there && clock_mono_ms() - start > WAIT_LIMIT_MS)
            ok = err_set(e, ERR_TIMEOUT, "version %lld of the source did not arrive within 30 minutes", newest);
        ok = ok && (there || cancel_poll(ctx->cancel, -1, 0, FIRST_PAUSE_MS, e));
    }
    progress_close(&p, NULL);
    if (ok)
        sink_printf(ctx->out, "%s follows its source by itself (CONTINUOUS); it is at version %lld.\n", name, newest);
    return ok;
}

static bool run_run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name");
    struct synced_table t = {0};
    if (!get(ctx, name, &t, e))
        return false;
    const char *pipeline = arena_strdup(ctx->arena, t.data_synchronization_status
                                                         ? text_or_empty(t.data_synchronization_status->pipeline_id) : "");
    bool continuous = strcmp(mode_of(&t), "CONTINUOUS") == 0;
    bool running = strcmp(state_of(&t), "SYNCED_TABLE_ONLINE_CONTINUOUS_UPDATE") == 0;
    const char *source = arena_strdup(ctx->arena, source_of(&t));
    model_release(&model_synced_table, &t);
    if (continuous && running && !args_flag(args, "full-refresh"))
        return await_version(ctx, name, source, e);
    struct dbx_param params[] = {{"pipeline_id", pipeline}, {NULL, NULL}};
    if (continuous && running && !remote_call(ctx, DBX_stop_pipeline, params, NULL, NULL, e))
        return false;
    struct pipeline_start request = {.full_refresh = tri_of(args_flag(args, "full-refresh"))};
    struct pipeline_started started = {0};
    if (!remote_call(ctx, DBX_start_update, params, &request, &started, e))
        return err_wrap(e, "cannot sync '%s'", name);
    bool ok = continuous || await_update(ctx, pipeline, text_or_empty(started.update_id), name, e);
    model_release(&model_pipeline_started, &started);
    return ok && finish(ctx, name, "syncing", e);
}

/* ---- look ---- */

static void status_rows(struct magic_ctx *ctx, const struct synced_table *t, bool all)
{
    const struct synced_table_status *s = t->data_synchronization_status;
    const struct synced_table_position *p = s ? s->last_sync : NULL;
    struct buf keys;
    buf_init(&keys, 8192);
    for (size_t i = 0; t->spec && i < t->spec->primary_key_columns.count; i++)
        buf_printf(&keys, "%s%s", i ? ", " : "", ((char *const *)t->spec->primary_key_columns.items)[i]);
    struct table out;
    table_init(&out);
    table_add_column(&out, "field", NULL, TABLE_LEFT);
    table_add_column(&out, "value", NULL, TABLE_LEFT);
    const struct {
        const char *name, *value;
        bool only_all;
    } rows[] = {{"name", t->name, false},
                {"source", source_of(t), false},
                {"mode", mode_of(t), false},
                {"key", buf_str(&keys), false},
                {"timeseries key", t->spec ? t->spec->timeseries_key : NULL, false},
                {"instance", t->effective_database_instance_name, false},
                {"database", t->effective_logical_database_name, false},
                {"state", short_state(state_of(t)), false},
                {"version", version_text(ctx, t), false},
                {"message", s ? s->message : NULL, false},
                {"committed", p && p->delta_table_sync_info ? p->delta_table_sync_info->delta_commit_timestamp : NULL, true},
                {"sync started", p ? p->sync_start_timestamp : NULL, true},
                {"sync ended", p ? p->sync_end_timestamp : NULL, true},
                {"pipeline", s ? s->pipeline_id : NULL, true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].value && (all || !rows[i].only_all))
            table_add_texts(&out, (const char *const[]){rows[i].name, rows[i].value});
    }
    table_set_footer(&out, "");
    statement_show(ctx, &out);
    table_release(&out);
    buf_release(&keys);
}

static bool run_status(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct synced_table t = {0};
    if (!get(ctx, args_get(args, "name"), &t, e))
        return false;
    status_rows(ctx, &t, args_flag(args, "all"));
    model_release(&model_synced_table, &t);
    return true;
}

struct listing {
    struct magic_ctx *ctx;
    struct table *t;
    const char **instances;
    size_t n, cap;
};

static bool add_tables(void *self, const void *page, const char **next_token)
{
    struct listing *l = self;
    const struct synced_table_list *list = page;
    const struct synced_table *items = list->synced_tables.items;
    for (size_t i = 0; i < list->synced_tables.count; i++)
        table_add_texts(l->t, (const char *const[]){items[i].name, source_of(&items[i]), mode_of(&items[i]),
                                                    short_state(state_of(&items[i])), version_text(l->ctx, &items[i])});
    *next_token = list->next_page_token;
    return true;
}

static bool add_instances(void *self, const void *page, const char **next_token)
{
    struct listing *l = self;
    const struct database_instance_list *list = page;
    const struct database_instance *items = list->database_instances.items;
    l->instances = xreallocarray(l->instances, l->n + list->database_instances.count + 1, sizeof *l->instances);
    for (size_t i = 0; i < list->database_instances.count; i++)
        l->instances[l->n++] = arena_strdup(l->ctx->arena, text_or_empty(items[i].name));
    *next_token = list->next_page_token;
    return true;
}

static bool run_list(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    (void)args;
    static const char *const names[] = {"name", "source", "mode", "state", "version"};
    struct table t;
    struct listing l = {.ctx = ctx, .t = &t};
    table_init(&t);
    t.row_cap = 1000;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        table_add_column(&t, names[i], NULL, i == 4 ? TABLE_RIGHT : TABLE_LEFT);
    bool ok = remote_pages(ctx, DBX_list_database_instances, NULL, add_instances, &l, e);
    for (size_t i = 0; ok && i < l.n; i++) {
        struct dbx_param params[] = {{"instance", l.instances[i]}, {NULL, NULL}};
        ok = remote_pages(ctx, DBX_list_synced_tables, params, add_tables, &l, e);
    }
    if (ok)
        statement_show(ctx, &t);
    free(l.instances);
    table_release(&t);
    return ok;
}

static bool run_verify(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct synced_table t = {0};
    if (!get(ctx, args_get(args, "name"), &t, e))
        return false;
    const char *version = version_text(ctx, &t);
    bool ok = version ? sync_verify(ctx, &t, version, e)
                      : err_set(e, ERR_INVALID_STATE, "synced table '%s' was never loaded", text_or_empty(t.name));
    model_release(&model_synced_table, &t);
    return ok;
}

static bool run_delete(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name");
    bool purge = args_flag(args, "purge");
    const char *what = arena_printf(ctx->arena, purge ? "Delete synced table '%s' and its table in PostgreSQL"
                                                      : "Delete synced table '%s' (its table in PostgreSQL is left as it is)", name);
    if (!remote_consent(ctx, what, purge, args_flag(args, "yes"), e))
        return false;
    struct dbx_param params[] = {{"name", name}, {"purge_data", purge ? "true" : NULL}, {NULL, NULL}};
    if (!remote_call(ctx, DBX_delete_synced_table, params, NULL, NULL, e)) {
        if (e->http == 404 && args_flag(args, "if-exists")) {
            err_init(e);
            sink_printf(ctx->out, "There is no synced table %s.\n", name);
            return true;
        }
        return err_wrap(e, "cannot delete synced table '%s'", name);
    }
    sink_printf(ctx->out, purge ? "Synced table %s is deleted, and its table in PostgreSQL with it.\n"
                                : "Synced table %s is deleted. Its table in PostgreSQL is left as it is.\n", name);
    return true;
}

/* ---- descriptor ---- */

#define END {.name = NULL}
#define YES_ROW {.name = "yes", .letter = 'y', .type = ARG_FLAG, .help = "do not ask"}
#define NAME_ROW \
    {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, \
     .help = "full name: catalog.schema.table; schema and table are those in PostgreSQL"}

static const struct arg_row create_rows[] = {
    {.name = "key", .letter = 'k', .type = ARG_WORD, .flags = ARG_REQUIRED, .placeholder = "COLUMN[,COLUMN]",
     .help = "the primary key in PostgreSQL; rows with a NULL in it are left out"},
    {.name = "mode", .letter = 'm', .type = ARG_CHOICE, .choices = modes,
     .help = "SNAPSHOT copies all (and is taken when not given); TRIGGERED and CONTINUOUS apply the change data feed"},
    {.name = "timeseries-key", .type = ARG_WORD, .placeholder = "COLUMN",
     .help = "of several rows of one key the one with the newest value is kept"},
    {.name = "instance", .type = ARG_WORD, .complete = "instance", .help = "where; only for a catalog that is no registered database"},
    {.name = "database", .type = ARG_WORD, .help = "its database; only for a catalog that is no registered database"},
    {.name = "pipeline", .type = ARG_WORD, .placeholder = "ID", .help = "share the pipeline of another synced table of the same mode"},
    {.name = "if-not-exists", .type = ARG_FLAG, .help = "one that exists with this source and mode is no error and is waited for"},
    YES_ROW, NAME_ROW,
    {.name = "source", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .keyword = "from",
     .help = "full name of the Delta table"},
    END};
static const struct arg_row run_rows[] = {
    {.name = "full-refresh", .type = ARG_FLAG, .help = "copy everything anew, whatever the mode"}, NAME_ROW, END};
static const struct arg_row status_rows_[] = {
    {.name = "all", .letter = 'a', .type = ARG_FLAG, .help = "also what differs from run to run: times, the pipeline's id"}, NAME_ROW, END};
static const struct arg_row name_rows[] = {NAME_ROW, END};
static const struct arg_row no_rows[] = {END};
static const struct arg_row delete_rows[] = {
    {.name = "purge", .type = ARG_FLAG, .help = "drop the table in PostgreSQL too"},
    {.name = "if-exists", .type = ARG_FLAG, .help = "one that does not exist is no error"}, YES_ROW, NAME_ROW, END};

static const struct magic_sub subs[] = {
    {"create", create_rows, "create a synced table and wait for its first sync", run_create},
    {"run", run_rows, "bring it up to date: one update, waited for", run_run},
    {"status", status_rows_, "show its state, its version and what the last sync did", run_status},
    {"verify", name_rows, "compare it with its source, row by row, in the warehouse", run_verify},
    {"list", no_rows, "list the synced tables of all instances", run_list},
    {"delete", delete_rows, "delete it; the source stays as it is", run_delete},
    {NULL, NULL, NULL, NULL}};

const struct magic magic_sync = {
    .name = "sync",
    .kinds = MAGIC_LINE,
    .group = "lakehouse",
    .summary = "keep Delta tables as tables of a database instance",
    .help = "A synced table is a copy of a Delta table in PostgreSQL, read-only there. SNAPSHOT copies the whole table at each run; "
            "TRIGGERED applies what changed since the last run; CONTINUOUS follows by itself. The last two need the change data feed "
            "of the source (delta.enableChangeDataFeed).",
    .examples = "%sync create workshop_catalog.shop.events from main.lab.events --key id --mode TRIGGERED\n"
                "%sync run workshop_catalog.shop.events\n%sync status workshop_catalog.shop.events\n"
                "%sync verify workshop_catalog.shop.events\n%sync list\n"
                "%sync delete --purge workshop_catalog.shop.events",
    .subs = subs,
};
