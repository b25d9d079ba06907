/* SQL statements of the warehouse: queue, threads, life (see statements.h). */
#include "workspace/statements.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/statements_parts.h"
#include "workspace/unity.h"
#include "workspace/workspace.h"

struct statements *statements_new(struct workspace *ws)
{
    struct statements *s = xcalloc(1, sizeof *s);
    s->ws = ws;
    pthread_mutex_init(&s->lock, NULL);
    clock_cond_init(&s->changed);
    return s;
}

static void unref(struct statement *st)
{
    if (--st->refs > 0)
        return;
    for (size_t i = 0; i < st->n_chunks; i++)
        buf_release(&st->chunks[i].text);
    free(st->chunks);
    free(st->columns);
    json_decref(st->job);
    cancel_release(&st->cancel);
    free(st);
}

/* Forget what is old, and the oldest ones beyond the bounds. Lock held. */
static void forget(struct statements *s)
{
    size_t bytes = 0, kept = 0;
    int64_t now = clock_mono_ms() / 1000;
    for (struct statement **p = &s->list; *p;) {
        struct statement *st = *p;
        bytes += st->bytes;
        bool old = statement_ended(st) && (now - st->ended_s > STATEMENTS_KEPT_S || kept >= STATEMENTS_KEPT_MAX ||
                                           (kept > 0 && bytes > STATEMENTS_KEPT_BYTES));
        kept++;
        if (old) {
            *p = st->next;
            bytes -= st->bytes;
            unref(st);
        } else {
            p = &st->next;
        }
    }
}

void statements_begin_close(struct statements *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    for (struct statement *st = s->list; st; st = st->next)
        cancel_fire(&st->cancel);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void statements_cancel_all(struct statements *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct statement *st = s->list; st; st = st->next)
        cancel_fire(&st->cancel);
    pthread_cond_broadcast(&s->changed);
    while (s->live > 0 && !s->closing)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void statements_free(struct statements *s)
{
    if (!s)
        return;
    statements_begin_close(s);
    pthread_mutex_lock(&s->lock);
    while (s->live > 0)
        pthread_cond_wait(&s->changed, &s->lock);
    while (s->list) {
        struct statement *st = s->list;
        s->list = st->next;
        unref(st);
    }
    pthread_mutex_unlock(&s->lock);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int statements_active(struct statements *s)
{
    pthread_mutex_lock(&s->lock);
    int n = s->live;
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* ---- running ---- */

struct thread_start {
    struct statements *s;
    struct statement *st;
};

/* Until one of the places is free. false: cancelled before. Lock held. */
static bool take_place(struct statements *s, struct statement *st)
{
    while (s->running >= STATEMENTS_RUNNING_MAX && !cancel_fired(&st->cancel))
        pthread_cond_wait(&s->changed, &s->lock);
    if (cancel_fired(&st->cancel))
        return false;
    s->running++;
    st->state = ST_RUNNING;
    return true;
}

static void *run_thread(void *arg)
{
    struct thread_start *start = arg;
    struct statements *s = start->s;
    struct statement *st = start->st;
    free(start);
    pthread_mutex_lock(&s->lock);
    bool mine = take_place(s, st), ok = false;
    pthread_mutex_unlock(&s->lock);
    if (mine)
        ok = statement_run(s->ws, st);
    else
        err_set(&st->error, ERR_CANCELLED, "interrupted");
    pthread_mutex_lock(&s->lock);
    s->running -= mine;
    s->live--;
    st->state = ok ? ST_SUCCEEDED : st->error.code == ERR_CANCELLED ? ST_CANCELED : ST_FAILED;
    st->ended_s = clock_mono_ms() / 1000;
    json_decref(st->job);
    st->job = NULL;
    unref(st);
    forget(s);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static json_t *job_of(const struct statement_request *r, const char *caller)
{
    json_t *parameters = json_array();
    const struct statement_parameter *p = r->parameters.items;
    for (size_t i = 0; i < r->parameters.count; i++)
        json_array_append_new(parameters,
                              json_pack("{s:o, s:o, s:o}", "name", jx_str(p[i].name), "value",
                                        p[i].value ? jx_str(p[i].value) : json_null(), "type",
                                        jx_str(p[i].type ? p[i].type : "STRING")));
    json_t *job = json_pack("{s:s, s:o, s:o, s:o, s:s, s:o}", "job", "statement", "sql", jx_str(r->statement), "catalog",
                            jx_str(r->catalog && *r->catalog ? r->catalog : UNITY_MAIN), "schema",
                            jx_str(r->schema && *r->schema ? r->schema : "default"), "principal", caller, "parameters",
                            parameters);
    if (r->row_limit.has)
        json_object_set_new(job, "row_limit", json_integer(r->row_limit.value));
    if (r->byte_limit.has)
        json_object_set_new(job, "byte_limit", json_integer(r->byte_limit.value));
    return job;
}

bool statements_submit(struct statements *s, const struct statement_request *request, const char *caller, char id[37],
                       struct err *e)
{
    struct statement *st = xcalloc(1, sizeof *st);
    if (!cancel_init(&st->cancel, e)) {
        free(st);
        return false;
    }
    ids_uuid(st->id);
    err_copy(st->caller, sizeof st->caller, caller, strlen(caller));
    memcpy(id, st->id, sizeof st->id);
    st->job = job_of(request, caller);
    st->state = ST_PENDING;
    st->refs = 2; /* the list and the thread */
    struct thread_start *start = xcalloc(1, sizeof *start);
    *start = (struct thread_start){s, st};
    pthread_t thread;
    pthread_mutex_lock(&s->lock);
    forget(s);
    if (s->closing)
        err_set(e, ERR_UNAVAILABLE, "the workspace is being stopped");
    else if (s->live >= STATEMENTS_LIVE_MAX)
        err_set(e, ERR_RATE_LIMIT, "%d statements are under way already, which is the maximum", s->live);
    int rc = e->code ? 0 : pthread_create(&thread, NULL, run_thread, start);
    if (rc != 0)
        err_errno(e, rc, "cannot start a thread for the statement");
    if (!e->code) {
        pthread_detach(thread);
        s->live++;
        st->next = s->list;
        s->list = st;
    } else {
        st->refs = 1;
        unref(st);
        free(start);
    }
    pthread_mutex_unlock(&s->lock);
    return !e->code;
}

/* ---- looking ---- */

/* With a reference. Lock held. */
static struct statement *find(struct statements *s, const char *id, const char *caller, struct err *e)
{
    for (struct statement *st = s->list; st; st = st->next) {
        if (strcmp(st->id, id) == 0 && strcmp(st->caller, caller) == 0) {
            st->refs++;
            return st;
        }
    }
    err_set(e, ERR_RESOURCE_NOT_FOUND, "The statement %.60s was not found.", id);
    return NULL;
}

static void put_back(struct statements *s, struct statement *st)
{
    pthread_mutex_lock(&s->lock);
    unref(st);
    pthread_mutex_unlock(&s->lock);
}

bool statements_view(struct statements *s, const char *id, const char *caller, int wait_ms,
                     struct statement_response *out, struct err *e)
{
    int64_t end = clock_mono_ms() + wait_ms;
    pthread_mutex_lock(&s->lock);
    struct statement *st = find(s, id, caller, e);
    bool more = wait_ms > 0;
    while (st && more && !statement_ended(st) && !s->closing)
        more = clock_cond_until(&s->changed, &s->lock, end);
    enum statement_state state = st ? st->state : 0;
    pthread_mutex_unlock(&s->lock);
    if (!st)
        return false;
    bool ok = statement_describe(st, state, out, e);
    put_back(s, st);
    return ok;
}

bool statements_chunk(struct statements *s, const char *id, const char *caller, int64_t index, struct result_data *out,
                      struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct statement *st = find(s, id, caller, e);
    bool there = st && st->state == ST_SUCCEEDED;
    pthread_mutex_unlock(&s->lock);
    if (!st)
        return false;
    bool ok = there || err_set(e, ERR_INVALID_STATE, "The statement %s has no result: it has not succeeded", id);
    ok = ok && ((index >= 0 && (uint64_t)index < st->n_chunks) ||
                err_set(e, ERR_INVALID_PARAMETER, "The result of statement %s has %zu chunks; there is no chunk %lld", id,
                        st->n_chunks, (long long)index));
    ok = ok && statement_put_chunk(st, (size_t)index, out, e);
    put_back(s, st);
    return ok;
}

bool statements_cancel(struct statements *s, const char *id, const char *caller, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct statement *st = find(s, id, caller, e);
    if (st && !statement_ended(st))
        cancel_fire(&st->cancel);
    if (st)
        unref(st);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return st != NULL;
}
