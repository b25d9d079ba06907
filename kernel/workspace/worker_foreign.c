/* Foreign tables (see worker_foreign.h): a read-only transaction with a cursor, fetched portion by portion. */
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
#include "workspace/worker_job.h"

enum { FETCH_ROWS = 2000, PORTION_MAX = 64 << 20, SQL_MAX = 1 << 20 };

struct foreign {
    char *conninfo, *schema, *table;
    struct lake_column *columns; /* the object's own; borrowed, it lives longer */
};

static void foreign_free(void *self)
{
    struct foreign *f = self;
    xfree_secret(f->conninfo);
    free(f->schema);
    free(f->table);
    free(f);
}

bool worker_foreign_object(const json_t *answer, struct lake_object *out, struct err *e)
{
    const json_t *columns = json_object_get(answer, "columns");
    struct delta_schema schema = {0};
    size_t i;
    json_t *one;
    json_array_foreach(columns, i, one) {
        if (!delta_schema_add(&schema, jx_get_str(one, "name", ""), jx_get_str(one, "type_text", "STRING"), true, NULL, e)) {
            delta_schema_release(&schema);
            return err_wrap(e, "table %s", out->full_name);
        }
    }
    out->kind = LAKE_FOREIGN;
    out->columns = xcalloc(schema.count ? schema.count : 1, sizeof *out->columns);
    out->n_columns = schema.count;
    for (i = 0; i < schema.count; i++) {
        const struct delta_column *c = &schema.columns[i];
        out->columns[i] = (struct lake_column){.name = xstrdup(c->name), .type = c->type, .precision = c->precision,
                                               .scale = c->scale, .type_text = delta_type_text(c), .nullable = true};
    }
    delta_schema_release(&schema);
    struct foreign *f = xcalloc(1, sizeof *f);
    f->conninfo = xstrdup(jx_get_str(answer, "conninfo", ""));
    f->schema = xstrdup(jx_get_str(answer, "schema", ""));
    f->table = xstrdup(jx_get_str(answer, "table", ""));
    f->columns = out->columns;
    out->foreign = f;
    out->foreign_free = foreign_free;
    return true;
}

/* ---- a scan ---- */

struct scan {
    struct lake_foreign base; /* first: the engine frees through close */
    struct pg_conn *pg;
    size_t n;
    struct buf text;          /* the values of the portion, each with a NUL */
    size_t *offsets, *lengths; /* of all values; offset SIZE_MAX: NULL */
    size_t values, cap, at;   /* how many there are, and the next one */
    bool ended;
    const char **row;
    size_t *row_lengths;
};

static bool take_row(void *self, const struct pg_value *values, size_t n)
{
    struct scan *s = self;
    for (size_t i = 0; i < s->n && i < n; i++) {
        if (s->values == s->cap) {
            s->cap = s->cap ? s->cap * 2 : 4096;
            s->offsets = xreallocarray(s->offsets, s->cap, sizeof *s->offsets);
            s->lengths = xreallocarray(s->lengths, s->cap, sizeof *s->lengths);
        }
        s->offsets[s->values] = values[i].text ? s->text.len : SIZE_MAX;
        s->lengths[s->values++] = values[i].len;
        if (values[i].text) {
            buf_add(&s->text, values[i].text, values[i].len);
            buf_putc(&s->text, '\0');
        }
    }
    s->ended = false;
    return !s->text.failed;
}

static bool fetch(struct scan *s, struct err *e)
{
    char sql[64];
    struct pg_rows rows = {.self = s, .row = take_row};
    buf_clear(&s->text);
    s->values = s->at = 0;
    s->ended = true;
    snprintf(sql, sizeof sql, "FETCH %d FROM lakebase_scan", FETCH_ROWS);
    return pg_exec(s->pg, sql, NULL, 0, &rows, NULL, e) && buf_ok(&s->text, "a portion of the foreign table", e);
}

static bool next(void *self, const char *const **values, const size_t **lengths, bool *end, struct err *e)
{
    struct scan *s = self;
    *end = false;
    if (s->at == s->values && !s->ended && !fetch(s, e))
        return false;
    if (s->at == s->values) {
        *end = true;
        return true;
    }
    for (size_t i = 0; i < s->n; i++, s->at++) {
        s->row[i] = s->offsets[s->at] == SIZE_MAX ? NULL : s->text.data + s->offsets[s->at];
        s->row_lengths[i] = s->lengths[s->at];
    }
    *values = s->row;
    *lengths = s->row_lengths;
    return true;
}

static void close_scan(void *self)
{
    struct scan *s = self;
    pg_close(s->pg);
    buf_release(&s->text);
    free(s->offsets);
    free(s->lengths);
    free(s->row);
    free(s->row_lengths);
    free(s);
}

/* Doubles and timestamps in forms that the engine reads; n 0: a constant, so that the rows can be counted. */
static void select_sql(const struct foreign *f, const size_t *columns, size_t n, struct buf *sql)
{
    buf_puts(sql, "DECLARE lakebase_scan NO SCROLL CURSOR FOR SELECT ");
    for (size_t i = 0; i < n; i++) {
        buf_puts(sql, i ? ", " : "");
        pg_quote_ident(sql, f->columns[columns[i]].name);
    }
    buf_puts(sql, n ? " FROM " : "1 FROM ");
    pg_quote_ident(sql, f->schema);
    buf_putc(sql, '.');
    pg_quote_ident(sql, f->table);
}

struct lake_foreign *worker_foreign_scan(void *self, void *foreign, const size_t *columns, size_t n, struct err *e)
{
    struct worker_ctx *x = self;
    const struct foreign *f = foreign;
    struct pg_params p = {.conninfo = f->conninfo};
    struct scan *s = xcalloc(1, sizeof *s);
    struct buf sql;
    s->base = (struct lake_foreign){.self = s, .next = next, .close = close_scan};
    s->n = n ? n : 1;
    s->row = xcalloc(s->n, sizeof *s->row);
    s->row_lengths = xcalloc(s->n, sizeof *s->row_lengths);
    buf_init(&s->text, PORTION_MAX);
    buf_init(&sql, SQL_MAX);
    select_sql(f, columns, n, &sql);
    s->pg = pg_open(&p, worker_cancel(x), e);
    bool ok = s->pg && buf_ok(&sql, "the query of a foreign table", e) &&
              pg_run(s->pg, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", worker_cancel(x), e) &&
              pg_run(s->pg, buf_str(&sql), worker_cancel(x), e);
    buf_release(&sql);
    if (ok)
        return &s->base;
    err_wrap(e, "table %s.%s of the registered database", f->schema, f->table);
    close_scan(s);
    return NULL;
}
