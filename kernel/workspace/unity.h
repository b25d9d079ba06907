/*
 * What Unity Catalog says about a registered database: its real schemas and tables, read from PostgreSQL at each call.
 * Knows nothing of HTTP. Source: CatalogInfo, SchemaInfo, TableInfo of the SDKs; type map: Databricks "Lakehouse
 * Federation, PostgreSQL".
 */
#ifndef WORKSPACE_UNITY_H
#define WORKSPACE_UNITY_H

#include <stdbool.h>

#include "base/err.h"
#include "databricks/model.h"
#include "workspace/request.h"

/* The catalog every workspace has; nothing is registered in it. */
#define UNITY_MAIN "main"

/* The row of a registered catalog, or one without uid for UNITY_MAIN. ERR_CATALOG_NOT_FOUND. */
bool unity_catalog(struct request *r, const char *name, struct catalog_row *out, struct err *e);

/* Both below: ERR_INVALID_STATE when the catalog's instance is not AVAILABLE, ERR_NOT_FOUND when the database is gone.
 * name NULL: a page of them. Appends; *more: there are others behind. For main: its schema "default". */
bool unity_schemas(struct request *r, const struct catalog_row *catalog, const char *name, const struct page *page,
                   struct model_list *out, bool *more, struct err *e);
/* name NULL: a page of them, without constraints. name: that table with constraints, or nothing. */
bool unity_tables(struct request *r, const struct catalog_row *catalog, const char *schema, const char *name,
                  const struct page *page, struct model_list *out, bool *more, struct err *e);

#endif
