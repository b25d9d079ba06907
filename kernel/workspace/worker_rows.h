/* Values of a batch as the texts of the Statement Execution API's JSON_ARRAY format (facts: "Formatting inside JSON_ARRAY"). */
#ifndef WORKSPACE_WORKER_ROWS_H
#define WORKSPACE_WORKER_ROWS_H

#include "base/buf.h"
#include "lakehouse/lake.h"

/* Append the text of a value that is not NULL. */
void worker_value_text(struct buf *out, const struct lake_column *c, const struct lake_vector *v, size_t row);
/* The "columns" event's list: name, type_name, type_text, type_precision, type_scale, position. New reference. */
json_t *worker_columns_json(const struct lake_column *columns, size_t n);

#endif
