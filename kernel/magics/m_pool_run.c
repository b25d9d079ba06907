/* %%pool: many clients at once on a pool, and what that took. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/pool_load.h"
#include "magics/statement.h"

enum { SQL_MAX = 1 << 20 };

static const char *number(struct magic_ctx *ctx, long long n) { return arena_printf(ctx->arena, "%lld", n); }
/* Nothing that was done has no latency. */
static const char *milliseconds(struct magic_ctx *ctx, const struct load_result *r, int64_t us)
{
    return r->done ? arena_printf(ctx->arena, "%.1f", (double)us / 1000) : "";
}

static void add_result(struct magic_ctx *ctx, struct table *t, const char *way, const struct load *l, const struct load_result *r)
{
    double seconds = (double)r->us / 1e6;
    table_add_texts(t, (const char *const[]){
                           way, number(ctx, l->clients), number(ctx, r->done), number(ctx, r->failed),
                           arena_printf(ctx->arena, "%.0f", seconds > 0 ? (double)r->done / seconds : 0), milliseconds(ctx, r, r->p50),
                           milliseconds(ctx, r, r->p95), milliseconds(ctx, r, r->p99), milliseconds(ctx, r, r->most),
                           milliseconds(ctx, r, r->wait_p95), number(ctx, r->waited), number(ctx, r->most_waiting),
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
    l->sql = arena_strndup(ctx->arena, ctx->body, ctx->body_len);
    l->clients = (int)args_int(args, "clients", 8);
    l->calls = (int)args_int(args, "calls", 10);
    l->timeout_ms = (int)args_int(args, "timeout", -1);
    if (!l->sql[strspn(l->sql, " \t\r\n")])
        return err_set(e, ERR_USAGE, "%%%%pool takes the SQL that its clients run from the lines below");
    if ((long long)l->clients * l->calls > LOAD_CALLS_MAX)
        return err_set(e, ERR_TOO_BIG, "%d clients with %d calls each are more than %d calls", l->clients, l->calls, LOAD_CALLS_MAX);
    return true;
}

static void show(struct magic_ctx *ctx, const struct pool_run *run)
{
    static const char *const names[] = {"way", "clients", "calls", "failed", "calls/s", "p50 ms", "p95 ms", "p99 ms", "max ms",
                                        "wait p95 ms", "waited", "most waiting", "backends"};
    struct table t;
    table_init(&t);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        table_add_column(&t, names[i], NULL, i ? TABLE_RIGHT : TABLE_LEFT);
    add_result(ctx, &t, "pool", &run->load, &run->pooled);
    if (run->compared)
        add_result(ctx, &t, "connect for each call", &run->load, &run->each);
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
    show_failures(ctx, "calls that failed", &run->pooled);
    show_failures(ctx, "calls that failed, with a connection for each call", &run->each);
}

static bool run_clients(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct load l = {0};
    if (!read_load(ctx, args, &l, e))
        return false;
    struct pool_run *run = xcalloc(1, sizeof *run);
    struct load each = l;
    each.connect_each = true;
    run->compared = args_flag(args, "compare");
    bool ok = load_run(ctx, &l, &run->pooled, e) && (!run->compared || load_run(ctx, &each, &run->each, e));
    if (!ok) {
        free(run);
        return false;
    }
    run->load = l;
    run->load.sql = NULL; /* the arena's */
    free(l.pool->last);
    l.pool->last = run;
    show(ctx, run);
    return true;
}

#define END {.name = NULL}
#define NAME_ROW {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .help = "the pool"}

static const struct arg_row run_rows[] = {
    {.name = "clients", .type = ARG_INT, .min = 1, .max = LOAD_CLIENTS_MAX, .placeholder = "N", .help = "clients at once, each a thread; 8 when not given"},
    {.name = "calls", .type = ARG_INT, .min = 1, .max = 100000, .placeholder = "M", .help = "calls of each client; 10 when not given"},
    {.name = "timeout", .type = ARG_DURATION, .min = 1, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "how long a checkout waits; the pool's own when not given"},
    {.name = "compare", .type = ARG_FLAG, .help = "the same again with a new connection for each call"},
    NAME_ROW, END};

const struct magic magic_pool_run = {
    .name = "pool",
    .kinds = MAGIC_CELL,
    .group = "pools",
    .summary = "run SQL with many clients at once through a pool, and measure it",
    .help = "Each client is a thread that borrows a connection, runs the SQL below as one query, and gives it back. Times include the "
            "wait for a connection; 'waited' counts the calls that had to queue, 'backends' the server's processes. The numbers differ "
            "each time: %pool verdict says what must hold of them. An interrupt cancels the statements on the server.",
    .examples = "%%pool app --clients 20 --calls 10\nSELECT 1\n%%pool app --clients 4 --calls 5 --compare\nSELECT 1",
    .args = run_rows,
    .run = run_clients,
};
