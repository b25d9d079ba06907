/* What a learner probably meant with a statement that failed: one line that knows more than the SQLSTATE does. */
#ifndef MAGICS_ADVICE_H
#define MAGICS_ADVICE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "magics/session.h"

/* For a statement of connection c that the server refused with *e; in the arena. NULL: nothing special, pg_advice
 * speaks. */
const char *advice_on(struct arena *a, const struct connection *c, const char *sql, size_t len, const struct err *e);

/* What to do here instead of a command of psql that is not offered ("c", "gx", "!ls"); NULL: not one of psql's.
 * From psql.def. */
const char *advice_on_psql(const char *name, size_t len);

#endif
