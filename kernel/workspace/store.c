/* The store: opening, schema, small facts, principals (see store.h); instances and catalogs: store_rows.c. */
#include "workspace/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "workspace/sqlite.h"
#include "workspace/store_private.h"
#include "workspace/store_synced.h"

/* Each brings a file from the version before to its own: the first makes version 1. Written ones are never changed. */
static const char *const versions[] = {
    "CREATE TABLE fact (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE principal (name TEXT PRIMARY KEY, display TEXT NOT NULL, id TEXT NOT NULL UNIQUE,"
    "  kind INTEGER NOT NULL, secret_sha TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE instance (uid TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, creator TEXT NOT NULL,"
    "  creation_time TEXT NOT NULL, capacity TEXT NOT NULL, retention_days INTEGER NOT NULL,"
    "  usage_policy_id TEXT NOT NULL, custom_tags TEXT NOT NULL, state INTEGER NOT NULL,"
    "  stopped INTEGER NOT NULL, created INTEGER NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL,"
    "  failure TEXT NOT NULL) STRICT;"
    "CREATE TABLE catalog (name TEXT PRIMARY KEY, uid TEXT NOT NULL UNIQUE,"
    "  instance_uid TEXT NOT NULL REFERENCES instance (uid), database TEXT NOT NULL, owner TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL, UNIQUE (instance_uid, database)) STRICT;"
    "PRAGMA user_version = 1;",

    /* Unity Catalog: store_lake.h */
    "CREATE TABLE securable (kind INTEGER NOT NULL, full_name TEXT NOT NULL, parent TEXT NOT NULL, name TEXT NOT NULL,"
    "  id TEXT NOT NULL UNIQUE, comment TEXT NOT NULL, owner TEXT NOT NULL, location TEXT NOT NULL,"
    "  columns TEXT NOT NULL, properties TEXT NOT NULL, created_ms INTEGER NOT NULL, created_by TEXT NOT NULL,"
    "  updated_ms INTEGER NOT NULL, updated_by TEXT NOT NULL, PRIMARY KEY (kind, full_name)) STRICT;"
    "CREATE INDEX securable_parent ON securable (kind, parent, name);"
    "CREATE TABLE securable_grant (kind INTEGER NOT NULL, full_name TEXT NOT NULL, principal TEXT NOT NULL,"
    "  privilege TEXT NOT NULL, PRIMARY KEY (kind, full_name, principal, privilege)) STRICT;"
    "CREATE TABLE lineage (source TEXT NOT NULL, target TEXT NOT NULL, done_by TEXT NOT NULL, at_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (source, target)) STRICT;"
    "CREATE INDEX lineage_target ON lineage (target);"
    "PRAGMA user_version = 2;",

    STORE_SYNCED_SCHEMA,

    /* Permissions on instances: store_access.h */
    "CREATE TABLE instance_access (instance_uid TEXT NOT NULL REFERENCES instance (uid) ON DELETE CASCADE,"
    "  principal TEXT NOT NULL, level INTEGER NOT NULL, PRIMARY KEY (instance_uid, principal)) STRICT;"
    "PRAGMA user_version = 4;",
    STORE_SYNCED_LEFT_SCHEMA,
};
enum { SCHEMA_VERSION = ARRAY_LEN(versions) };

static bool read_version(sqlite3 *db, int64_t *version, struct err *e)
{
    sqlite3_stmt *st = sql_bind(db, e, "PRAGMA user_version", "");
    if (!st)
        return false;
    bool ok = sqlite3_step(st) == SQLITE_ROW || sql_fail(db, e, "read");
    *version = ok ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return ok;
}

static bool set_up(sqlite3 *db, const char *path, struct err *e)
{
    /* FULL: a commit survives a power cut; without its row, nobody would know what an instance's folder is. */
    int64_t version = 0;
    if (!sql_run(db, "PRAGMA journal_mode = WAL", e) || !sql_run(db, "PRAGMA synchronous = FULL", e) ||
        !sql_run(db, "PRAGMA foreign_keys = ON", e) || !sql_run(db, "BEGIN IMMEDIATE", e) ||
        !read_version(db, &version, e))
        return false;
    if (version > SCHEMA_VERSION)
        return err_set(e, ERR_CONFIG, "the store '%s' was written by a newer version of this program", path);
    for (; version < SCHEMA_VERSION; version++) {
        if (!sql_run(db, versions[version], e))
            return false;
    }
    return sql_run(db, "COMMIT", e);
}

struct store *store_open(const char *path, struct err *e)
{
    struct store *s = xcalloc(1, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    mode_t mask = umask(0077); /* the file and its -wal and -shm: ours alone */
    int rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    bool ok = rc == SQLITE_OK || err_set(e, ERR_IO, "cannot open the store '%s': %s", path, sqlite3_errstr(rc));
    if (ok) {
        sqlite3_extended_result_codes(s->db, 1);
        sqlite3_busy_timeout(s->db, 5000);
        ok = set_up(s->db, path, e);
    }
    umask(mask);
    if (ok)
        return s;
    store_close(s);
    return NULL;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

bool store_get(struct store *s, const char *key, char **value, struct err *e)
{
    *value = NULL;
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e, "SELECT value FROM fact WHERE key = ?", "s", key);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        *value = xstrdup((const char *)sqlite3_column_text(st, 0));
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE || sql_fail(s->db, e, "read");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_set(struct store *s, const char *key, const char *value, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL, "INSERT OR REPLACE INTO fact VALUES (?, ?)", "ss", key, value);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_put_principal(struct store *s, const struct principal *p, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool ok = sql_exec(s->db, e, NULL, "INSERT OR REPLACE INTO principal VALUES (?, ?, ?, ?, ?)", "sssis", p->name,
                       p->display, p->id, (int64_t)p->kind, p->secret_sha);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static bool find_principal(struct store *s, const char *sql, const char *key, struct principal *out, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = sql_bind(s->db, e, sql, "s", key);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    if (rc == SQLITE_ROW) {
        sql_text(st, 0, out->name, sizeof out->name);
        sql_text(st, 1, out->display, sizeof out->display);
        sql_text(st, 2, out->id, sizeof out->id);
        out->kind = sqlite3_column_int(st, 3);
        sql_text(st, 4, out->secret_sha, sizeof out->secret_sha);
    } else if (rc == SQLITE_DONE) {
        err_set(e, ERR_NOT_FOUND, "no such principal");
    } else {
        sql_fail(s->db, e, "read");
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
    return rc == SQLITE_ROW;
}

bool store_principal(struct store *s, const char *name, struct principal *out, struct err *e)
{
    return find_principal(s, "SELECT name, display, id, kind, secret_sha FROM principal WHERE name = ?", name, out, e);
}

bool store_principal_by_sha(struct store *s, const char *secret_sha, struct principal *out, struct err *e)
{
    return find_principal(s, "SELECT name, display, id, kind, secret_sha FROM principal WHERE secret_sha = ?",
                          secret_sha, out, e);
}
