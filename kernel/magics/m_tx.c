/* %tx: the transactions of the open sessions, as each one sees its own, and who waits for whom. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/side.h"
#include "magics/statement.h"
#include "pg/exec.h"
#include "pg/transaction.h"

enum { BLOCKERS_MAX = 32, SERVER_MS = 5000 };

/* ---- whom a statement in the background waits for ---- */

struct question {
    struct side_question q;
    int pid, blockers[BLOCKERS_MAX];
    size_t n;
    bool ok;
};

static void ask(struct side_question *q, struct pg_conn *conn, struct cancel *c)
{
    struct question *mine = (struct question *)q;
    struct err e;
    err_init(&e);
    mine->ok = pg_blockers(conn, mine->pid, mine->blockers, BLOCKERS_MAX, &mine->n, c, &e);
}

static void drop(struct side_question *q) { free(q); }

static const char *name_of(const struct session *s, int pid)
{
    for (const struct connection *c = s->connections; c; c = c->next) {
        if (pg_alive(c->pg) && pg_backend_pid(c->pg) == pid)
            return c->alias;
    }
    return "another session";
}

/* "a", "a, another session"; "": for nobody; NULL: it cannot be seen from here. In the cell's arena. */
static const char *waits_for(struct magic_ctx *ctx, const struct connection *c)
{
    const char *who = NULL;
    if (!side_sees(c))
        return NULL;
    struct question *q = xcalloc(1, sizeof *q);
    q->q = (struct side_question){.ask = ask, .drop = drop};
    q->pid = pg_backend_pid(c->pg);
    if (side_ask(&q->q, SERVER_MS) && q->ok) {
        who = "";
        for (size_t i = 0; i < q->n; i++)
            who = arena_printf(ctx->arena, "%s%s%s", who, *who ? ", " : "", name_of(ctx->session, q->blockers[i]));
    }
    side_drop(&q->q);
    return who;
}

/* ---- the table ---- */

enum { CURRENT, ALIAS, STATE, ISOLATION, ACCESS, CHANGED, LOCKS, SAVEPOINTS, WAITS, XID, PID, COLUMNS };
static const char *const names[COLUMNS] = {"current", "alias", "transaction", "isolation", "access", "changed", "locks",
                                           "savepoints", "waits for", "xid", "pid"};

/* false with *e unset: no transaction is open there. */
static bool describe(struct magic_ctx *ctx, struct connection *c, const char *cells[COLUMNS], struct err *e)
{
    struct pg_transaction x = {0};
    enum pg_tx tx = pg_tx_state(c->pg);
    if (!pg_alive(c->pg) || (!c->background && tx != PG_TX_FAILED && tx != PG_TX_IN_BLOCK))
        return false;
    if (!c->background && tx == PG_TX_IN_BLOCK && !pg_transaction(c->pg, ctx->arena, &x, ctx->cancel, e))
        return false;
    cells[CURRENT] = c == ctx->session->current ? "*" : "";
    cells[ALIAS] = c->alias;
    cells[STATE] = c->background ? "running" : tx == PG_TX_FAILED ? "failed" : "open";
    cells[ISOLATION] = x.isolation;
    cells[ACCESS] = x.access;
    cells[CHANGED] = x.changed;
    cells[LOCKS] = x.locks;
    cells[SAVEPOINTS] = savepoints_list(&c->savepoints, ctx->arena);
    cells[WAITS] = c->background ? waits_for(ctx, c) : NULL;
    cells[XID] = x.xid;
    cells[PID] = arena_printf(ctx->arena, "%d", pg_backend_pid(c->pg));
    return true;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct table t;
    bool all = args_flag(args, "all");
    bool shown[COLUMNS] = {true, true, true, true, true, true, true, [XID] = all, [PID] = all};
    table_init(&t);
    t.row_cap = CONNECTIONS_MAX;
    for (const struct connection *c = ctx->session->connections; c; c = c->next) { /* the rest when there is something for it */
        shown[SAVEPOINTS] |= c->savepoints.n > 0;
        shown[WAITS] |= c->background != NULL;
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        if (shown[i])
            table_add_column(&t, names[i], NULL, i == XID || i == PID ? TABLE_RIGHT : TABLE_LEFT);
    }
    for (struct connection *c = ctx->session->connections; c && !e->code; c = c->next) {
        const char *cells[COLUMNS] = {NULL}, *row[COLUMNS];
        size_t n = 0;
        if (!describe(ctx, c, cells, e))
            continue;
        for (size_t i = 0; i < COLUMNS; i++) {
            if (shown[i])
                row[n++] = cells[i];
        }
        table_add_texts(&t, row);
    }
    if (!e->code && t.n_rows > 0)
        statement_show(ctx, &t);
    else if (!e->code)
        sink_printf(ctx->out, "No transaction is open: each statement is kept when it ends. BEGIN opens one.\n");
    table_release(&t);
    return !e->code;
}

static const struct arg_row rows[] = {
    {.name = "all", .letter = 'a', .type = ARG_FLAG, .help = "also what differs from run to run: the transaction id (xid) and the backend (pid)"},
    {.name = NULL}};

const struct magic magic_tx = {
    .name = "tx",
    .kinds = MAGIC_LINE,
    .group = "SQL",
    .summary = "show the open transactions: isolation, what they hold, whom they wait for",
    .help = "For each session of this notebook with an open transaction: its isolation level, whether it may write, whether it has "
            "changed anything, the locks it holds on tables, and its savepoints. A failed one answers nothing until ROLLBACK, so its "
            "columns are NULL. One that runs a statement in the background (%sql --async) cannot be asked; the server says for whom it "
            "waits. While a cell waits for a lock, it shows who holds it.",
    .examples = "%tx\n%tx --all",
    .args = rows,
    .run = run,
};
