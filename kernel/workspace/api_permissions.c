/*
 * /api/2.0/permissions/database-instances/{name}: who may use and manage an instance.
 * Source: Databricks Permissions API and its SDKs (PATCH adds or changes entries, PUT replaces the direct ones).
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "workspace/access.h"
#include "workspace/permissions.h"
#include "workspace/request.h"
#include "workspace/workspace.h"

/* ---- what goes out ---- */

static void put_name(struct workspace *ws, const char *name, struct access_control *out)
{
    struct principal p;
    struct err none = {0};
    if (strcmp(name, PERMISSIONS_USERS) == 0 || strcmp(name, PERMISSIONS_ADMINS) == 0) {
        out->group_name = xstrdup(name);
        return;
    }
    bool known = store_principal(ws->store, name, &p, &none);
    char **slot = known && p.kind == PRINCIPAL_SERVICE ? &out->service_principal_name : &out->user_name;
    *slot = xstrdup(name);
    if (known)
        out->display_name = xstrdup(p.display);
}

static void put_entry(struct workspace *ws, const char *name, enum access_level level, bool inherited,
                      struct object_permissions *out)
{
    struct access_control *entry = model_list_add(&model_access_control, &out->access_control_list);
    put_name(ws, name, entry);
    struct object_permission *p = model_list_add(&model_object_permission, &entry->all_permissions);
    p->permission_level = xstrdup(permission_level_name(level));
    p->inherited = tri_of(inherited);
    if (inherited) {
        p->inherited_from_object.items = xcalloc(1, sizeof(char *));
        *(char **)p->inherited_from_object.items = xstrdup("/database-instances/");
        p->inherited_from_object.count = 1;
    }
}

static bool put_permissions(struct request *r, const struct instance_row *row, struct object_permissions *out,
                            struct err *e)
{
    struct access_row rows[ACCESS_ROWS_MAX];
    size_t n = 0;
    if (!store_instance_access(r->ws->store, row->uid, rows, &n, e))
        return false;
    out->object_id = xasprintf("/database-instances/%s", row->name);
    out->object_type = xstrdup("database-instances");
    put_entry(r->ws, row->creator, ACCESS_MANAGE, false, out);
    for (size_t i = 0; i < n; i++)
        put_entry(r->ws, rows[i].principal, rows[i].level, false, out);
    put_entry(r->ws, PERMISSIONS_ADMINS, ACCESS_MANAGE, true, out);
    return true;
}

bool api_get_instance_permissions(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct instance_row row;
    return permission_instance(r, request_param(r, "name"), ACCESS_USE, &row, e) && put_permissions(r, &row, out, e);
}

bool api_get_instance_permission_levels(struct request *r, const void *in, void *out_, struct err *e)
{
    static const char *const texts[] = {[ACCESS_USE] = "Can view the database instance and get credentials for it",
                                        [ACCESS_MANAGE] = "Can manage the database instance, its roles and permissions"};
    (void)in;
    struct permission_levels *out = out_;
    struct instance_row row;
    if (!permission_instance(r, request_param(r, "name"), ACCESS_USE, &row, e))
        return false;
    for (enum access_level level = ACCESS_USE; level <= ACCESS_MANAGE; level++) {
        struct permission_level *one = model_list_add(&model_permission_level, &out->permission_levels);
        one->permission_level = xstrdup(permission_level_name(level));
        one->description = xstrdup(texts[level]);
    }
    return true;
}

/* ---- what comes in ---- */

static bool take_principal(struct workspace *ws, const struct access_control_request *in, char out[256], struct err *e)
{
    struct principal p;
    struct err why = {0};
    const char *name = in->user_name ? in->user_name : in->service_principal_name ? in->service_principal_name : in->group_name;
    int given = (in->user_name != NULL) + (in->service_principal_name != NULL) + (in->group_name != NULL);
    if (given != 1)
        return err_set(e, ERR_INVALID_PARAMETER, "each entry of access_control_list has exactly one of user_name, group_name "
                                                 "and service_principal_name");
    if (in->group_name && strcmp(name, PERMISSIONS_ADMINS) == 0)
        return err_set(e, ERR_INVALID_PARAMETER, "The group '" PERMISSIONS_ADMINS "' always has CAN_MANAGE; leave it out");
    int kind = in->user_name ? PRINCIPAL_USER : PRINCIPAL_SERVICE;
    bool ok = in->group_name ? strcmp(name, PERMISSIONS_USERS) == 0
                             : store_principal(ws->store, name, &p, &why) && p.kind == kind;
    if (!ok && why.code && !err_is(&why, ERR_NOT_FOUND)) {
        *e = why;
        return false;
    }
    if (!ok)
        return err_set(e, ERR_RESOURCE_NOT_FOUND, "%s '%.200s' does not exist.",
                       in->user_name ? "User" : in->group_name ? "Group" : "Service principal", name);
    memcpy(out, name, strlen(name) + 1);
    return true;
}

static bool take_level(const char *given, enum access_level *out, struct err *e)
{
    *out = strcmp(given, "CAN_MANAGE") == 0 ? ACCESS_MANAGE : strcmp(given, "CAN_USE") == 0 ? ACCESS_USE : ACCESS_NONE;
    return *out || err_set(e, ERR_INVALID_PARAMETER, "permission_level '%.40s' is not valid for a database instance; allowed "
                                                     "are CAN_USE and CAN_MANAGE", given);
}

static bool change(struct request *r, const struct object_permissions_update *in, bool all, void *out, struct err *e)
{
    struct access_row rows[ACCESS_ROWS_MAX];
    struct instance_row row;
    const struct access_control_request *list = in->access_control_list.items;
    size_t n = in->access_control_list.count;
    if (!permission_instance(r, request_param(r, "name"), ACCESS_MANAGE, &row, e))
        return false;
    if (n > ACCESS_ROWS_MAX)
        return err_set(e, ERR_TOO_BIG, "access_control_list has %zu entries; at most %d are taken", n, ACCESS_ROWS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!take_principal(r->ws, &list[i], rows[i].principal, e) || !take_level(list[i].permission_level, &rows[i].level, e))
            return false;
    }
    return store_set_instance_access(r->ws->store, row.uid, all, rows, n, e) && put_permissions(r, &row, out, e);
}

bool api_set_instance_permissions(struct request *r, const void *in, void *out, struct err *e)
{
    return change(r, in, true, out, e);
}

bool api_update_instance_permissions(struct request *r, const void *in, void *out, struct err *e)
{
    return change(r, in, false, out, e);
}
