/* One statement in a warehouse (see warehouse.h). Source: Statement Execution API; error places: Databricks' messages. */
#include "magics/warehouse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cell/split.h"
#include "magics/remote.h"
#include "magics/session.h"
#include "magics/statement.h"

enum { FIRST_PAUSE_MS = 50, LAST_PAUSE_MS = 5000, HELD_MS = 500, CHUNKS_MAX = 10000 };

struct finding {
    struct magic_ctx *ctx;
    const char *wanted, *id;
};

static bool take_page(void *self, const void *page, const char **next_token)
{
    struct finding *f = self;
    const struct warehouse_list *list = page;
    const struct warehouse *w = list->warehouses.items;
    for (size_t i = 0; i < list->warehouses.count && !f->id; i++) {
        if (w[i].id && (!f->wanted || strcmp(w[i].id, f->wanted) == 0 ||
                        strcmp(text_or_empty(w[i].name), f->wanted) == 0))
            f->id = arena_strdup(f->ctx->arena, w[i].id);
    }
    *next_token = list->next_page_token;
    return !f->id;
}

const char *warehouse_find(struct magic_ctx *ctx, const char *wanted, struct err *e)
{
    struct finding f = {.ctx = ctx, .wanted = wanted};
    if (!remote_pages(ctx, DBX_list_warehouses, NULL, take_page, &f, e))
        return NULL;
    if (!f.id && wanted)
        err_set(e, ERR_NOT_FOUND, "no SQL warehouse has the name or id '%s'", wanted);
    else if (!f.id)
        err_set(e, ERR_NOT_FOUND, "this workspace has no SQL warehouse that you may use");
    return f.id;
}

/* ---- waiting ---- */

static bool under_way(const struct statement_response *r)
{
    const char *state = r->status ? text_or_empty(r->status->state) : "";
    return strcmp(state, "PENDING") == 0 || strcmp(state, "RUNNING") == 0;
}

/* The user interrupted: tell the server, which ends it by itself. */
static void cancel(struct magic_ctx *ctx, const char *statement_id)
{
    struct err none = {0};
    struct dbx_param params[] = {{"id", statement_id}, {NULL, NULL}};
    dbx_call(ctx->session->client, DBX_cancel_statement, params, NULL, NULL, NULL, &none);
}

/* Poll until it has ended; *r is replaced with what was seen last. */
static bool await_end(struct magic_ctx *ctx, struct statement_response *r, struct err *e)
{
    const char *id = arena_strdup(ctx->arena, text_or_empty(r->statement_id));
    struct dbx_param params[] = {{"id", id}, {NULL, NULL}};
    struct progress p;
    progress_open(&p, ctx->out, "statement in the warehouse");
    bool ok = true;
    for (int pause = FIRST_PAUSE_MS; ok && under_way(r);
         pause = pause * 3 / 2 < LAST_PAUSE_MS ? pause * 3 / 2 : LAST_PAUSE_MS) {
        progress_update(&p, r->status->state, 0, 0);
        struct statement_response seen = {0};
        int64_t asked = clock_mono_ms();
        ok = remote_call(ctx, DBX_get_statement, params, NULL, &seen, e);
        if (ok) {
            model_release(&model_statement_response, r);
            *r = seen;
        }
        /* A server that held the answer has done the waiting already. */
        if (ok && under_way(r) && clock_mono_ms() - asked < HELD_MS)
            ok = cancel_poll(ctx->cancel, -1, 0, pause, e);
    }
    progress_close(&p, NULL);
    if (!ok && e->code == ERR_CANCELLED)
        cancel(ctx, id);
    return ok;
}

/* ---- errors ---- */

/* "…; line 2 pos 7" or "… (line 2, pos 7)": the last one of the text. Cut off when found. */
static bool take_place(char *text, int *line, int *column)
{
    char *at = NULL;
    for (char *p = strstr(text, "line "); p; p = strstr(p + 1, "line ")) {
        int l, c;
        if (sscanf(p, "line %d pos %d", &l, &c) == 2 || sscanf(p, "line %d, pos %d", &l, &c) == 2) {
            at = p;
            *line = l;
            *column = c;
        }
    }
    if (!at)
        return false;
    while (at > text && strchr(" ;(", at[-1]))
        at--;
    *at = '\0';
    return true;
}

/* The place of line and column (from 1 and 0) of the statement, in the cell. */
static void place(struct magic_ctx *ctx, const char *sql, size_t len, int line, int column, struct err *e)
{
    size_t at = 0;
    while (line > 1 && at < len) {
        line -= sql[at] == '\n';
        at++;
    }
    at += utf8_offset(sql + at, len - at, column < 0 ? 0 : (size_t)column);
    cell_place(ctx->cell, ctx->cell_len, (size_t)(sql - ctx->cell) + (at < len ? at : len), &e->line, &e->column);
}

static bool failed(struct magic_ctx *ctx, const struct statement_status *status, const char *sql, size_t len,
                   struct err *e)
{
    const char *state = text_or_empty(status->state);
    if (strcmp(state, "CANCELED") == 0 || strcmp(state, "CLOSED") == 0)
        return err_set(e, ERR_CANCELLED, "the statement was %s by the warehouse or by another client",
                       *state == 'C' && state[1] == 'A' ? "cancelled" : "closed");
    const struct statement_error *why = status->error;
    char *message = arena_strdup(ctx->arena, why && why->message ? why->message : "the warehouse gave no reason");
    char *quoted = strstr(message, "\n\n== SQL");
    int line = 0, column = 0;
    if (quoted)
        *quoted = '\0';
    bool placed = take_place(message, &line, &column);
    const char *code = why ? text_or_empty(why->error_code) : "";
    enum err_code as = strcmp(code, "BAD_REQUEST") == 0 || !*code ? ERR_SQL : err_code_of_wire(code, 0);
    err_set(e, as, "%s", message);
    /* The message has the SQLSTATE and its error class; what is said beside a state is PostgreSQL's and would mislead. */
    if (placed)
        place(ctx, sql, len, line, column, e);
    return false;
}

/* ---- rows ---- */

/* What Python makes of the column, by PostgreSQL's type oids: the texts are the same there. The last row is any other. */
static const struct warehouse_type {
    const char *name;
    unsigned oid;
    bool numeric;
} types[] = {{"BYTE", 21, true},    {"SHORT", 21, true},   {"INT", 23, true},        {"LONG", 20, true},
             {"FLOAT", 700, true},  {"DOUBLE", 701, true}, {"DECIMAL", 1700, true},  {"BOOLEAN", 16, false},
             {"DATE", 1082, false}, {"TIMESTAMP", 1184, false}, {"TIMESTAMP_NTZ", 1114, false}, {NULL, 25, false}};

static const struct warehouse_type *type_of(const char *name)
{
    const struct warehouse_type *t = types;
    while (t->name && strcmp(t->name, name) != 0)
        t++;
    return t;
}

struct showing {
    struct magic_ctx *ctx;
    struct table table;
    size_t columns;
    bool *boolean; /* by column */
};

static void begin_table(struct showing *w, const struct result_schema *schema, const struct settings *s)
{
    const struct result_column *c = schema->columns.items;
    w->columns = schema->columns.count;
    w->boolean = arena_alloc(w->ctx->arena, w->columns * sizeof *w->boolean + 1);
    struct pg_column *kept = arena_alloc(w->ctx->arena, (w->columns + 1) * sizeof *kept);
    table_init(&w->table);
    w->table.row_cap = (size_t)s->rows;
    w->table.expanded = s->expanded;
    for (size_t i = 0; i < w->columns; i++) {
        const struct warehouse_type *t = type_of(text_or_empty(c[i].type_name));
        w->boolean[i] = strcmp(text_or_empty(t->name), "BOOLEAN") == 0;
        kept[i] = (struct pg_column){.name = text_or_empty(c[i].name), .oid = t->oid, .mod = -1, .numeric = t->numeric};
        table_add_column(&w->table, kept[i].name, c[i].type_text, t->numeric ? TABLE_RIGHT : TABLE_LEFT);
    }
    last_result_columns(&w->ctx->session->last, kept, w->columns);
}

static bool add_rows(struct showing *w, const json_t *rows, struct err *e)
{
    struct table_cell *cells = arena_alloc(w->ctx->arena, (w->columns + 1) * sizeof *cells);
    struct pg_value *values = arena_alloc(w->ctx->arena, (w->columns + 1) * sizeof *values);
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (json_array_size(row) != w->columns)
            return err_set(e, ERR_REMOTE, "the warehouse sent a row of %zu values for %zu columns", json_array_size(row),
                           w->columns);
        for (size_t k = 0; k < w->columns; k++) {
            const json_t *v = json_array_get(row, k);
            const char *text = json_string_value(v);
            size_t len = text ? json_string_length(v) : 0;
            cells[k] = (struct table_cell){text, len, 0};
            /* Python's side reads PostgreSQL's texts of booleans. */
            values[k] = (struct pg_value){w->boolean[k] && text ? (*text == 't' ? "t" : "f") : text,
                                          w->boolean[k] && text ? 1 : len};
        }
        last_result_row(&w->ctx->session->last, values);
        table_add_row(&w->table, cells);
    }
    return true;
}

static bool next_chunk(struct magic_ctx *ctx, const char *statement_id, int64_t index, struct result_data *out,
                       struct err *e)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)index);
    struct dbx_param params[] = {{"id", statement_id}, {"index", number}, {NULL, NULL}};
    return remote_call(ctx, DBX_get_statement_chunk, params, NULL, out, e);
}

/* The parts of the result, one after the other; each is freed before the next comes. */
static bool read_chunks(struct showing *w, const struct statement_response *r, struct err *e)
{
    struct result_data own = {0};
    const struct result_data *part = r->result;
    bool ok = true;
    for (int n = 0; ok && part && n < CHUNKS_MAX; n++) {
        ok = add_rows(w, part->data_array, e);
        struct opt_int next = part->next_chunk_index;
        if (!ok || !next.has)
            break;
        model_release(&model_result_data, &own);
        ok = next_chunk(w->ctx, r->statement_id, next.value, &own, e);
        part = &own;
    }
    model_release(&model_result_data, &own);
    return ok;
}

static bool show(struct magic_ctx *ctx, const struct statement_response *r, const struct settings *s, struct err *e)
{
    const struct result_manifest *m = r->manifest;
    if (!m || !m->schema || m->schema->columns.count == 0) {
        sink_printf(ctx->out, "OK\n");
        return true;
    }
    struct showing w = {.ctx = ctx};
    begin_table(&w, m->schema, s);
    bool ok = read_chunks(&w, r, e);
    if (ok) {
        w.table.more = m->truncated == TRI_TRUE;
        last_result_keep(&ctx->session->last, w.table.more);
        statement_show(ctx, &w.table);
    }
    table_release(&w.table);
    return ok;
}

/* ---- USE ---- */

/* The next word or `quoted name` at *at; "" at the end. In the arena. */
static const char *word(struct magic_ctx *ctx, const char **at, const char *end)
{
    while (*at < end && isspace((unsigned char)**at))
        (*at)++;
    const char *from = *at;
    if (*at < end && **at == '`') {
        const char *close = memchr(from + 1, '`', (size_t)(end - from - 1));
        *at = close ? close + 1 : end;
        return arena_strndup(ctx->arena, from + 1, (size_t)((close ? close : end) - from - 1));
    }
    while (*at < end && !isspace((unsigned char)**at) && **at != '.' && **at != '`')
        (*at)++;
    return arena_strndup(ctx->arena, from, (size_t)(*at - from));
}

static void keep(char **text, const char *by)
{
    char *copy = xstrdup(by);
    free(*text);
    *text = copy;
}

/* USE CATALOG c · USE [SCHEMA | DATABASE] [c.]s, after it went well. */
static void remember_use(struct magic_ctx *ctx, const char *sql, size_t len)
{
    struct session *s = ctx->session;
    const char *at = sql, *end = sql + len;
    if (strcasecmp(word(ctx, &at, end), "use") != 0)
        return;
    const char *first = word(ctx, &at, end), *name = first;
    bool catalog = strcasecmp(first, "catalog") == 0;
    if (catalog || strcasecmp(first, "schema") == 0 || strcasecmp(first, "database") == 0)
        name = word(ctx, &at, end);
    bool dotted = at < end && *at == '.';
    if (dotted)
        at++;
    const char *second = dotted ? word(ctx, &at, end) : "";
    if (!*name)
        return;
    if (catalog || dotted) {
        keep(&s->lake_catalog, name);
        keep(&s->lake_schema, dotted ? second : "default");
    } else {
        keep(&s->lake_schema, name);
    }
}

/* ---- one statement ---- */

bool warehouse_run(struct magic_ctx *ctx, const char *id, const char *sql, size_t len, const struct settings *s,
                   struct err *e)
{
    struct session *session = ctx->session;
    struct statement_request request = {
        .statement = xstrndup(sql, len), .warehouse_id = xstrdup(id), .catalog = xstrdup(session->lake_catalog),
        .schema = xstrdup(session->lake_schema), .row_limit = {true, s->fetch_limit}, .wait_timeout = xstrdup("0s"),
        .on_wait_timeout = xstrdup("CONTINUE")};
    struct statement_response r = {0};
    int64_t began = clock_mono_us();
    bool ok = remote_call(ctx, DBX_execute_statement, NULL, &request, &r, e) && await_end(ctx, &r, e);
    int64_t us = clock_mono_us() - began;
    if (ok && (!r.status || strcmp(text_or_empty(r.status->state), "SUCCEEDED") != 0))
        ok = r.status ? failed(ctx, r.status, sql, len, e)
                      : err_set(e, ERR_REMOTE, "the workspace answered without the statement's status");
    if (ok) {
        remember_use(ctx, sql, len);
        ok = show(ctx, &r, s, e);
    }
    if (ok && s->timing)
        sink_printf(ctx->out, "Time: %.3f ms\n", (double)us / 1000.0);
    model_release(&model_statement_response, &r);
    model_release(&model_statement_request, &request);
    return ok;
}

bool warehouse_query(struct magic_ctx *ctx, const char *id, const char *sql, json_t **rows, struct err *e)
{
    struct statement_request request = {.statement = xstrdup(sql), .warehouse_id = xstrdup(id), .wait_timeout = xstrdup("50s")};
    struct statement_response r = {0};
    *rows = NULL;
    bool ok = remote_call(ctx, DBX_execute_statement, NULL, &request, &r, e);
    model_release(&model_statement_request, &request);
    ok = ok && (!under_way(&r) || await_end(ctx, &r, e));
    if (ok && (!r.status || strcmp(text_or_empty(r.status->state), "SUCCEEDED") != 0)) {
        const struct statement_error *why = r.status ? r.status->error : NULL;
        const char *state = r.status ? text_or_empty(r.status->sql_state) : "";
        ok = err_set(e, ERR_SQL, "%s", why ? text_or_empty(why->message) : "the warehouse gave no reason");
        err_copy(e->sqlstate, sizeof e->sqlstate, state, strlen(state));
    }
    if (ok)
        *rows = r.result && r.result->data_array ? json_incref(r.result->data_array) : json_array();
    model_release(&model_statement_response, &r);
    return ok;
}
