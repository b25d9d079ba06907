/*
 * UPDATE, DELETE and MERGE end alike: a temporary table __lake_hit says which rows go and which come. The files they go
 * from are written anew without them.
 */
#include <stdlib.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/dml.h"

void dml_columns(struct buf *out, const struct delta_schema *schema, const char *prefix)
{
    for (size_t i = 0; i < schema->count; i++) {
        buf_printf(out, "%s%s", i ? ", " : "", prefix);
        lake_quote_name(out, schema->columns[i].name);
    }
}

void dml_cast_open(struct buf *out)
{
    buf_puts(out, "CAST(");
}

void dml_cast_close(struct buf *out, const struct delta_column *c)
{
    buf_puts(out, " AS ");
    lake_duck_type(out, c->type_json);
    buf_puts(out, ") AS ");
    lake_quote_name(out, c->name);
}

/* Files that lose rows; *out (a flag a file of the snapshot) has at least one when true is in *any. */
static bool find_touched(struct dml *d, bool **out, bool *any, struct err *e)
{
    size_t n = d->target->snapshot->n_files;
    *out = xcalloc(n + 1, sizeof **out);
    *any = false;
    struct duck_rows *r = duck_query(d->f->conn, "SELECT DISTINCT __lake_file FROM __lake_hit WHERE __lake_file IS NOT NULL",
                                     duck_no_params, d->f->cancel, e);
    while (r && duck_next_row(r, d->f->cancel, e)) {
        int64_t id = duck_int(r, 0);
        if (id < 0 || (size_t)id >= n)
            bug("the engine names file %lld of %zu", (long long)id, n);
        (*out)[id] = *any = true;
    }
    bool ok = r && e->code == ERR_NONE;
    duck_rows_free(r);
    return ok;
}

/* SELECT columns [, more] FROM (touched files) t SEMI|ANTI JOIN __lake_hit */
static bool add_old_rows(struct dml *d, const bool *touched, const char *join, const char *more, const char *where,
                         struct buf *sql, struct err *e)
{
    struct lake_files_options o = {.hidden = true};
    buf_puts(sql, "SELECT ");
    dml_columns(sql, d->shape.schema, "t.");
    buf_printf(sql, "%s FROM (", more);
    if (!lake_snapshot_sql(d->f->conn, d->target->snapshot, &o, touched, sql, e))
        return false;
    buf_printf(sql, ") AS t %s JOIN (SELECT * FROM __lake_hit WHERE %s) AS h ON t.__lake_file = h.__lake_file AND "
                    "t.__lake_row = h.__lake_row", join, where);
    return true;
}

static void add_new_rows(struct dml *d, const char *more, const char *where, struct buf *sql)
{
    buf_puts(sql, "SELECT ");
    dml_columns(sql, d->shape.schema, "h.");
    buf_printf(sql, "%s FROM __lake_hit AS h WHERE %s", more, where);
}

/* The touched files' other rows, and the new ones. */
static bool write_data(struct dml *d, const bool *touched, bool any, struct err *e)
{
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    bool ok = !any || add_old_rows(d, touched, "ANTI", "", "__lake_file IS NOT NULL", &sql, e);
    buf_puts(&sql, any ? " UNION ALL " : "");
    add_new_rows(d, "", "__lake_new", &sql);
    ok = ok && buf_ok(&sql, "the statement", e) && dml_write(d, buf_str(&sql), NULL, false, &d->data, e);
    buf_release(&sql);
    return ok;
}

static bool write_changes(struct dml *d, const bool *touched, struct err *e)
{
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    bool ok = add_old_rows(d, touched, "SEMI", ", 'delete' AS _change_type", "NOT __lake_new", &sql, e);
    buf_puts(&sql, " UNION ALL ");
    ok = ok && add_old_rows(d, touched, "SEMI", ", 'update_preimage'", "__lake_new AND __lake_file IS NOT NULL", &sql, e);
    buf_puts(&sql, " UNION ALL ");
    add_new_rows(d, ", 'update_postimage'", "__lake_new AND __lake_file IS NOT NULL", &sql);
    buf_puts(&sql, " UNION ALL ");
    add_new_rows(d, ", 'insert'", "__lake_new AND __lake_file IS NULL", &sql);
    ok = ok && buf_ok(&sql, "the statement", e) && dml_write(d, buf_str(&sql), NULL, true, &d->changes, e);
    buf_release(&sql);
    return ok;
}

static bool count_rows(struct dml *d, struct err *e)
{
    struct duck_rows *r = duck_query(d->f->conn,
                                     "SELECT count(*) FILTER (__lake_new AND __lake_file IS NULL), "
                                     "count(*) FILTER (__lake_new AND __lake_file IS NOT NULL), "
                                     "count(*) FILTER (NOT __lake_new) FROM __lake_hit",
                                     duck_no_params, d->f->cancel, e);
    bool ok = r && duck_next_row(r, d->f->cancel, e);
    if (ok) {
        d->inserted = duck_int(r, 0);
        d->updated = duck_int(r, 1);
        d->deleted = duck_int(r, 2);
    }
    duck_rows_free(r);
    return ok;
}

bool dml_apply(struct dml *d, bool **touched, struct err *e)
{
    bool any;
    if (!count_rows(d, e) || !find_touched(d, touched, &any, e))
        return false;
    if (d->inserted + d->updated + d->deleted == 0)
        return true;
    if (!write_data(d, *touched, any, e) || (any && d->feed && !write_changes(d, *touched, e)))
        return false;
    d->copied = d->data.rows - d->inserted - d->updated;
    return true;
}

struct lake_stream *dml_counts(struct front *f, const char *const *names, const int64_t *values, size_t n, struct err *e)
{
    struct front_column columns[8];
    json_t *row = json_array(), *rows = json_array();
    for (size_t i = 0; i < n; i++) {
        columns[i] = (struct front_column){names[i], "BIGINT"};
        json_array_append_new(row, json_integer(values[i]));
    }
    json_array_append_new(rows, row);
    struct lake_stream *s = front_rows(f, columns, n, rows, e);
    json_decref(rows);
    return s;
}
