/*
 * Permissions on database instances. CAN_USE: see it and ask for credentials; CAN_MANAGE: also change, stop and delete it
 * and its roles. The creator and the workspace's administrator have CAN_MANAGE always; the rest is given to principals or
 * to the group of all users. A permission is no PostgreSQL role: without one, nobody logs in.
 * Source: Databricks, "Manage permissions for a database instance"; Permissions API.
 */
#ifndef WORKSPACE_PERMISSIONS_H
#define WORKSPACE_PERMISSIONS_H

#include "workspace/store_access.h"

struct request;
struct workspace;

#define PERMISSIONS_USERS "users"   /* the group of everybody in the workspace */
#define PERMISSIONS_ADMINS "admins" /* the group of the administrators: the first user */

const char *permission_level_name(enum access_level level); /* "CAN_USE"; "" for none */
/* What `principal` may do with the instance. */
bool permission_of(struct workspace *ws, const char *principal, const struct instance_row *row, enum access_level *level,
                   struct err *e);
/* ERR_PERMISSION unless it is at least `need`. */
bool permission_need(struct workspace *ws, const char *principal, const struct instance_row *row, enum access_level need,
                     struct err *e);
/* The row of an instance that the caller of *r has at least `need` on. */
bool permission_instance(struct request *r, const char *name, enum access_level need, struct instance_row *row, struct err *e);
/* Only what the caller may use is there to be seen; the rest is moved out of the list. */
bool permission_drop_unseen(struct request *r, struct instance_rows *rows, struct err *e);

#endif
