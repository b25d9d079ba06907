/* What the handlers of /api/2.1/unity-catalog share. Private to api_unity*.c, api_grants.c and api_lineage.c. */
#ifndef WORKSPACE_API_UNITY_H
#define WORKSPACE_API_UNITY_H

#include "workspace/request.h"
#include "workspace/store_lake.h"
#include "workspace/unity.h"

/* A parameter that must be there. */
bool unity_param(struct request *r, const char *name, const char **out, struct err *e);
/* Cut "catalog.schema.table" (`want` parts of it) in the arena and look the catalog up; the last part keeps further dots.
 * Catalogs are lower case, and so is what is in a managed one. *full (may be NULL): the parts put together again. */
bool unity_cut(struct request *r, const char *name, int want, char *parts[3], struct catalog_row *catalog, char **full,
               struct err *e);
/* ERR_SCHEMA_NOT_FOUND; the caller releases *out. */
bool unity_one_schema(struct request *r, const struct catalog_row *catalog, const char *name, struct schema_info *out,
                      struct err *e);
/* ERR_TABLE_NOT_FOUND, or what is missing above it. */
bool unity_one_table(struct request *r, const struct catalog_row *catalog, char *const parts[3], struct table_info *out,
                     struct err *e);
/* A lower-case copy in the arena. */
char *unity_lower(struct request *r, const char *text);
/* The row of a volume. ERR_VOLUME_NOT_FOUND. */
bool unity_one_volume(struct request *r, const char *full, struct securable_row *row, struct err *e);

#endif
