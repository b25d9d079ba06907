/*
 * The life of instances (see instances.h): requests change rows, `kick` makes sure that a worker looks at the row, and
 * the worker goes on until the row is in a state that stays.
 *
 * Locks: all->lock (the list of workers, the condition) may be held while the store's own lock is taken, never the other
 * way round. No lock is held during a cluster function.
 */
#include "workspace/instances.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/cluster.h"

enum { WATCH_MS = 5000, PG_PORT = 5432 };

struct worker {
    struct instances *all;
    char uid[37];
    pthread_t thread;
    struct cancel cancel;
    bool again; /* the row changed: look once more */
    bool over;  /* the thread is at its end; join it */
    struct worker *next;
};

struct instances {
    struct store *store;
    struct clusters *clusters;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a row changed, a worker ended, or closing */
    struct worker *workers;
    struct cancel closing; /* fired once: ends the watch and waits */
    pthread_t watch;
    bool watching;
};

/* ---- the work ---- */

/* What the worker did, written into the row unless the row wants something else by now. */
struct outcome {
    enum inst_state from, to;
    bool stopped;                    /* as it was when the work began */
    const struct cluster_spec *spec; /* address and port to keep; NULL: unchanged */
    const char *failure;
};

static bool record(void *self, struct instance_row *row, struct err *e)
{
    (void)e;
    const struct outcome *o = self;
    if (o->spec && o->spec->address[0]) {
        memcpy(row->address, o->spec->address, sizeof row->address);
        row->port = o->spec->port;
        row->created = row->created || !o->failure;
    }
    if (row->state != o->from || row->stopped != o->stopped)
        return true; /* a delete came in between; the worker looks again */
    if (o->failure)
        err_copy(row->failure, sizeof row->failure, o->failure, strlen(o->failure));
    else
        row->state = o->to;
    return true;
}

static void write_outcome(struct instances *all, const char *uid, struct outcome *o)
{
    struct err e = {0};
    if (!store_change_instance(all->store, uid, record, o, NULL, &e))
        log_err("instance", uid, &e);
}

static struct cluster_spec spec_of(const struct instance_row *row)
{
    struct cluster_spec spec = {.uid = row->uid, .name = row->name, .owner = row->creator, .capacity = row->capacity,
                                .port = row->port};
    memcpy(spec.address, row->address, sizeof spec.address);
    return spec;
}

/* Bring the cluster to what the row says. The new state goes to *to. */
static bool carry_out(struct instances *all, const struct instance_row *row, struct cluster_spec *spec,
                      enum inst_state *to, struct cancel *cancel, struct err *e)
{
    struct clusters *c = all->clusters;
    *to = row->stopped ? INST_STOPPED : INST_AVAILABLE;
    if (row->state == INST_STARTING && !row->created)
        return cluster_create(c, spec, cancel, e) && (!row->stopped || cluster_stop(c, row->uid, e));
    if ((row->stopped || row->state == INST_UPDATING) && !cluster_stop(c, row->uid, e))
        return false;
    return row->stopped || cluster_start(c, spec, cancel, e);
}

/* One step. false: nothing left to do (or it failed; the row says so). */
static bool step(struct instances *all, const struct instance_row *row, struct cancel *cancel)
{
    struct err e = {0};
    int64_t start = clock_mono_ms();
    if (row->state == INST_DELETING) {
        bool ok = cluster_delete(all->clusters, row->uid, &e) && store_remove_instance(all->store, row->uid, &e);
        struct outcome o = {.from = INST_DELETING, .stopped = row->stopped, .failure = e.text};
        if (!ok) {
            log_err("instance", row->name, &e);
            write_outcome(all, row->uid, &o);
        }
        return false;
    }
    if (row->state != INST_STARTING && row->state != INST_UPDATING)
        return false;
    struct cluster_spec spec = spec_of(row);
    struct outcome o = {.from = row->state, .stopped = row->stopped, .spec = &spec};
    if (!carry_out(all, row, &spec, &o.to, cancel, &e)) {
        if (err_is(&e, ERR_CANCELLED))
            return !cancel_fired(&all->closing); /* deleted meanwhile, or closing: the row stays as it is */
        log_err("instance", row->name, &e);
        o.failure = e.text;
    }
    if (!o.failure && spec.port != row->port && spec.port != PG_PORT)
        log_line(LOG_WARN, "instance", "%s: no address had port %d free; it listens on port %d, which clients must be told",
                 row->name, PG_PORT, spec.port);
    write_outcome(all, row->uid, &o);
    log_line(LOG_INFO, "instance", "%s: %s -> %s in %lld ms", row->name, inst_state_name(row->state),
             o.failure ? "failed" : inst_state_name(o.to), (long long)(clock_mono_ms() - start));
    return !o.failure;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct instances *all = w->all;
    struct instance_row row;
    for (bool go = true; go;) {
        struct err e = {0};
        go = store_instance_by_uid(all->store, w->uid, &row, &e) && step(all, &row, &w->cancel);
        pthread_mutex_lock(&all->lock);
        pthread_cond_broadcast(&all->changed);
        go = (go || w->again) && !cancel_fired(&all->closing);
        if (w->again)
            cancel_reset(&w->cancel);
        w->again = false;
        w->over = !go;
        pthread_mutex_unlock(&all->lock);
    }
    return NULL;
}

/* ---- workers ---- */

static void reap(struct instances *all)
{
    for (struct worker **p = &all->workers; *p;) {
        struct worker *w = *p;
        if (!w->over) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        pthread_join(w->thread, NULL);
        cancel_release(&w->cancel);
        free(w);
    }
}

static struct worker *worker_of(struct instances *all, const char *uid)
{
    for (struct worker *w = all->workers; w; w = w->next) {
        if (!w->over && strcmp(w->uid, uid) == 0)
            return w;
    }
    return NULL;
}

/* Make sure that a worker looks at the row. interrupt: what it does now has lost its purpose. */
static bool kick(struct instances *all, const char *uid, bool interrupt, struct err *e)
{
    bool ok = true;
    pthread_mutex_lock(&all->lock);
    reap(all);
    struct worker *w = worker_of(all, uid);
    if (w) {
        w->again = true;
        if (interrupt)
            cancel_fire(&w->cancel);
    } else if (!cancel_fired(&all->closing)) {
        w = xcalloc(1, sizeof *w);
        w->all = all;
        memcpy(w->uid, uid, sizeof w->uid);
        ok = cancel_init(&w->cancel, e);
        if (ok && pthread_create(&w->thread, NULL, work, w) != 0) {
            cancel_release(&w->cancel);
            ok = err_set(e, ERR_INTERNAL, "cannot start a thread");
        }
        if (ok) {
            w->next = all->workers;
            all->workers = w;
        } else {
            free(w);
        }
    }
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    return ok;
}

/* ---- requests ---- */

bool instances_create(struct instances *all, const struct instance_row *row, struct err *e)
{
    return store_add_instance(all->store, row, INSTANCES_MAX, e) && kick(all, row->uid, false, e);
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
           (out->state == INST_AVAILABLE || out->state == INST_STOPPED || kick(all, row.uid, false, e));
}

static bool apply_delete(void *self, struct instance_row *row, struct err *e)
{
    (void)self;
    (void)e;
    row->state = INST_DELETING;
    row->failure[0] = '\0';
    return true;
}

bool instances_delete(struct instances *all, const char *name, struct err *e)
{
    struct instance_row row;
    struct catalog_rows catalogs;
    if (!store_instance(all->store, name, &row, e) || !store_catalogs(all->store, row.uid, NULL, 1, &catalogs, e))
        return false;
    if (catalogs.count)
        err_set(e, ERR_BAD_REQUEST, "Database instance '%s' is registered in Unity Catalog as '%s'; delete that catalog "
                                    "first", name, catalogs.rows[0].name);
    catalog_rows_release(&catalogs);
    return !e->code && store_change_instance(all->store, row.uid, apply_delete, NULL, NULL, e) &&
           kick(all, row.uid, true, e);
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
static void check_alive(struct instances *all, struct instance_row *row)
{
    struct err e = {0};
    if (row->state != INST_AVAILABLE || cluster_pid(all->clusters, row->uid) != 0)
        return;
    log_line(LOG_WARN, "instance", "%s: the PostgreSQL server is gone; starting it again", row->name);
    if (store_change_instance(all->store, row->uid, apply_dead, NULL, row, &e))
        kick(all, row->uid, false, &e);
}

static bool passing(const struct instance_row *row)
{
    return !row->failure[0] &&
           (row->state == INST_STARTING || row->state == INST_UPDATING || row->state == INST_DELETING);
}

/* Wait for a change until `end` (clock_mono_ms); false: the time is over or the workspace closes. */
static bool wait_change(struct instances *all, int64_t end)
{
    struct timespec until = {.tv_sec = end / 1000, .tv_nsec = end % 1000 * 1000000};
    return !cancel_fired(&all->closing) && pthread_cond_timedwait(&all->changed, &all->lock, &until) == 0;
}

bool instances_get(struct instances *all, const char *name, struct instance_row *out, struct err *e)
{
    int64_t end = clock_mono_ms() + INSTANCES_HOLD_MS;
    if (!store_instance(all->store, name, out, e))
        return false;
    check_alive(all, out);
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
            check_alive(all, &rows.rows[i]);
        instance_rows_release(&rows);
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

/* What cannot be removed (it is not ours, say) is no reason to refuse all work. */
static void sweep(struct instances *all, const struct instance_rows *rows)
{
    struct err e = {0};
    const char **keep = xcalloc(rows->count + 1, sizeof *keep);
    for (size_t i = 0; i < rows->count; i++)
        keep[i] = rows->rows[i].uid;
    if (!clusters_sweep(all->clusters, keep, rows->count, &e))
        log_err("instance", "leftovers", &e);
    free(keep);
}

static bool reconcile(struct instances *all, struct err *e)
{
    struct instance_rows rows;
    if (!store_instances(all->store, NULL, 0, &rows, e))
        return false;
    bool ok = true;
    sweep(all, &rows);
    for (size_t i = 0; ok && i < rows.count; i++) {
        struct instance_row *row = &rows.rows[i];
        ok = store_change_instance(all->store, row->uid, apply_clear, NULL, row, e);
        check_alive(all, row);
        if (ok && passing(row))
            ok = kick(all, row->uid, false, e);
        if (ok && row->state == INST_STOPPED && cluster_pid(all->clusters, row->uid) != 0)
            ok = cluster_stop(all->clusters, row->uid, e);
    }
    instance_rows_release(&rows);
    return ok;
}

struct instances *instances_open(struct store *store, struct clusters *clusters, struct err *e)
{
    struct instances *all = xcalloc(1, sizeof *all);
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&all->changed, &mono);
    pthread_condattr_destroy(&mono);
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
    pthread_mutex_lock(&all->lock);
    for (struct worker *w = all->workers; w; w = w->next)
        cancel_fire(&w->cancel);
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

void instances_close(struct instances *all)
{
    if (!all)
        return;
    instances_begin_close(all);
    if (all->watching)
        pthread_join(all->watch, NULL);
    while (all->workers) {
        struct worker *w = all->workers;
        pthread_join(w->thread, NULL);
        all->workers = w->next;
        cancel_release(&w->cancel);
        free(w);
    }
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
    instance_rows_release(&rows);
    return !e->code;
}
