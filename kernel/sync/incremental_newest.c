/*
 * The change feed into a target with a timeseries key, where the newest row of each key wins: a range of inserts is reduced to the
 * newest of each key and wins over older rows; after anything else the source is read again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/exec.h"
#include "sync/internal.h"

#define IS_UPSERT "_change_type IN ('insert', 'update_postimage')"

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

/* One row a key: the newest by its own clock, whichever commit brought it; there are inserts only. */
static bool reduce(struct sync_job *j, struct buf *sql, struct err *e)
{
    buf_puts(sql, "ANALYZE pg_temp.sync_changes; CREATE TEMP TABLE sync_final ON COMMIT DROP AS "
                  "SELECT DISTINCT ON (");
    target_list(sql, j, "", true);
    buf_puts(sql, ") ");
    target_list(sql, j, "", false);
    buf_puts(sql, " FROM pg_temp.sync_changes ORDER BY ");
    target_list(sql, j, "", true);
    buf_puts(sql, ", ");
    pg_quote_ident(sql, delta_schema_find(&j->source->schema, j->spec->timeseries_key)->name);
    buf_puts(sql, " DESC NULLS LAST, _commit_version DESC; ALTER TABLE pg_temp.sync_final ADD PRIMARY KEY (");
    target_list(sql, j, "", true);
    buf_puts(sql, "); ANALYZE pg_temp.sync_final");
    return target_run(j, sql, e);
}

static bool apply_upserts(struct sync_job *j, struct buf *sql, struct err *e)
{
    target_upsert(sql, j, "pg_temp.sync_final");
    const char *name = delta_schema_find(&j->source->schema, j->spec->timeseries_key)->name;
    buf_puts(sql, " AND (t."); /* an older row that comes late does not win */
    pg_quote_ident(sql, name);
    buf_puts(sql, " IS NULL OR excluded.");
    pg_quote_ident(sql, name);
    buf_puts(sql, " >= t.");
    pg_quote_ident(sql, name);
    buf_puts(sql, ")");
    return target_count(j, sql, &j->result.upserted, e);
}

/* Older rows of a key are only in the source: when the newest goes, they must be read again. */
static bool needs_source(struct sync_job *j, bool *out, struct err *e)
{
    char *answer = NULL;
    bool ok = pg_scalar(j->pg, "SELECT EXISTS (SELECT FROM pg_temp.sync_changes WHERE NOT (" IS_UPSERT "))", NULL, 0, &answer, j->cancel, e);
    *out = ok && strcmp(answer, "t") == 0;
    free(answer);
    return ok;
}

static bool count_rows(struct sync_job *j, struct err *e)
{
    char *sql = xasprintf("SELECT count(*) FROM %s", j->target), *count = NULL;
    bool ok = pg_scalar(j->pg, sql, NULL, 0, &count, j->cancel, e);
    if (ok)
        j->result.rows = strtoll(count, NULL, 10);
    free(sql);
    free(count);
    return ok;
}

bool incremental_newest(struct sync_job *j, struct buf *sql, struct buf *columns, struct err *e)
{
    bool again;
    if (!create_changes(j, sql, e) || !load_changes(j, "pg_temp.sync_changes", j->state.version + 1, j->source->version, e) ||
        !needs_source(j, &again, e))
        return false;
    if (again)
        return incremental_read_again(j, columns, e);
    return reduce(j, sql, e) && incremental_add_columns(j, columns, e) && apply_upserts(j, sql, e) && count_rows(j, e) && state_write(j, e);
}
