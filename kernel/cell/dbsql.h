/*
 * Databricks SQL as far as a cell must know it: where one statement ends. It differs from PostgreSQL's (cell/sqllex.h):
 * strings stand in '…' or "…" and know backslash escapes unless r'…' says otherwise, names stand in `…`, and there are no
 * dollar quotes. Source: Databricks SQL language reference, "STRING type" and "Identifiers".
 */
#ifndef CELL_DBSQL_H
#define CELL_DBSQL_H

#include <stdbool.h>
#include <stddef.h>

#include "cell/sqllex.h"

/* The next statement at or after *pos; false: only blanks and comments are left. Moves *pos behind its semicolon. *open
 * tells which quote or comment was not closed when the text ended (never SQL_IN_DOLLAR and what comes after it), and
 * out->open_at where it began. Spans as sql_next gives them. */
bool dbsql_next(const char *text, size_t len, size_t *pos, struct sql_span *out, enum sql_open *open);

#endif
