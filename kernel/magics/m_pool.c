/* %pool: connection pools of the notebook. Many clients on one: m_pool_run.c. */
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/connect.h"
#include "magics/pool_load.h"
#include "magics/pools.h"
#include "magics/statement.h"

/* ---- open and close ---- */

static const char *const resets[] = {"smart", "rollback", "discard", NULL}; /* in the order of enum pool_reset */

static enum pool_reset reset_of(const char *name)
{
    for (int i = 0; name && resets[i]; i++) {
        if (strcmp(name, resets[i]) == 0)
            return (enum pool_reset)i;
    }
    return POOL_RESET_SMART;
}

static bool run_open(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name");
    struct connection *like = session_connection(ctx->session, args_get(args, "on"), e);
    struct err none = {0};
    struct notebook_pool *old = pools_find(ctx->session, name, &none);
    if (!like || !connect_ensure(ctx, like, e))
        return false;
    struct pool_options o = {.min_size = (int)args_int(args, "min", 1), .max_size = (int)args_int(args, "max", 8),
                             .timeout_ms = (int)args_int(args, "timeout", 30000),
                             .max_waiting = (int)args_int(args, "max-waiting", 0),
                             .max_lifetime_ms = (int)args_int(args, "max-lifetime", 0),
                             .max_idle_ms = (int)args_int(args, "max-idle", 0),
                             .reset = reset_of(args_get(args, "reset"))};
    if (o.min_size > o.max_size) {
        err_set(e, ERR_USAGE, "--min %d is more than --max %d", o.min_size, o.max_size);
        return false;
    }
    if (old && args_flag(args, "replace"))
        pools_close(ctx->session, old);
    struct notebook_pool *p = pools_open(ctx, name, like, &o, e);
    if (!p)
        return err_wrap(e, "cannot open pool '%s'", name);
    sink_printf(ctx->out, "Pool %s is open: %d to %d connections to %s.\n", name, o.min_size, o.max_size, p->where);
    return true;
}

static bool run_close(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name");
    struct notebook_pool *p = pools_find(ctx->session, name, e);
    if (!p && args_flag(args, "if-exists")) {
        err_init(e);
        sink_printf(ctx->out, "There is no pool %s.\n", name);
        return true;
    }
    if (!p)
        return false;
    pools_close(ctx->session, p);
    sink_printf(ctx->out, "Pool %s is closed.\n", name);
    return true;
}

/* ---- look ---- */

static const char *number(struct magic_ctx *ctx, long long n) { return arena_printf(ctx->arena, "%lld", n); }

static bool run_list(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    (void)args;
    (void)e;
    static const char *const names[] = {"name", "where", "min", "max", "size", "idle", "busy", "waiting"};
    struct table t;
    table_init(&t);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        table_add_column(&t, names[i], NULL, i < 2 ? TABLE_LEFT : TABLE_RIGHT);
    for (struct notebook_pool *p = ctx->session->pools; p; p = p->next) {
        struct pool_stats s;
        pool_stats(p->pool, &s);
        table_add_texts(&t, (const char *const[]){p->name, p->where, number(ctx, s.min_size), number(ctx, s.max_size),
                                                  number(ctx, s.size), number(ctx, s.idle), number(ctx, s.busy),
                                                  number(ctx, s.waiting)});
    }
    statement_show(ctx, &t);
    table_release(&t);
    return true;
}

static long long closed(const struct pool_stats *s)
{
    long long n = 0;
    for (size_t i = 0; i < POOL_CLOSED_REASONS; i++)
        n += (long long)s->closed[i];
    return n;
}

static void status_rows(struct magic_ctx *ctx, const struct notebook_pool *p, const struct pool_stats *s, bool all)
{
    struct table t;
    table_init(&t);
    table_add_column(&t, "field", NULL, TABLE_LEFT);
    table_add_column(&t, "value", NULL, TABLE_LEFT);
    table_add_texts(&t, (const char *const[]){"name", p->name});
    table_add_texts(&t, (const char *const[]){"where", p->where});
    const struct {
        const char *name;
        long long value;
        bool only_all; /* depends on timing */
    } rows[] = {
        {"min", s->min_size, false},
        {"max", s->max_size, false},
        {"size", s->size, false},
        {"idle", s->idle, false},
        {"busy", s->busy, false},
        {"waiting", s->waiting, false},
        {"most busy at once", s->most_busy, false},
        {"checkouts", (long long)s->checkouts, false},
        {"timed out", (long long)s->timeouts, false},
        {"refused", (long long)s->refused, false},
        {"rolled back on return", (long long)s->rollbacks, false},
        {"found dead", (long long)s->closed[POOL_CLOSED_LOST], false},
        {"connects", (long long)s->connects, true},
        {"connects that failed", (long long)s->connect_failures, true},
        {"closed", closed(s), true},
        {"most waiting at once", s->most_waiting, true},
        {"had to wait", (long long)s->waited, true},
        {"reset on return", (long long)s->resets, true},
        {"median wait, µs", (long long)pool_percentile(&s->wait, 50), true},
        {"longest wait, µs", (long long)s->wait.most_us, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (all || !rows[i].only_all)
            table_add_texts(&t, (const char *const[]){rows[i].name, number(ctx, rows[i].value)});
    }
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
}

static bool run_status(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct pool_stats s;
    const char *name = args_get(args, "name");
    if (!name)
        return run_list(ctx, args, e);
    struct notebook_pool *p = pools_find(ctx->session, name, e);
    if (!p)
        return false;
    pool_stats(p->pool, &s);
    status_rows(ctx, p, &s, args_flag(args, "all"));
    return true;
}

/* ---- verdict ---- */

static void say(struct table *t, const char *what, bool holds)
{
    table_add_texts(t, (const char *const[]){what, holds ? "yes" : "no"});
}

static bool run_verdict(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct notebook_pool *p = pools_find(ctx->session, args_get(args, "name"), e);
    if (!p)
        return false;
    const struct pool_run *r = p->last;
    if (!r) {
        err_set(e, ERR_INVALID_STATE, "nothing has run on pool '%s' yet", p->name);
        err_hint(e, "%%%%pool %s --clients 8 --calls 10 runs the SQL below it with many clients", p->name);
        return false;
    }
    struct pool_stats s;
    struct table t;
    pool_stats(p->pool, &s);
    table_init(&t);
    table_add_column(&t, "of the last run", NULL, TABLE_LEFT);
    table_add_column(&t, "holds", NULL, TABLE_LEFT);
    say(&t, arena_printf(ctx->arena, "all %lld calls were done", (long long)r->load.clients * r->load.calls), r->pooled.failed == 0);
    for (size_t i = 0; i < r->pooled.kinds; i++)
        say(&t, arena_printf(ctx->arena, "some calls failed with %s", r->pooled.failures[i].code), true);
    say(&t, "backends <= max", r->pooled.backends <= s.max_size);
    say(&t, "every connection is back", s.busy == 0 && s.waiting == 0);
    if (r->compared)
        say(&t, "faster than a connection for each call", r->pooled.p50 < r->each.p50);
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
    return true;
}

/* ---- descriptor ---- */

#define END {.name = NULL}
#define NAME_ROW {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .help = "the pool"}

static const struct arg_row open_rows[] = {
    {.name = "min", .type = ARG_INT, .min = 0, .max = 100, .help = "connections kept ready; 1 when not given"},
    {.name = "max", .type = ARG_INT, .min = 1, .max = 100, .help = "connections at most; 8 when not given"},
    {.name = "timeout", .type = ARG_DURATION, .min = 1, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "how long a checkout waits for a connection; 30s when not given"},
    {.name = "max-waiting", .type = ARG_INT, .min = 0, .max = 100000, .placeholder = "N",
     .help = "checkouts in the queue at most, further ones are refused at once; 0: no limit"},
    {.name = "max-lifetime", .type = ARG_DURATION, .min = 1, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "age at which a connection is replaced; 50m when not given"},
    {.name = "max-idle", .type = ARG_DURATION, .min = 1, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "idle time after which one above min is closed; 5m when not given"},
    {.name = "reset", .type = ARG_CHOICE, .choices = resets,
     .help = "what a returned session forgets: what its statements may have left (smart, the default), only an open transaction "
             "(rollback), or all (discard: DISCARD ALL each time)"},
    {.name = "on", .type = ARG_WORD, .placeholder = "ALIAS", .complete = "connection",
     .help = "a pool of connections like this one; else like the current one"},
    {.name = "replace", .type = ARG_FLAG, .help = "close a pool of that name first"},
    NAME_ROW, END};
static const struct arg_row status_rows_[] = {
    {.name = "all", .letter = 'a', .type = ARG_FLAG, .help = "also what depends on timing: waits, connects"},
    {.name = "name", .positional = true, .type = ARG_WORD, .help = "the pool; without it all are listed"}, END};
static const struct arg_row close_rows[] = {
    {.name = "if-exists", .type = ARG_FLAG, .help = "a pool that is not open is no error"}, NAME_ROW, END};
static const struct arg_row name_rows[] = {NAME_ROW, END};
static const struct arg_row no_rows[] = {END};
static const struct magic_sub subs[] = {
    {"open", open_rows, "open a pool of connections like the current one", run_open},
    {"status", status_rows_, "show its size, its queue and its counts", run_status},
    {"verdict", name_rows, "say what holds about the last %%pool on it, in words that stay the same", run_verdict},
    {"list", no_rows, "list the pools of this notebook", run_list},
    {"close", close_rows, "close it; waiting checkouts end with an error", run_close},
    {NULL, NULL, NULL, NULL}};

const struct magic magic_pool = {
    .name = "pool",
    .kinds = MAGIC_LINE,
    .group = "pools",
    .summary = "open, look at and close connection pools",
    .help = "A pool keeps connections open and lends them, first come first served. It belongs to this notebook and outlives its "
            "cells. %%pool runs SQL on it with many clients.",
    .examples = "%pool open app --min 2 --max 10\n%pool status app\n%pool verdict app\n%pool list\n%pool close app",
    .subs = subs,
};
