/* Tables of registered PostgreSQL databases, read by the engine through pg/. */
#ifndef WORKSPACE_WORKER_FOREIGN_H
#define WORKSPACE_WORKER_FOREIGN_H

#include <jansson.h>

#include "base/err.h"
#include "lakehouse/lake.h"

/* Fill a LAKE_FOREIGN object from the server's answer to "resolve" (worker.h). */
bool worker_foreign_object(const json_t *answer, struct lake_object *out, struct err *e);
/* lake_catalog.foreign_scan: one cursor, its rows in portions, on a connection of its own. */
struct lake_foreign *worker_foreign_scan(void *self, void *foreign, const size_t *columns, size_t n, struct err *e);

#endif
