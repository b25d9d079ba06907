/*
 * The life of instances (see instances.h): requests change rows, `instances_kick` makes sure that a worker looks at the row
 * (instances_work.c), and the worker goes on until the row is in a state that stays.
 *
 * Locks: all->lock (the list of workers, the condition) may be held while the store's own lock is taken, never the other
 * way round. No lock is held during a cluster function.
 */
#include "workspace/instances.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/cluster.h"
#include "workspace/instances_parts.h"
#include "workspace/store_synced.h"

enum { WATCH_MS = 5000 };

/* ---- requests ---- */

bool instances_create(struct instances *all, const struct instance_row *row, struct err *e)
{
    return store_add_instance(all->store, row, INSTANCES_MAX, e) && instances_kick(all, row->uid, false, e);
}

static bool apply_update(void *self, struct instance_row *row, struct err *e)
{
    const struct instance_update *u = self;
    if (row->state == INST_DELETING)
        return err_set(e, ERR_NOT_FOUND, "Database instance is not found.");
    if ((row->state == INST_STARTING || row->state == INST_UPDATING) && !row->failure[0])
        return err_set(e, ERR_CONFLICT, "Database instance '%s' is %s; wait until it is AVAILABLE or STOPPED", row->name,
                       inst_state_name(row->state));
    bool capacity = u->set_capacity && strcmp(u->capacity, row->capacity) != 0;
    bool stopped = u->set_stopped ? u->stopped : row->stopped;
    if (u->set_capacity)
        memcpy(row->capacity, u->capacity, sizeof row->capacity);
    if (u->set_retention)
        row->retention_days = u->retention_days;
    if (u->set_policy)
        err_copy(row->usage_policy_id, sizeof row->usage_policy_id, u->usage_policy_id, strlen(u->usage_policy_id));
    if (u->set_tags)
        err_copy(row->custom_tags, sizeof row->custom_tags, u->custom_tags, strlen(u->custom_tags));
    /* A restart is for what the server must be started with; a stopped server takes it at its next start. */
    if (stopped && (!row->stopped || row->failure[0]))
        row->state = row->created ? INST_UPDATING : INST_STARTING;
    else if (!stopped && (row->stopped || row->failure[0]))
        row->state = INST_STARTING;
    else if (!stopped && capacity)
        row->state = INST_UPDATING;
    row->stopped = stopped;
    row->failure[0] = '\0';
    return true;
}

bool instances_update(struct instances *all, const char *name, const struct instance_update *u,
                      struct instance_row *out, struct err *e)
{
    struct instance_row row;
    struct instance_update copy = *u;
    return store_instance(all->store, name, &row, e) &&
           store_change_instance(all->store, row.uid, apply_update, &copy, out, e) &&
           (out->state == INST_AVAILABLE || out->state == INST_STOPPED || instances_kick(all, row.uid, false, e));
}

bool instances_delete(struct instances *all, const char *name, struct err *e)
{
    struct instance_row row;
    struct catalog_rows catalogs;
    bool doomed = false;
    while (!doomed) {
        if (!store_instance(all->store, name, &row, e) || !store_doom_instance(all->store, row.uid, &doomed, e))
            return false;
        if (doomed)
            break;
        if (!store_catalogs(all->store, row.uid, NULL, 1, &catalogs, e))
            return false;
        if (catalogs.count)
            err_set(e, ERR_BAD_REQUEST, "Database instance '%s' is registered in Unity Catalog as '%s'; delete that "
                                        "catalog first", name, catalogs.rows[0].name);
        catalog_rows_release(&catalogs);
        struct synced_rows synced;
        if (e->code || !store_synced_list(all->store, row.uid, NULL, NULL, 1, &synced, e))
            return false;
        if (synced.count)
            err_set(e, ERR_BAD_REQUEST, "Database instance '%s' has the synced table '%s'; delete that synced table first", name,
                    synced.rows[0].name);
        synced_rows_release(&synced);
        if (e->code)
            return false;
    }
    return instances_kick(all, row.uid, true, e);
}

/* ---- looking ---- */

static bool apply_dead(void *self, struct instance_row *row, struct err *e)
{
    (void)self;
    if (row->state != INST_AVAILABLE)
        return err_set(e, ERR_INVALID_STATE, "no longer AVAILABLE");
    row->state = INST_STARTING;
    return true;
}

/* A server that should run and does not is started again. */
static void check_alive(struct instances *all, struct instance_row *row, bool opening)
{
    struct err e = {0};
    if (row->state != INST_AVAILABLE || cluster_pid(all->clusters, row->uid) != 0)
        return;
    if (opening && !cluster_crashed(all->clusters, row->uid)) /* it ended with the workspace, as it should */
        log_line(LOG_INFO, "instance", "%s: starting the PostgreSQL server", row->name);
    else
        log_line(LOG_WARN, "instance", "%s: the PostgreSQL server is gone; starting it again", row->name);
    if (store_change_instance(all->store, row->uid, apply_dead, NULL, row, &e))
        instances_kick(all, row->uid, false, &e);
}

static bool passing(const struct instance_row *row)
{
    return !row->failure[0] &&
           (row->state == INST_STARTING || row->state == INST_UPDATING || row->state == INST_DELETING);
}

/* Wait for a change until `end` (clock_mono_ms); false: the time is over or the workspace closes. */
static bool wait_change(struct instances *all, int64_t end)
{
    return !cancel_fired(&all->closing) && clock_cond_until(&all->changed, &all->lock, end);
}

bool instances_get(struct instances *all, const char *name, struct instance_row *out, struct err *e)
{
    int64_t end = clock_mono_ms() + INSTANCES_HOLD_MS;
    if (!store_instance(all->store, name, out, e))
        return false;
    check_alive(all, out, false);
    enum inst_state first = out->state;
    bool ok = true;
    pthread_mutex_lock(&all->lock);
    /* The row is read under the lock that a worker takes before it broadcasts, so no change is missed. */
    for (bool more = passing(out); ok && more;) {
        ok = store_instance(all->store, name, out, e);
        more = ok && passing(out) && out->state == first && wait_change(all, end);
    }
    pthread_mutex_unlock(&all->lock);
    if (ok && out->failure[0])
        return err_set(e, ERR_INTERNAL, "Database instance '%s' is %s, but that failed: %s. Delete it, or update it to "
                                        "try again", name, inst_state_name(out->state), out->failure);
    return ok;
}

/* ---- opening and closing ---- */

static void *watch(void *arg)
{
    struct instances *all = arg;
    struct err e = {0};
    while (cancel_poll(&all->closing, -1, 0, WATCH_MS, &e)) {
        struct instance_rows rows;
        if (!store_instances(all->store, NULL, 0, &rows, &e))
            log_err("instance", "watch", &e);
        for (size_t i = 0; i < rows.count; i++)
            check_alive(all, &rows.rows[i], false);
        instance_rows_release(&rows);
        clusters_trim_logs(all->clusters);
        log_trim("workspace.log");
        err_init(&e);
    }
    return NULL;
}

static bool apply_clear(void *self, struct instance_row *row, struct err *e)
{
    (void)self;
    (void)e;
    row->failure[0] = '\0';
    return true;
}

/* The uids of folders that no row names, with commas; a long list is cut. The caller releases out. */
static void list_rowless(const struct cluster_folders *f, const struct instance_rows *rows, struct buf *out)
{
    buf_init(out, 4096);
    for (size_t i = 0; i < f->count && out->len < 1000; i++) {
        if (!instance_rows_have(rows, f->uids[i]))
            buf_printf(out, "%s%s", out->len ? ", " : "", f->uids[i]);
    }
}

/* The row comes before the folder and goes after it, so a folder without a row is no leftover of a crash: the store was
 * lost or is an older one, and these may be all that is left of somebody's data. They are named, never removed. */
static void name_rowless(struct instances *all, const struct instance_rows *rows)
{
    struct err e = {0};
    struct cluster_folders f;
    struct buf names;
    if (!clusters_folders(all->clusters, &f, &e))
        log_err("instance", "folders", &e);
    list_rowless(&f, rows, &names);
    if (names.len)
        log_line(LOG_WARN, "instance", "in the folder instances/, unknown to the store and left alone (a reset removes "
                                       "them): %s", buf_str(&names));
    if (f.foreign.len)
        log_line(LOG_WARN, "instance", "in the folder instances/, not made by this workspace and left alone: %s",
                 buf_str(&f.foreign));
    buf_release(&names);
    cluster_folders_release(&f);
}

static bool reconcile(struct instances *all, struct err *e)
{
    struct instance_rows rows;
    if (!store_instances(all->store, NULL, 0, &rows, e))
        return false;
    bool ok = true;
    name_rowless(all, &rows);
    for (size_t i = 0; ok && i < rows.count; i++) {
        struct instance_row *row = &rows.rows[i];
        ok = store_change_instance(all->store, row->uid, apply_clear, NULL, row, e);
        check_alive(all, row, true);
        if (ok && passing(row))
            ok = instances_kick(all, row->uid, false, e);
        if (ok && row->state == INST_STOPPED && cluster_pid(all->clusters, row->uid) != 0)
            ok = cluster_stop(all->clusters, row->uid, e);
    }
    instance_rows_release(&rows);
    return ok;
}

struct instances *instances_open(struct store *store, struct clusters *clusters, struct err *e)
{
    struct instances *all = xcalloc(1, sizeof *all);
    clock_cond_init(&all->changed);
    pthread_mutex_init(&all->lock, NULL);
    all->store = store;
    all->clusters = clusters;
    all->closing.fd = -1;
    bool ok = cancel_init(&all->closing, e) && reconcile(all, e);
    all->watching = ok && pthread_create(&all->watch, NULL, watch, all) == 0;
    if (all->watching)
        return all;
    err_set(e, ERR_INTERNAL, "cannot start a thread");
    instances_close(all);
    return NULL;
}

void instances_begin_close(struct instances *all)
{
    if (!all)
        return;
    cancel_fire(&all->closing);
    instances_interrupt(all);
}

void instances_close(struct instances *all)
{
    if (!all)
        return;
    instances_begin_close(all);
    if (all->watching)
        pthread_join(all->watch, NULL);
    instances_join(all);
    cancel_release(&all->closing);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

struct stopping {
    struct clusters *clusters;
    const struct instance_row *row;
    struct err err;
    pthread_t thread;
    bool apart;
};

static void *stop_one(void *arg)
{
    struct stopping *s = arg;
    if (!cluster_stop(s->clusters, s->row->uid, &s->err))
        err_wrap(&s->err, "%s", s->row->name);
    return NULL;
}

/* Servers of folders that the store does not know. */
static void stop_rowless(struct clusters *clusters, const struct instance_rows *rows, struct err *e)
{
    struct cluster_folders f;
    bool ok = clusters_folders(clusters, &f, e);
    for (size_t i = 0; ok && i < f.count; i++) {
        struct err why = {0};
        if (!instance_rows_have(rows, f.uids[i]) && !cluster_stop(clusters, f.uids[i], &why) && !e->code)
            *e = why;
    }
    cluster_folders_release(&f);
}

bool instances_stop_servers(struct store *store, struct clusters *clusters, struct err *e)
{
    struct instance_rows rows;
    if (!store_instances(store, NULL, 0, &rows, e))
        return false;
    /* Side by side: each shutdown writes its checkpoint first. */
    struct stopping *each = xcalloc(rows.count + 1, sizeof *each);
    for (size_t i = 0; i < rows.count; i++) {
        each[i].clusters = clusters;
        each[i].row = &rows.rows[i];
        each[i].apart = pthread_create(&each[i].thread, NULL, stop_one, &each[i]) == 0;
        if (!each[i].apart)
            stop_one(&each[i]);
    }
    for (size_t i = 0; i < rows.count; i++) {
        if (each[i].apart)
            pthread_join(each[i].thread, NULL);
        if (each[i].err.code && !e->code)
            *e = each[i].err;
    }
    free(each);
    stop_rowless(clusters, &rows, e);
    instance_rows_release(&rows);
    return !e->code;
}
