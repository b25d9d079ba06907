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

static const char *const checks[] = {"passive", "none", "ping", NULL}; /* in the order of enum pool_check */

static int choice_of(const char *const *names, const char *name)
{
    for (int i = 0; name && names[i]; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return 0;
}

/* What the notebook borrowed from it has nothing to lose. */
static bool nothing_open(const struct session *s, const struct notebook_pool *p, struct err *e)
{
    for (const struct connection *c = s->connections; c; c = c->next) {
        const char *work = c->pool == p->pool ? connection_work(c) : NULL;
        if (!work)
            continue;
        err_set(e, ERR_INVALID_STATE, "connection '%s', borrowed from pool '%s', has %s, which would be lost", c->alias, p->name, work);
        err_hint(e, c->background ? "%%wait %s first, or add --force" : "COMMIT or ROLLBACK on %s first, or add --force", c->alias);
        return false;
    }
    return true;
}

static const char no_sessions[] = "a pooler in transaction mode (PgBouncer or alike) is in between, so SET, LISTEN, temporary tables, "
                                  "advisory locks and PREPARE do not last beyond a transaction";

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
                             .min_idle = (int)args_int(args, "min-idle", 0),
                             .leak_after_ms = (int)args_int(args, "leak-after", 0),
                             .idle_in_tx_ms = (int)args_int(args, "idle-in-tx", 0),
                             .check = (enum pool_check)choice_of(checks, args_get(args, "check")),
                             .reset = (enum pool_reset)choice_of(resets, args_get(args, "reset"))};
    if (o.min_size > o.max_size) {
        err_set(e, ERR_USAGE, "--min %d is more than --max %d", o.min_size, o.max_size);
        return false;
    }
    if (old && args_flag(args, "replace")) {
        if (like->pool == old->pool)
            return err_set(e, ERR_USAGE, "connection '%s' is borrowed from pool '%s', which would be closed; name another with --on", like->alias, name);
        if (!nothing_open(ctx->session, old, e))
            return false;
        pools_close(ctx->session, old);
    }
    struct notebook_pool *p = pools_open(ctx, name, like, &o, e);
    if (!p)
        return err_wrap(e, "cannot open pool '%s'", name);
    sink_printf(ctx->out, "Pool %s is open: %d to %d connections to %s.\n", name, o.min_size, o.max_size, p->where);
    struct pool_stats stats;
    pool_stats(p->pool, &stats);
    if (stats.route == POOL_ROUTE_SHARED)
        sink_printf(ctx->out, "Warning: %s.\n", no_sessions);
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
    if (!args_flag(args, "force") && !nothing_open(ctx->session, p, e))
        return false;
    pools_close(ctx->session, p);
    sink_printf(ctx->out, "Pool %s is closed.\n", name);
    return true;
}

/* ---- control ---- */

static const char *plural(long long n) { return n == 1 ? "" : "s"; }

static struct notebook_pool *named(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    return pools_find(ctx->session, args_get(args, "name"), e);
}

static bool run_resize(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct pool_stats s;
    struct notebook_pool *p = named(ctx, args, e);
    if (!p)
        return false;
    pool_stats(p->pool, &s);
    int min = (int)args_int(args, "min", s.min_size), max = (int)args_int(args, "max", s.max_size);
    if (!pool_resize(p->pool, min, max, e))
        return false;
    sink_printf(ctx->out, "Pool %s has %d to %d connections now.\n", p->name, min, max);
    return true;
}

static bool run_check(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct pool_checked n;
    struct notebook_pool *p = named(ctx, args, e);
    if (!p || !pool_check_idle(p->pool, &n, ctx->cancel, e))
        return false;
    sink_printf(ctx->out, "%d idle connection%s of pool %s asked, %d dead%s.\n", n.asked, plural(n.asked), p->name, n.dead,
                n.dead ? ": closed" : "");
    return true;
}

static bool run_drain(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct notebook_pool *p = named(ctx, args, e);
    if (!p)
        return false;
    pool_drain(p->pool);
    sink_printf(ctx->out, "Pool %s replaces its connections: those that idle now, those that are lent when they come back.\n", p->name);
    return true;
}

static bool run_pause(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct notebook_pool *p = named(ctx, args, e);
    if (!p)
        return false;
    bool all = pool_pause(p->pool, (int)args_int(args, "timeout", 5000), ctx->cancel, e);
    if (!all && e->code != ERR_TIMEOUT)
        return false;
    err_init(e);
    sink_printf(ctx->out, "Pool %s is paused: checkouts wait. %s\n", p->name,
                all ? "Nothing is lent." : "Some connections are still lent.");
    return true;
}

static bool run_resume(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct notebook_pool *p = named(ctx, args, e);
    if (!p)
        return false;
    pool_resume(p->pool);
    sink_printf(ctx->out, "Pool %s lends again.\n", p->name);
    return true;
}

static bool run_checkout(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *alias = args_get(args, "alias");
    struct notebook_pool *p = named(ctx, args, e);
    if (!p)
        return false;
    if (session_find(ctx->session, alias)) {
        err_set(e, ERR_ALREADY_EXISTS, "connection '%s' is open already", alias);
        err_hint(e, "%%disconnect %s closes it, or gives it back to its pool", alias);
        return false;
    }
    if (strlen(alias) > POOL_WHO_MAX)
        return err_set(e, ERR_USAGE, "an alias has at most %d bytes", POOL_WHO_MAX);
    struct connection *c = pools_checkout(ctx, p, alias, (int)args_int(args, "timeout", -1), e);
    if (!c)
        return false;
    sink_printf(ctx->out, "Borrowed %s from pool %s; %%disconnect %s gives it back.\n", alias, p->name, alias);
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
    statement_show_kept(ctx, &t);
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

/* Those who said who they are: the connections of this notebook. */
static void add_borrowers(struct magic_ctx *ctx, const struct notebook_pool *p, struct table *t)
{
    enum { SHOWN = 20 };
    struct pool_loan loans[SHOWN];
    size_t n = pool_loans(p->pool, loans, SHOWN);
    const char *names = "";
    for (size_t i = 0; i < n; i++) {
        if (*loans[i].who)
            names = arena_printf(ctx->arena, "%s%s%s%s%s", names, *names ? ", " : "", loans[i].who, loans[i].leaked ? " (leaked)" : "",
                                 loans[i].idle_in_tx ? " (idle in transaction)" : "");
    }
    if (*names)
        table_add_texts(t, (const char *const[]){"lent to", names});
}

static void status_rows(struct magic_ctx *ctx, struct notebook_pool *p, const struct pool_stats *s, bool all)
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
        {"leaks", (long long)s->leaks, false},
        {"left idle in a transaction", (long long)s->idle_in_tx, true},
        {"connects", (long long)s->connects, true},
        {"connects that failed", (long long)s->connect_failures, true},
        {"closed", closed(s), true},
        {"most waiting at once", s->most_waiting, true},
        {"had to wait", (long long)s->waited, true},
        {"reset on return", (long long)s->resets, true},
        {"median wait, µs", (long long)pool_percentile(&s->wait, 50), true},
        {"longest wait, µs", (long long)s->wait.most_us, true},
    };
    if (s->paused)
        table_add_texts(&t, (const char *const[]){"paused", "yes"});
    if (s->route == POOL_ROUTE_SHARED)
        table_add_texts(&t, (const char *const[]){"warning", no_sessions});
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (all || !rows[i].only_all)
            table_add_texts(&t, (const char *const[]){rows[i].name, number(ctx, rows[i].value)});
    }
    if (all)
        table_add_texts(&t, (const char *const[]){"sessions", pool_route_name(s->route)});
    struct credentials_stats tokens;
    if (all && pools_tokens(p, &tokens)) {
        table_add_texts(&t, (const char *const[]){"tokens fetched", number(ctx, (long long)tokens.fetched)});
        table_add_texts(&t, (const char *const[]){"tokens not to be had", number(ctx, (long long)tokens.failed)});
        table_add_texts(&t, (const char *const[]){"token ends in, s", number(ctx, (long long)tokens.left_s)});
    }
    add_borrowers(ctx, p, &t);
    table_set_footer(&t, "");
    statement_show_kept(ctx, &t);
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

/* ---- stats ---- */

static void add_times(struct magic_ctx *ctx, struct table *t, const char *what, const struct pool_histogram *h)
{
    const char *cells[7] = {what, number(ctx, (long long)h->count)};
    const uint64_t us[] = {h->count ? h->total_us / h->count : 0, pool_percentile(h, 50), pool_percentile(h, 95), pool_percentile(h, 99),
                           h->most_us};
    for (size_t i = 0; i < ARRAY_LEN(us); i++)
        cells[2 + i] = h->count ? arena_printf(ctx->arena, "%.3f", (double)us[i] / 1000) : NULL;
    table_add_texts(t, cells);
}

static bool run_stats(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    static const char *const names[] = {"milliseconds", "count", "mean", "p50", "p95", "p99", "max"};
    struct pool_stats s;
    struct table t;
    struct buf text;
    struct notebook_pool *p = named(ctx, args, e);
    if (!p)
        return false;
    if (args_get(args, "format") && strcmp(args_get(args, "format"), "prometheus") == 0) {
        buf_init(&text, 1 << 20);
        pool_metrics(p->pool, &text);
        sink_printf(ctx->out, "%s", buf_str(&text));
        buf_release(&text);
        return true;
    }
    pool_stats(p->pool, &s);
    table_init(&t);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        table_add_column(&t, names[i], NULL, i ? TABLE_RIGHT : TABLE_LEFT);
    add_times(ctx, &t, "wait in the queue", &s.wait);
    add_times(ctx, &t, "hold, checkout to return", &s.hold);
    add_times(ctx, &t, "connect", &s.connect);
    add_times(ctx, &t, "reset", &s.reset);
    table_set_footer(&t, "");
    statement_show_kept(ctx, &t);
    table_release(&t);
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
    if (r->compared == COMPARED_CONNECT)
        say(&t, "faster than a connection for each call", r->pooled.p50 < r->other.p50);
    if (r->compared == COMPARED_PSYCOPG) {
        say(&t, "psycopg_pool did all calls too", r->other.failed == 0);
        say(&t, "psycopg_pool: backends <= max", r->other.backends <= s.max_size);
    }
    table_set_footer(&t, "");
    statement_show_kept(ctx, &t);
    table_release(&t);
    return true;
}

/* ---- descriptor ---- */

#define END {.name = NULL}
#define NEW_NAME_ROW {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .help = "the pool"}
#define NAME_ROW {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .complete = "pool", .help = "the pool"}

static const struct arg_row open_rows[] = {
    {.name = "min", .type = ARG_INT, .min = 0, .max = POOL_CONNECTIONS_MAX, .help = "connections kept ready; 1 when not given"},
    {.name = "max", .type = ARG_INT, .min = 1, .max = POOL_CONNECTIONS_MAX, .help = "connections at most; 8 when not given"},
    {.name = "timeout", .type = ARG_DURATION, .min = 1, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "how long a checkout waits for a connection; 30s when not given"},
    {.name = "max-waiting", .type = ARG_INT, .min = 0, .max = 100000, .placeholder = "N",
     .help = "checkouts in the queue at most, further ones are refused at once; 0: no limit"},
    {.name = "max-lifetime", .type = ARG_DURATION, .min = 1, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "age at which a connection is replaced; 50m when not given"},
    {.name = "max-idle", .type = ARG_DURATION, .min = 1, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "idle time after which one above min is closed; 5m when not given"},
    {.name = "min-idle", .type = ARG_INT, .min = 0, .max = POOL_CONNECTIONS_MAX, .placeholder = "N",
     .help = "beyond those that are lent, so many are kept ready; 0 when not given"},
    {.name = "leak-after", .type = ARG_DURATION, .min = 1, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "a connection that is lent for longer counts as a leak; else never"},
    {.name = "idle-in-tx", .type = ARG_DURATION, .min = 1, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "a lent connection that waits for longer with a transaction open is counted; else never"},
    {.name = "check", .type = ARG_CHOICE, .choices = checks,
     .help = "before one is lent: what its socket says, and a round trip when it idled for a second (passive, the default), nothing "
             "(none), or a round trip each time (ping)"},
    {.name = "reset", .type = ARG_CHOICE, .choices = resets,
     .help = "what a returned session forgets: what its statements may have left (smart, the default), only an open transaction "
             "(rollback), or all (discard: DISCARD ALL each time)"},
    {.name = "on", .type = ARG_WORD, .placeholder = "ALIAS", .complete = "connection",
     .help = "a pool of connections like this one; else like the current one"},
    {.name = "replace", .type = ARG_FLAG, .help = "close a pool of that name first"},
    NEW_NAME_ROW, END};
static const struct arg_row status_rows_[] = {
    {.name = "all", .letter = 'a', .type = ARG_FLAG, .help = "also what depends on timing: waits, connects"},
    {.name = "name", .positional = true, .type = ARG_WORD, .complete = "pool", .help = "the pool; without it all are listed"}, END};
static const struct arg_row close_rows[] = {
    {.name = "if-exists", .type = ARG_FLAG, .help = "a pool that is not open is no error"},
    {.name = "force", .type = ARG_FLAG, .help = "also when a borrowed connection has a transaction open: it is undone"}, NAME_ROW, END};
static const struct arg_row name_rows[] = {NAME_ROW, END};
static const struct arg_row resize_rows[] = {
    {.name = "min", .type = ARG_INT, .min = 0, .max = POOL_CONNECTIONS_MAX, .help = "as it is when not given"},
    {.name = "max", .type = ARG_INT, .min = 1, .max = POOL_CONNECTIONS_MAX, .help = "as it is when not given"}, NAME_ROW, END};
static const struct arg_row pause_rows[] = {
    {.name = "timeout", .type = ARG_DURATION, .min = 0, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "how long to wait until nothing is lent; 5s when not given"}, NAME_ROW, END};
static const struct arg_row checkout_rows[] = {
    {.name = "timeout", .type = ARG_DURATION, .min = 0, .max = POOL_TIME_MAX_MS, .placeholder = "T",
     .help = "how long to wait for one; the pool's own when not given"},
    NAME_ROW,
    {.name = "alias", .positional = true, .type = ARG_WORD, .keyword = "as", .flags = ARG_REQUIRED, .help = "what to call it in this notebook"},
    END};
static const char *const stats_formats[] = {"table", "prometheus", NULL};
static const struct arg_row stats_rows[] = {
    {.name = "format", .type = ARG_CHOICE, .choices = stats_formats, .help = "prometheus: everything, as a scraper reads it"}, NAME_ROW, END};
static const struct arg_row no_rows[] = {END};
static const struct magic_sub subs[] = {
    {"open", open_rows, "open a pool of connections like the current one", run_open},
    {"status", status_rows_, "show its size, its queue and its counts", run_status},
    {"stats", stats_rows, "show how long clients waited and held, and what connecting and resetting took", run_stats},
    {"checkout", checkout_rows, "borrow a connection for cells: --on and %use know it", run_checkout},
    {"resize", resize_rows, "change min and max while it runs", run_resize},
    {"check", name_rows, "ask each idle connection, close the dead ones", run_check},
    {"drain", name_rows, "replace every connection, as after a failover", run_drain},
    {"pause", pause_rows, "lend nothing for a while, as for a restart of the server", run_pause},
    {"resume", name_rows, "lend again, those who wait first", run_resume},
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
    .examples = "%pool open app --min 2 --max 10\n%pool status app\n%pool verdict app\n%pool checkout app as mine\n%pool close app",
    .subs = subs,
};
