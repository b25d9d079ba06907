/* SQLite, the few calls the store needs (see sqlite.h). */
#include "workspace/sqlite.h"

#include <stdarg.h>
#include <string.h>

bool sql_fail(sqlite3 *db, struct err *e, const char *what)
{
    return err_set(e, ERR_IO, "store: cannot %s: %s", what, sqlite3_errmsg(db));
}

bool sql_run(sqlite3 *db, const char *sql, struct err *e)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK || sql_fail(db, e, sql);
}

static sqlite3_stmt *bind(sqlite3 *db, struct err *e, const char *sql, const char *kinds, va_list ap)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK) {
        sql_fail(db, e, "prepare");
        return NULL;
    }
    for (int i = 1; *kinds; kinds++, i++) {
        if (*kinds == 's')
            sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
        else
            sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
    }
    return st;
}

sqlite3_stmt *sql_bind(sqlite3 *db, struct err *e, const char *sql, const char *kinds, ...)
{
    va_list ap;
    va_start(ap, kinds);
    sqlite3_stmt *st = bind(db, e, sql, kinds, ap);
    va_end(ap);
    return st;
}

bool sql_exec(sqlite3 *db, struct err *e, int *code, const char *sql, const char *kinds, ...)
{
    va_list ap;
    va_start(ap, kinds);
    sqlite3_stmt *st = bind(db, e, sql, kinds, ap);
    va_end(ap);
    if (!st)
        return false;
    int rc;
    do
        rc = sqlite3_step(st);
    while (rc == SQLITE_ROW);
    if (code)
        *code = sqlite3_extended_errcode(db);
    bool ok = rc == SQLITE_DONE || sql_fail(db, e, "write");
    sqlite3_finalize(st);
    return ok;
}

void sql_text(sqlite3_stmt *st, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(st, column);
    size_t len = text ? (size_t)sqlite3_column_bytes(st, column) : 0;
    if (len >= size)
        bug("column %d of the store has %zu bytes, room for %zu", column, len, size);
    memcpy(out, text ? text : "", len);
    out[len] = '\0';
}
