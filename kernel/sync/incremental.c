/*
 * The change feed since the last version into the target. The batch is checked and reduced to the last effect per key
 * inside PostgreSQL, in a temporary table; then deletes come before upserts.
 *
 * Within a version pre-images and deletes take their key away first, then post-images and inserts bring theirs, so an
 * update of a key deletes the old one. For each key: rows there before + rows that came - rows that went must be 1 when the key ends with a
 * row, else 0. Anything else means that the source has or had several rows for a key; then the feed alone does not say what is
 * left, and the source itself is read: it is refused if it still has them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "pg/exec.h"
#include "sync/internal.h"

#define IS_UPSERT "_change_type IN ('insert', 'update_postimage')"

static const char *old_type(const json_t *then, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(then, i, one) {
        const char *had = json_string_value(json_array_get(one, 0));
        if (had && strcmp(had, name) == 0)
            return json_string_value(json_array_get(one, 1));
    }
    return NULL;
}

static bool changed_column(struct sync_job *j, const char *what, const char *name, struct err *e)
{
    user_error(e, "COLUMN_TYPE_CHANGE_NOT_SUPPORTED", "column %s of %s was %s since version %lld", name,
               j->spec->source_name, what, (long long)j->state.version);
    err_hint(e, "run the sync with a full refresh, or delete the synced table and create it again");
    return false;
}

/* New columns are added; every other change of the shape stops. */
static bool evolve(struct sync_job *j, struct err *e)
{
    json_t *then = json_loads(j->state.columns, 0, NULL);
    size_t kept = 0;
    bool ok = true;
    struct buf sql;
    buf_init(&sql, SYNC_SQL_MAX);
    for (size_t i = 0; i < j->n_columns && ok; i++) {
        const struct sync_column *c = &j->columns[i];
        const char *had = old_type(then, c->name);
        if (had && strcmp(had, c->type) != 0)
            ok = changed_column(j, "retyped", c->name, e);
        kept += had != NULL;
        if (had || !ok)
            continue;
        buf_printf(&sql, "ALTER TABLE %s ADD COLUMN ", j->target);
        pg_quote_ident(&sql, c->name);
        buf_printf(&sql, " %s; ", c->type);
    }
    if (ok && kept < json_array_size(then))
        ok = changed_column(j, "dropped or renamed", "(one or more)", e);
    if (ok && sql.len)
        ok = target_run(j, &sql, e);
    if (ok) {
        free(j->state.columns);
        j->state.columns = target_columns_json(j);
    }
    buf_release(&sql);
    json_decref(then);
    return ok;
}

static bool create_changes(struct sync_job *j, struct buf *sql, struct err *e)
{
    buf_puts(sql, "CREATE TEMP TABLE sync_changes (");
    for (size_t i = 0; i < j->n_columns; i++) {
        pg_quote_ident(sql, j->columns[i].name);
        buf_printf(sql, " %s, ", j->columns[i].type);
    }
    buf_puts(sql, "_change_type text NOT NULL, _commit_version bigint NOT NULL, _commit_timestamp timestamptz) "
                  "ON COMMIT DROP");
    return target_run(j, sql, e);
}

/* One row a key: what it ends as, and the balance of rows that came and went. */
static bool reduce(struct sync_job *j, struct buf *sql, struct err *e)
{
    buf_puts(sql, "ANALYZE pg_temp.sync_changes; CREATE TEMP TABLE sync_final ON COMMIT DROP AS "
                  "SELECT DISTINCT ON (");
    target_list(sql, j, "", true);
    buf_puts(sql, ") ");
    target_list(sql, j, "", false);
    buf_puts(sql, ", " IS_UPSERT " AS _upsert, sum(CASE WHEN " IS_UPSERT " THEN 1 ELSE -1 END) OVER (PARTITION BY ");
    target_list(sql, j, "", true);
    buf_puts(sql, ") AS _balance FROM pg_temp.sync_changes ORDER BY ");
    target_list(sql, j, "", true);
    buf_puts(sql, ", _commit_version DESC, " IS_UPSERT " DESC");
    if (j->spec->timeseries_key) {
        buf_puts(sql, ", ");
        pg_quote_ident(sql, delta_schema_find(&j->source->schema, j->spec->timeseries_key)->name);
        buf_puts(sql, " DESC NULLS LAST");
    }
    buf_puts(sql, "; ALTER TABLE pg_temp.sync_final ADD PRIMARY KEY (");
    target_list(sql, j, "", true);
    buf_puts(sql, "); ANALYZE pg_temp.sync_final");
    return target_run(j, sql, e);
}

/* The rule at the top of the file, for all keys at once. */
static bool check_balance(struct sync_job *j, struct buf *sql, bool *holds, struct err *e)
{
    char *answer = NULL;
    buf_printf(sql, "SELECT NOT EXISTS (SELECT FROM pg_temp.sync_final f LEFT JOIN %s t ON ", j->target);
    target_key_match(sql, j, "t", "f");
    buf_puts(sql, " WHERE (t.tableoid IS NOT NULL)::int + f._balance <> f._upsert::int)");
    bool ok = buf_ok(sql, "a statement of the sync", e) && pg_scalar(j->pg, buf_str(sql), NULL, 0, &answer, j->cancel, e);
    buf_clear(sql);
    *holds = ok && strcmp(answer, "t") == 0;
    free(answer);
    return ok;
}

static bool apply_deletes(struct sync_job *j, struct buf *sql, struct err *e)
{
    buf_printf(sql, "DELETE FROM %s t USING pg_temp.sync_final f WHERE NOT f._upsert AND ", j->target);
    target_key_match(sql, j, "t", "f");
    return target_count(j, sql, &j->result.deleted, e);
}

static bool apply_upserts(struct sync_job *j, struct buf *sql, struct err *e)
{
    buf_printf(sql, "INSERT INTO %s AS t (", j->target);
    target_list(sql, j, "", false);
    buf_puts(sql, ") SELECT ");
    target_list(sql, j, "", false);
    buf_puts(sql, " FROM pg_temp.sync_final WHERE _upsert ON CONFLICT (");
    target_list(sql, j, "", true);
    buf_puts(sql, ") DO UPDATE SET ");
    for (size_t i = 0; i < j->n_columns; i++) {
        buf_puts(sql, i ? ", " : "");
        pg_quote_ident(sql, j->columns[i].name);
        buf_puts(sql, " = excluded.");
        pg_quote_ident(sql, j->columns[i].name);
    }
    buf_puts(sql, " WHERE (");
    target_list(sql, j, "t.", false);
    buf_puts(sql, ") IS DISTINCT FROM (");
    target_list(sql, j, "excluded.", false);
    buf_puts(sql, ")");
    if (j->spec->timeseries_key) { /* an older row that comes late does not win */
        const char *name = delta_schema_find(&j->source->schema, j->spec->timeseries_key)->name;
        buf_puts(sql, " AND (t.");
        pg_quote_ident(sql, name);
        buf_puts(sql, " IS NULL OR excluded.");
        pg_quote_ident(sql, name);
        buf_puts(sql, " >= t.");
        pg_quote_ident(sql, name);
        buf_puts(sql, ")");
    }
    return target_count(j, sql, &j->result.upserted, e);
}

/* With a timeseries key older rows of a key are only in the source: when the newest goes, they must be read again. */
static bool needs_source(struct sync_job *j, bool *out, struct err *e)
{
    char *answer = NULL;
    *out = false;
    if (!j->spec->timeseries_key)
        return true;
    if (!pg_scalar(j->pg, "SELECT EXISTS (SELECT FROM pg_temp.sync_changes WHERE NOT (" IS_UPSERT "))", NULL, 0, &answer,
                   j->cancel, e))
        return false;
    *out = strcmp(answer, "t") == 0;
    free(answer);
    return true;
}

/* The balances say how many rows there are now without counting them; with a timeseries key they do not. */
static bool count_rows(struct sync_job *j, struct buf *sql, struct err *e)
{
    char *count = NULL;
    if (j->spec->timeseries_key)
        buf_printf(sql, "SELECT count(*) FROM %s", j->target);
    else
        buf_printf(sql, "SELECT %lld + coalesce(sum(_balance), 0) FROM pg_temp.sync_final", (long long)j->state.rows);
    bool ok = buf_ok(sql, "a statement of the sync", e) && pg_scalar(j->pg, buf_str(sql), NULL, 0, &count, j->cancel, e);
    buf_clear(sql);
    if (ok)
        j->result.rows = strtoll(count, NULL, 10);
    free(count);
    return ok;
}

static bool apply(struct sync_job *j, struct buf *sql, struct err *e)
{
    bool again;
    if (!evolve(j, e) || !create_changes(j, sql, e) ||
        !load_changes(j, "pg_temp.sync_changes", j->state.version + 1, j->source->version, e) || !needs_source(j, &again, e))
        return false;
    if (again)
        return snapshot_refresh(j, e);
    bool holds = true;
    if (!reduce(j, sql, e) || (!j->spec->timeseries_key && !check_balance(j, sql, &holds, e)))
        return false;
    if (!holds)
        return snapshot_refresh(j, e);
    if (!apply_deletes(j, sql, e) || !apply_upserts(j, sql, e))
        return false;
    return count_rows(j, sql, e) && state_write(j, e);
}

bool incremental_apply(struct sync_job *j, struct err *e)
{
    j->result.method = SYNC_INCREMENTAL;
    if (strcmp(j->state.source_id, j->source->id) != 0) {
        user_error(e, "SOURCE_READ_ERROR", "[DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE] %s is another table than the "
                   "one that was synced before", j->spec->source_name);
        err_hint(e, "run the sync with a full refresh");
        return false;
    }
    struct buf sql;
    buf_init(&sql, SYNC_SQL_MAX);
    bool ok = apply(j, &sql, e);
    buf_release(&sql);
    return ok;
}
