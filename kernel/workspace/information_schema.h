/*
 * <catalog>.information_schema: what Unity Catalog knows about a catalog, as rows; and system.access.table_lineage. Each principal sees
 * what it may see. Computed at each query: nothing is kept. Source: Databricks SQL, "Information schema" (names, columns and types of each view).
 */
#ifndef WORKSPACE_INFORMATION_SCHEMA_H
#define WORKSPACE_INFORMATION_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "workspace/store.h"

struct workspace;

#define INFORMATION_SCHEMA "information_schema"

/* Is it one of ours: <catalog>.information_schema.x, system.access.x? */
bool information_schema_is(const char *catalog, const char *schema);
/* {columns: [{name, type_text}], rows: [[text | null]]} (new reference). catalog: the row of a catalog that is there; unused for system.access.
 * ERR_TABLE_NOT_FOUND names the views there are. */
bool information_schema_read(struct workspace *ws, const char *principal, const struct catalog_row *catalog, const char *schema,
                             const char *view, bool with_rows, json_t **out, struct err *e);

#endif
