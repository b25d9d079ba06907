/*
 * The whole source at one version into the target: a first load, a swap of heaps, or only the differences. Readers see
 * the old rows or the new ones, never an empty or a mixed table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/exec.h"
#include "sync/internal.h"
#include "sync/sql.h"

enum { LOCK_TRIES = 20, LOCK_WAIT_MS = 100 };

/* What was sent is there, unless older rows of a key were taken out again. */
static bool set_rows(struct sync_job *j, const char *table, struct err *e)
{
    if (!j->spec->timeseries_key) {
        j->result.rows = j->sent;
        return true;
    }
    char *sql = xasprintf("SELECT count(*) FROM %s", table), *count = NULL;
    bool ok = pg_scalar(j->pg, sql, NULL, 0, &count, j->cancel, e);
    if (ok)
        j->result.rows = strtoll(count, NULL, 10);
    free(sql);
    free(count);
    return ok;
}

bool snapshot_load(struct sync_job *j, struct err *e)
{
    j->result.method = SYNC_LOAD;
    if (!target_create(j, j->target, false, e) || !load_snapshot(j, j->target, true, e) ||
        !target_key(j, j->target, NULL, e) || !target_protect(j, j->target, e) || !set_rows(j, j->target, e))
        return false;
    j->result.upserted = j->result.rows;
    return state_write(j, e);
}

bool snapshot_dependants(struct sync_job *j, bool *out, struct err *e)
{
    const char *params[] = {j->target};
    char *answer = NULL;
    if (!pg_scalar(j->pg, sql_dependants, params, 1, &answer, j->cancel, e))
        return false;
    *out = strcmp(answer, "t") == 0;
    free(answer);
    return true;
}

/* ---- differences ---- */

static bool delete_gone(struct sync_job *j, struct buf *sql, const char *table, struct err *e)
{
    buf_printf(sql, "DELETE FROM %s t WHERE NOT EXISTS (SELECT FROM %s n WHERE ", j->target, table);
    target_key_match(sql, j, "n", "t");
    buf_puts(sql, ")");
    return target_count(j, sql, &j->result.deleted, e);
}

static bool upsert_changed(struct sync_job *j, struct buf *sql, const char *table, struct err *e)
{
    target_upsert(sql, j, table);
    return target_count(j, sql, &j->result.upserted, e);
}

static bool apply_differences(struct sync_job *j, struct err *e)
{
    static const char fresh[] = "pg_temp.sync_rows";
    struct buf sql;
    buf_init(&sql, SYNC_SQL_MAX);
    j->result.method = SYNC_DIFF;
    bool ok = target_create(j, "sync_rows", true, e) && load_snapshot(j, fresh, false, e) &&
              target_key(j, fresh, NULL, e) && delete_gone(j, &sql, fresh, e) && upsert_changed(j, &sql, fresh, e) &&
              set_rows(j, j->target, e) && state_write(j, e);
    buf_release(&sql);
    return ok;
}

/* ---- swap ---- */

bool snapshot_lock(struct sync_job *j, struct err *e)
{
    char *lock = xasprintf("SAVEPOINT before_swap; SET LOCAL lock_timeout = '2s'; "
                           "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE; SET LOCAL lock_timeout = 0", j->target);
    bool ok = false;
    for (int i = 0; i < LOCK_TRIES && !ok; i++) {
        err_init(e);
        ok = pg_run(j->pg, lock, j->cancel, e);
        if (ok || strcmp(e->sqlstate, "55P03") != 0)
            break;
        struct err ignored;
        err_init(&ignored);
        if (!pg_run(j->pg, "ROLLBACK TO before_swap", NULL, &ignored) ||
            !cancel_poll(j->cancel, -1, 0, LOCK_WAIT_MS * (1 + i % 5), e))
            break;
    }
    free(lock);
    return ok;
}

static bool carry(struct sync_job *j, struct buf *sql, const char *what, const char *heap, struct err *e)
{
    buf_printf(sql, "SELECT databricks_sync.carry_%s(", what);
    pg_quote_literal(sql, j->target);
    buf_puts(sql, "::regclass, ");
    pg_quote_literal(sql, heap);
    buf_puts(sql, "::regclass)");
    return target_run(j, sql, e);
}

/* The constraint keeps its name, which no other relation of the schema has. */
static bool key_name(struct sync_job *j, char **out, struct err *e)
{
    const char *params[] = {j->target};
    return pg_scalar(j->pg, "SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'p'", params, 1, out,
                     j->cancel, e);
}

/* What takes long comes before the lock; rights, which somebody may be changing, behind it, and indexes that came while it was waited for. */
static bool exchange(struct sync_job *j, const char *heap, const char *name, const char *key, struct err *e)
{
    struct buf sql;
    char *old_key = NULL;
    buf_init(&sql, SYNC_SQL_MAX);
    bool ok = carry(j, &sql, "over", heap, e) && snapshot_lock(j, e) && carry(j, &sql, "over", heap, e) &&
              carry(j, &sql, "grants", heap, e) && key_name(j, &old_key, e);
    buf_printf(&sql, "DROP TABLE %s; ALTER TABLE %s SET SCHEMA ", j->target, heap);
    pg_quote_ident(&sql, j->spec->schema);
    buf_puts(&sql, "; ALTER TABLE ");
    pg_quote_ident(&sql, j->spec->schema);
    buf_putc(&sql, '.');
    pg_quote_ident(&sql, name);
    buf_puts(&sql, " RENAME TO ");
    pg_quote_ident(&sql, j->spec->table);
    buf_puts(&sql, "; ALTER INDEX ");
    pg_quote_ident(&sql, j->spec->schema);
    buf_putc(&sql, '.');
    pg_quote_ident(&sql, key);
    buf_puts(&sql, " RENAME TO ");
    pg_quote_ident(&sql, old_key ? old_key : "");
    ok = ok && target_run(j, &sql, e);
    free(old_key);
    buf_release(&sql);
    return ok;
}

/* The new heap is built in the state schema, where nobody looks. Everything is one transaction, so that a crash leaves nothing. */
static bool swap(struct sync_job *j, struct err *e)
{
    char *name = xasprintf("load_%s", j->spec->id);
    char *heap = xasprintf("databricks_sync.\"%s\"", name);
    char *key = xasprintf("load_%s_key", j->spec->id);
    j->result.method = SYNC_SWAP;
    j->result.deleted = j->state.rows;
    bool ok = target_create(j, heap, false, e) && load_snapshot(j, heap, true, e) && target_key(j, heap, key, e) &&
              target_protect(j, heap, e) && set_rows(j, heap, e) && exchange(j, heap, name, key, e) && state_write(j, e);
    j->result.upserted = j->result.rows;
    free(name);
    free(heap);
    free(key);
    return ok;
}

bool snapshot_refresh(struct sync_job *j, struct err *e)
{
    char *columns = target_columns_json(j);
    json_t *now = json_loads(columns, 0, NULL), *then = json_loads(j->state.columns, 0, NULL);
    bool same = json_equal(now, then), needed;
    json_decref(now);
    json_decref(then);
    free(columns);
    if (!snapshot_dependants(j, &needed, e))
        return false;
    if (!same && needed) {
        user_error(e, "DEPENDENT_OBJECTS_STILL_EXIST",
                   "the columns of %s changed, and other objects in PostgreSQL depend on %s.%s", j->spec->source_name,
                   j->spec->schema, j->spec->table);
        err_hint(e, "drop them (views, foreign keys), run the sync, and create them again");
        return false;
    }
    bool small = j->state.rows <= SYNC_SMALL_ROWS;
    return same && (needed || small) ? apply_differences(j, e) : swap(j, e);
}
