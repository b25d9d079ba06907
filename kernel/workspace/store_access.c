/* The store's permissions on instances (see store_access.h). */
#include "workspace/store_access.h"

#include "workspace/sqlite.h"
#include "workspace/store_private.h"

/* Under the lock. *count may come out above ACCESS_ROWS_MAX; only so many are written to rows (may be NULL). */
static bool read_rows(sqlite3 *db, const char *uid, struct access_row *rows, size_t *count, struct err *e)
{
    sqlite3_stmt *st = sql_bind(db, e, "SELECT principal, level FROM instance_access WHERE instance_uid = ?"
                                       " ORDER BY principal", "s", uid);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    for (*count = 0; rc == SQLITE_ROW; rc = sqlite3_step(st), ++*count) {
        if (!rows || *count >= ACCESS_ROWS_MAX)
            continue;
        sql_text(st, 0, rows[*count].principal, sizeof rows[*count].principal);
        rows[*count].level = (enum access_level)sqlite3_column_int(st, 1);
    }
    bool ok = rc == SQLITE_DONE || sql_fail(db, e, "read");
    sqlite3_finalize(st);
    return ok;
}

bool store_instance_access(struct store *s, const char *uid, struct access_row *rows, size_t *count, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = read_rows(s->db, uid, rows, count, e);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static bool write_rows(sqlite3 *db, const char *uid, const struct access_row *rows, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (!sql_exec(db, e, NULL, "INSERT OR REPLACE INTO instance_access VALUES (?, ?, ?)", "ssi", uid,
                      rows[i].principal, (int64_t)rows[i].level))
            return false;
    }
    return true;
}

bool store_set_instance_access(struct store *s, const char *uid, bool all, const struct access_row *rows, size_t n,
                               struct err *e)
{
    size_t count = 0;
    pthread_mutex_lock(&s->lock);
    bool begun = sql_run(s->db, "BEGIN IMMEDIATE", e);
    bool ok = begun && (!all || sql_exec(s->db, e, NULL, "DELETE FROM instance_access WHERE instance_uid = ?", "s", uid)) &&
              write_rows(s->db, uid, rows, n, e) && read_rows(s->db, uid, NULL, &count, e);
    if (ok && count > ACCESS_ROWS_MAX)
        ok = err_set(e, ERR_QUOTA, "an instance has permissions for at most %d principals", ACCESS_ROWS_MAX);
    ok = ok && sql_run(s->db, "COMMIT", e);
    if (begun && !ok)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&s->lock);
    return ok;
}
