/* A plan of EXPLAIN (FORMAT JSON) as a table: a line for each step, its share of the whole, and what is odd about it. */
#ifndef MAGICS_PLAN_H
#define MAGICS_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "render/table.h"

enum { PLAN_BYTES_MAX = 16 << 20, PLAN_DEPTH_MAX = 500, PLAN_STEPS_MAX = 5000 };

struct plan_options {
    bool analyze; /* it was run: actual rows and times are there */
    bool costs;   /* false: only what is the same on every machine */
};

/* Read the text of the one value of EXPLAIN (FORMAT JSON). Fills columns, rows and the footer of *out, which is initialised.
 * *writes: the plan changes a table. ERR_MALFORMED, ERR_TOO_BIG past a cap. */
bool plan_table(const char *text, size_t len, const struct plan_options *o, struct table *out, bool *writes, struct err *e);

#endif
