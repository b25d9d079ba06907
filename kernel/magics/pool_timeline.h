/* What a pool did during a run, drawn: a bar for each loan by connection, and below it how many clients waited. */
#ifndef MAGICS_POOL_TIMELINE_H
#define MAGICS_POOL_TIMELINE_H

#include "magics/magic.h"
#include "pg/pool.h"

/* Vega-Lite, and as text a line for each connection. There are more than n events when some were not kept. */
void pool_timeline(struct magic_ctx *ctx, const char *pool, const struct pool_event *events, size_t n, size_t all);

#endif
