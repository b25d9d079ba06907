/* Which updates run (see synced.h): threads, their beginning and end. What one table goes through: synced_run.c. */
#include "workspace/synced.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "pg/exec.h"
#include "sync/sync.h"
#include "workspace/store_lake.h"
#include "workspace/synced_parts.h"

struct run {
    struct synced *all;
    char pipeline_id[37], update_id[37];
    struct cancel cancel;
    pthread_t thread;
    bool over;
    struct run *next;
};

/* Somebody who is about to change what runs on a pipeline; on its own stack. */
struct gate {
    const char *pipeline_id;
    struct gate *next;
};

struct synced {
    struct workspace *ws;
    pthread_mutex_t lock; /* around what follows; never held while the store or the worker is called */
    pthread_cond_t changed;
    unsigned seen;
    bool closing;
    struct run *runs;
    struct synced_task *tasks;
    struct gate *gates; /* one a pipeline at most */
    pthread_cond_t passed;
};

struct workspace *synced_workspace(struct synced *all) { return all->ws; }

bool synced_closing(struct synced *all)
{
    pthread_mutex_lock(&all->lock);
    bool closing = all->closing;
    pthread_mutex_unlock(&all->lock);
    return closing;
}

static void tell(struct synced *all)
{
    pthread_mutex_lock(&all->lock);
    all->seen++;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

void synced_write(struct synced_task *t)
{
    struct err e = {0};
    if (!store_synced_progress(t->all->ws->store, &t->row, &e))
        log_err("sync", t->row.name, &e);
    tell(t->all);
}

void synced_live(struct synced_task *t, const struct synced_progress *p)
{
    pthread_mutex_lock(&t->all->lock);
    t->live = *p;
    pthread_mutex_unlock(&t->all->lock);
}

void synced_event(struct synced *all, const struct update_row *u, const char *level, const char *type, const char *message,
                  const struct err *why)
{
    struct err e = {0};
    char id[37], *error = xstrdup("");
    ids_uuid(id);
    if (why) {
        json_t *o = json_pack("{s:[{s:s*,s:o}],s:b}", "exceptions", "class_name", err_info(why->code)->ename, "message",
                              jx_str(why->text), "fatal", 1);
        free(error);
        error = jx_dump(o);
        json_decref(o);
    }
    struct event_row row = {.id = id, .pipeline_id = u->pipeline_id, .update_id = u->id, .level = (char *)(uintptr_t)level,
                            .type = (char *)(uintptr_t)type, .message = (char *)(uintptr_t)message, .error = error,
                            .at_ms = clock_wall_ms()};
    if (!store_add_event(all->ws->store, &row, &e))
        log_err("sync", "event", &e);
    free(error);
}

/* ---- one update ---- */

struct table_thread {
    struct synced_task task;
    pthread_t thread;
    enum synced_end end;
};

static void *table_main(void *arg)
{
    struct table_thread *t = arg;
    t->end = synced_run_table(&t->task);
    return NULL;
}

static void put_task(struct synced *all, struct synced_task *t)
{
    pthread_mutex_lock(&all->lock);
    t->next = all->tasks;
    all->tasks = t;
    pthread_mutex_unlock(&all->lock);
}

static void take_task(struct synced *all, struct synced_task *t)
{
    pthread_mutex_lock(&all->lock);
    for (struct synced_task **at = &all->tasks; *at; at = &(*at)->next) {
        if (*at == t) {
            *at = t->next;
            break;
        }
    }
    pthread_mutex_unlock(&all->lock);
}

static enum synced_end run_tables(struct synced *all, struct synced_rows *rows, const struct update_row *u,
                                  struct cancel *cancel)
{
    struct table_thread *threads = xcalloc(rows->count ? rows->count : 1, sizeof *threads);
    enum synced_end worst = SYNCED_DONE;
    for (size_t i = 0; i < rows->count; i++) {
        threads[i].task = (struct synced_task){.all = all, .row = rows->rows[i], .update = u, .cancel = cancel};
        put_task(all, &threads[i].task);
        if (pthread_create(&threads[i].thread, NULL, table_main, &threads[i]) != 0)
            bug("no thread for a synced table");
    }
    for (size_t i = 0; i < rows->count; i++) {
        pthread_join(threads[i].thread, NULL);
        take_task(all, &threads[i].task);
        rows->rows[i] = threads[i].task.row; /* its texts changed hands there and back */
        if (threads[i].end > worst)
            worst = threads[i].end;
    }
    free(threads);
    return worst;
}

static void set_state(struct synced *all, const struct update_row *u, const char *state)
{
    struct err e = {0};
    if (!store_update_state(all->ws->store, u->id, state, &e))
        log_err("sync", "update", &e);
    struct buf text;
    buf_init(&text, 256);
    buf_printf(&text, "Update %.6s is %s.", u->id, state);
    synced_event(all, u, strcmp(state, "FAILED") == 0 ? "ERROR" : "INFO", "update_progress", buf_str(&text), NULL);
    buf_release(&text);
    tell(all);
}

static bool find_update(struct synced *all, const struct run *r, struct update_row *out, struct err *e)
{
    struct update_rows rows;
    if (!store_updates(all->ws->store, r->pipeline_id, 100, &rows, e))
        return false;
    for (size_t i = 0; i < rows.count; i++) {
        if (strcmp(rows.rows[i].id, r->update_id) == 0) {
            *out = rows.rows[i];
            rows.rows[i] = (struct update_row){0};
        }
    }
    update_rows_release(&rows);
    return out->id || err_set(e, ERR_RESOURCE_NOT_FOUND, "update %s is gone", r->update_id);
}

static void *run_main(void *arg)
{
    struct run *r = arg;
    struct synced *all = r->all;
    struct err e = {0};
    struct update_row u = {0};
    struct synced_rows rows = {0};
    if (find_update(all, r, &u, &e) && store_synced_list(all->ws->store, NULL, r->pipeline_id, NULL, 0, &rows, &e)) {
        set_state(all, &u, "RUNNING");
        switch (run_tables(all, &rows, &u, &r->cancel)) {
        case SYNCED_DONE: set_state(all, &u, "COMPLETED"); break;
        case SYNCED_FAILED: set_state(all, &u, "FAILED"); break;
        case SYNCED_CANCELED: set_state(all, &u, "CANCELED"); break;
        case SYNCED_CLOSING: break; /* the next open takes it up again */
        }
    } else {
        log_err("sync", "update", &e);
    }
    synced_rows_release(&rows);
    update_row_release(&u);
    pthread_mutex_lock(&all->lock);
    r->over = true;
    all->seen++;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* ---- one after the other on a pipeline ---- */

static bool is_taken(const struct synced *all, const char *pipeline_id)
{
    for (const struct gate *g = all->gates; g; g = g->next) {
        if (strcmp(g->pipeline_id, pipeline_id) == 0)
            return true;
    }
    return false;
}

static void enter(struct synced *all, struct gate *g, const char *pipeline_id)
{
    g->pipeline_id = pipeline_id;
    pthread_mutex_lock(&all->lock);
    while (is_taken(all, pipeline_id))
        pthread_cond_wait(&all->passed, &all->lock);
    g->next = all->gates;
    all->gates = g;
    pthread_mutex_unlock(&all->lock);
}

static void leave(struct synced *all, struct gate *g)
{
    pthread_mutex_lock(&all->lock);
    struct gate **at = &all->gates;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    pthread_cond_broadcast(&all->passed);
    pthread_mutex_unlock(&all->lock);
}

/* ---- runs ---- */

/* Unlink a run that matches; the caller joins it without the lock. */
static struct run *take_run(struct synced *all, const char *pipeline_id, bool only_over)
{
    pthread_mutex_lock(&all->lock);
    struct run *found = NULL;
    for (struct run **at = &all->runs; *at && !found; at = found ? at : &(*at)->next) {
        if ((pipeline_id && strcmp((*at)->pipeline_id, pipeline_id) != 0) || (only_over && !(*at)->over))
            continue;
        found = *at;
        *at = found->next;
        break;
    }
    pthread_mutex_unlock(&all->lock);
    return found;
}

static void end_run(struct run *r)
{
    cancel_fire(&r->cancel);
    pthread_join(r->thread, NULL);
    cancel_release(&r->cancel);
    free(r);
}

/* Before the answer to whoever started it: who looks next must not see the state of the update before. */
static bool begin_tables(struct synced *all, const char *pipeline_id, struct err *e)
{
    struct synced_rows rows;
    if (!store_synced_list(all->ws->store, NULL, pipeline_id, NULL, 0, &rows, e))
        return false;
    for (size_t i = 0; i < rows.count; i++) {
        struct synced_task t = {.all = all, .row = rows.rows[i]};
        synced_begin(&t);
        rows.rows[i] = t.row;
    }
    synced_rows_release(&rows);
    return true;
}

static bool begin_run(struct synced *all, const char *pipeline_id, const char *update_id, struct err *e)
{
    if (!begin_tables(all, pipeline_id, e))
        return false;
    for (struct run *old; (old = take_run(all, NULL, true));)
        end_run(old);
    struct run *r = xcalloc(1, sizeof *r);
    r->all = all;
    err_copy(r->pipeline_id, sizeof r->pipeline_id, pipeline_id, strlen(pipeline_id));
    err_copy(r->update_id, sizeof r->update_id, update_id, strlen(update_id));
    if (!cancel_init(&r->cancel, e)) {
        free(r);
        return false;
    }
    pthread_mutex_lock(&all->lock);
    bool ok = !all->closing && pthread_create(&r->thread, NULL, run_main, r) == 0;
    if (ok) {
        r->next = all->runs;
        all->runs = r;
    }
    pthread_mutex_unlock(&all->lock);
    if (ok)
        return true;
    cancel_release(&r->cancel);
    free(r);
    return err_set(e, ERR_UNAVAILABLE, "the update cannot start now");
}

static void end_runs(struct synced *all, const char *pipeline_id)
{
    for (struct run *r; (r = take_run(all, pipeline_id, false));)
        end_run(r);
}

/* It may have gone while we waited for our turn. */
static bool pipeline_is_there(struct synced *all, const char *pipeline_id, struct err *e)
{
    struct pipeline_row row;
    if (!store_pipeline(all->ws->store, pipeline_id, &row, e))
        return false;
    pipeline_row_release(&row);
    return true;
}

bool synced_create(struct synced *all, const struct synced_row *row, const struct pipeline_row *pipeline,
                   const struct update_row *update, struct err *e)
{
    struct gate g;
    enter(all, &g, update->pipeline_id);
    bool ok = (pipeline || pipeline_is_there(all, update->pipeline_id, e)) &&
              store_add_synced(all->ws->store, row, pipeline, update, SYNCED_PER_SOURCE, e) &&
              begin_run(all, update->pipeline_id, update->id, e);
    leave(all, &g);
    return ok;
}

bool synced_start(struct synced *all, const struct update_row *update, struct err *e)
{
    struct gate g;
    enter(all, &g, update->pipeline_id);
    bool ok = pipeline_is_there(all, update->pipeline_id, e) && store_add_update(all->ws->store, update, e) &&
              begin_run(all, update->pipeline_id, update->id, e);
    leave(all, &g);
    return ok;
}

void synced_stop(struct synced *all, const char *pipeline_id)
{
    struct gate g;
    enter(all, &g, pipeline_id);
    end_runs(all, pipeline_id);
    leave(all, &g);
}

bool synced_is_running(struct synced *all, const char *pipeline_id)
{
    bool running = false;
    pthread_mutex_lock(&all->lock);
    for (struct run *r = all->runs; r; r = r->next)
        running |= !r->over && strcmp(r->pipeline_id, pipeline_id) == 0;
    pthread_mutex_unlock(&all->lock);
    return running;
}

bool synced_progress(struct synced *all, const char *table_id, struct synced_progress *out)
{
    bool found = false;
    pthread_mutex_lock(&all->lock);
    for (struct synced_task *t = all->tasks; t && !found; t = t->next) {
        found = strcmp(t->row.id, table_id) == 0;
        if (found)
            *out = t->live;
    }
    pthread_mutex_unlock(&all->lock);
    return found;
}

unsigned synced_seen(struct synced *all)
{
    pthread_mutex_lock(&all->lock);
    unsigned seen = all->seen;
    pthread_mutex_unlock(&all->lock);
    return seen;
}

void synced_hold(struct synced *all, unsigned seen)
{
    int64_t end = clock_mono_ms() + SYNCED_HOLD_MS;
    pthread_mutex_lock(&all->lock);
    while (all->seen == seen && !all->closing && clock_cond_until(&all->changed, &all->lock, end))
        continue;
    pthread_mutex_unlock(&all->lock);
}

bool synced_passing(const char *state)
{
    return strncmp(state, "SYNCED_TABLE_PROVISIONING", 25) == 0 || strcmp(state, "SYNCED_TABLE_ONLINE_TRIGGERED_UPDATE") == 0;
}

/* ---- open and close ---- */

struct synced *synced_open(struct workspace *ws, struct err *e)
{
    struct synced *all = xcalloc(1, sizeof *all);
    all->ws = ws;
    pthread_mutex_init(&all->lock, NULL);
    clock_cond_init(&all->changed);
    pthread_cond_init(&all->passed, NULL);
    struct update_rows rows;
    bool ok = store_updates(ws->store, NULL, 0, &rows, e);
    for (size_t i = 0; ok && i < rows.count; i++)
        ok = begin_run(all, rows.rows[i].pipeline_id, rows.rows[i].id, e);
    if (ok)
        update_rows_release(&rows);
    if (ok)
        return all;
    synced_close(all);
    return NULL;
}

void synced_begin_close(struct synced *all)
{
    if (!all)
        return;
    pthread_mutex_lock(&all->lock);
    all->closing = true;
    for (struct run *r = all->runs; r; r = r->next)
        cancel_fire(&r->cancel);
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

void synced_close(struct synced *all)
{
    if (!all)
        return;
    synced_begin_close(all);
    for (struct run *r; (r = take_run(all, NULL, false));)
        end_run(r);
    pthread_cond_destroy(&all->changed);
    pthread_cond_destroy(&all->passed);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

/* ---- beginning and end of a table ---- */

bool synced_prepare(struct workspace *ws, const struct synced_row *row, bool create, struct err *e)
{
    struct instance_row instance;
    struct pg_conn *admin = synced_admin(ws, row, &instance, e);
    if (!admin)
        return false;
    const char *params[] = {row->schema, row->table};
    char *there = NULL, *writer = NULL;
    bool ok = pg_scalar(admin, "SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
                               "ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2", params, 2, &there, NULL, e);
    if (ok && strcmp(there, "0") != 0) {
        ok = err_set(e, ERR_ALREADY_EXISTS, "Table '%s.%s' already exists in database '%s' of instance '%s'", row->schema,
                     row->table, row->database, instance.name);
        err_hint(e, "drop it in PostgreSQL first, or choose another name for the synced table");
    }
    ok = ok && sync_prepare(admin, row->schema, row->creator, create, &writer, e);
    free(there);
    free(writer);
    pg_close(admin);
    return ok;
}

/* The other tables of a pipeline that was stopped for the sake of one. */
static bool start_again(struct synced *all, const char *pipeline_id, struct err *e)
{
    char id[37];
    ids_uuid(id);
    struct update_row u = {.id = id, .pipeline_id = (char *)(uintptr_t)pipeline_id, .state = (char[]){"QUEUED"},
                           .cause = (char[]){"INFRASTRUCTURE_MAINTENANCE"}, .created_ms = clock_wall_ms()};
    return store_add_update(all->ws->store, &u, e) && begin_run(all, pipeline_id, id, e);
}

static bool still_there(struct synced *all, const struct synced_row *row, struct err *e)
{
    struct synced_row now;
    if (!store_synced(all->ws->store, row->name, &now, e))
        return false;
    bool same = strcmp(now.id, row->id) == 0;
    synced_row_release(&now);
    return same || err_set(e, ERR_RESOURCE_NOT_FOUND, "Synced table '%s' does not exist.", row->name);
}

static bool delete_table(struct synced *all, const struct synced_row *row, bool purge, struct err *e)
{
    struct instance_row instance;
    struct synced_rows others;
    struct err why = {0};
    if (!still_there(all, row, e) || !store_synced_list(all->ws->store, NULL, row->pipeline_id, NULL, 0, &others, e))
        return false;
    bool last = others.count <= 1;
    synced_rows_release(&others);
    struct pg_conn *admin = synced_admin(all->ws, row, &instance, &why);
    if (!admin && purge) {
        *e = why;
        e->code = ERR_INVALID_STATE;
        err_hint(e, "start the instance, or delete without purge_data");
        return false;
    }
    bool running = synced_is_running(all, row->pipeline_id);
    end_runs(all, row->pipeline_id);
    bool ok = !admin || sync_forget(admin, row->id, row->schema, row->table, row->creator, purge, e);
    ok = ok && store_forget_lineage(all->ws->store, row->name, e) && store_remove_synced(all->ws->store, row->id, !admin, e);
    pg_close(admin);
    tell(all);
    return ok && (last || !running || start_again(all, row->pipeline_id, e));
}

bool synced_delete(struct synced *all, const struct synced_row *row, bool purge, struct err *e)
{
    struct gate g;
    enter(all, &g, row->pipeline_id);
    bool ok = delete_table(all, row, purge, e);
    leave(all, &g);
    return ok;
}
