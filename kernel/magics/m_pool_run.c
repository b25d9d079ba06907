/* %%pool: many clients at once on a pool, and what that took. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/pool_load.h"
#include "magics/pool_psycopg.h"
#include "magics/pool_timeline.h"
#include "magics/statement.h"

enum { SQL_MAX = 1 << 20, EVENTS_MAX = 20000, SIZES_MAX = 20, FILL_MS = 30000 };

static const char *number(struct magic_ctx *ctx, long long n) { return arena_printf(ctx->arena, "%lld", n); }
/* Nothing that was done has no latency. */
static const char *milliseconds(struct magic_ctx *ctx, const struct load_result *r, int64_t us)
{
    return r->done ? arena_printf(ctx->arena, "%.1f", (double)us / 1000) : "";
}

/* what: the way, or the size of the pool. */
static void add_result(struct magic_ctx *ctx, struct table *t, const char *what, const struct load *l, const struct load_result *r)
{
    double seconds = (double)r->us / 1e6;
    table_add_texts(t, (const char *const[]){
                           what, number(ctx, l->clients), number(ctx, r->done), number(ctx, r->failed),
                           arena_printf(ctx->arena, "%.0f", seconds > 0 ? (double)r->done / seconds : 0), milliseconds(ctx, r, r->p50),
                           milliseconds(ctx, r, r->p95), milliseconds(ctx, r, r->p99), milliseconds(ctx, r, r->most),
                           milliseconds(ctx, r, r->wait_p95), number(ctx, r->waited), r->most_waiting < 0 ? "" : number(ctx, r->most_waiting),
                           number(ctx, r->backends)});
}

static void show_failures(struct magic_ctx *ctx, const char *title, const struct load_result *r)
{
    struct table t;
    if (r->kinds == 0)
        return;
    table_init(&t);
    table_set_title(&t, title);
    table_add_column(&t, "error", NULL, TABLE_LEFT);
    table_add_column(&t, "count", NULL, TABLE_RIGHT);
    table_add_column(&t, "the first one said", NULL, TABLE_LEFT);
    table_add_column(&t, "what helps", NULL, TABLE_LEFT);
    for (size_t i = 0; i < r->kinds; i++)
        table_add_texts(&t, (const char *const[]){r->failures[i].code, number(ctx, r->failures[i].count), r->failures[i].text,
                                                  r->failures[i].help});
    sink_table(ctx->out, &t);
    table_release(&t);
}

static bool read_load(struct magic_ctx *ctx, const struct args *args, struct load *l, struct err *e)
{
    l->pool = pools_find(ctx->session, args_get(args, "name"), e);
    if (!l->pool)
        return false;
    if (ctx->body_len > SQL_MAX)
        return err_set(e, ERR_TOO_BIG, "the SQL of %%%%pool is larger than %d bytes", SQL_MAX);
    l->clients = (int)args_int(args, "clients", 8);
    l->calls = (int)args_int(args, "calls", 10);
    l->timeout_ms = (int)args_int(args, "timeout", -1);
    l->prepare = args_flag(args, "prepare");
    l->loop = args_flag(args, "loop");
    if (l->loop && l->prepare)
        return err_set(e, ERR_USAGE, "--loop goes without --prepare");
    l->think_ms = (int)args_int(args, "think", 0);
    if (ctx->body_len == strspn(arena_strndup(ctx->arena, ctx->body, ctx->body_len), " \t\r\n"))
        return err_set(e, ERR_USAGE, "%%%%pool takes the SQL that its clients run from the lines below");
    if ((long long)l->clients * l->calls > LOAD_CALLS_MAX)
        return err_set(e, ERR_TOO_BIG, "%d clients with %d calls each are more than %d calls", l->clients, l->calls, LOAD_CALLS_MAX);
    struct bound *b = arena_alloc(ctx->arena, sizeof *b);
    l->bound = b;
    if (bind_variables(ctx->arena, &ctx->session->variables, ctx->body, ctx->body_len, b, e))
        return true;
    statement_place(ctx, b, ctx->body, ctx->body_len, e);
    return false;
}

static void begin_table(struct table *t, const char *first, enum table_align align)
{
    static const char *const names[] = {"clients", "calls", "failed", "calls/s", "p50 ms", "p95 ms", "p99 ms", "max ms",
                                        "wait p95 ms", "waited", "most waiting", "backends"};
    table_init(t);
    table_add_column(t, first, NULL, align);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        table_add_column(t, names[i], NULL, TABLE_RIGHT);
    table_set_footer(t, "");
}

static void show_counts(struct magic_ctx *ctx, const struct load_counts *ours, const struct load_counts *theirs)
{
    const struct {
        const char *name;
        int64_t ours, theirs;
    } rows[] = {{"requests for a connection", ours->requests, theirs->requests},
                {"requests that waited", ours->waited, theirs->waited},
                {"requests without one", ours->unserved, theirs->unserved},
                {"connections made", ours->connects, theirs->connects},
                {"connections that failed", ours->connect_failures, theirs->connect_failures}};
    struct table t;
    table_init(&t);
    table_set_title(&t, "what both pools counted in the run");
    table_add_column(&t, "counter", NULL, TABLE_LEFT);
    table_add_column(&t, "pool", NULL, TABLE_RIGHT);
    table_add_column(&t, "psycopg_pool", NULL, TABLE_RIGHT);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        table_add_texts(&t, (const char *const[]){rows[i].name, number(ctx, rows[i].ours), number(ctx, rows[i].theirs)});
    table_set_footer(&t, "");
    sink_table(ctx->out, &t);
    table_release(&t);
}

static void show(struct magic_ctx *ctx, const struct pool_run *run)
{
    struct table t;
    begin_table(&t, "way", TABLE_LEFT);
    add_result(ctx, &t, "pool", &run->load, &run->pooled);
    if (run->compared)
        add_result(ctx, &t, run->compared == COMPARED_CONNECT ? "connect for each call" : "psycopg_pool", &run->load, &run->other);
    statement_show_kept(ctx, &t);
    table_release(&t);
    show_failures(ctx, "calls that failed", &run->pooled);
    show_failures(ctx, run->compared == COMPARED_CONNECT ? "calls that failed, with a connection for each call"
                                                         : "calls that failed, with psycopg_pool", &run->other);
    if (run->compared == COMPARED_PSYCOPG)
        show_counts(ctx, &run->pooled.counts, &run->other.counts);
}

/* ---- one load, several sizes ---- */

/* "1,2,4"; how many, 0 with *e set. */
static size_t read_sizes(const char *text, int *sizes, struct err *e)
{
    size_t n = 0;
    for (const char *at = text;; at++) {
        char *end;
        long size = strtol(at, &end, 10);
        if (end == at || size < 1 || size > POOL_CONNECTIONS_MAX || n == SIZES_MAX || (*end && *end != ',')) {
            err_set(e, ERR_USAGE, "--sizes takes up to %d numbers from 1 to %d with commas between them, not '%.100s'", SIZES_MAX,
                    POOL_CONNECTIONS_MAX, text);
            err_hint(e, "for example --sizes 1,2,4,8,16");
            return 0;
        }
        sizes[n++] = (int)size;
        at = end;
        if (!*at)
            return n;
    }
}

/* The pool is full before the clients come, so that no size pays for logins. */
static bool run_size(struct magic_ctx *ctx, const struct load *l, int size, struct table *t, struct load_result *r, struct err *e)
{
    struct pool *p = l->pool->pool;
    if (!pool_resize(p, size, size, e) || !pool_wait(p, FILL_MS, ctx->cancel, e) || !load_run(ctx, l, r, e))
        return false;
    add_result(ctx, t, number(ctx, size), l, r);
    return true;
}

static bool run_sizes(struct magic_ctx *ctx, const struct load *l, const int *sizes, size_t n, struct err *e)
{
    struct table t;
    struct load_result results[SIZES_MAX];
    struct pool_stats before;
    struct err back = {0};
    size_t done = 0;
    pool_stats(l->pool->pool, &before);
    begin_table(&t, "pool size", TABLE_RIGHT);
    while (done < n && run_size(ctx, l, sizes[done], &t, &results[done], e))
        done++;
    if (!pool_resize(l->pool->pool, before.min_size, before.max_size, &back) && !e->code)
        *e = back;
    if (!e->code)
        statement_show_kept(ctx, &t);
    table_release(&t);
    for (size_t i = 0; i < done && !e->code; i++)
        show_failures(ctx, arena_printf(ctx->arena, "calls that failed, with a pool of %d", sizes[i]), &results[i]);
    return !e->code;
}

static bool run_other(struct magic_ctx *ctx, const struct load *l, struct pool_run *run, struct err *e)
{
    struct load each = *l;
    each.connect_each = true;
    each.loop = false;
    if (run->compared == COMPARED_PSYCOPG)
        return psycopg_run(ctx, l, &run->other, e);
    return run->compared == COMPARED_NOT || load_run(ctx, &each, &run->other, e);
}

static bool run_clients(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct load l = {0};
    int sizes[SIZES_MAX];
    const char *several = args_get(args, "sizes");
    if (!read_load(ctx, args, &l, e))
        return false;
    const char *compare = args_get(args, "compare");
    bool drawn = args_flag(args, "timeline");
    if (several && (drawn || compare))
        return err_set(e, ERR_USAGE, "--sizes goes without %s", drawn ? "--timeline" : "--compare");
    if (several) {
        size_t n = read_sizes(several, sizes, e);
        return n > 0 && run_sizes(ctx, &l, sizes, n, e);
    }
    struct pool_run *run = xcalloc(1, sizeof *run);
    run->compared = !compare ? COMPARED_NOT : strcmp(compare, "psycopg") == 0 ? COMPARED_PSYCOPG : COMPARED_CONNECT;
    if (run->compared == COMPARED_PSYCOPG && l.bound->n_params > 0)
        err_set(e, ERR_USAGE, "--compare psycopg goes without :name variables");
    if (e->code || (run->compared == COMPARED_PSYCOPG && !psycopg_ready(ctx, e))) {
        free(run);
        return false;
    }
    pool_trace(l.pool->pool, drawn ? EVENTS_MAX : 0);
    bool ok = load_run(ctx, &l, &run->pooled, e);
    struct pool_event *events = drawn ? xcalloc(EVENTS_MAX, sizeof *events) : NULL;
    size_t all = drawn ? pool_trace_read(l.pool->pool, events, EVENTS_MAX) : 0;
    pool_trace(l.pool->pool, 0);
    if (ok)
        pool_timeline(ctx, l.pool->name, events, all < EVENTS_MAX ? all : EVENTS_MAX, all);
    free(events);
    ok = ok && run_other(ctx, &l, run, e);
    if (!ok) {
        free(run);
        return false;
    }
    run->load = l;
    run->load.bound = NULL; /* the arena's */
    free(l.pool->last);
    l.pool->last = run;
    show(ctx, run);
    return true;
}

#define END {.name = NULL}
#define NAME_ROW {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .complete = "pool", .help = "the pool"}

static const char *const comparisons[] = {"connect", "psycopg", NULL};
static const struct arg_row run_rows[] = {
    {.name = "clients", .type = ARG_INT, .min = 1, .max = LOAD_CLIENTS_MAX, .placeholder = "N", .help = "clients at once, each a thread; 8 when not given"},
    {.name = "calls", .type = ARG_INT, .min = 1, .max = 100000, .placeholder = "M", .help = "calls of each client; 10 when not given"},
    {.name = "timeout", .type = ARG_DURATION, .min = 1, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "how long a checkout waits; the pool's own when not given"},
    {.name = "think", .type = ARG_DURATION, .min = 0, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "pause of a client between two calls; none when not given"},
    {.name = "loop", .type = ARG_FLAG, .help = "one thread serves all clients and waits for none of them, as asyncio does"},
    {.name = "prepare", .type = ARG_FLAG, .help = "each session prepares the SQL, which must be one statement, and is sent its name only from then on"},
    {.name = "timeline", .type = ARG_FLAG, .help = "draw who had which connection when, and the queue"},
    {.name = "compare", .type = ARG_CHOICE, .flags = ARG_BARE, .choices = comparisons,
     .help = "the same again with a new connection for each call (connect), or with psycopg_pool in the notebook's Python, a thread for each client (psycopg)"},
    {.name = "sizes", .type = ARG_WORD, .placeholder = "1,2,4", .help = "the same with each of these pool sizes, a row for each; the pool has its own size again afterwards"},
    NAME_ROW, END};

const struct magic magic_pool_run = {
    .name = "pool",
    .kinds = MAGIC_CELL,
    .group = "pools",
    .summary = "run SQL with many clients at once through a pool, and measure it",
    .help = "Each client is a thread (with --loop, one thread is all clients) that borrows a connection, runs the SQL below as one query (with :name bound, as one statement), and gives it back. Times include the "
            "wait for a connection; 'waited' counts the calls that had to queue, 'backends' the server's processes. The numbers differ "
            "each time: %pool verdict says what must hold of them. The table is the last result, so %plot line draws it. --compare psycopg gives psycopg_pool the same min, max, timeout and queue, and its own defaults otherwise; a second table shows what both pools count. An interrupt cancels the statements on the server.",
    .examples = "%%pool app --clients 20 --calls 10\nSELECT 1\n%%pool app --clients 4 --calls 5 --compare\nSELECT 1\n%%pool app --clients 4 --calls 5 --compare psycopg\nSELECT 1\n%%pool app --clients 6 --calls 3 --think 20ms --timeline\nSELECT pg_sleep(0.01)\n%%pool app --clients 32 --sizes 1,2,4,8\nSELECT 1",
    .args = run_rows,
    .run = run_clients,
};
