/* %tx: the transactions of the open sessions, as each one sees its own. */
#include <string.h>

#include "base/xalloc.h"
#include "magics/statement.h"
#include "pg/exec.h"
#include "pg/transaction.h"

static void put(struct magic_ctx *ctx, struct table *t, const struct connection *c, const struct pg_transaction *x)
{
    bool failed = pg_tx_state(c->pg) == PG_TX_FAILED;
    table_add_texts(t, (const char *const[]){c == ctx->session->current ? "*" : "", c->alias, failed ? "failed" : "open",
                                             x->isolation, x->access, x->changed, x->locks});
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    static const char *const names[] = {"current", "alias", "transaction", "isolation", "access", "changed", "locks"};
    struct table t;
    (void)args;
    bool ok = true;
    table_init(&t);
    t.row_cap = CONNECTIONS_MAX;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        table_add_column(&t, names[i], NULL, TABLE_LEFT);
    for (struct connection *c = ctx->session->connections; c && ok; c = c->next) {
        struct pg_transaction x = {0};
        enum pg_tx state = pg_alive(c->pg) ? pg_tx_state(c->pg) : PG_TX_UNKNOWN;
        if (state == PG_TX_IN_BLOCK)
            ok = pg_transaction(c->pg, ctx->arena, &x, ctx->cancel, e);
        if (ok && (state == PG_TX_IN_BLOCK || state == PG_TX_FAILED))
            put(ctx, &t, c, &x);
    }
    if (ok && t.n_rows > 0)
        statement_show(ctx, &t);
    else if (ok)
        sink_printf(ctx->out, "No transaction is open: each statement is kept when it ends. BEGIN opens one.\n");
    table_release(&t);
    return ok;
}

const struct magic magic_tx = {
    .name = "tx",
    .kinds = MAGIC_LINE,
    .group = "SQL",
    .summary = "show the open transactions: isolation, what they hold",
    .help = "For each session of this notebook with an open transaction: its isolation level, whether it may write, whether it has "
            "changed anything, and the locks it holds on tables. A failed one answers nothing until ROLLBACK, so its columns are NULL. "
            "While a cell waits for a lock, it shows who holds it.",
    .examples = "%tx",
    .run = run,
};
