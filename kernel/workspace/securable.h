/*
 * Making, changing and removing catalogs, schemas and tables of Unity Catalog, with the checks of names and privileges.
 * Used by the REST handlers and by the calls of the lakehouse worker (lake_catalog.h), so both refuse alike.
 */
#ifndef WORKSPACE_SECURABLE_H
#define WORKSPACE_SECURABLE_H

#include <stdbool.h>

#include "base/err.h"
#include "databricks/model.h"
#include "workspace/store_lake.h"

struct workspace;

enum { SECURABLE_NAME_MAX = 255 };

/* The catalog `main` and its schema `default` are there, owned by the first user. */
bool securable_open(struct workspace *ws, struct err *e);

/* One name, in lower case: 1 to 255 characters of UTF-8, no dots, spaces, slashes, control characters. Caller frees;
 * NULL with ERR_INVALID_PARAMETER. */
char *securable_name(enum securable_kind kind, const char *name, struct err *e);
/* "a", "a.b", "a.b.c" of `kind` parts, lower case; caller frees. For names of what Unity Catalog manages. */
char *securable_full_name(const char *catalog, const char *schema, const char *table);

/* Errors of kind: ERR_CATALOG_NOT_FOUND "Catalog 'x' does not exist." … */
bool securable_missing(enum securable_kind kind, const char *full_name, struct err *e);

/* Make one; properties may be NULL. *out (may be NULL) is the row. ERR_CATALOG_EXISTS and so on. */
bool securable_create_catalog(struct workspace *ws, const char *caller, const char *name, const char *comment,
                              const json_t *properties, struct securable_row *out, struct err *e);
bool securable_create_schema(struct workspace *ws, const char *caller, const char *catalog, const char *name,
                             const char *comment, const json_t *properties, struct securable_row *out, struct err *e);
/* May the caller make a table of that name here? Parents exist and are managed, the name is free and valid. */
bool securable_may_create_table(struct workspace *ws, const char *caller, const char *catalog, const char *schema,
                                const char *name, struct err *e);
/* The row of a table whose folder is filled. location, table_id: from lake_folder_new. */
struct securable_new_table {
    const char *catalog, *schema, *name, *location, *table_id, *comment;
    const json_t *columns, *properties; /* list of ColumnInfo; object or NULL */
};
bool securable_create_table(struct workspace *ws, const char *caller, const struct securable_new_table *t, struct err *e);

/* A managed volume: an empty folder of the workspace. *out (may be NULL) is the row. */
bool securable_create_volume(struct workspace *ws, const char *caller, const char *catalog, const char *schema, const char *name,
                             const char *comment, struct securable_row *out, struct err *e);

/* Comment, owner, properties as given in `change`; refuses new_name. */
bool securable_update(struct workspace *ws, const char *caller, enum securable_kind kind, const char *full_name,
                      const struct securable_update *change, struct securable_row *out, struct err *e);
/* Remove a managed object; a table's folder goes after its row. */
bool securable_drop(struct workspace *ws, const char *caller, enum securable_kind kind, const char *full_name,
                    bool cascade, struct err *e);

#endif
