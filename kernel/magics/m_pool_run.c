/* %%pool: many clients at once on a pool, and what that took. */
#include <string.h>

#include "base/xalloc.h"
#include "magics/pool_load.h"
#include "magics/statement.h"

enum { SQL_MAX = 1 << 20 };

static const char *number(struct magic_ctx *ctx, long long n) { return arena_printf(ctx->arena, "%lld", n); }
static const char *milliseconds(struct magic_ctx *ctx, int64_t us) { return arena_printf(ctx->arena, "%.1f", (double)us / 1000); }

static void add_result(struct magic_ctx *ctx, struct table *t, const char *way, const struct load *l, const struct load_result *r)
{
    double seconds = (double)r->us / 1e6;
    table_add_texts(t, (const char *const[]){
                           way, number(ctx, l->clients), number(ctx, r->done), number(ctx, r->failed),
                           arena_printf(ctx->arena, "%.0f", seconds > 0 ? (double)r->done / seconds : 0), milliseconds(ctx, r->p50),
                           milliseconds(ctx, r->p95), milliseconds(ctx, r->p99), milliseconds(ctx, r->most),
                           milliseconds(ctx, r->wait_p95), number(ctx, r->backends)});
}

static void show_failures(struct magic_ctx *ctx, const struct load_result *r)
{
    struct table t;
    if (r->kinds == 0)
        return;
    table_init(&t);
    table_set_title(&t, "calls that failed");
    table_add_column(&t, "error", NULL, TABLE_LEFT);
    table_add_column(&t, "count", NULL, TABLE_RIGHT);
    table_add_column(&t, "the first one said", NULL, TABLE_LEFT);
    for (size_t i = 0; i < r->kinds; i++)
        table_add_texts(&t, (const char *const[]){r->failures[i].code, number(ctx, r->failures[i].count), r->failures[i].text});
    sink_table(ctx->out, &t);
    table_release(&t);
}

static bool run_clients(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct notebook_pool *p = pools_find(ctx->session, args_get(args, "name"), e);
    if (!p)
        return false;
    if (ctx->body_len > SQL_MAX)
        return err_set(e, ERR_TOO_BIG, "the SQL of %%%%pool is larger than %d bytes", SQL_MAX);
    struct load l = {.pool = p, .sql = arena_strndup(ctx->arena, ctx->body, ctx->body_len),
                     .clients = (int)args_int(args, "clients", 8), .calls = (int)args_int(args, "calls", 10)};
    if (!l.sql[strspn(l.sql, " \t\r\n")])
        return err_set(e, ERR_USAGE, "%%%%pool takes the SQL that its clients run from the lines below");
    if ((long long)l.clients * l.calls > LOAD_CALLS_MAX)
        return err_set(e, ERR_TOO_BIG, "%d clients with %d calls each are more than %d calls", l.clients, l.calls, LOAD_CALLS_MAX);
    static const char *const names[] = {"way", "clients", "calls", "failed", "calls/s", "p50 ms", "p95 ms", "p99 ms", "max ms",
                                        "wait p95 ms", "backends"};
    struct load_result pooled, each = {0};
    if (!load_run(ctx, &l, &pooled, e))
        return false;
    struct load single = l;
    single.connect_each = true;
    bool compare = args_flag(args, "compare");
    if (compare && !load_run(ctx, &single, &each, e))
        return false;
    struct table t;
    table_init(&t);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        table_add_column(&t, names[i], NULL, i ? TABLE_RIGHT : TABLE_LEFT);
    add_result(ctx, &t, "pool", &l, &pooled);
    if (compare)
        add_result(ctx, &t, "connect for each call", &single, &each);
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
    show_failures(ctx, &pooled);
    show_failures(ctx, &each);
    return true;
}

#define END {.name = NULL}
#define NAME_ROW {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .help = "the pool"}

static const struct arg_row run_rows[] = {
    {.name = "clients", .type = ARG_INT, .min = 1, .max = LOAD_CLIENTS_MAX, .placeholder = "N", .help = "clients at once, each a thread; 8 when not given"},
    {.name = "calls", .type = ARG_INT, .min = 1, .max = 100000, .placeholder = "M", .help = "calls of each client; 10 when not given"},
    {.name = "compare", .type = ARG_FLAG, .help = "the same again with a new connection for each call"},
    NAME_ROW, END};

const struct magic magic_pool_run = {
    .name = "pool",
    .kinds = MAGIC_CELL,
    .group = "pools",
    .summary = "run SQL with many clients at once through a pool, and measure it",
    .help = "Each client is a thread that borrows a connection, runs the SQL below as one query, and gives it back. Times include the "
            "wait for a connection. An interrupt cancels the statements on the server.",
    .examples = "%%pool app --clients 20 --calls 10\nSELECT 1\n%%pool app --clients 4 --calls 5 --compare\nSELECT 1",
    .args = run_rows,
    .run = run_clients,
};
