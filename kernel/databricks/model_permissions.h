/* Permissions on an instance: who may use and manage it. Part of databricks/model.h; not included by itself. */
#ifndef DATABRICKS_MODEL_PERMISSIONS_H
#define DATABRICKS_MODEL_PERMISSIONS_H

#include "databricks/model.h"

/* One of the three names; permission_level: CAN_USE or CAN_MANAGE. */
struct access_control_request {
    char *user_name, *group_name, *service_principal_name, *permission_level;
};
struct object_permissions_update {
    struct model_list access_control_list; /* struct access_control_request */
};
struct object_permission {
    char *permission_level;
    enum tri inherited;
    struct model_list inherited_from_object; /* char* */
};
struct access_control {
    char *user_name, *group_name, *service_principal_name, *display_name;
    struct model_list all_permissions; /* struct object_permission */
};
struct object_permissions {
    char *object_id, *object_type;
    struct model_list access_control_list; /* struct access_control */
};
struct permission_level {
    char *permission_level, *description;
};
struct permission_levels {
    struct model_list permission_levels; /* struct permission_level */
};

extern const struct model model_access_control_request, model_object_permissions_update, model_object_permission, model_access_control, model_object_permissions,
    model_permission_level, model_permission_levels;

#endif
