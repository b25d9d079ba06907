/* A load of %%pool through psycopg_pool in the notebook's own Python, to be put beside that of our pool. */
#ifndef MAGICS_POOL_PSYCOPG_H
#define MAGICS_POOL_PSYCOPG_H

#include "magics/magic.h"
#include "magics/pool_load.h"

/* Have Python run, so that its start is not part of a measurement. */
bool psycopg_ready(struct magic_ctx *ctx, struct err *e);
/* As load_run: same SQL, clients, calls and pool sizes. l->loop does not count. */
bool psycopg_run(struct magic_ctx *ctx, const struct load *l, struct load_result *out, struct err *e);

#endif
