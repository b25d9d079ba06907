/* What DuckDB says went wrong, as our error value with Databricks' error classes. */
#ifndef LAKEHOUSE_DUCK_ERROR_H
#define LAKEHOUSE_DUCK_ERROR_H

#include "base/err.h"

/* message: the JSON that DuckDB gives with errors_as_json. sql: what ran, or NULL. Sets ERR_SQL with class, sqlstate and
 * position (1-based byte in sql), or ERR_TOO_BIG when memory was out. Always false. */
bool duck_error(const char *message, const char *sql, struct err *e);

#endif
