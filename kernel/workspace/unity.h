/*
 * What Unity Catalog says about catalogs, schemas and tables: of a registered database, read from PostgreSQL at each call;
 * of a managed catalog, from the store. Checks no privilege. Knows nothing of HTTP. Source: CatalogInfo, SchemaInfo, TableInfo of the SDKs; type map: Databricks "Lakehouse
 * Federation, PostgreSQL".
 */
#ifndef WORKSPACE_UNITY_H
#define WORKSPACE_UNITY_H

#include <stdbool.h>

#include "base/err.h"
#include "databricks/model.h"
#include "workspace/request.h"
#include "workspace/store_lake.h"

struct pg_conn;

/* The catalog every workspace has. */
#define UNITY_MAIN "main"

/* The row of a registered catalog, or one without uid for a managed one. ERR_CATALOG_NOT_FOUND. */
bool unity_catalog(struct workspace *ws, const char *name, struct catalog_row *out, struct err *e);

/* Both below: ERR_INVALID_STATE when the catalog's instance is not AVAILABLE, ERR_NOT_FOUND when the database is gone.
 * name NULL: a page of them. *out: an empty list, filled, empty again on failure; *more: there are others behind. */
bool unity_schemas(struct workspace *ws, const struct catalog_row *catalog, const char *name, const struct page *page,
                   struct model_list *out, bool *more, struct err *e);
/* name NULL: a page of them, without constraints. name: that table with constraints, or nothing. */
bool unity_tables(struct workspace *ws, const struct catalog_row *catalog, const char *schema, const char *name,
                  const struct page *page, struct model_list *out, bool *more, struct err *e);

/* A connection to the database of a registered catalog, as the internal superuser. NULL on failure. */
struct pg_conn *unity_open_database(struct workspace *ws, const struct catalog_row *catalog, struct err *e);

/* Rows of the store as the API shows them. */
void unity_put_schema(struct workspace *ws, const struct securable_row *row, struct schema_info *out);
bool unity_put_table(struct workspace *ws, const struct securable_row *row, struct table_info *out, struct err *e);

#endif
