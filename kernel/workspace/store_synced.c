/* The store's synced tables and pipelines (see store_synced.h). */
#include "workspace/store_synced.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "workspace/sqlite.h"
#include "workspace/store_private.h"

#define SYNCED                                                                                                         \
    "SELECT id, name, instance_uid, database, schema, tab, spec, source, pipeline_id, creator, state, message,"        \
    " created_ms, version, commit_ms, start_ms, end_ms FROM synced_table "

static char *text(sqlite3_stmt *st, int column)
{
    const unsigned char *t = sqlite3_column_text(st, column);
    return xstrdup(t ? (const char *)t : "");
}

void synced_row_release(struct synced_row *r)
{
    char *owned[] = {r->id, r->name, r->instance_uid, r->database, r->schema, r->table, r->spec, r->source, r->pipeline_id,
                     r->creator, r->state, r->message};
    for (size_t i = 0; i < ARRAY_LEN(owned); i++)
        free(owned[i]);
    *r = (struct synced_row){0};
}

void synced_rows_release(struct synced_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        synced_row_release(&rows->rows[i]);
    free(rows->rows);
    *rows = (struct synced_rows){0};
}

static void read_synced(sqlite3_stmt *st, struct synced_row *r)
{
    *r = (struct synced_row){
        .id = text(st, 0), .name = text(st, 1), .instance_uid = text(st, 2), .database = text(st, 3), .schema = text(st, 4),
        .table = text(st, 5), .spec = text(st, 6), .source = text(st, 7), .pipeline_id = text(st, 8),
        .creator = text(st, 9), .state = text(st, 10), .message = text(st, 11),
        .created_ms = sqlite3_column_int64(st, 12), .version = sqlite3_column_int64(st, 13),
        .commit_ms = sqlite3_column_int64(st, 14), .start_ms = sqlite3_column_int64(st, 15),
        .end_ms = sqlite3_column_int64(st, 16)};
}

void pipeline_row_release(struct pipeline_row *r)
{
    free(r->id);
    free(r->name);
    free(r->catalog);
    free(r->schema);
    free(r->creator);
    *r = (struct pipeline_row){0};
}

void update_row_release(struct update_row *r)
{
    free(r->id);
    free(r->pipeline_id);
    free(r->state);
    free(r->cause);
    *r = (struct update_row){0};
}

void update_rows_release(struct update_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        update_row_release(&rows->rows[i]);
    free(rows->rows);
    *rows = (struct update_rows){0};
}

static bool begin(struct store *s, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    return sql_run(s->db, "BEGIN IMMEDIATE", e);
}

static bool end(struct store *s, bool ok, struct err *e)
{
    if (ok)
        ok = sql_run(s->db, "COMMIT", e);
    if (!ok)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static bool one_number(sqlite3 *db, const char *sql, const char *key, int64_t *out, struct err *e)
{
    sqlite3_stmt *st = sql_bind(db, e, sql, "s", key);
    bool ok = st && sqlite3_step(st) == SQLITE_ROW;
    *out = ok ? sqlite3_column_int64(st, 0) : 0;
    if (!ok)
        sql_fail(db, e, "read");
    sqlite3_finalize(st);
    return ok;
}

static bool insert_update(sqlite3 *db, const struct update_row *u, struct err *e)
{
    sqlite3_stmt *st = sql_bind(db, e, "SELECT id FROM pipeline_update WHERE pipeline_id = ? AND state NOT IN " UPDATE_OVER,
                                "s", u->pipeline_id);
    if (!st)
        return false;
    if (sqlite3_step(st) == SQLITE_ROW)
        err_set(e, ERR_CONFLICT, "An active update '%s' already exists for pipeline '%s'.",
                (const char *)sqlite3_column_text(st, 0), u->pipeline_id);
    sqlite3_finalize(st);
    return e->code == ERR_NONE &&
           sql_exec(db, e, NULL, "INSERT INTO pipeline_update VALUES (?, ?, ?, ?, ?, ?)", "ssssii", u->id, u->pipeline_id,
                    u->state, u->cause, (int64_t)u->full_refresh, u->created_ms);
}

static bool insert_synced(sqlite3 *db, const struct synced_row *r, struct err *e)
{
    int code = 0;
    struct err why = {0};
    /* What may still be there of a table before it has another owner now. */
    if (!sql_exec(db, e, NULL, "DELETE FROM synced_left WHERE instance_uid = ? AND database = ? AND schema = ? AND tab = ?", "ssss",
                  r->instance_uid, r->database, r->schema, r->table))
        return false;
    if (sql_exec(db, &why, &code, "INSERT INTO synced_table VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "ssssssssssssiiiii", r->id,
                 r->name, r->instance_uid, r->database, r->schema, r->table, r->spec, r->source, r->pipeline_id,
                 r->creator, r->state, r->message, r->created_ms, r->version, r->commit_ms, r->start_ms, r->end_ms))
        return true;
    if (code == SQLITE_CONSTRAINT_UNIQUE)
        return err_set(e, ERR_ALREADY_EXISTS, "Synced table '%s' already exists", r->name);
    *e = why;
    return false;
}

bool store_add_synced(struct store *s, const struct synced_row *row, const struct pipeline_row *p,
                      const struct update_row *update, int max_per_source, struct err *e)
{
    int64_t n = 0;
    bool ok = begin(s, e) && one_number(s->db, "SELECT count(*) FROM synced_table WHERE source = ?", row->source, &n, e);
    if (ok && n >= max_per_source)
        ok = err_set(e, ERR_QUOTA, "Table '%s' is the source of %d synced tables, which is the maximum", row->source,
                     max_per_source);
    if (ok && p)
        ok = sql_exec(s->db, e, NULL, "INSERT INTO pipeline VALUES (?, ?, ?, ?, ?, ?, ?)", "sssssii", p->id, p->name,
                      p->catalog, p->schema, p->creator, (int64_t)p->continuous, p->created_ms);
    ok = ok && insert_synced(s->db, row, e) && insert_update(s->db, update, e);
    return end(s, ok, e);
}

bool store_synced(struct store *s, const char *name, struct synced_row *out, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e, SYNCED "WHERE name = ?", "s", name);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        read_synced(st, out);
    else if (rc == SQLITE_DONE)
        err_set(e, ERR_NOT_FOUND, "Synced table '%s' does not exist.", name);
    else
        sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    return rc == SQLITE_ROW;
}

/* What the statement (NULL: it failed) finds, and the end of what its caller began: the statement and the lock are given back. */
static bool take_rows(struct store *s, sqlite3_stmt *st, void (*read)(sqlite3_stmt *, struct synced_row *), struct synced_rows *out, struct err *e)
{
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        out->rows = xreallocarray(out->rows, out->count + 1, sizeof *out->rows);
        read(st, &out->rows[out->count++]);
    }
    if (rc != SQLITE_DONE)
        sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    if (rc != SQLITE_DONE)
        synced_rows_release(out);
    return rc == SQLITE_DONE;
}

bool store_synced_list(struct store *s, const char *instance_uid, const char *pipeline_id, const char *after, size_t limit,
                       struct synced_rows *out, struct err *e)
{
    *out = (struct synced_rows){0};
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e, SYNCED "WHERE (?1 IS NULL OR instance_uid = ?1) AND (?2 IS NULL OR pipeline_id = ?2)"
                                                 " AND name > ?3 ORDER BY name LIMIT ?4", "sssi",
                                instance_uid, pipeline_id, after ? after : "", limit ? (int64_t)limit : (int64_t)-1);
    return take_rows(s, st, read_synced, out, e);
}

bool store_synced_progress(struct store *s, const struct synced_row *r, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL, "UPDATE synced_table SET state = ?, message = ?, version = ?, commit_ms = ?, "
                                       "start_ms = ?, end_ms = ? WHERE id = ?", "ssiiiis", r->state, r->message, r->version,
                       r->commit_ms, r->start_ms, r->end_ms, r->id);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_remove_synced(struct store *s, const char *id, bool left, struct err *e)
{
    bool ok = begin(s, e) &&
              (!left || sql_exec(s->db, e, NULL, "INSERT INTO synced_left SELECT id, instance_uid, database, schema, tab, creator "
                                                 "FROM synced_table WHERE id = ?", "s", id)) &&
              sql_exec(s->db, e, NULL, "DELETE FROM synced_table WHERE id = ?", "s", id) &&
              sql_run(s->db, "DELETE FROM pipeline WHERE id NOT IN (SELECT pipeline_id FROM synced_table)", e);
    return end(s, ok, e);
}

static void read_left(sqlite3_stmt *st, struct synced_row *out)
{
    *out = (struct synced_row){
        .id = text(st, 0), .database = text(st, 1), .schema = text(st, 2), .table = text(st, 3), .creator = text(st, 4)};
}

bool store_synced_left(struct store *s, const char *instance_uid, struct synced_rows *out, struct err *e)
{
    *out = (struct synced_rows){0};
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e, "SELECT id, database, schema, tab, creator FROM synced_left WHERE instance_uid = ?", "s",
                                instance_uid);
    return take_rows(s, st, read_left, out, e);
}

bool store_synced_forgotten(struct store *s, const char *id, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL, "DELETE FROM synced_left WHERE id = ?", "s", id);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_pipeline(struct store *s, const char *id, struct pipeline_row *out, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e, "SELECT id, name, catalog, schema, creator, continuous, created_ms FROM pipeline "
                                          "WHERE id = ?", "s", id);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        *out = (struct pipeline_row){.id = text(st, 0), .name = text(st, 1), .catalog = text(st, 2), .schema = text(st, 3),
                                     .creator = text(st, 4), .continuous = sqlite3_column_int(st, 5) != 0,
                                     .created_ms = sqlite3_column_int64(st, 6)};
    else if (rc == SQLITE_DONE)
        err_set(e, ERR_RESOURCE_NOT_FOUND, "The specified pipeline %.100s was not found.", id);
    else
        sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    return rc == SQLITE_ROW;
}

bool store_add_update(struct store *s, const struct update_row *row, struct err *e)
{
    bool ok = begin(s, e) && insert_update(s->db, row, e);
    return end(s, ok, e);
}

bool store_update_state(struct store *s, const char *update_id, const char *state, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL, "UPDATE pipeline_update SET state = ? WHERE id = ?", "ss", state, update_id);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_updates(struct store *s, const char *pipeline_id, size_t limit, struct update_rows *out, struct err *e)
{
    *out = (struct update_rows){0};
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e, "SELECT id, pipeline_id, state, cause, full_refresh, created_ms FROM pipeline_update "
                                          "WHERE pipeline_id = ?1 OR (?1 IS NULL AND state NOT IN " UPDATE_OVER ") "
                                          "ORDER BY created_ms DESC, rowid DESC LIMIT ?2", "si", pipeline_id,
                                limit ? (int64_t)limit : (int64_t)-1);
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        out->rows = xreallocarray(out->rows, out->count + 1, sizeof *out->rows);
        out->rows[out->count++] = (struct update_row){
            .id = text(st, 0), .pipeline_id = text(st, 1), .state = text(st, 2), .cause = text(st, 3),
            .full_refresh = sqlite3_column_int(st, 4) != 0, .created_ms = sqlite3_column_int64(st, 5)};
    }
    if (rc != SQLITE_DONE)
        sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    if (rc != SQLITE_DONE)
        update_rows_release(out);
    return rc == SQLITE_DONE;
}

void event_rows_release(struct event_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct event_row *r = &rows->rows[i];
        char *owned[] = {r->id, r->pipeline_id, r->update_id, r->level, r->type, r->message, r->error};
        for (size_t k = 0; k < ARRAY_LEN(owned); k++)
            free(owned[k]);
    }
    free(rows->rows);
    *rows = (struct event_rows){0};
}

bool store_add_event(struct store *s, const struct event_row *r, struct err *e)
{
    bool ok = begin(s, e) &&
              sql_exec(s->db, e, NULL, "INSERT INTO pipeline_event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", "sssissss", r->id,
                       r->pipeline_id, r->update_id, r->at_ms, r->level, r->type, r->message, r->error) &&
              sql_exec(s->db, e, NULL, "DELETE FROM pipeline_event WHERE rowid IN (SELECT rowid FROM pipeline_event "
                                       "WHERE pipeline_id = ? ORDER BY rowid DESC LIMIT -1 OFFSET 1000)", "s", r->pipeline_id);
    return end(s, ok, e);
}

bool store_events(struct store *s, const char *pipeline_id, size_t limit, struct event_rows *out, struct err *e)
{
    *out = (struct event_rows){0};
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e, "SELECT id, pipeline_id, update_id, level, type, message, error, at_ms "
                                          "FROM pipeline_event WHERE pipeline_id = ? ORDER BY rowid DESC LIMIT ?", "si",
                                pipeline_id, (int64_t)limit);
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        out->rows = xreallocarray(out->rows, out->count + 1, sizeof *out->rows);
        out->rows[out->count++] = (struct event_row){
            .id = text(st, 0), .pipeline_id = text(st, 1), .update_id = text(st, 2), .level = text(st, 3),
            .type = text(st, 4), .message = text(st, 5), .error = text(st, 6), .at_ms = sqlite3_column_int64(st, 7)};
    }
    if (rc != SQLITE_DONE)
        sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    if (rc != SQLITE_DONE)
        event_rows_release(out);
    return rc == SQLITE_DONE;
}
