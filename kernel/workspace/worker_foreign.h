/* Tables of registered PostgreSQL databases for the engine: opened by the server's answer to "resolve", read through a cursor. */
#ifndef WORKSPACE_WORKER_FOREIGN_H
#define WORKSPACE_WORKER_FOREIGN_H

#include "lakehouse/lake.h"
#include "workspace/worker_job.h"

/* From {schema, table, conninfo, columns}; *out keeps a copy of the conninfo until it is released. */
bool worker_foreign_fill(struct worker_ctx *x, const json_t *answer, struct lake_object *out, struct err *e);
/* struct lake_catalog.foreign_scan. */
struct lake_foreign *worker_foreign_scan(void *self, void *foreign, const size_t *columns, size_t n, const char *where, struct err *e);

#endif
