/*
 * SQLSTATE: the row of a code. Names and advice are in sqlstate.def; the lookups that callers use are declared in
 * pg/exec.h.
 */
#ifndef PG_SQLSTATE_H
#define PG_SQLSTATE_H

#include <stddef.h>

struct pg_state {
    const char *code, *condition, *advice; /* advice may be NULL */
};

/* All rows, sorted by code; for documentation and tests. */
const struct pg_state *pg_states(size_t *count);

#endif
