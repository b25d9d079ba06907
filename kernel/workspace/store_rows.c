/* The store's instances and catalogs (see store.h). */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "workspace/sqlite.h"
#include "workspace/store.h"
#include "workspace/store_private.h"

#define INSTANCE                                                                                                     \
    "SELECT uid, name, creator, creation_time, capacity, retention_days, usage_policy_id, custom_tags, state,"       \
    " stopped, created, address, port, failure FROM instance "
#define CATALOG                                                                                                      \
    "SELECT c.name, c.uid, c.instance_uid, i.name, c.database, c.owner, c.created_ms"                                \
    " FROM catalog c JOIN instance i ON i.uid = c.instance_uid "

const char *inst_state_name(enum inst_state state)
{
    static const char *const names[] = {
        [INST_STARTING] = "STARTING", [INST_AVAILABLE] = "AVAILABLE", [INST_STOPPED] = "STOPPED",
        [INST_UPDATING] = "UPDATING", [INST_DELETING] = "DELETING",
    };
    return names[state];
}

static void read_instance(sqlite3_stmt *st, struct instance_row *r)
{
    memset(r, 0, sizeof *r);
    sql_text(st, 0, r->uid, sizeof r->uid);
    sql_text(st, 1, r->name, sizeof r->name);
    sql_text(st, 2, r->creator, sizeof r->creator);
    sql_text(st, 3, r->creation_time, sizeof r->creation_time);
    sql_text(st, 4, r->capacity, sizeof r->capacity);
    r->retention_days = sqlite3_column_int(st, 5);
    sql_text(st, 6, r->usage_policy_id, sizeof r->usage_policy_id);
    sql_text(st, 7, r->custom_tags, sizeof r->custom_tags);
    r->state = (enum inst_state)sqlite3_column_int(st, 8);
    r->stopped = sqlite3_column_int(st, 9) != 0;
    r->created = sqlite3_column_int(st, 10) != 0;
    sql_text(st, 11, r->address, sizeof r->address);
    r->port = sqlite3_column_int(st, 12);
    sql_text(st, 13, r->failure, sizeof r->failure);
}

/* The fourteen columns in their order, for INSERT and for the UPDATE that numbers them. */
static bool write_instance(sqlite3 *db, const struct instance_row *r, int *code, const char *sql, struct err *e)
{
    return sql_exec(db, e, code, sql, "sssssissiiisis", r->uid, r->name, r->creator, r->creation_time, r->capacity,
                    (int64_t)r->retention_days, r->usage_policy_id, r->custom_tags, (int64_t)r->state,
                    (int64_t)r->stopped, (int64_t)r->created, r->address, (int64_t)r->port, r->failure);
}

static bool count_instances(sqlite3 *db, int64_t *n, struct err *e)
{
    sqlite3_stmt *st = sql_bind(db, e, "SELECT count(*) FROM instance", "");
    bool ok = st && sqlite3_step(st) == SQLITE_ROW;
    *n = ok ? sqlite3_column_int64(st, 0) : 0;
    if (!ok)
        sql_fail(db, e, "read");
    sqlite3_finalize(st);
    return ok;
}

/* End the transaction: commit when ok, else roll back. */
static bool finish(sqlite3 *db, bool ok, struct err *e)
{
    if (ok && sql_run(db, "COMMIT", e))
        return true;
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

static bool add_instance(sqlite3 *db, const struct instance_row *row, int max_count, struct err *e)
{
    int code = 0;
    int64_t n = 0;
    struct err why = {0};
    if (!count_instances(db, &n, e))
        return false;
    if (write_instance(db, row, &code, "INSERT INTO instance VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", &why))
        return n < max_count || err_set(e, ERR_QUOTA, "The workspace has %d database instances, which is the maximum",
                                        max_count);
    if (code == SQLITE_CONSTRAINT_UNIQUE)
        return err_set(e, ERR_ALREADY_EXISTS, "Instance name is not unique");
    *e = why;
    return false;
}

bool store_add_instance(struct store *s, const struct instance_row *row, int max_count, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_run(s->db, "BEGIN IMMEDIATE", e) && finish(s->db, add_instance(s->db, row, max_count, e), e);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static bool find_instance(struct store *s, const char *sql, const char *key, struct instance_row *out, struct err *e)
{
    sqlite3_stmt *st = sql_bind(s->db, e, sql, "s", key);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        read_instance(st, out);
    else if (rc == SQLITE_DONE)
        err_set(e, ERR_NOT_FOUND, "Database instance is not found.");
    else
        sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    return rc == SQLITE_ROW;
}

bool store_instance(struct store *s, const char *name, struct instance_row *out, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = find_instance(s, INSTANCE "WHERE name = ?", name, out, e);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_instance_by_uid(struct store *s, const char *uid, struct instance_row *out, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = find_instance(s, INSTANCE "WHERE uid = ?", uid, out, e);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_instances(struct store *s, const char *after, size_t limit, struct instance_rows *out, struct err *e)
{
    *out = (struct instance_rows){0};
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e, INSTANCE "WHERE name > ? ORDER BY name LIMIT ?", "si", after ? after : "",
                                limit ? (int64_t)limit : (int64_t)-1);
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        out->rows = xreallocarray(out->rows, out->count + 1, sizeof *out->rows);
        read_instance(st, &out->rows[out->count++]);
    }
    bool ok = rc == SQLITE_DONE || sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    if (!ok)
        instance_rows_release(out);
    return ok;
}

bool instance_rows_have(const struct instance_rows *rows, const char *uid)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (strcmp(rows->rows[i].uid, uid) == 0)
            return true;
    }
    return false;
}

void instance_rows_release(struct instance_rows *rows)
{
    free(rows->rows);
    *rows = (struct instance_rows){0};
}

bool store_change_instance(struct store *s, const char *uid, instance_change_fn *change, void *self,
                           struct instance_row *out, struct err *e)
{
    struct instance_row row;
    pthread_mutex_lock(&s->lock);
    bool ok = sql_run(s->db, "BEGIN IMMEDIATE", e);
    if (ok) {
        ok = find_instance(s, INSTANCE "WHERE uid = ?", uid, &row, e) && change(self, &row, e) &&
             write_instance(s->db, &row, NULL,
                            "UPDATE instance SET name = ?2, creator = ?3, creation_time = ?4, capacity = ?5,"
                            " retention_days = ?6, usage_policy_id = ?7, custom_tags = ?8, state = ?9, stopped = ?10,"
                            " created = ?11, address = ?12, port = ?13, failure = ?14 WHERE uid = ?1",
                            e);
        ok = finish(s->db, ok, e);
    }
    pthread_mutex_unlock(&s->lock);
    if (ok && out)
        *out = row;
    return ok;
}

bool store_doom_instance(struct store *s, const char *uid, bool *doomed, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL,
                       "UPDATE instance SET state = ?2, failure = '' WHERE uid = ?1"
                       " AND NOT EXISTS (SELECT 1 FROM catalog WHERE instance_uid = ?1)"
                       " AND NOT EXISTS (SELECT 1 FROM synced_table WHERE instance_uid = ?1)",
                       "si", uid, (int64_t)INST_DELETING);
    *doomed = ok && sqlite3_changes(s->db) == 1;
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_remove_instance(struct store *s, const char *uid, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL, "DELETE FROM instance WHERE uid = ?", "s", uid);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* ---- catalogs ---- */

static void read_catalog(sqlite3_stmt *st, struct catalog_row *r)
{
    memset(r, 0, sizeof *r);
    sql_text(st, 0, r->name, sizeof r->name);
    sql_text(st, 1, r->uid, sizeof r->uid);
    sql_text(st, 2, r->instance_uid, sizeof r->instance_uid);
    sql_text(st, 3, r->instance_name, sizeof r->instance_name);
    sql_text(st, 4, r->database, sizeof r->database);
    sql_text(st, 5, r->owner, sizeof r->owner);
    r->created_ms = sqlite3_column_int64(st, 6);
}

static bool catalog_exists(sqlite3 *db, const char *name)
{
    struct err none = {0};
    sqlite3_stmt *st = sql_bind(db, &none, "SELECT 1 FROM catalog WHERE name = ?", "s", name);
    bool found = st && sqlite3_step(st) == SQLITE_ROW;
    sqlite3_finalize(st);
    return found;
}

/* No row went in: the instance is gone, or is not what it was when the caller looked. */
static bool not_available(struct store *s, const char *uid, struct err *e)
{
    struct instance_row i;
    return find_instance(s, INSTANCE "WHERE uid = ?", uid, &i, e) &&
           err_set(e, ERR_INVALID_STATE, "Database instance '%s' is %s; it must be AVAILABLE to register a database", i.name,
                   inst_state_name(i.state));
}

bool store_add_catalog(struct store *s, const struct catalog_row *row, struct err *e)
{
    int code = 0;
    struct err why = {0};
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, &why, &code,
                       "INSERT INTO catalog SELECT ?, ?, ?3, ?, ?, ?"
                       " WHERE EXISTS (SELECT 1 FROM instance WHERE uid = ?3 AND state = ?7)",
                       "sssssii", row->name, row->uid, row->instance_uid, row->database, row->owner, row->created_ms,
                       (int64_t)INST_AVAILABLE);
    if (ok && sqlite3_changes(s->db) == 0)
        ok = not_available(s, row->instance_uid, &why);
    /* Of several constraints that fail, SQLite names any. */
    bool taken = !ok && catalog_exists(s->db, row->name);
    pthread_mutex_unlock(&s->lock);
    if (ok)
        return true;
    if (taken)
        return err_set(e, ERR_CATALOG_EXISTS, "Catalog '%s' already exists", row->name);
    if (code == SQLITE_CONSTRAINT_UNIQUE)
        return err_set(e, ERR_ALREADY_EXISTS, "Database '%s' of instance '%s' is registered as a catalog already",
                       row->database, row->instance_name);
    *e = why;
    return false;
}

bool store_catalog(struct store *s, const char *name, struct catalog_row *out, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e, CATALOG "WHERE c.name = ?", "s", name);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        read_catalog(st, out);
    else if (rc == SQLITE_DONE)
        err_set(e, ERR_CATALOG_NOT_FOUND, "Catalog '%.200s' does not exist.", name);
    else
        sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    return rc == SQLITE_ROW;
}

bool store_catalogs(struct store *s, const char *instance_uid, const char *after, size_t limit,
                    struct catalog_rows *out, struct err *e)
{
    *out = (struct catalog_rows){0};
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e,
                                CATALOG "WHERE (?1 IS NULL OR c.instance_uid = ?1) AND c.name > ?2"
                                        " ORDER BY c.name LIMIT ?3",
                                "ssi", instance_uid, after ? after : "", limit ? (int64_t)limit : (int64_t)-1);
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        out->rows = xreallocarray(out->rows, out->count + 1, sizeof *out->rows);
        read_catalog(st, &out->rows[out->count++]);
    }
    bool ok = rc == SQLITE_DONE || sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    if (!ok)
        catalog_rows_release(out);
    return ok;
}

void catalog_rows_release(struct catalog_rows *rows)
{
    free(rows->rows);
    *rows = (struct catalog_rows){0};
}

bool store_remove_catalog(struct store *s, const char *name, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL, "DELETE FROM catalog WHERE name = ?", "s", name);
    if (ok && sqlite3_changes(s->db) == 0)
        ok = err_set(e, ERR_CATALOG_NOT_FOUND, "Catalog '%.200s' does not exist.", name);
    pthread_mutex_unlock(&s->lock);
    return ok;
}
