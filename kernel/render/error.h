/*
 * An error as a notebook shows it: ename, evalue and traceback lines. The first line says what, then the place in the
 * cell with a caret, then DETAIL, HINT, CONTEXT and one line of advice.
 */
#ifndef RENDER_ERROR_H
#define RENDER_ERROR_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

/* {"ename","evalue","traceback":[…]}, owned by the caller. ename: `condition` (the name of the SQLSTATE) when not NULL,
 * else the code's. evalue is stable from run to run ("42703: column "x" does not exist"); details go to the traceback.
 * cell/len: the whole cell, for the caret at e->line:e->column. advice: one line or NULL. */
json_t *error_bundle(const struct err *e, const char *condition, const char *advice, const char *cell, size_t len);

#endif
