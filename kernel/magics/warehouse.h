/*
 * SQL in a warehouse, through the Statement Execution API: one statement, from its text to its rows or its error with the
 * place in the cell. Which magic asks is not its business.
 */
#ifndef MAGICS_WAREHOUSE_H
#define MAGICS_WAREHOUSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "magics/magic.h"
#include "magics/settings.h"

/* The warehouse of that name or id; NULL: the first of the list. Its id is in the cell's arena; NULL on failure. */
const char *warehouse_find(struct magic_ctx *ctx, const char *wanted, struct err *e);

/* Run one statement, a slice of ctx->cell, and show what comes back. An interrupt cancels it on the server. USE is remembered
 * for the statements that follow (the API itself forgets it). */
bool warehouse_run(struct magic_ctx *ctx, const char *id, const char *sql, size_t len, const struct settings *s,
                   struct err *e);

/* For our own small questions: run one statement to its end. *rows (new reference): [[text or null]], the first chunk. ERR_SQL with
 * sqlstate when the warehouse refuses it. */
bool warehouse_query(struct magic_ctx *ctx, const char *id, const char *sql, json_t **rows, struct err *e);

#endif
