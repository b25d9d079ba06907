/*
 * Unity Catalog's privileges: who may do what with a catalog, schema or table. Owners and the metastore admin (the first
 * user) may do everything; ALL PRIVILEGES counts as every other one; what is granted on a catalog or schema holds for
 * everything below it. Every principal is also a member of the group "account users".
 * Source: Databricks "Unity Catalog privileges and securable objects".
 */
#ifndef WORKSPACE_GRANTS_H
#define WORKSPACE_GRANTS_H

#include <stdbool.h>

#include "base/err.h"
#include "databricks/model.h"
#include "workspace/store_lake.h"

struct workspace;

#define GRANTS_EVERYBODY "account users"

/* "CATALOG" ↔ kind (any case, "TABLE" also for what is one); 0: no type that has privileges here. */
const char *securable_kind_name(enum securable_kind kind);
enum securable_kind securable_kind_of(const char *name);

/* The principal has the privilege ("SELECT", "USE_CATALOG"…) on the object, by grant, inheritance or ownership. The names of
 * parents come from the full name; the object itself need not exist. */
bool grants_has(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name,
                const char *privilege);
/* Owner of the object or of something above it, MANAGE, or the metastore admin. */
bool grants_manages(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name);
/*
 * The same with what is needed on the way: USE CATALOG and USE SCHEMA of the parents (and of the object, when the privilege
 * is one to create in it). ERR_PERMISSION "User does not have USE CATALOG on Catalog 'main'." with sqlstate 42501.
 */
bool grants_need(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name,
                 const char *privilege, struct err *e);
/* To drop, alter or grant: manages, and reaches it. */
bool grants_need_owner(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name,
                       struct err *e);
/* It is shown in lists and may be looked at: any privilege on it, or BROWSE; parents must be usable. */
bool grants_sees(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name);
/* The same as an error. */
bool grants_need_sight(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name,
                       struct err *e);

/* "use catalog", "USE_CATALOG" → "USE_CATALOG", checked for the kind. ERR_INVALID_PARAMETER with what is possible. */
bool grants_privilege(enum securable_kind kind, const char *text, char out[PRIVILEGE_MAX], struct err *e);
/* ERR_PRINCIPAL_NOT_FOUND for a name that nobody has. */
bool grants_principal(struct workspace *ws, const char *name, struct err *e);
/* Grant and revoke, as the caller, on an object that exists. ALL_PRIVILEGES in remove takes all. */
bool grants_change(struct workspace *ws, const char *caller, enum securable_kind kind, const char *full_name,
                   const struct permissions_update *update, struct err *e);
/* Who has what: direct grants. principal NULL: all. Whoever does not manage the object sees own ones only. */
bool grants_list(struct workspace *ws, const char *caller, enum securable_kind kind, const char *full_name,
                 const char *principal, struct permissions_list *out, struct err *e);
/* With what is inherited. */
bool grants_effective(struct workspace *ws, const char *caller, enum securable_kind kind, const char *full_name,
                      const char *principal, struct effective_permissions_list *out, struct err *e);
/* The owner of what Unity Catalog manages or has registered; caller frees; NULL: none or not there. */
char *grants_owner(struct workspace *ws, enum securable_kind kind, const char *full_name);

#endif
