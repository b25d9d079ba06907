/* SQLite, the few calls the store needs: statements with bound values, and text of any length into fixed fields. */
#ifndef WORKSPACE_SQLITE_H
#define WORKSPACE_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* ERR_IO with SQLite's reason. Returns false. */
bool sql_fail(sqlite3 *db, struct err *e, const char *what);
bool sql_run(sqlite3 *db, const char *sql, struct err *e);
/* Prepare and bind: "s" text (NULL: NULL), "i" int64_t, one letter a parameter. NULL on failure. */
sqlite3_stmt *sql_bind(sqlite3 *db, struct err *e, const char *sql, const char *kinds, ...);
/* Prepare, bind, run to the end. *code (may be NULL) gets SQLite's extended result code. */
bool sql_exec(sqlite3 *db, struct err *e, int *code, const char *sql, const char *kinds, ...);
/* Copy a text column into a field; text that does not fit is a broken store (bug), as all that goes in is checked. */
void sql_text(sqlite3_stmt *st, int column, char *out, size_t size);

#endif
