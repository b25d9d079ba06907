/* %explain and %%explain: the plan of a statement as a tree in a table; with --analyze it is run, and undone. */
#include <string.h>

#include "base/xalloc.h"
#include "cell/sqlword.h"
#include "magics/bind.h"
#include "magics/connect.h"
#include "magics/plan.h"
#include "magics/statement.h"
#include "pg/exec.h"

static const char keep_place[] = "lakebase_explain";

struct reader {
    struct buf text;
};

static bool on_row(void *self, const struct pg_value *v, size_t n)
{
    struct reader *r = self;
    if (n == 1 && v[0].text)
        buf_add(&r->text, v[0].text, v[0].len);
    return true;
}

/* The server's place is one in what was sent, behind our prefix. */
static void place_error(struct magic_ctx *ctx, const struct bound *b, size_t prefix, const char *sql, size_t len, struct err *e)
{
    static const char *const planned[] = {"select", "insert", "update", "delete", "merge", "values", "table", "with", "execute", "declare"};
    struct sql_word first;
    bool known = sql_words(sql, len, &first, 1) == 0;
    for (size_t i = 0; i < ARRAY_LEN(planned) && !known; i++)
        known = sql_word_is(sql, &first, planned[i]);
    if (!known && strcmp(e->sqlstate, "42601") == 0)
        err_hint(e, "these have a plan: SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, EXECUTE, DECLARE and CREATE TABLE AS");
    e->position = e->position > (int)prefix ? e->position - (int)prefix : 0;
    statement_place(ctx, b, sql, len, e);
}

static bool ask(struct magic_ctx *ctx, struct connection *c, const char *sql, size_t len, const struct plan_options *o,
                struct buf *plan, struct err *e)
{
    struct bound b;
    struct reader r;
    struct pg_rows rows = {.self = &r, .row = on_row};
    const char *prefix = arena_printf(ctx->arena, "EXPLAIN (FORMAT JSON%s) ", o->analyze ? ", ANALYZE, BUFFERS" : "");
    if (!bind_variables(ctx->arena, &ctx->session->variables, sql, len, &b, e))
        return place_error(ctx, &b, 0, sql, len, e), false;
    struct bound sent = b;
    sent.sql = arena_printf(ctx->arena, "%s%s", prefix, b.sql);
    buf_init(&r.text, PLAN_BYTES_MAX);
    bool ok = statement_exec(ctx, c, &sent, &rows, ctx->session->settings.timeout, e) && buf_ok(&r.text, "the plan", e);
    if (!ok)
        place_error(ctx, &b, strlen(prefix), sql, len, e);
    *plan = r.text;
    return ok;
}

/* --analyze runs the statement: in a transaction, or behind a savepoint of the open one, that is undone. */
static bool ask_and_undo(struct magic_ctx *ctx, struct connection *c, const char *sql, size_t len, const struct plan_options *o,
                         struct buf *plan, struct err *e)
{
    struct err undo = {0};
    bool inside = pg_tx_state(c->pg) == PG_TX_IN_BLOCK;
    if (!pg_run(c->pg, inside ? arena_printf(ctx->arena, "SAVEPOINT %s", keep_place) : "BEGIN", ctx->cancel, e))
        return false;
    bool ok = ask(ctx, c, sql, len, o, plan, e);
    const char *back = inside ? arena_printf(ctx->arena, "ROLLBACK TO SAVEPOINT %s; RELEASE SAVEPOINT %s", keep_place, keep_place)
                              : "ROLLBACK";
    if (pg_alive(c->pg) && !pg_run(c->pg, back, NULL, &undo) && ok) {
        *e = undo;
        return false;
    }
    return ok;
}

static bool explain(struct magic_ctx *ctx, struct connection *c, const char *sql, size_t len, const struct plan_options *o, bool keep,
                    struct err *e)
{
    struct table t;
    struct buf plan = {0};
    bool writes = false;
    if (!connect_ensure(ctx, c, e))
        return false;
    bool undo = o->analyze && !keep && pg_tx_state(c->pg) != PG_TX_FAILED;
    bool ok = undo ? ask_and_undo(ctx, c, sql, len, o, &plan, e) : ask(ctx, c, sql, len, o, &plan, e);
    connect_used(c, ok, e);
    table_init(&t);
    ok = ok && plan_table(buf_str(&plan), plan.len, o, &t, &writes, e);
    if (ok)
        statement_show(ctx, &t);
    if (ok && undo && writes)
        sink_printf(ctx->out, "The statement was run and undone; --keep keeps what it changes.\n");
    table_release(&t);
    buf_release(&plan);
    return ok;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *sql;
    size_t len;
    struct plan_options o = {.analyze = args_flag(args, "analyze"), .costs = !args_flag(args, "no-costs")};
    if (!statement_given(ctx, args, "%explain", &sql, &len, e))
        return false;
    if (!sql)
        return err_set(e, ERR_USAGE, "%%explain needs a statement");
    if (args_flag(args, "keep") && !o.analyze)
        return err_set(e, ERR_USAGE, "--keep is for --analyze: without it nothing is run");
    struct connection *c = session_connection(ctx->session, args_get(args, "on"), e);
    return c && statement_single(ctx, "%explain", &sql, &len, e) && explain(ctx, c, sql, len, &o, args_flag(args, "keep"), e);
}

static const struct arg_row rows[] = {
    {.name = "analyze", .type = ARG_FLAG, .help = "run the statement and show what was; what it changes is undone"},
    {.name = "keep", .type = ARG_FLAG, .help = "with --analyze: keep what the statement changes"},
    {.name = "no-costs", .type = ARG_FLAG, .help = "only what is the same on every run: no costs, times and estimates"},
    {.name = "on", .type = ARG_WORD, .placeholder = "ALIAS", .complete = "connection",
     .help = "the connection to use; else the current one"},
    {.name = "sql", .positional = true, .type = ARG_REST, .placeholder = "STATEMENT",
     .help = "with %explain: the statement; %%explain takes the lines below"},
    {.name = NULL}};

const struct magic magic_explain = {
    .name = "explain",
    .kinds = MAGIC_LINE | MAGIC_CELL,
    .group = "SQL",
    .summary = "show the plan of a statement",
    .help = "A line for each step, the deepest are run first. The share is what the step itself takes of the whole: of the time with "
            "--analyze, of the estimated cost without. The note marks what is worth a look: estimates that are off by 10 times, rows "
            "that are read only to be thrown away, sorts on disk. Sequences that the statement advances stay advanced.",
    .examples = "%explain SELECT * FROM shop.orders WHERE customer_id = 7\n%%explain --analyze\nUPDATE shop.orders SET total = 0;",
    .args = rows,
    .run = run,
};
