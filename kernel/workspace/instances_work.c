/*
 * The work on instances (see instances_parts.h): a thread for each row that is not where it should be, which calls the
 * functions of workspace/cluster.h until it is. Decides nothing about what a row should say.
 */
#include "workspace/instances_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "sync/sync.h"
#include "workspace/cluster.h"
#include "workspace/store_synced.h"

enum { PG_PORT = 5432 };

struct work {
    struct instances *all;
    char uid[37];
    pthread_t thread;
    struct cancel cancel;
    bool again; /* the row changed: look once more */
    bool over;  /* the thread is at its end; join it */
    struct work *next;
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

/* Synced tables that were deleted while the instance was stopped become ordinary tables now. What fails is tried again at the
 * next start. */
static void forget_synced(struct instances *all, const struct instance_row *row)
{
    struct synced_rows left;
    struct err e = {0};
    if (!store_synced_left(all->store, row->uid, &left, &e)) {
        log_err("instance", row->name, &e);
        return;
    }
    for (size_t i = 0; i < left.count; i++) {
        const struct synced_row *t = &left.rows[i];
        struct pg_conn *admin = cluster_connect(all->clusters, row->uid, t->database, NULL, &e);
        if (!admin || !sync_forget(admin, t->id, t->schema, t->table, t->creator, false, &e) ||
            !store_synced_forgotten(all->store, t->id, &e))
            log_err("instance", row->name, &e);
        pg_close(admin);
        err_init(&e);
    }
    synced_rows_release(&left);
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
    if (!o.failure && o.to == INST_AVAILABLE)
        forget_synced(all, row);
    if (!o.failure && spec.port != row->port && spec.port != PG_PORT)
        log_line(LOG_WARN, "instance", "%s: no address had port %d free; it listens on port %d, which clients must be told",
                 row->name, PG_PORT, spec.port);
    write_outcome(all, row->uid, &o);
    log_line(LOG_INFO, "instance", "%s: %s -> %s in %lld ms", row->name, inst_state_name(row->state),
             o.failure ? "failed" : inst_state_name(o.to), (long long)(clock_mono_ms() - start));
    return !o.failure;
}

static void *run(void *arg)
{
    struct work *w = arg;
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
    for (struct work **p = &all->workers; *p;) {
        struct work *w = *p;
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

static struct work *work_of(struct instances *all, const char *uid)
{
    for (struct work *w = all->workers; w; w = w->next) {
        if (!w->over && strcmp(w->uid, uid) == 0)
            return w;
    }
    return NULL;
}

bool instances_kick(struct instances *all, const char *uid, bool interrupt, struct err *e)
{
    bool ok = true;
    pthread_mutex_lock(&all->lock);
    reap(all);
    struct work *w = work_of(all, uid);
    if (w) {
        w->again = true;
        if (interrupt)
            cancel_fire(&w->cancel);
    } else if (!cancel_fired(&all->closing)) {
        w = xcalloc(1, sizeof *w);
        w->all = all;
        memcpy(w->uid, uid, sizeof w->uid);
        ok = cancel_init(&w->cancel, e);
        if (ok && pthread_create(&w->thread, NULL, run, w) != 0) {
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

void instances_interrupt(struct instances *all)
{
    pthread_mutex_lock(&all->lock);
    for (struct work *w = all->workers; w; w = w->next)
        cancel_fire(&w->cancel);
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

void instances_join(struct instances *all)
{
    while (all->workers) {
        struct work *w = all->workers;
        pthread_join(w->thread, NULL);
        all->workers = w->next;
        cancel_release(&w->cancel);
        free(w);
    }
}
