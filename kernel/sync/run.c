/*
 * One run of a sync from the connection to the commit: what to do (plan), in one transaction, again when the connection
 * was lost. How rows move is in snapshot.c and incremental.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/exec.h"
#include "sync/internal.h"

enum { RUN_TRIES = 5, RUN_WAIT_MS = 200 };

const char *sync_method_name(enum sync_method m)
{
    switch (m) {
    case SYNC_NOTHING: return "nothing";
    case SYNC_LOAD: return "load";
    case SYNC_SWAP: return "swap";
    case SYNC_DIFF: return "diff";
    case SYNC_INCREMENTAL: return "incremental";
    }
    return "?";
}

static char *quoted_target(const struct sync_spec *s)
{
    struct buf b;
    buf_init(&b, 4096);
    pg_quote_ident(&b, s->schema);
    buf_putc(&b, '.');
    pg_quote_ident(&b, s->table);
    return buf_detach(&b);
}

/* Our sessions: nothing is looked up where users write. Commits wait for the disk: a crash of the server must not take back
 * rows that a reader has seen and a status has reported. */
/* A backend whose worker has died finds out within seconds, also in a long statement: it holds the sync's advisory lock. */
static const char settings[] = "SET client_connection_check_interval = '5s'; SET synchronous_commit = on; SET maintenance_work_mem = '128MB'; "
                               "SET search_path = pg_catalog, pg_temp; SET client_min_messages = warning; "
                               "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";

static bool connect_job(struct sync_job *j, struct err *e)
{
    if (j->pg && pg_alive(j->pg))
        return true;
    pg_close(j->pg);
    j->pg = j->watch->connect(j->watch->self, j->cancel, e);
    if (!j->pg || !pg_run(j->pg, settings, j->cancel, e))
        return false;
    const char *params[] = {j->spec->id};
    char *got = NULL;
    bool ok = pg_scalar(j->pg, "SELECT pg_try_advisory_lock(hashtextextended('lakebase sync ' || $1, 0))", params, 1, &got,
                        j->cancel, e);
    if (ok && strcmp(got, "t") != 0)
        ok = err_set(e, ERR_CONFLICT, "another run of this synced table is under way");
    free(got);
    return ok;
}

static void drop_source(struct sync_job *j)
{
    for (size_t i = 0; i < j->n_columns; i++)
        free(j->columns[i].type);
    free(j->columns);
    j->columns = NULL;
    j->n_columns = 0;
    delta_close(j->source);
    j->source = NULL;
}

bool source_open(struct sync_job *j, int64_t version, struct err *e)
{
    drop_source(j);
    j->source = delta_open(j->spec->source_root, version, e);
    return j->source ? target_columns(j, e) : err_wrap(e, "source %s", j->spec->source_name);
}

static bool feed_is_on(struct sync_job *j, struct err *e)
{
    const char *on = delta_property(j->source, "delta.enableChangeDataFeed");
    if (on && strcmp(on, "true") == 0)
        return true;
    user_error(e, "SOURCE_READ_ERROR", "%s has no change data feed", j->spec->source_name);
    err_hint(e, "ALTER TABLE %s SET TBLPROPERTIES (delta.enableChangeDataFeed = true), or use the SNAPSHOT mode",
             j->spec->source_name);
    return false;
}

/* Users may drop a synced table; then it is loaded anew. */
static bool target_is_there(struct sync_job *j, bool *out, struct err *e)
{
    const char *params[] = {j->target};
    char *answer = NULL;
    bool ok = pg_scalar(j->pg, "SELECT to_regclass($1) IS NOT NULL", params, 1, &answer, j->cancel, e);
    *out = ok && strcmp(answer, "t") == 0;
    free(answer);
    return ok;
}

/* What to do, by policy and state. */
static bool carry_out(struct sync_job *j, struct err *e)
{
    const struct sync_spec *s = j->spec;
    if (s->policy != SYNC_SNAPSHOT && !feed_is_on(j, e))
        return false;
    bool there = j->state.exists;
    if (there && !target_is_there(j, &there, e))
        return false;
    if (!there)
        return snapshot_load(j, e);
    if (s->policy != SYNC_CONTINUOUS && s->update_id && *s->update_id && strcmp(s->update_id, j->state.update_id) == 0) {
        j->result = (struct sync_result){.method = SYNC_NOTHING, .version = j->state.version,
                                         .timestamp = j->state.timestamp, .rows = j->state.rows};
        return true; /* it was committed, only the answer got lost */
    }
    bool refreshed = s->update_id && *s->update_id && strcmp(s->update_id, j->state.update_id) == 0; /* a worker before did it */
    if (s->policy == SYNC_SNAPSHOT || (s->full_refresh && !refreshed))
        return snapshot_refresh(j, e);
    if (strcmp(j->state.source_id, j->source->id) == 0 && j->state.version >= j->source->version) {
        j->result = (struct sync_result){.method = SYNC_NOTHING, .version = j->state.version,
                                         .timestamp = j->state.timestamp, .rows = j->state.rows};
        return true;
    }
    return incremental_apply(j, e);
}

static bool attempt(struct sync_job *j, struct err *e)
{
    if (!connect_job(j, e) || !source_open(j, j->goal, e) || !pg_run(j->pg, "BEGIN", j->cancel, e))
        return false;
    j->result = (struct sync_result){0};
    j->last = true;
    bool ok = state_read(j, e) && carry_out(j, e) && pg_run(j->pg, "COMMIT", NULL, e);
    if (!ok && pg_alive(j->pg)) {
        struct err ignored;
        err_init(&ignored);
        pg_run(j->pg, "ROLLBACK", NULL, &ignored);
    }
    return ok || explain(j, e);
}

/* A lost connection leaves the outcome open: the state row, read again, knows. */
static bool run_job(struct sync_job *j, struct err *e)
{
    for (int i = 1;; i++) {
        if (attempt(j, e))
            return true;
        bool lost = e->code == ERR_CONNECT || e->code == ERR_LOGIN || !j->pg || !pg_alive(j->pg);
        if (!lost || e->code == ERR_CANCELLED || i == RUN_TRIES)
            return false;
        struct err waiting;
        err_init(&waiting);
        if (!cancel_poll(j->cancel, -1, 0, RUN_WAIT_MS << i, &waiting)) {
            *e = waiting;
            return false;
        }
        err_init(e);
    }
}

/* Up to what is the newest version now: who writes faster than we apply must not keep a run from ending. */
static bool run_steps(struct sync_job *j, struct err *e)
{
    for (j->goal = -1;;) {
        if (!run_job(j, e))
            return false;
        if (j->last)
            return true;
        if (j->watch->applied)
            j->watch->applied(j->watch->self, &j->result);
    }
}

static void job_end(struct sync_job *j)
{
    drop_source(j);
    state_release(&j->state);
    pg_close(j->pg);
    free(j->target);
}

bool sync_run(struct lake *lake, const struct sync_spec *spec, const struct sync_watch *watch, struct sync_result *out,
              struct cancel *cancel, struct err *e)
{
    struct sync_job j = {.lake = lake, .spec = spec, .watch = watch, .cancel = cancel, .target = quoted_target(spec)};
    bool ok = run_steps(&j, e);
    if (ok)
        *out = j.result;
    job_end(&j);
    return ok;
}

bool sync_follow(struct lake *lake, const struct sync_spec *spec, const struct sync_watch *watch, struct cancel *cancel,
                 struct err *e)
{
    struct sync_spec next = *spec;
    struct sync_job j = {.lake = lake, .spec = &next, .watch = watch, .cancel = cancel, .target = quoted_target(spec)};
    struct follow *f = follow_open(spec->source_root, e);
    bool ok = f != NULL, first = true;
    while (ok) {
        ok = run_steps(&j, e);
        next.full_refresh = next.full_refresh && !ok;
        /* The first step is reported in any case: a worker that died may have applied more than it could tell. */
        if (ok && watch->applied && (first || j.result.method != SYNC_NOTHING))
            watch->applied(watch->self, &j.result);
        first = false;
        ok = ok && follow_wait(f, cancel, e);
    }
    follow_close(f);
    job_end(&j);
    return false;
}
