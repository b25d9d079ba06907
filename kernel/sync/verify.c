/*
 * Does the target equal the source at the version of the state row? The source is read again into a temporary table and
 * compared by PostgreSQL, value by value: no code of the sync decides.
 */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "pg/exec.h"
#include "sync/internal.h"

struct found {
    struct sync_difference *out;
    size_t most;
};

static bool take(void *self, const struct pg_value *v, size_t n)
{
    struct found *f = self;
    if (n != 2)
        bug("a difference has %zu columns", n);
    const char *kind = v[0].text;
    int64_t *count = strcmp(kind, "missing") == 0 ? &f->out->missing : strcmp(kind, "extra") == 0 ? &f->out->extra : &f->out->changed;
    if ((*count)++ < (int64_t)f->most) {
        json_t *key = json_loads(v[1].text, 0, NULL), *one = json_object();
        json_object_set_new(one, "kind", jx_str(kind));
        json_object_set_new(one, "key", key ? key : json_null());
        json_array_append_new(f->out->examples, one);
    }
    return true;
}

static bool count_of(struct sync_job *j, const char *table, int64_t *out, struct err *e)
{
    char *text = NULL;
    struct buf sql;
    buf_init(&sql, 4096);
    buf_printf(&sql, "SELECT count(*) FROM %s", table);
    bool ok = pg_scalar(j->pg, buf_str(&sql), NULL, 0, &text, j->cancel, e);
    if (ok)
        *out = strtoll(text, NULL, 10);
    free(text);
    buf_release(&sql);
    return ok;
}

static bool compare(struct sync_job *j, size_t most, struct sync_difference *out, struct err *e)
{
    struct buf sql;
    buf_init(&sql, SYNC_SQL_MAX);
    buf_puts(&sql, "SELECT CASE WHEN t.tableoid IS NULL THEN 'missing' WHEN n.tableoid IS NULL THEN 'extra' ELSE 'changed' END, "
                   "jsonb_build_object(");
    const char *comma = "";
    for (size_t i = 0; i < j->n_columns; i++) {
        if (!j->columns[i].key)
            continue;
        buf_puts(&sql, comma);
        pg_quote_literal(&sql, j->columns[i].name);
        buf_puts(&sql, ", coalesce(n.");
        pg_quote_ident(&sql, j->columns[i].name);
        buf_puts(&sql, ", t.");
        pg_quote_ident(&sql, j->columns[i].name);
        buf_puts(&sql, ")");
        comma = ", ";
    }
    buf_printf(&sql, ") FROM pg_temp.sync_rows n FULL JOIN %s t ON ", j->target);
    target_key_match(&sql, j, "n", "t");
    buf_puts(&sql, " WHERE t.tableoid IS NULL OR n.tableoid IS NULL OR (");
    target_list(&sql, j, "n.", false);
    buf_puts(&sql, ") IS DISTINCT FROM (");
    target_list(&sql, j, "t.", false);
    buf_puts(&sql, ")");
    struct found f = {out, most};
    struct pg_rows rows = {.self = &f, .row = take};
    bool ok = buf_ok(&sql, "the comparison", e) && pg_exec(j->pg, buf_str(&sql), NULL, 0, &rows, j->cancel, e);
    buf_release(&sql);
    return ok;
}

bool verify_job(struct sync_job *j, size_t most, struct sync_difference *out, struct err *e)
{
    *out = (struct sync_difference){.examples = json_array()};
    bool ok = job_begin(j, e) && pg_run(j->pg, "BEGIN", j->cancel, e) && target_create(j, "sync_rows", true, e) &&
              load_snapshot(j, "pg_temp.sync_rows", false, e) && target_key(j, "pg_temp.sync_rows", NULL, e) &&
              count_of(j, "pg_temp.sync_rows", &out->source_rows, e) && count_of(j, j->target, &out->target_rows, e) &&
              compare(j, most, out, e);
    struct err ignored;
    err_init(&ignored);
    if (j->pg && pg_alive(j->pg))
        pg_run(j->pg, "ROLLBACK", NULL, &ignored);
    if (j->source)
        out->version = j->source->version;
    if (!ok) {
        json_decref(out->examples);
        out->examples = NULL;
    }
    return ok || explain(j, e);
}
