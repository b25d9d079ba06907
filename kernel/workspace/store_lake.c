/* The store's Unity Catalog objects (see store_lake.h); grants and lineage: store_grants.c. */
#include "workspace/store_lake.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "workspace/sqlite.h"
#include "workspace/store_private.h"

#define COLUMNS                                                                                                      \
    "kind, full_name, parent, name, id, comment, owner, location, columns, properties, created_ms, created_by,"      \
    " updated_ms, updated_by"
#define SELECT "SELECT " COLUMNS " FROM securable "

void securable_row_release(struct securable_row *r)
{
    char *const texts[] = {r->full_name, r->parent, r->name,       r->id,         r->comment,   r->owner,
                           r->location,  r->columns, r->properties, r->created_by, r->updated_by};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    *r = (struct securable_row){0};
}

void securable_rows_release(struct securable_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        securable_row_release(&rows->rows[i]);
    free(rows->rows);
    *rows = (struct securable_rows){0};
}

static char *text(sqlite3_stmt *st, int column)
{
    const char *t = (const char *)sqlite3_column_text(st, column);
    return xstrdup(t ? t : "");
}

static void read_row(sqlite3_stmt *st, struct securable_row *r)
{
    *r = (struct securable_row){.kind = (enum securable_kind)sqlite3_column_int(st, 0), .full_name = text(st, 1),
                                .parent = text(st, 2), .name = text(st, 3), .id = text(st, 4), .comment = text(st, 5),
                                .owner = text(st, 6), .location = text(st, 7), .columns = text(st, 8),
                                .properties = text(st, 9), .created_ms = sqlite3_column_int64(st, 10),
                                .created_by = text(st, 11), .updated_ms = sqlite3_column_int64(st, 12),
                                .updated_by = text(st, 13)};
}

/* Read all rows of a statement and end it. */
static bool read_rows(sqlite3 *db, sqlite3_stmt *st, struct securable_rows *out, struct err *e)
{
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        out->rows = xreallocarray(out->rows, out->count + 1, sizeof *out->rows);
        read_row(st, &out->rows[out->count++]);
    }
    bool ok = rc == SQLITE_DONE || sql_fail(db, e, "read");
    sqlite3_finalize(st);
    if (!ok)
        securable_rows_release(out);
    return ok;
}

static bool missing(struct err *e, const char *full_name)
{
    return err_set(e, ERR_NOT_FOUND, "'%.300s' does not exist", full_name);
}

static bool exists(sqlite3 *db, const char *sql, int64_t kind, const char *name, bool *found, struct err *e)
{
    sqlite3_stmt *st = sql_bind(db, e, sql, "is", kind, name);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    *found = rc == SQLITE_ROW;
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE || sql_fail(db, e, "read");
    sqlite3_finalize(st);
    return ok;
}

static bool finish(sqlite3 *db, bool ok, struct err *e)
{
    if (ok && sql_run(db, "COMMIT", e))
        return true;
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

/* ---- one row ---- */

static const char *or_empty(const char *t) { return t ? t : ""; }

static bool add(sqlite3 *db, const struct securable_row *r, struct err *e)
{
    int code = 0;
    bool there = r->kind == SECURABLE_CATALOG;
    struct err why = {0};
    if (!there && !exists(db, "SELECT 1 FROM securable WHERE kind = ? AND full_name = ?", (int64_t)securable_above(r->kind), r->parent,
                          &there, e))
        return false;
    if (!there)
        return missing(e, r->parent);
    if (sql_exec(db, &why, &code, "INSERT INTO securable (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                 "isssssssssisis", (int64_t)r->kind, r->full_name, r->parent, r->name, r->id, or_empty(r->comment),
                 r->owner, or_empty(r->location), or_empty(r->columns), or_empty(r->properties), r->created_ms,
                 r->created_by, r->updated_ms, r->updated_by))
        return true;
    if (code == SQLITE_CONSTRAINT_PRIMARYKEY)
        return err_set(e, ERR_ALREADY_EXISTS, "'%.300s' already exists", r->full_name);
    *e = why;
    return false;
}

bool store_add_securable(struct store *s, const struct securable_row *row, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_run(s->db, "BEGIN IMMEDIATE", e) && finish(s->db, add(s->db, row, e), e);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_securable(struct store *s, enum securable_kind kind, const char *full_name, struct securable_row *out,
                     struct err *e)
{
    struct securable_rows found = {0};
    pthread_mutex_lock(&s->lock);
    bool ok = read_rows(s->db, sql_bind(s->db, e, SELECT "WHERE kind = ? AND full_name = ?", "is", (int64_t)kind,
                                        full_name), &found, e);
    pthread_mutex_unlock(&s->lock);
    if (!ok)
        return false;
    if (found.count == 0)
        return missing(e, full_name);
    *out = found.rows[0];
    free(found.rows);
    return true;
}

bool store_securables(struct store *s, enum securable_kind kind, const char *parent, const char *after, size_t limit,
                      struct securable_rows *out, struct err *e)
{
    *out = (struct securable_rows){0};
    pthread_mutex_lock(&s->lock);
    bool ok = read_rows(s->db, sql_bind(s->db, e,
                                        SELECT "WHERE kind = ? AND parent = ? AND name > ? ORDER BY name LIMIT ?",
                                        "issi", (int64_t)kind, parent, after ? after : "",
                                        limit ? (int64_t)limit : (int64_t)-1), out, e);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_all(struct store *s, enum securable_kind kind, struct securable_rows *out, struct err *e)
{
    *out = (struct securable_rows){0};
    pthread_mutex_lock(&s->lock);
    bool ok = read_rows(s->db, sql_bind(s->db, e, SELECT "WHERE kind = ?", "i", (int64_t)kind), out, e);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_update_securable(struct store *s, const struct securable_row *r, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL,
                       "UPDATE securable SET comment = ?, owner = ?, columns = ?, properties = ?, updated_ms = ?,"
                       " updated_by = ? WHERE kind = ? AND full_name = ?",
                       "ssssisis", or_empty(r->comment), r->owner, or_empty(r->columns), or_empty(r->properties),
                       r->updated_ms, r->updated_by, (int64_t)r->kind, r->full_name);
    if (ok && sqlite3_changes(s->db) == 0)
        ok = missing(e, r->full_name);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* ---- removal ---- */

/* "It or below it", for a column: names have no dots, so the prefix with a dot is exact. */
#define WITHIN(column) "(" column " = ?1 OR substr(" column ", 1, length(?1) + 1) = ?1 || '.')"

/* A table or a volume; the other one of that name stays. Lineage is of tables. */
static bool remove_leaf(sqlite3 *db, enum securable_kind kind, const char *name, struct securable_rows *gone, struct err *e)
{
    return (!gone || read_rows(db, sql_bind(db, e, SELECT "WHERE kind = ? AND full_name = ?", "is", (int64_t)kind, name), gone, e)) &&
           sql_exec(db, e, NULL, "DELETE FROM securable WHERE kind = ? AND full_name = ?", "is", (int64_t)kind, name) &&
           sql_exec(db, e, NULL, "DELETE FROM securable_grant WHERE kind = ? AND full_name = ?", "is", (int64_t)kind, name) &&
           (kind == SECURABLE_VOLUME || sql_exec(db, e, NULL, "DELETE FROM lineage WHERE source = ?1 OR target = ?1", "s", name));
}

static bool remove_all(sqlite3 *db, enum securable_kind kind, const char *name, bool cascade,
                       struct securable_rows *tables, struct err *e)
{
    bool there = false, below = false;
    if (!exists(db, "SELECT 1 FROM securable WHERE kind = ? AND full_name = ?", (int64_t)kind, name, &there, e) ||
        !exists(db, "SELECT 1 FROM securable WHERE kind > ? AND parent = ?", (int64_t)kind, name, &below, e))
        return false;
    if (!there)
        return missing(e, name);
    if (below && !cascade)
        return err_set(e, ERR_INVALID_STATE, "'%.300s' is not empty", name);
    if (kind >= SECURABLE_TABLE)
        return remove_leaf(db, kind, name, tables, e);
    if (tables && !read_rows(db, sql_bind(db, e, SELECT "WHERE kind >= ?2 AND " WITHIN("full_name"), "si", name,
                                          (int64_t)SECURABLE_TABLE), tables, e))
        return false;
    return sql_exec(db, e, NULL, "DELETE FROM securable WHERE " WITHIN("full_name"), "s", name) &&
           sql_exec(db, e, NULL, "DELETE FROM securable_grant WHERE " WITHIN("full_name"), "s", name) &&
           sql_exec(db, e, NULL, "DELETE FROM lineage WHERE " WITHIN("source") " OR " WITHIN("target"), "s", name);
}

bool store_remove_securable(struct store *s, enum securable_kind kind, const char *full_name, bool cascade,
                            struct securable_rows *tables, struct err *e)
{
    struct securable_rows gone = {0};
    pthread_mutex_lock(&s->lock);
    bool ok = sql_run(s->db, "BEGIN IMMEDIATE", e) &&
              finish(s->db, remove_all(s->db, kind, full_name, cascade, tables ? &gone : NULL, e), e);
    pthread_mutex_unlock(&s->lock);
    if (!ok)
        securable_rows_release(&gone);
    if (tables)
        *tables = gone;
    return ok;
}

bool store_forget_grants(struct store *s, const char *catalog, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL, "DELETE FROM securable_grant WHERE " WITHIN("full_name"), "s", catalog);
    pthread_mutex_unlock(&s->lock);
    return ok;
}
