/* %sql and %%sql: SQL with options, on any open connection. */
#include <string.h>

#include "cell/split.h"
#include "cell/sqllex.h"
#include "cell/sqlword.h"
#include "magics/connect.h"
#include "magics/statement.h"
#include "pg/exec.h"

/* What ends the transaction of --atomic from inside is refused before anything runs. Open quotes are found later. */
static bool check_atomic(struct magic_ctx *ctx, const char *sql, size_t len, struct err *e)
{
    struct sql_span span;
    enum sql_open open;
    size_t pos = 0;
    while (sql_next(sql, len, &pos, false, &span, &open)) {
        const char *statement = sql + span.start;
        struct sql_word word;
        if (sql_transaction(statement, span.len) == SQL_TX_NONE)
            continue;
        sql_words(statement, span.len, &word, 1);
        err_set(e, ERR_USAGE, "--atomic makes the transaction of this cell, so %.*s has no place in it",
                (int)word.len, statement + word.at);
        err_hint(e, "leave it out, or leave --atomic out; SAVEPOINT and ROLLBACK TO are allowed");
        cell_place(ctx->cell, ctx->cell_len, (size_t)(statement - ctx->cell) + word.at, &e->line, &e->column);
        e->width = (int)word.len;
        return false;
    }
    return true;
}

/* Behind the hint that the server may have given. */
static void say_undone(struct err *e)
{
    char hint[sizeof e->hint];
    memcpy(hint, e->hint, sizeof hint);
    e->hint[0] = '\0';
    err_hint(e, "nothing of this cell was kept (--atomic)%s%s", *hint ? "; " : "", hint);
}

/* All or nothing: the statements inside BEGIN … COMMIT, undone by the first error. */
static bool run_atomic(struct magic_ctx *ctx, struct connection *c, const char *sql, size_t len,
                       const struct settings *s,
                       struct err *e)
{
    if (!check_atomic(ctx, sql, len, e) || !connect_ensure(ctx, c, e))
        return false;
    if (pg_tx_state(c->pg) != PG_TX_IDLE) {
        err_set(e, ERR_INVALID_STATE, "--atomic opens a transaction, and connection '%s' is in one", c->alias);
        err_hint(e, "COMMIT or ROLLBACK first");
        return false;
    }
    /* An interrupt may come between any two of them, also when the server has done the first. */
    bool ran = pg_run(c->pg, "BEGIN", ctx->cancel, e) && statement_run_all(ctx, c, sql, len, s, e);
    bool ok = ran && pg_run(c->pg, "COMMIT", ctx->cancel, e);
    struct err undo = {0};
    if (!ok && pg_alive(c->pg) && pg_tx_state(c->pg) != PG_TX_IDLE) {
        if (pg_run(c->pg, "ROLLBACK", NULL, &undo))
            say_undone(e);
    } else if (ran && !ok && e->code == ERR_SQL) {
        say_undone(e); /* a deferred constraint */
    }
    connect_used(c, ok, e);
    return ok;
}

static bool has_no_statement(const char *sql, size_t len)
{
    struct sql_span span;
    enum sql_open open;
    size_t pos = 0;
    return !sql_next(sql, len, &pos, false, &span, &open) && open == SQL_CLOSED;
}

/* --async: the last statement goes to the background, those before it run as ever. */
static bool run_async(struct magic_ctx *ctx, struct connection *c, const char *sql, size_t len, const struct settings *s,
                      struct err *e)
{
    struct sql_span span, last = {0};
    enum sql_open open;
    size_t pos = 0;
    if (s->timeout > 0) {
        err_set(e, ERR_USAGE, "--async has no time limit: nobody waits for the statement");
        err_hint(e, "SET statement_timeout on the connection is kept by the server; %%set timeout 0s ends the notebook's");
        return false;
    }
    while (sql_next(sql, len, &pos, false, &span, &open))
        last = span;
    const char *tail = sql + last.start;
    size_t tail_len = len - last.start;
    if (!statement_single(ctx, "--async", &tail, &tail_len, e))
        return false;
    if (cell_data_of(sql, &last).wanted)
        return err_set(e, ERR_USAGE, "COPY with data of the cell cannot run in the background");
    bool was_last = ctx->last;
    ctx->last = false;
    bool ok = last.start == 0 || has_no_statement(sql, last.start) || statement_run_all(ctx, c, sql, last.start, s, e);
    ctx->last = was_last;
    return ok && statement_send(ctx, c, tail, tail_len, s, e);
}

/* --into: the last result of the cell. */
static bool keep_into(struct session *session, const char *into, long before, struct err *e)
{
    if (session->last.serial != before)
        return variables_put_result(&session->variables, into, &session->last.kept, e);
    err_set(e, ERR_INVALID_STATE, "no statement returned rows, so the variable '%s' was left as it was", into);
    err_hint(e, "INSERT, UPDATE and DELETE return rows with RETURNING");
    return false;
}

static bool check_into(const char *into, struct err *e)
{
    if (!into || variables_name_ok(into, strlen(into)))
        return true;
    err_set(e, ERR_USAGE, "'%.100s' is no name for a variable", into);
    err_hint(e, "a letter or _, then letters, digits and _; at most %d bytes", VARIABLE_NAME_MAX);
    return false;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct settings s = ctx->session->settings;
    const char *sql;
    size_t len;
    if (!statement_given(ctx, args, "%sql", &sql, &len, e))
        return false;
    if (!sql)
        return err_set(e, ERR_USAGE, "%%sql needs a statement");
    if (ctx->body && has_no_statement(sql, len))
        return err_set(e, ERR_USAGE, "%%%%sql needs a statement in the lines below it");
    s.rows = args_int(args, "limit", s.rows);
    s.timeout = args_int(args, "timeout", s.timeout);
    struct connection *c = session_connection(ctx->session, args_get(args, "on"), e);
    if (!c)
        return false;
    const char *into = args_get(args, "into");
    long before = ctx->session->last.serial;
    if (!check_into(into, e))
        return false;
    if (args_flag(args, "async")) {
        if (args_flag(args, "atomic") || into)
            return err_set(e, ERR_USAGE, "--async goes without %s: the result comes with %%wait", into ? "--into" : "--atomic");
        return run_async(ctx, c, sql, len, &s, e);
    }
    bool ok = args_flag(args, "atomic") ? run_atomic(ctx, c, sql, len, &s, e)
                                        : statement_run_all(ctx, c, sql, len, &s, e);
    return ok && (!into || keep_into(ctx->session, into, before, e));
}

static const struct arg_row rows[] = {
    {.name = "on", .type = ARG_WORD, .placeholder = "ALIAS", .complete = "connection",
     .help = "the connection to use; else the current one"},
    {.name = "limit", .type = ARG_INT, .min = 1, .max = 10000, .placeholder = "N",
     .help = "how many rows of a result are shown"},
    {.name = "timeout", .type = ARG_DURATION, .placeholder = "T", .help = "cancel a statement that takes longer"},
    {.name = "atomic", .type = ARG_FLAG,
     .help = "all statements in one transaction: the first error undoes them all"},
    {.name = "async", .type = ARG_FLAG,
     .help = "do not wait for the last statement: %wait shows what comes of it"},
    {.name = "into", .type = ARG_WORD, .placeholder = "NAME",
     .help = "keep the last result as a variable: one value, or a row or a column as an array"},
    {.name = "sql", .positional = true, .type = ARG_REST, .placeholder = "STATEMENT",
     .help = "with %sql: the statement; %%sql takes the lines below"},
    {.name = NULL}};

const struct magic magic_sql = {
    .name = "sql",
    .kinds = MAGIC_LINE | MAGIC_CELL,
    .group = "SQL",
    .summary = "run SQL with options",
    .help = "SQL needs no magic: a plain cell runs on the current connection. Each statement shows its result; the first error "
            "ends the cell. Without --atomic each statement is kept when it ends, unless BEGIN opened a transaction, which may span cells. "
            ":name binds a variable (%set, --into). "
            "--async leaves the last statement to the server: other connections can be used while it runs or waits for a lock.",
    .examples = "%sql SELECT 1\n%sql --into newest SELECT max(id) FROM shop.orders\n%sql --on analyst SELECT current_user\n%sql --on b --async UPDATE shop.orders SET total = 0\n%%sql --limit 200 --timeout 5s\nSELECT * FROM shop.orders;",
    .args = rows,
    .run = run,
};
