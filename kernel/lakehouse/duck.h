/*
 * libduckdb, loaded at run time: find it, open an in-memory database with its configuration locked, run statements, fetch
 * chunks, interrupt. Knows nothing of Delta and changes no SQL. For the inside of lakehouse/ only.
 */
#ifndef LAKEHOUSE_DUCK_H
#define LAKEHOUSE_DUCK_H

#include <stddef.h>

#include "base/cancel.h"
#include "base/err.h"
#include "lakehouse/duck_api.h"
#include "lakehouse/lake.h"

/* ---- the library ---- */
/* Where the library is, the first that exists of:
 *   1. `library` (from the caller), else $LAKEBASE_DUCKDB: a file; nothing else is tried then
 *   2. libduckdb.so beside the program, in ../lib/lakebase and ../lib
 *   3. the extension module of the Python package `duckdb` in: ../../.venv (a clone: the program is in build/bin),
 *      ../../../.venv (build/asan/bin), $VIRTUAL_ENV, the environments of the python3 in $PATH, ~/.local, /usr/local, /usr
 *   4. libduckdb.so of the system
 * Caller frees; NULL and ERR_CONFIG with the command that installs it. */
char *duck_find_library(const char *library, struct err *e);
/* Load it and fetch the functions; once a process, any thread. ERR_CONFIG names the file and what is missing: a module of
 * Python's needs that Python's libpython (opened first; the interpreter is never started). */
bool duck_load(const char *library, struct err *e);

/* ---- a database ---- */
struct duck_db;
struct duck_db *duck_open(const struct lake_options *o, struct err *e);
void duck_close(struct duck_db *db); /* connections must be closed before */

struct duck_conn {
    struct duck_db *db;
    duckdb_connection raw;
    struct cancel *cancel;       /* whoever waits for us now; guarded by the db's lock */
    struct duck_conn *next_armed;
    unsigned serial;             /* of temporary tables */
};
struct duck_conn *duck_connect(struct duck_db *db, struct err *e);
void duck_disconnect(struct duck_conn *c); /* NULL is fine */

/* ---- statements ---- */
/* Named parameters are bound as text where the statement has them; others are left out. Errors are ERR_SQL with the error
 * class, sqlstate, and position (1-based BYTE in sql: whoever rewrote the SQL maps it back), or ERR_CANCELLED. */
struct duck_params {
    const struct lake_parameter *list;
    size_t count;
};
struct duck_rows {
    struct duck_conn *conn;
    struct duckdb_result result;
    duckdb_chunk chunk; /* the current one, or NULL */
    size_t columns, rows;
    size_t row;         /* for duck_next_row */
};
/* Column names and types without running anything. Caller destroys with duck->destroy_prepare. */
duckdb_statement duck_prepare(struct duck_conn *c, const char *sql, struct err *e);
struct duck_rows *duck_query(struct duck_conn *c, const char *sql, struct duck_params params, struct cancel *cancel,
                             struct err *e);
/* The next chunk; rows->rows is 0 at the end. */
bool duck_fetch(struct duck_rows *r, struct cancel *cancel, struct err *e);
void duck_rows_free(struct duck_rows *r);
/* Run to the end, ignore rows. */
bool duck_run(struct duck_conn *c, const char *sql, struct duck_params params, struct cancel *cancel, struct err *e);

/* For small internal queries: the next row (false: the end, or *e is set), and its values, all VARCHAR or BIGINT by the
 * query. Text is not NUL-terminated; NULL for SQL NULL. */
bool duck_next_row(struct duck_rows *r, struct cancel *cancel, struct err *e);
const char *duck_text(const struct duck_rows *r, size_t column, size_t *len);
char *duck_strdup(const struct duck_rows *r, size_t column); /* NULL for SQL NULL */
int64_t duck_int(const struct duck_rows *r, size_t column);  /* 0 for SQL NULL */

static const struct duck_params duck_no_params = {NULL, 0};

#endif
