/*
 * SQL on a connection (see statement.h). Rows are streamed into a table that keeps what is shown and counts the
 * rest, so memory stays flat. Splitting text into statements is cell/, talking to the server is pg/.
 */
#include "magics/statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cell/split.h"
#include "cell/sqllex.h"
#include "cell/sqlword.h"
#include "magics/advice.h"
#include "magics/bind.h"
#include "magics/connect.h"
#include "magics/deadline.h"
#include "magics/interp.h"
#include "magics/waiting.h"
#include "pg/exec.h"

enum { HEAD_START_MS = 50 };

struct running {
    struct magic_ctx *ctx;
    const struct settings *settings;
    struct table table;
    bool has_table;
    unsigned *types; /* oid and modifier of each column, in the cell's arena */
    int *mods;
    struct table_cell *cells; /* of the row that is being read */
    char tag[128];
    const struct cell_data *data;
    bool data_sent, copied_out;
    struct waiting waiting;
};

/* ---- showing ---- */

static void show_as_result(void *self, enum sink_show how, json_t *data, json_t *metadata, const char *display_id)
{
    (void)how;
    struct sink *inner = self;
    inner->show(inner->self, SINK_RESULT, data, metadata, display_id);
}

void statement_show(struct magic_ctx *ctx, struct table *t)
{
    struct sink as_result = {.self = ctx->out, .interactive = ctx->out->interactive, .show = show_as_result};
    sink_table(ctx->last ? &as_result : ctx->out, t);
}

void statement_show_kept(struct magic_ctx *ctx, struct table *t)
{
    last_result_table(&ctx->session->last, t);
    statement_show(ctx, t);
}

/* psql prints the tag of what returned rows only when it also changed something. */
static bool tag_is_shown(const char *tag, bool has_rows)
{
    static const char *const changes[] = {"INSERT", "UPDATE", "DELETE", "MERGE"};
    if (!has_rows)
        return *tag != '\0';
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        if (strncmp(tag, changes[i], strlen(changes[i])) == 0)
            return true;
    }
    return false;
}

/* ---- callbacks of pg_exec ---- */

static void finish_table(struct running *r)
{
    if (r->has_table)
        table_release(&r->table);
    r->has_table = false;
}

static void on_columns(void *self, const struct pg_column *columns, size_t n)
{
    struct running *r = self;
    last_result_columns(&r->ctx->session->last, columns, n);
    finish_table(r);
    table_init(&r->table);
    r->has_table = true;
    r->table.row_cap = (size_t)r->settings->rows;
    r->table.expanded = r->settings->expanded;
    r->types = arena_alloc(r->ctx->arena, n * sizeof *r->types);
    r->mods = arena_alloc(r->ctx->arena, n * sizeof *r->mods);
    r->cells = arena_alloc(r->ctx->arena, n * sizeof *r->cells);
    for (size_t i = 0; i < n; i++) {
        table_add_column(&r->table, columns[i].name, NULL, columns[i].numeric ? TABLE_RIGHT : TABLE_LEFT);
        r->types[i] = columns[i].oid;
        r->mods[i] = columns[i].mod;
    }
}

static bool on_row(void *self, const struct pg_value *values, size_t n)
{
    struct running *r = self;
    if (r->table.seen >= (unsigned long long)r->settings->fetch_limit) {
        r->table.more = true;
        return false;
    }
    last_result_row(&r->ctx->session->last, values);
    waiting_row(&r->waiting);
    for (size_t i = 0; i < n; i++)
        r->cells[i] = (struct table_cell){values[i].text, values[i].len, 0};
    table_add_row(&r->table, r->cells);
    return true;
}

static void on_tick(void *self)
{
    struct running *r = self;
    waiting_tick(&r->waiting);
}

static void on_done(void *self, const char *tag, bool has_rows)
{
    struct running *r = self;
    (void)has_rows;
    snprintf(r->tag, sizeof r->tag, "%s", tag);
}

static bool on_copy_in(void *self, const char **data, size_t *len, struct err *e)
{
    struct running *r = self;
    if (!r->data->text) {
        err_set(e, ERR_USAGE, "COPY ... FROM STDIN has no data");
        err_hint(e, "end it with a semicolon, put the data into the lines below, and a last line of \\.; \\copy reads a file");
        return false;
    }
    *data = r->data->text;
    *len = r->data_sent ? 0 : r->data->len;
    r->data_sent = true;
    return true;
}

static bool on_copy_out(void *self, const char *data, size_t len, struct err *e)
{
    struct running *r = self;
    (void)e;
    r->copied_out = true;
    if (len > 0 && r->ctx->out->stream)
        r->ctx->out->stream(r->ctx->out->self, false, data, len);
    return true;
}

/* ---- one statement ---- */

/* "COPY t, line 3, column b": the line of the cell. */
static void place_data_error(struct magic_ctx *ctx, const struct cell_data *data, struct err *e)
{
    const char *at = strncmp(e->context, "COPY ", 5) == 0 ? strstr(e->context, ", line ") : NULL;
    if (!data->text || !at || e->line > 0 || e->position > 0)
        return;
    long n = strtol(at + 7, NULL, 10);
    cell_place(ctx->cell, ctx->cell_len, (size_t)(data->text - ctx->cell), &e->line, &e->column);
    e->line += n > 0 ? (int)n - 1 : 0;
}

/* A failed statement: from its own position to the place in the cell. */
static void place_error(struct magic_ctx *ctx, const char *sql, size_t len, struct err *e)
{
    if (e->position < 1 || e->line > 0)
        return;
    size_t at = utf8_offset(sql, len, (size_t)e->position - 1);
    cell_place(ctx->cell, ctx->cell_len, (size_t)(sql - ctx->cell) + at, &e->line, &e->column);
}

bool statement_exec(struct magic_ctx *ctx, struct connection *c, const struct bound *b, const struct pg_rows *rows,
                    long long timeout, struct err *e)
{
    struct deadline d;
    if (timeout <= 0)
        return pg_exec_params(c->pg, b->sql, b->params, b->n_params, rows, ctx->cancel, e);
    if (!deadline_begin(&d, timeout, ctx->cancel, e))
        return false;
    bool ok = pg_exec_params(c->pg, b->sql, b->params, b->n_params, rows, &d.token, e);
    bool passed = deadline_end(&d);
    if (!ok && passed && e->code == ERR_CANCELLED && !cancel_fired(ctx->cancel)) {
        *e = (struct err){0};
        err_set(e, ERR_TIMEOUT, "the statement took longer than %lld ms and was cancelled", timeout);
        memcpy(e->sqlstate, "57014", 6);
    }
    return ok;
}

static void name_types(struct running *r, struct connection *c)
{
    for (size_t i = 0; r->has_table && pg_alive(c->pg) && i < r->table.n_columns; i++)
        r->table.columns[i].type = arena_strdup(&r->table.arena, pg_type_name(c->pg, r->types[i], r->mods[i]));
}

static struct pg_rows callbacks(struct running *r)
{
    return (struct pg_rows){.self = r, .columns = on_columns, .row = on_row, .done = on_done,
                            .copy_in = on_copy_in, .copy_out = on_copy_out, .tick = on_tick};
}

static bool run(struct running *r, struct connection *c, const char *sql, size_t len, struct err *e)
{
    struct bound b;
    struct pg_rows rows = callbacks(r);
    if (!connect_ensure(r->ctx, c, e))
        return false;
    if (!bind_variables(r->ctx->arena, &r->ctx->session->variables, sql, len, &b, e))
        return false;
    waiting_begin(&r->waiting, r->ctx->out, c);
    bool ok = statement_exec(r->ctx, c, &b, &rows, r->settings->timeout, e);
    waiting_end(&r->waiting);
    if (ok) {
        name_types(r, c);
        savepoints_follow(&c->savepoints, b.sql, strlen(b.sql));
    } else {
        bind_explain(&b, sql, len, e);
    }
    connect_used(c, ok, e);
    return ok;
}

/* The rows, or what the command says. */
static void show_result(struct running *r)
{
    struct magic_ctx *ctx = r->ctx;
    if (r->has_table) {
        last_result_keep(&ctx->session->last, r->table.more);
        statement_show(ctx, &r->table);
    }
    if (!r->copied_out && tag_is_shown(r->tag, r->has_table))
        sink_printf(ctx->out, "%s\n", r->tag);
}

/* A deadlock is told in process numbers, which nobody knows by heart. */
static void name_processes(const struct session *s, struct err *e)
{
    if (strcmp(e->sqlstate, "40P01") != 0)
        return;
    for (const struct connection *c = s->connections; c; c = c->next) {
        char process[32];
        snprintf(process, sizeof process, "rocess %d ", pg_backend_pid(c->pg));
        size_t used = strlen(e->context);
        if (strstr(e->detail, process))
            snprintf(e->context + used, sizeof e->context - used, "%sp%sis connection %.63s", used ? "\n" : "", process, c->alias);
    }
}

bool statement_run(struct magic_ctx *ctx, struct connection *c, const char *sql, size_t len, const struct cell_data *data,
                   const struct settings *s, struct err *e)
{
    struct running r = {.ctx = ctx, .settings = s, .data = data};
    bool had_failed = pg_alive(c->pg) && pg_tx_state(c->pg) == PG_TX_FAILED;
    int64_t began = clock_mono_us();
    bool ok = run(&r, c, sql, len, e);
    int64_t us = clock_mono_us() - began;
    if (!ok) {
        place_error(ctx, sql, len, e);
        place_data_error(ctx, data, e);
        name_processes(ctx->session, e);
        ctx->advice = advice_on(ctx->arena, c, sql, len, e);
    }
    if (ok)
        show_result(&r);
    if (ok && had_failed && strcmp(r.tag, "ROLLBACK") == 0 && sql_transaction(sql, len) == SQL_TX_COMMIT)
        sink_warn(ctx->out, "Nothing of the transaction was kept: a statement in it had failed, so it could only be "
                            "undone.\n");
    if (ok && s->timing)
        sink_printf(ctx->out, "Time: %.3f ms\n", (double)us / 1000.0);
    finish_table(&r);
    return ok;
}

bool statement_send(struct magic_ctx *ctx, struct connection *c, const char *sql, size_t len, const struct settings *s,
                    struct err *e)
{
    struct bound b;
    bool ok = connect_ensure(ctx, c, e) && bind_variables(ctx->arena, &ctx->session->variables, sql, len, &b, e) &&
              pg_send(c->pg, b.sql, b.params, b.n_params, ctx->cancel, e);
    if (!ok) {
        place_error(ctx, sql, len, e);
        return false;
    }
    c->background = xstrndup(sql, len);
    c->background_rows = s->rows;
    pg_sent_ready(c->pg, HEAD_START_MS, ctx->cancel);
    return !cancel_fired(ctx->cancel) || statement_collect(ctx, c, e); /* Stop: it shall not go on unseen */
}

/* Which statement it was: the cell that is shown with the error is another one. */
static void name_background(const struct connection *c, struct err *e)
{
    enum { SHOWN = 200 };
    char line[SHOWN + 4], *hidden = interp_redact(c->background, strlen(c->background));
    size_t n = 0;
    for (const char *at = hidden ? hidden : c->background; *at && n < SHOWN; at++) {
        bool blank = strchr(" \t\r\n", *at) != NULL;
        if (!blank || (n > 0 && line[n - 1] != ' '))
            line[n++] = blank ? ' ' : *at;
    }
    line[n] = '\0';
    free(hidden);
    e->position = 0;
    size_t used = strlen(e->context);
    snprintf(e->context + used, sizeof e->context - used, "%sin the background of connection %.63s: %s", used ? "\n" : "",
             c->alias, line);
}

bool statement_collect(struct magic_ctx *ctx, struct connection *c, struct err *e)
{
    static const struct cell_data no_data;
    struct settings s = ctx->session->settings;
    struct running r = {.ctx = ctx, .settings = &s, .data = &no_data};
    struct pg_rows rows = callbacks(&r);
    s.rows = c->background_rows;
    waiting_begin(&r.waiting, ctx->out, c);
    bool ok = pg_collect(c->pg, &rows, ctx->cancel, e);
    waiting_end(&r.waiting);
    if (ok) {
        name_types(&r, c);
        savepoints_follow(&c->savepoints, c->background, strlen(c->background));
    }
    connect_used(c, ok, e);
    if (!ok) {
        interp_redact_err(c->background, strlen(c->background), e); /* the cell, which is asked later, is another one */
        name_processes(ctx->session, e);
        name_background(c, e);
    } else {
        show_result(&r);
    }
    xfree_secret(c->background);
    c->background = NULL;
    finish_table(&r);
    return ok;
}

static bool open_error(struct magic_ctx *ctx, const char *at, struct err *e)
{
    err_set(e, ERR_SYNTAX, "a quote or a comment is not closed");
    cell_place(ctx->cell, ctx->cell_len, (size_t)(at - ctx->cell), &e->line, &e->column);
    return false;
}

bool statement_given(struct magic_ctx *ctx, const struct args *args, const char *who, const char **sql, size_t *len, struct err *e)
{
    const char *rest = args_get(args, "sql");
    *sql = ctx->body;
    *len = ctx->body_len;
    if (ctx->body && rest) {
        err_set(e, ERR_USAGE, "%%%s takes its SQL from the lines below", who);
        e->line = ctx->line;
        e->column = ctx->column;
        return false;
    }
    if (rest) { /* it ends the arguments, so it is their tail */
        *len = strlen(rest);
        *sql = ctx->args + ctx->args_len - *len;
    }
    return true;
}

bool statement_single(struct magic_ctx *ctx, const char *who, const char **sql, size_t *len, struct err *e)
{
    struct sql_span span, next;
    enum sql_open open;
    size_t pos = 0;
    bool found = sql_next(*sql, *len, &pos, false, &span, &open);
    if (!found && open == SQL_CLOSED)
        return err_set(e, ERR_USAGE, "%s needs a statement", who);
    if (open != SQL_CLOSED && open < SQL_IN_PAREN)
        return open_error(ctx, *sql + span.open_at, e);
    if (sql_next(*sql, *len, &pos, false, &next, &open)) {
        err_set(e, ERR_USAGE, "%s takes one statement", who);
        cell_place(ctx->cell, ctx->cell_len, (size_t)(*sql - ctx->cell) + next.start, &e->line, &e->column);
        return false;
    }
    *sql += span.start;
    *len = span.len;
    return true;
}

void statement_place(struct magic_ctx *ctx, const struct bound *b, const char *sql, size_t len, struct err *e)
{
    bind_explain(b, sql, len, e);
    place_error(ctx, sql, len, e);
}

bool statement_feed(struct magic_ctx *ctx, const char *on, const char *who, const char *sql, size_t len, const struct pg_rows *rows,
                    struct err *e)
{
    struct bound b;
    struct connection *c = session_connection(ctx->session, on, e);
    if (!c || !statement_single(ctx, who, &sql, &len, e) || !connect_ensure(ctx, c, e))
        return false;
    bool ok = bind_variables(ctx->arena, &ctx->session->variables, sql, len, &b, e) &&
              statement_exec(ctx, c, &b, rows, ctx->session->settings.timeout, e);
    if (!ok)
        statement_place(ctx, &b, sql, len, e);
    connect_used(c, ok, e);
    return ok;
}

bool statement_run_all(struct magic_ctx *ctx, struct connection *c, const char *text, size_t len,
                       const struct settings *s,
                       struct err *e)
{
    struct sql_span span = {0}, next = {0};
    enum sql_open open = SQL_CLOSED;
    size_t pos = 0, seen = 0;
    bool last = ctx->last, ok = true;
    bool more = sql_next(text, len, &pos, false, &span, &open);
    if (!more && open != SQL_CLOSED)
        return open_error(ctx, text + span.open_at, e);
    while (ok && more) {
        if (open != SQL_CLOSED && open < SQL_IN_PAREN)
            return open_error(ctx, text + span.open_at, e);
        more = sql_next(text, len, &pos, false, &next, &open);
        ctx->last = last && !more;
        struct cell_data data = cell_data_of(text, &span);
        ok = statement_run(ctx, c, text + span.start, span.len, &data, s, e);
        if (!ok && e->line == 0 && (more || seen > 0)) /* which one it was, when it has no place of its own */
            cell_place(ctx->cell, ctx->cell_len, (size_t)(text - ctx->cell) + span.start, &e->line, &e->column);
        seen++;
        span = next;
    }
    ctx->last = last;
    return ok;
}
