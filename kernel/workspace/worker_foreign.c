/*
 * A foreign table's rows: a read-only transaction and a cursor on a connection of its own; some rows are fetched at a time,
 * so memory stays flat and the engine sets the pace. Only wanted columns are asked for.
 */
#include "workspace/worker_foreign.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "pg/exec.h"

enum { FETCH_ROWS = 2000, FETCH_BYTES_MAX = 256 << 20 };

struct table {
    struct worker_ctx *x;
    char *conninfo, *schema, *name; /* conninfo is a secret */
    char **columns;
    size_t n;
};
struct scan {
    struct lake_foreign rows; /* self is the scan */
    struct worker_ctx *x;
    struct pg_conn *conn;
    size_t n;                 /* columns */
    struct buf text;          /* values of the fetched rows, one after the other */
    size_t *starts, *lengths; /* per value; start of NULL: SIZE_MAX */
    size_t count, cap, at;    /* rows fetched, room for, next to hand out */
    const char **values;
    bool ended;
};

static void free_table(void *foreign)
{
    struct table *t = foreign;
    xfree_secret(t->conninfo);
    free(t->schema);
    free(t->name);
    for (size_t i = 0; i < t->n; i++)
        free(t->columns[i]);
    free(t->columns);
    free(t);
}

/* A column as the server describes it (column_info). */
static bool take_column(const json_t *info, struct lake_column *out, struct err *e)
{
    struct delta_schema one = {0};
    const char *name = jx_get_str(info, "name", ""), *type = jx_get_str(info, "type_text", "STRING");
    struct err why;
    err_init(&why);
    if (!delta_schema_add(&one, name, type, true, NULL, &why) && /* what the lakehouse has no type for is read as text */
        !delta_schema_add(&one, name, "STRING", true, NULL, e))
        return false;
    const struct delta_column *c = &one.columns[0];
    *out = (struct lake_column){.name = xstrdup(name), .type = c->type, .precision = c->precision, .scale = c->scale,
                                .type_text = delta_type_text(c), .nullable = true};
    delta_schema_release(&one);
    return true;
}

bool worker_foreign_fill(struct worker_ctx *x, const json_t *answer, struct lake_object *out, struct err *e)
{
    const json_t *columns = json_object_get(answer, "columns");
    struct table *t = xcalloc(1, sizeof *t);
    t->x = x;
    t->conninfo = xstrdup(jx_get_str(answer, "conninfo", ""));
    t->schema = xstrdup(jx_get_str(answer, "schema", ""));
    t->name = xstrdup(jx_get_str(answer, "table", ""));
    t->n = json_array_size(columns);
    t->columns = xcalloc(t->n + 1, sizeof *t->columns);
    out->foreign = t;
    out->foreign_free = free_table;
    out->columns = xcalloc(t->n + 1, sizeof *out->columns);
    bool ok = true;
    for (size_t i = 0; ok && i < t->n; i++) {
        const json_t *info = json_array_get(columns, i);
        t->columns[i] = xstrdup(jx_get_str(info, "name", ""));
        ok = take_column(info, &out->columns[i], e);
        out->n_columns += ok;
    }
    return ok;
}

/* ---- a scan ---- */
static bool on_row(void *self, const struct pg_value *values, size_t n)
{
    struct scan *s = self;
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->starts = xreallocarray(s->starts, s->cap * (s->n + 1), sizeof *s->starts);
        s->lengths = xreallocarray(s->lengths, s->cap * (s->n + 1), sizeof *s->lengths);
    }
    size_t at = s->count++ * s->n;
    for (size_t i = 0; i < s->n && i < n; i++) {
        s->starts[at + i] = values[i].text ? s->text.len : SIZE_MAX;
        s->lengths[at + i] = values[i].len;
        if (values[i].text)
            buf_add(&s->text, values[i].text, values[i].len);
    }
    return true;
}

static bool fetch(struct scan *s, struct err *e)
{
    char sql[64];
    struct pg_rows rows = {.self = s, .row = on_row};
    snprintf(sql, sizeof sql, "FETCH %d FROM lakebase_scan", FETCH_ROWS);
    buf_clear(&s->text);
    s->count = s->at = 0;
    bool ok = pg_exec(s->conn, sql, NULL, 0, &rows, worker_cancel(s->x), e) && buf_ok(&s->text, "rows of a foreign table", e);
    s->ended = s->count == 0;
    return ok;
}

static bool next(void *self, const char *const **values, const size_t **lengths, bool *end, struct err *e)
{
    struct scan *s = self;
    if (s->at == s->count && !s->ended && !fetch(s, e))
        return false;
    *end = s->at == s->count;
    if (*end)
        return true;
    size_t at = s->at++ * s->n;
    for (size_t i = 0; i < s->n; i++)
        s->values[i] = s->starts[at + i] == SIZE_MAX ? NULL : buf_str(&s->text) + s->starts[at + i];
    *values = s->values;
    *lengths = s->lengths + at;
    return true;
}

static void close_scan(void *self)
{
    struct scan *s = self;
    pg_close(s->conn);
    buf_release(&s->text);
    free(s->starts);
    free(s->lengths);
    free(s->values);
    free(s);
}

static void cursor_sql(const struct table *t, const size_t *columns, size_t n, const char *where, struct buf *sql)
{
    buf_puts(sql, "DECLARE lakebase_scan NO SCROLL CURSOR FOR SELECT ");
    for (size_t i = 0; i < n; i++) {
        buf_puts(sql, i ? ", " : "");
        pg_quote_ident(sql, t->columns[columns[i]]);
    }
    buf_puts(sql, " FROM ");
    pg_quote_ident(sql, t->schema);
    buf_putc(sql, '.');
    pg_quote_ident(sql, t->name);
    if (where)
        buf_printf(sql, " WHERE %s", where);
}

struct lake_foreign *worker_foreign_scan(void *self, void *foreign, const size_t *columns, size_t n, const char *where, struct err *e)
{
    struct table *t = foreign;
    struct worker_ctx *x = self;
    struct cancel *cancel = worker_cancel(x);
    struct pg_params params = {.conninfo = t->conninfo, .application_name = "lakebase warehouse"};
    struct scan *s = xcalloc(1, sizeof *s);
    struct buf sql;
    *s = (struct scan){.rows = {s, next, close_scan}, .x = x, .n = n, .values = xcalloc(n + 1, sizeof *s->values)};
    buf_init(&s->text, FETCH_BYTES_MAX);
    buf_init(&sql, 1 << 20);
    cursor_sql(t, columns, n, where, &sql);
    s->conn = pg_open(&params, cancel, e);
    bool ok = s->conn && buf_ok(&sql, "a query", e) &&
              pg_run(s->conn, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", cancel, e) &&
              pg_run(s->conn, buf_str(&sql), cancel, e);
    buf_release(&sql);
    if (ok)
        return &s->rows;
    err_wrap(e, "reading table \"%s\".\"%s\" from PostgreSQL", t->schema, t->name);
    close_scan(s);
    return NULL;
}
