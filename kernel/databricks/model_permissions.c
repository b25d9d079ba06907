/*
 * The field tables of permissions on an instance (see model_permissions.h).
 * Source: Databricks SDKs (ObjectPermissions of the Permissions API).
 */
#include "databricks/model_fields.h"

MODEL(access_control_request, , "AccessControlRequest", STR(access_control_request, user_name),
      STR(access_control_request, group_name), STR(access_control_request, service_principal_name),
      NEED(access_control_request, permission_level));

MODEL(object_permissions_update, , "SetObjectPermissions",
      LIST(object_permissions_update, access_control_list, &model_access_control_request));

MODEL(object_permission, , "Permission", STR(object_permission, permission_level), BOOL(object_permission, inherited),
      STRS(object_permission, inherited_from_object));

MODEL(access_control, , "AccessControlResponse", STR(access_control, user_name), STR(access_control, group_name),
      STR(access_control, service_principal_name), STR(access_control, display_name),
      LIST(access_control, all_permissions, &model_object_permission));

MODEL(object_permissions, , "ObjectPermissions", STR(object_permissions, object_id), STR(object_permissions, object_type),
      LIST(object_permissions, access_control_list, &model_access_control));

MODEL(permission_level, , "PermissionsDescription", STR(permission_level, permission_level),
      STR(permission_level, description));

MODEL(permission_levels, , "GetPermissionLevelsResponse",
      LIST(permission_levels, permission_levels, &model_permission_level));
