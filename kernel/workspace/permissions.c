/* Permissions on database instances (see permissions.h). */
#include "workspace/permissions.h"

#include <string.h>

#include "workspace/access.h"
#include "workspace/request.h"
#include "workspace/workspace.h"

const char *permission_level_name(enum access_level level)
{
    return level == ACCESS_MANAGE ? "CAN_MANAGE" : level == ACCESS_USE ? "CAN_USE" : "";
}

bool permission_of(struct workspace *ws, const char *principal, const struct instance_row *row, enum access_level *level,
                   struct err *e)
{
    struct access_row rows[ACCESS_ROWS_MAX];
    size_t n = 0;
    *level = ACCESS_MANAGE;
    if (strcmp(principal, ACCESS_USER) == 0 || strcmp(principal, row->creator) == 0)
        return true;
    *level = ACCESS_NONE;
    if (!store_instance_access(ws->store, row->uid, rows, &n, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].level > *level && (strcmp(rows[i].principal, principal) == 0 ||
                                       strcmp(rows[i].principal, PERMISSIONS_USERS) == 0))
            *level = rows[i].level;
    }
    return true;
}

bool permission_need(struct workspace *ws, const char *principal, const struct instance_row *row, enum access_level need,
                     struct err *e)
{
    enum access_level level;
    return permission_of(ws, principal, row, &level, e) &&
           (level >= need || err_set(e, ERR_PERMISSION, "User '%s' does not have %s permission on database instance '%s'.",
                                     principal, permission_level_name(need), row->name));
}

bool permission_instance(struct request *r, const char *name, enum access_level need, struct instance_row *row, struct err *e)
{
    return store_instance(r->ws->store, name, row, e) && permission_need(r->ws, r->caller.name, row, need, e);
}

bool permission_drop_unseen(struct request *r, struct instance_rows *rows, struct err *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        enum access_level level;
        if (!permission_of(r->ws, r->caller.name, &rows->rows[i], &level, e))
            return false;
        if (level >= ACCESS_USE)
            rows->rows[kept++] = rows->rows[i];
    }
    rows->count = kept;
    return true;
}
