/* Values of the engine as the texts of a JSON_ARRAY result. Source: Statement Execution API, "Format.JSON_ARRAY". */
#ifndef WORKSPACE_WORKER_VALUES_H
#define WORKSPACE_WORKER_VALUES_H

#include "base/buf.h"
#include "lakehouse/lake.h"

/* Append one value that is not NULL: "true", "1.5", "2026-01-31", "2026-01-31T10:00:00.000Z"; binary as base64. */
void worker_value(const struct lake_column *c, const struct lake_vector *v, size_t row, struct buf *out);

#endif
