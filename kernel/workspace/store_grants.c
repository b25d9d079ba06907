/* The store's grants and lineage (see store_lake.h). */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "workspace/sqlite.h"
#include "workspace/store_lake.h"
#include "workspace/store_private.h"

void grant_rows_release(struct grant_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->rows[i].full_name);
        free(rows->rows[i].principal);
    }
    free(rows->rows);
    *rows = (struct grant_rows){0};
}

static char *text(sqlite3_stmt *st, int column)
{
    const char *t = (const char *)sqlite3_column_text(st, column);
    return xstrdup(t ? t : "");
}

static bool each(sqlite3 *db, const char *sql, const struct grant_row *rows, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (!sql_exec(db, e, NULL, sql, "isss", (int64_t)rows[i].kind, rows[i].full_name, rows[i].principal,
                      rows[i].privilege))
            return false;
    }
    return true;
}

bool store_change_grants(struct store *s, const struct grant_row *add, size_t n_add, const struct grant_row *remove,
                         size_t n_remove, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool begun = sql_run(s->db, "BEGIN IMMEDIATE", e);
    bool ok = begun &&
              each(s->db, "INSERT OR IGNORE INTO securable_grant (kind, full_name, principal, privilege)"
                          " VALUES (?, ?, ?, ?)", add, n_add, e) &&
              each(s->db, "DELETE FROM securable_grant WHERE kind = ? AND full_name = ? AND principal = ?"
                          " AND privilege = ?", remove, n_remove, e) &&
              sql_run(s->db, "COMMIT", e);
    if (begun && !ok)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_grants(struct store *s, enum securable_kind kind, const char *full_name, const char *principal,
                  struct grant_rows *out, struct err *e)
{
    *out = (struct grant_rows){0};
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e,
                                "SELECT kind, full_name, principal, privilege FROM securable_grant"
                                " WHERE kind = ?1 AND full_name = ?2 AND (?3 IS NULL OR principal = ?3)"
                                " ORDER BY principal, privilege",
                                "iss", (int64_t)kind, full_name, principal);
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        out->rows = xreallocarray(out->rows, out->count + 1, sizeof *out->rows);
        struct grant_row *r = &out->rows[out->count++];
        *r = (struct grant_row){.kind = (enum securable_kind)sqlite3_column_int(st, 0), .full_name = text(st, 1),
                                .principal = text(st, 2)};
        sql_text(st, 3, r->privilege, sizeof r->privilege);
    }
    bool ok = rc == SQLITE_DONE || sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    if (!ok)
        grant_rows_release(out);
    return ok;
}

/* ---- lineage ---- */

void lineage_rows_release(struct lineage_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->rows[i].source);
        free(rows->rows[i].target);
        free(rows->rows[i].by);
    }
    free(rows->rows);
    *rows = (struct lineage_rows){0};
}

bool store_put_lineage(struct store *s, const struct lineage_row *row, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL, "INSERT OR REPLACE INTO lineage (source, target, done_by, at_ms)"
                                       " VALUES (?, ?, ?, ?)",
                       "sssi", row->source, row->target, row->by, row->at_ms);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_forget_lineage(struct store *s, const char *table, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL, "DELETE FROM lineage WHERE source = ?1 OR target = ?1", "s", table);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_lineage(struct store *s, const char *table, bool upstream, struct lineage_rows *out, struct err *e)
{
    *out = (struct lineage_rows){0};
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st =
        sql_bind(s->db, e,
                 upstream ? "SELECT source, target, done_by, at_ms FROM lineage WHERE target = ? ORDER BY source"
                          : "SELECT source, target, done_by, at_ms FROM lineage WHERE source = ? ORDER BY target",
                 "s", table);
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        out->rows = xreallocarray(out->rows, out->count + 1, sizeof *out->rows);
        out->rows[out->count++] = (struct lineage_row){.source = text(st, 0), .target = text(st, 1), .by = text(st, 2),
                                                       .at_ms = sqlite3_column_int64(st, 3)};
    }
    bool ok = rc == SQLITE_DONE || sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    if (!ok)
        lineage_rows_release(out);
    return ok;
}
