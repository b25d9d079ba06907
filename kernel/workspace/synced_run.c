/*
 * One synced table through one update (see synced.h): its job for the worker, what the worker reports as states and
 * events, and what is tried again. Rows are moved by the worker only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "pg/exec.h"
#include "sync/sync.h"
#include "workspace/cluster.h"
#include "workspace/grants.h"
#include "workspace/lineage.h"
#include "workspace/store_lake.h"
#include "workspace/synced_parts.h"
#include "workspace/worker.h"

enum { TRIES = 60, WAIT_MS = 250, WAIT_MOST_MS = 2000, MESSAGE_MAX = 900 };

struct pg_conn *synced_admin(struct workspace *ws, const struct synced_row *row, struct instance_row *instance, struct err *e)
{
    if (!store_instance_by_uid(ws->store, row->instance_uid, instance, e))
        return NULL;
    if (instance->state != INST_AVAILABLE) {
        err_set(e, ERR_UNAVAILABLE, "Database instance '%s' is %s", instance->name, inst_state_name(instance->state));
        return NULL;
    }
    return cluster_connect(ws->clusters, row->instance_uid, row->database, NULL, e);
}

static void set(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

static void set_state(struct synced_task *t, const char *state, const char *message)
{
    set(&t->row.state, state);
    set(&t->row.message, message);
    synced_write(t);
}

static const char waiting[] = "The sync waits, and goes on by itself: ";

/* The row says what the sync waits for, until it can go on. */
static void waits_for(struct synced_task *t, const struct err *why)
{
    if (t->message)
        return;
    bool waited = strncmp(t->row.message, waiting, strlen(waiting)) == 0; /* before the workspace was started again */
    t->message = xstrdup(waited ? "" : t->row.message);
    free(t->row.message);
    t->row.message = xasprintf("%s%s", waiting, why->text);
    synced_write(t);
}

static void waits_no_more(struct synced_task *t)
{
    if (!t->message)
        return;
    free(t->row.message);
    t->row.message = t->message;
    t->message = NULL;
    synced_write(t);
}

static bool is_continuous(const json_t *spec)
{
    return strcmp(jx_get_str(spec, "scheduling_policy", ""), "CONTINUOUS") == 0;
}

/* ---- what the worker asks and tells ---- */

/* A login of the writer role, for an hour. */
static json_t *writer_login(struct synced_task *t, struct err *e)
{
    struct workspace *ws = synced_workspace(t->all);
    struct instance_row instance;
    struct pg_conn *admin = synced_admin(ws, &t->row, &instance, e);
    char *writer = NULL;
    bool ok = admin && sync_prepare(admin, t->row.schema, t->row.creator, true, &writer, e);
    pg_close(admin);
    if (!ok)
        return NULL;
    struct token_instance named = {instance.name, instance.uid};
    char *token = tokens_database(ws->tokens, writer, &named, 1, clock_wall_s()), port[12];
    snprintf(port, sizeof port, "%d", instance.port);
    json_t *answer = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "host", instance.address, "port", port, "dbname",
                               t->row.database, "user", writer, "password", token, "sslrootcert",
                               clusters_ca_path(ws->clusters));
    xfree_secret(token);
    free(writer);
    return answer;
}

static bool on_call(void *self, const char *method, const json_t *args, json_t **answer, struct err *e)
{
    (void)args;
    if (strcmp(method, "writer_login") != 0)
        return err_set(e, ERR_NOT_IMPLEMENTED, "a sync does not ask for '%s'", method);
    *answer = writer_login(self, e);
    if (*answer)
        waits_no_more(self);
    return *answer != NULL;
}

static void on_progress(struct synced_task *t, const json_t *event)
{
    struct synced_progress p = {.phase = (int)jx_get_int(event, "phase", 0), .version = jx_get_int(event, "version", -1),
                                .rows = jx_get_int(event, "rows", 0), .total = jx_get_int(event, "total", -1)};
    synced_live(t, &p);
    if (t->row.version < 0 && strcmp(t->row.state, "SYNCED_TABLE_PROVISIONING_INITIAL_SNAPSHOT") != 0)
        set_state(t, "SYNCED_TABLE_PROVISIONING_INITIAL_SNAPSHOT", "The initial snapshot is being loaded.");
}

static void record_lineage(struct synced_task *t)
{
    struct workspace *ws = synced_workspace(t->all);
    struct err e = {0};
    lineage_record(ws, t->row.source, t->row.name, t->row.creator, &e);
}

/* A step was committed: the row says so, and an event how many rows changed. */
static void on_applied(struct synced_task *t, const json_t *r)
{
    struct buf text;
    buf_init(&text, 512);
    t->row.version = jx_get_int(r, "version", t->row.version);
    t->row.commit_ms = jx_get_int(r, "timestamp", t->row.commit_ms);
    t->row.end_ms = clock_wall_ms();
    buf_printf(&text, "%s: version %lld, %s: %lld rows written, %lld deleted, %lld rows now", t->row.name,
               (long long)t->row.version, jx_get_str(r, "method", "?"), (long long)jx_get_int(r, "upserted", 0),
               (long long)jx_get_int(r, "deleted", 0), (long long)jx_get_int(r, "rows", 0));
    if (jx_get_int(r, "skipped", 0))
        buf_printf(&text, "; %lld rows with a NULL in the key were left out", (long long)jx_get_int(r, "skipped", 0));
    synced_event(t->all, t->update, "METRICS", "flow_progress", buf_str(&text), NULL);
    set(&t->row.message, buf_str(&text));
    buf_release(&text);
    record_lineage(t);
}

static bool on_event(void *self, const char *name, const json_t *event, struct err *e)
{
    (void)e;
    struct synced_task *t = self;
    if (strcmp(name, "progress") == 0) {
        on_progress(t, event);
    } else if (strcmp(name, "applied") == 0) {
        on_applied(t, event);
        if (t->continuous) {
            set(&t->row.state, "SYNCED_TABLE_ONLINE_CONTINUOUS_UPDATE");
            t->row.start_ms = clock_wall_ms();
        }
        synced_write(t);
    }
    return true;
}

/* ---- the job ---- */

static bool make_job(struct synced_task *t, const json_t *spec, json_t **job, struct err *e)
{
    struct workspace *ws = synced_workspace(t->all);
    struct securable_row source;
    if (!grants_need(ws, t->row.creator, SECURABLE_TABLE, t->row.source, "SELECT", e) ||
        !store_securable(ws->store, SECURABLE_TABLE, t->row.source, &source, e))
        return err_wrap(e, "source %s", t->row.source);
    *job = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:O?,s:O?,s:s,s:b,s:s,s:s,s:b}", "job", "sync", "id", t->row.id,
                     "source_name", t->row.source, "source_root", source.location, "schema", t->row.schema, "table",
                     t->row.table, "key", json_object_get(spec, "primary_key_columns"), "timeseries_key",
                     json_object_get(spec, "timeseries_key"), "policy", jx_get_str(spec, "scheduling_policy", ""),
                     "full_refresh", t->update->full_refresh, "update_id", t->update->id, "creator", t->row.creator,
                     "follow", is_continuous(spec));
    securable_row_release(&source);
    return *job || err_set(e, ERR_INTERNAL, "the job of %s cannot be written", t->row.name);
}

static bool try_once(struct synced_task *t, const json_t *spec, json_t **done, struct err *e)
{
    struct worker_job callbacks = {.self = t, .call = on_call, .event = on_event};
    json_t *job = NULL;
    bool ok = make_job(t, spec, &job, e) &&
              worker_run(synced_workspace(t->all)->worker, job, &callbacks, done, t->cancel, e);
    json_decref(job);
    return ok;
}

/* The worker or the server went away, which says nothing about the data. */
static bool passes(const struct err *e)
{
    return e->code == ERR_UNAVAILABLE || e->code == ERR_CONNECT || e->code == ERR_LOGIN || e->code == ERR_CONFLICT;
}

static bool try_until_done(struct synced_task *t, const json_t *spec, json_t **done, struct err *e)
{
    for (int i = 0;; i++) {
        err_init(e);
        if (try_once(t, spec, done, e))
            return true;
        if (!passes(e) || (!is_continuous(spec) && i + 1 == TRIES))
            return false;
        struct err stopped = {0};
        int ms = WAIT_MS * (i + 1) < WAIT_MOST_MS ? WAIT_MS * (i + 1) : WAIT_MOST_MS;
        waits_for(t, e);
        if (i == 0)
            synced_event(t->all, t->update, "WARN", "flow_progress", "The sync was interrupted and goes on.", e);
        if (!cancel_poll(t->cancel, -1, 0, ms, &stopped)) {
            *e = stopped;
            return false;
        }
    }
}

void synced_begin(struct synced_task *t)
{
    t->row.start_ms = clock_wall_ms();
    if (t->row.version < 0)
        set_state(t, "SYNCED_TABLE_PROVISIONING_PIPELINE_RESOURCES", "The pipeline is being set up.");
    else if (strcmp(t->row.state, "SYNCED_TABLE_ONLINE_CONTINUOUS_UPDATE") != 0)
        set_state(t, "SYNCED_TABLE_ONLINE_TRIGGERED_UPDATE", "An update is running.");
}

static enum synced_end finish_failed(struct synced_task *t, const struct err *e)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, "%s%s%s%s%s", e->text, e->detail[0] ? " (" : "", e->detail, e->detail[0] ? ")" : "",
               e->hint[0] ? ". " : "");
    buf_puts(&text, e->hint);
    synced_event(t->all, t->update, "ERROR", "flow_progress", buf_str(&text), e);
    set_state(t, t->row.version < 0 ? "SYNCED_TABLE_OFFLINE_FAILED" : "SYNCED_TABLE_ONLINE_PIPELINE_FAILED", buf_str(&text));
    buf_release(&text);
    return SYNCED_FAILED;
}

static enum synced_end finish(struct synced_task *t, bool ok, json_t *done, const struct err *e)
{
    if (ok) {
        on_applied(t, done);
        char *message = xstrdup(t->row.message);
        set_state(t, "SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE", message);
        free(message);
        return SYNCED_DONE;
    }
    if (synced_closing(t->all))
        return SYNCED_CLOSING;
    if (!cancel_fired(t->cancel))
        return finish_failed(t, e);
    set_state(t, t->row.version < 0 ? "SYNCED_TABLED_OFFLINE" : "SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE",
              "The pipeline was stopped.");
    return SYNCED_CANCELED;
}

enum synced_end synced_run_table(struct synced_task *t)
{
    struct err e = {0};
    json_t *spec = json_loads(t->row.spec, 0, NULL), *done = NULL;
    t->continuous = is_continuous(spec);
    synced_begin(t);
    bool ok = try_until_done(t, spec, &done, &e);
    enum synced_end end = finish(t, ok, done, &e);
    json_decref(spec);
    json_decref(done);
    free(t->message);
    t->message = NULL;
    return end;
}
