/*
 * The input history (see history.h). A failing database costs the history and a line in the log,
 * never a cell.
 */
#include "jupyter/history.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"

enum { BUSY_MS = 200 };

struct pending {
    int64_t line;
    char *code, *output;
    size_t len;
    struct pending *next;
};

struct history {
    char *path;
    sqlite3 *db; /* NULL: not opened yet */
    int64_t session;
    struct pending *head, *tail;
};

static const char schema[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = NORMAL;"
    "PRAGMA temp_store = MEMORY;"
    "CREATE TABLE IF NOT EXISTS sessions ("
    "  session INTEGER PRIMARY KEY AUTOINCREMENT, started TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS entries ("
    "  session INTEGER NOT NULL, line INTEGER NOT NULL, input TEXT NOT NULL,"
    "  PRIMARY KEY (session, line));"
    "CREATE TEMP TABLE outputs (session INTEGER, line INTEGER, output TEXT,"
    "  PRIMARY KEY (session, line));";

static const char output_sql[] =
    "INSERT OR REPLACE INTO outputs (session, line, output) VALUES (?1, ?2, ?3)";

struct history *history_new(const char *path)
{
    struct history *h = xcalloc(1, sizeof *h);
    h->path = xstrdup(path);
    return h;
}

void history_add(struct history *h, int64_t line, const char *code, size_t len)
{
    if (len > HISTORY_MAX_INPUT)
        return;
    struct pending *p = xcalloc(1, sizeof *p);
    p->line = line;
    p->code = xstrndup(code, len);
    p->len = len;
    *(h->tail ? &h->tail->next : &h->head) = p;
    h->tail = p;
}

bool history_pending(const struct history *h)
{
    return h->head != NULL;
}

static void forget_pending(struct history *h)
{
    while (h->head) {
        struct pending *next = h->head->next;
        free(h->head->code);
        free(h->head->output);
        free(h->head);
        h->head = next;
    }
    h->tail = NULL;
}

/* One statement with ?1 = a, ?2 = b, ?3 = text, as far as it has them. */
static bool run(sqlite3 *db, const char *sql, int64_t a, int64_t b, const char *text, size_t len)
{
    sqlite3_stmt *st = NULL;
    bool ok = sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK;
    int n = ok ? sqlite3_bind_parameter_count(st) : 0;
    if (n >= 1)
        sqlite3_bind_int64(st, 1, a);
    if (n >= 2)
        sqlite3_bind_int64(st, 2, b);
    if (n >= 3)
        sqlite3_bind_text(st, 3, text, (int)len, SQLITE_TRANSIENT);
    if (ok) {
        int rc = sqlite3_step(st);
        ok = rc == SQLITE_DONE || rc == SQLITE_ROW;
    }
    sqlite3_finalize(st);
    return ok;
}

void history_output(struct history *h, int64_t line, const char *text)
{
    if (strlen(text) > HISTORY_MAX_OUTPUT)
        return;
    if (h->tail && h->tail->line == line) {
        free(h->tail->output);
        h->tail->output = xstrdup(text);
    } else if (h->db) {
        run(h->db, output_sql, h->session, line, text, strlen(text));
    }
}

/* The file is made here, so that it is never readable by others, not even for a moment. */
static bool make_file(const char *path, struct err *e)
{
    char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    bool ok = true;
    if (slash && slash != folder) {
        *slash = '\0';
        /* As root, the servers' user must be able to pass through the state folder (not list it).
         */
        ok = fs_mkdirs(folder, geteuid() == 0 ? 0711 : 0700, e);
    }
    free(folder);
    int fd = ok ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (fd < 0)
        return ok ? err_errno(e, errno, "cannot open '%s'", path) : false;
    fchmod(fd, 0600);
    close(fd);
    return true;
}

/* A session of its own and the old entries out, in one transaction: other kernels may begin at the
 * same time. */
static bool begin_session(struct history *h, sqlite3 *db)
{
    char now[40];
    clock_rfc3339_micros(now);
    sqlite3_stmt *st = NULL;
    bool ok =
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
        run(db,
            "DELETE FROM entries WHERE rowid <= (SELECT rowid FROM entries ORDER BY rowid DESC"
            " LIMIT 1 OFFSET ?1)",
            HISTORY_MAX_ENTRIES, 0, NULL, 0) &&
        sqlite3_prepare_v2(db, "INSERT INTO sessions (started) VALUES (?1)", -1, &st, NULL) ==
            SQLITE_OK;
    if (ok) {
        sqlite3_bind_text(st, 1, now, -1, SQLITE_STATIC);
        ok = sqlite3_step(st) == SQLITE_DONE;
    }
    sqlite3_finalize(st);
    h->session = sqlite3_last_insert_rowid(db);
    sqlite3_exec(db, ok ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

static bool open_at(struct history *h, const char *path, struct err *e)
{
    sqlite3 *db = NULL;
    if (path && !make_file(path, e))
        return false;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    bool ok = sqlite3_open_v2(path ? path : ":memory:", &db, flags, NULL) == SQLITE_OK;
    sqlite3_busy_timeout(db, BUSY_MS);
    ok = ok && sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK && begin_session(h, db);
    if (ok) {
        h->db = db;
        return true;
    }
    err_set(e, ERR_IO, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
    return false;
}

static bool ensure_open(struct history *h)
{
    if (h->db)
        return true;
    struct err e;
    err_init(&e);
    if (h->path && open_at(h, h->path, &e))
        return true;
    if (h->path)
        log_line(LOG_WARN, "history", "kept in memory only: %s", e.text);
    err_init(&e);
    if (open_at(h, NULL, &e))
        return true;
    log_err("history", "no history", &e);
    return false;
}

void history_flush(struct history *h)
{
    if (!h->head || !ensure_open(h))
        return;
    bool ok = sqlite3_exec(h->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    for (struct pending *p = h->head; ok && p; p = p->next) {
        ok = run(h->db, "INSERT OR REPLACE INTO entries (session, line, input) VALUES (?1, ?2, ?3)",
                 h->session, p->line, p->code, p->len) &&
             (!p->output ||
              run(h->db, output_sql, h->session, p->line, p->output, strlen(p->output)));
    }
    if (!ok)
        log_line(LOG_WARN, "history", "cells were not kept: %s", sqlite3_errmsg(h->db));
    sqlite3_exec(h->db, ok ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL);
    forget_pending(h);
}

void history_free(struct history *h)
{
    if (!h)
        return;
    history_flush(h);
    forget_pending(h);
    sqlite3_close(h->db);
    free(h->path);
    free(h);
}

/* ?1 session, ?2 start, ?3 stop, ?4 pattern, ?5 how many. Newest first, so that a limit keeps the
 * newest. */
#define ROWS                                                                                       \
    "SELECT e.session, e.line, e.input, o.output FROM entries e LEFT JOIN outputs o USING "        \
    "(session, line) "
#define NEWEST " ORDER BY e.session DESC, e.line DESC LIMIT ?5"
static const char tail_sql[] = ROWS NEWEST;
static const char range_sql[] =
    ROWS "WHERE e.session = ?1 AND e.line >= ?2 AND (?3 < 0 OR e.line < ?3)" NEWEST;
static const char search_sql[] = ROWS "WHERE e.input GLOB ?4" NEWEST;
static const char unique_sql[] =
    ROWS "WHERE e.input GLOB ?4 AND NOT EXISTS (SELECT 1 FROM entries l"
         " WHERE l.input = e.input AND (l.session, l.line) > (e.session, e.line))" NEWEST;

static json_t *entry_of(sqlite3_stmt *st, bool output)
{
    json_t *input =
        jx_text((const char *)sqlite3_column_text(st, 2), (size_t)sqlite3_column_bytes(st, 2));
    if (output) {
        const char *text = (const char *)sqlite3_column_text(st, 3);
        input = json_pack("[oo]", input,
                          text ? jx_text(text, (size_t)sqlite3_column_bytes(st, 3)) : json_null());
    }
    return json_pack("[IIo]", (json_int_t)sqlite3_column_int64(st, 0),
                     (json_int_t)sqlite3_column_int64(st, 1), input);
}

struct query {
    const char *sql, *pattern;
    int64_t session, start, stop, n;
    bool output;
};

static json_t *rows_of(struct history *h, const struct query *q, struct err *e)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(h->db, q->sql, -1, &st, NULL) != SQLITE_OK) {
        err_set(e, ERR_IO, "cannot read the history: %s", sqlite3_errmsg(h->db));
        return NULL;
    }
    const int64_t numbers[] = {q->session, q->start, q->stop};
    for (int i = 0; i < 3; i++)
        sqlite3_bind_int64(st, i + 1, numbers[i]);
    sqlite3_bind_text(st, 4, q->pattern, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 5, q->n);
    json_t *rows = json_array();
    int rc;
    size_t bytes = 0;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        bytes += (size_t)sqlite3_column_bytes(st, 2) + (q->output ? (size_t)sqlite3_column_bytes(st, 3) : 0);
        if (bytes > HISTORY_MAX_REPLY_BYTES) {
            rc = SQLITE_DONE;
            break;
        }
        json_array_append_new(rows, entry_of(st, q->output));
    }
    if (rc != SQLITE_DONE)
        err_set(e, ERR_IO, "cannot read the history: %s", sqlite3_errmsg(h->db));
    sqlite3_finalize(st);
    json_t *oldest_first = json_array();
    for (size_t i = json_array_size(rows); i-- > 0;)
        json_array_append(oldest_first, json_array_get(rows, i));
    json_decref(rows);
    if (rc == SQLITE_DONE)
        return oldest_first;
    json_decref(oldest_first);
    return NULL;
}

static int64_t count_of(const json_t *request)
{
    int64_t n = jx_get_int(request, "n", HISTORY_MAX_REPLY);
    return n < 0 || n > HISTORY_MAX_REPLY ? HISTORY_MAX_REPLY : n;
}

static bool understand(struct history *h, const json_t *request, struct query *q, struct err *e)
{
    const char *type = jx_get_str(request, "hist_access_type", "");
    *q = (struct query){.output = jx_get_bool(request, "output", false),
                        .n = HISTORY_MAX_REPLY,
                        .pattern = jx_get_str(request, "pattern", "*")};
    if (strcmp(type, "tail") == 0) {
        q->sql = tail_sql;
        q->n = count_of(request);
    } else if (strcmp(type, "search") == 0) {
        q->sql = jx_get_bool(request, "unique", false) ? unique_sql : search_sql;
        q->n = count_of(request);
    } else if (strcmp(type, "range") == 0) {
        q->sql = range_sql;
        q->session = jx_get_int(request, "session", 0);
        if (q->session <= 0) /* 0: this one, -1: the one before */
            q->session += h->session;
        q->start = jx_get_int(request, "start", 0);
        q->stop = jx_get_int(request, "stop", -1);
    } else {
        return err_set(e, ERR_INVALID_PARAMETER,
                       "hist_access_type must be \"tail\", \"range\" or \"search\"");
    }
    return true;
}

json_t *history_answer(struct history *h, const json_t *request, struct err *e)
{
    struct query q;
    history_flush(h);
    if (!ensure_open(h)) {
        err_set(e, ERR_IO, "there is no history");
        return NULL;
    }
    return understand(h, request, &q, e) ? rows_of(h, &q, e) : NULL;
}
