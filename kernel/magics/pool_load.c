/* The load of %%pool (see pool_load.h): real threads, real connections, measured calls. */
#include "magics/pool_load.h"
#include "magics/pool_crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/exec.h"
#include "pg/prepared.h"
#include "render/sink.h"

enum { LOOK_MS = 20 };

void load_count_failed(struct load_result *out, const char *sqlstate, const char *name, const char *text, const char *hint, int64_t n)
{
    char code[sizeof out->failures[0].code];
    const char *condition = *sqlstate ? pg_condition(sqlstate) : NULL;
    if (*sqlstate)
        snprintf(code, sizeof code, "%s %.24s", sqlstate, condition ? condition : "");
    else
        snprintf(code, sizeof code, "%s", name);
    out->failed += n;
    size_t i = 0;
    while (i < out->kinds && strcmp(out->failures[i].code, code) != 0)
        i++;
    if (i == LOAD_KINDS_MAX)
        return;
    struct load_failures *f = &out->failures[i];
    if (i == out->kinds) {
        out->kinds++;
        memcpy(f->code, code, sizeof f->code);
        err_copy(f->text, sizeof f->text, text, strlen(text));
        const char *advice = *hint ? hint : *sqlstate ? pg_advice(sqlstate) : NULL;
        err_copy(f->help, sizeof f->help, advice ? advice : "", advice ? strlen(advice) : 0);
    }
    f->count += n;
}

void load_failed(struct crew *c, const struct err *e)
{
    pthread_mutex_lock(&c->lock);
    load_count_failed(c->out, e->sqlstate, err_info(e->code)->ename, e->text, e->hint, 1);
    pthread_mutex_unlock(&c->lock);
}

static struct pg_conn *get(struct crew *c, struct err *e)
{
    return c->load->connect_each ? pools_connect(c->load->pool, c->cancel, e)
                                 : pool_checkout(c->load->pool->pool, c->load->timeout_ms, c->cancel, e);
}

static void give_back(struct crew *c, struct pg_conn *conn)
{
    if (c->load->connect_each)
        pg_close(conn);
    else
        pool_return(c->load->pool->pool, conn);
}

/* Without variables it may be several statements. */
static bool call_once(const struct crew *c, struct pg_conn *conn, struct err *e)
{
    const struct bound *b = c->load->bound;
    if (c->load->prepare)
        return pg_exec_prepared(conn, b->sql, b->params, b->n_params, NULL, c->cancel, e);
    return b->n_params ? pg_exec_params(conn, b->sql, b->params, b->n_params, NULL, c->cancel, e) : pg_run(conn, b->sql, c->cancel, e);
}

static void one_call(struct crew *c, struct call *out)
{
    struct err e;
    err_init(&e);
    int64_t start = clock_mono_us();
    struct pg_conn *conn = get(c, &e);
    int64_t got = clock_mono_us();
    bool ok = conn && call_once(c, conn, &e);
    if (conn) {
        out->backend = pg_backend_pid(conn);
        give_back(c, conn);
    }
    out->wait_us = got - start;
    out->total_us = ok ? clock_mono_us() - start : -1;
    if (!ok && e.code != ERR_CANCELLED)
        load_failed(c, &e);
}

void load_ended(struct crew *c)
{
    long long now = clock_mono_us(), before = atomic_load(&c->end_us);
    while (before < now && !atomic_compare_exchange_weak(&c->end_us, &before, now))
        continue;
    atomic_fetch_add(&c->ended, 1);
}

static void *client_main(void *arg)
{
    struct client *me = arg;
    struct crew *c = me->crew;
    for (int i = 0; i < c->load->calls && !cancel_fired(c->cancel); i++) {
        if (i > 0 && c->load->think_ms > 0) {
            struct err ignored;
            err_init(&ignored);
            cancel_poll(c->cancel, -1, 0, c->load->think_ms, &ignored);
        }
        one_call(c, &me->calls[i]);
        atomic_fetch_add(&c->finished, 1);
    }
    load_ended(c);
    return NULL;
}

/* ---- numbers ---- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Nearest rank, of sorted values. */
static int64_t percentile(const int64_t *sorted, size_t n, int percent)
{
    if (n == 0)
        return 0;
    size_t rank = (n * (size_t)percent + 99) / 100;
    return sorted[rank ? rank - 1 : 0];
}

static void summarize(const struct call *calls, size_t n, struct load_result *out)
{
    int64_t *values = xcalloc(n ? n : 1, sizeof *values);
    size_t good = 0;
    for (size_t i = 0; i < n; i++) {
        if (calls[i].total_us >= 0)
            values[good++] = calls[i].total_us;
    }
    qsort(values, good, sizeof *values, by_number);
    out->done = (int64_t)good;
    out->p50 = percentile(values, good, 50);
    out->p95 = percentile(values, good, 95);
    out->p99 = percentile(values, good, 99);
    out->most = good ? values[good - 1] : 0;
    for (size_t i = 0; i < n; i++)
        values[i] = calls[i].wait_us;
    qsort(values, n, sizeof *values, by_number);
    out->wait_p95 = percentile(values, n, 95);
    out->wait_most = n ? values[n - 1] : 0;
    for (size_t i = 0; i < n; i++)
        values[i] = calls[i].backend;
    qsort(values, n, sizeof *values, by_number);
    for (size_t i = 0; i < n; i++)
        out->backends += values[i] && (i == 0 || values[i] != values[i - 1]);
    free(values);
}

/* ---- the run ---- */

static void tell(struct progress *p, struct crew *c, long long total)
{
    char state[80] = "";
    if (!c->load->connect_each) {
        struct pool_stats s;
        pool_stats(c->load->pool->pool, &s);
        snprintf(state, sizeof state, "%d of %d connections lent, %d clients waiting", s.busy, s.max_size, s.waiting);
    }
    progress_update(p, state, atomic_load(&c->finished), total);
}

static void watch(struct magic_ctx *ctx, struct crew *c, int started)
{
    struct progress p;
    struct err ignored;
    char label[128];
    snprintf(label, sizeof label, "%d clients, %d calls each, %s", c->load->clients, c->load->calls,
             c->load->connect_each ? "a connection for each call" : "pool");
    progress_open(&p, ctx->out, label);
    while (atomic_load(&c->ended) < started) {
        tell(&p, c, (long long)c->load->clients * c->load->calls);
        err_init(&ignored);
        cancel_poll(NULL, -1, 0, LOOK_MS, &ignored);
    }
    progress_close(&p, NULL);
}

/* Start the threads (one when it serves all clients) and wait for all that started. */
static void run_clients(struct magic_ctx *ctx, struct crew *c, struct call *calls, struct err *e)
{
    const struct load *l = c->load;
    struct client *clients = xcalloc((size_t)l->clients, sizeof *clients);
    int started = 0, threads = l->loop ? 1 : l->clients;
    for (; started < threads; started++) {
        clients[started] = (struct client){.crew = c, .calls = calls + (size_t)started * (size_t)l->calls};
        int rc = pthread_create(&clients[started].thread, NULL, l->loop ? load_loop : client_main, &clients[started]);
        if (rc != 0) {
            err_errno(e, rc, "no thread for client %d", started + 1);
            break;
        }
    }
    watch(ctx, c, started);
    for (int i = 0; i < started; i++)
        pthread_join(clients[i].thread, NULL);
    free(clients);
}

static int64_t unserved(const struct pool_stats *s) { return (int64_t)(s->timeouts + s->refused + s->cancelled + s->failed); }

static struct load_counts counts(const struct pool_stats *before, const struct pool_stats *after)
{
    int64_t lost = unserved(after) - unserved(before), failures = (int64_t)(after->connect_failures - before->connect_failures);
    return (struct load_counts){.requests = (int64_t)(after->checkouts - before->checkouts) + lost,
                                .waited = (int64_t)(after->wait.count - before->wait.count),
                                .unserved = lost,
                                .connects = (int64_t)(after->connects - before->connects) + failures,
                                .connect_failures = failures};
}

bool load_run(struct magic_ctx *ctx, const struct load *l, struct load_result *out, struct err *e)
{
    struct crew c = {.load = l, .cancel = ctx->cancel, .out = out};
    struct pool_stats before, after;
    size_t n = (size_t)l->clients * (size_t)l->calls;
    struct call *calls = xcalloc(n, sizeof *calls);
    *out = (struct load_result){0};
    pthread_mutex_init(&c.lock, NULL);
    for (size_t i = 0; i < n; i++)
        calls[i].total_us = -1;
    pool_mark(l->pool->pool);
    pool_stats(l->pool->pool, &before);
    int64_t start = clock_mono_us();
    run_clients(ctx, &c, calls, e);
    pool_stats(l->pool->pool, &after);
    out->us = atomic_load(&c.end_us) - start;
    out->waited = (int64_t)(after.waited - before.waited);
    out->most_waiting = after.recent_most_waiting;
    out->counts = counts(&before, &after);
    summarize(calls, n, out);
    pthread_mutex_destroy(&c.lock);
    free(calls);
    return !e->code && cancel_check(ctx->cancel, e);
}
