/*
 * The field tables of Unity Catalog's objects: catalogs, schemas, tables, grants, lineage (see model.h).
 * Source: Databricks SDKs (Python 0.133-0.156); lineage: the REST answers of /api/2.0/lineage-tracking.
 */
#include "databricks/model_fields.h"

MODEL(catalog_info, , "CatalogInfo", STR(catalog_info, name), STR(catalog_info, full_name),
      STR(catalog_info, catalog_type), STR(catalog_info, comment), STR(catalog_info, owner),
      STR(catalog_info, metastore_id), STR(catalog_info, isolation_mode), STR(catalog_info, securable_type),
      STR(catalog_info, storage_root), STR(catalog_info, connection_name), STR(catalog_info, provider_name),
      JSON(catalog_info, options), JSON(catalog_info, properties), INT(catalog_info, created_at),
      INT(catalog_info, updated_at), STR(catalog_info, created_by), STR(catalog_info, updated_by));

MODEL(catalog_info_list, , "ListCatalogsResponse", LIST(catalog_info_list, catalogs, &model_catalog_info),
      STR(catalog_info_list, next_page_token));

MODEL(schema_info, , "SchemaInfo", STR(schema_info, name), STR(schema_info, catalog_name), STR(schema_info, full_name),
      STR(schema_info, schema_id), STR(schema_info, comment), STR(schema_info, owner), STR(schema_info, catalog_type),
      STR(schema_info, metastore_id), STR(schema_info, storage_root), JSON(schema_info, properties),
      INT(schema_info, created_at), INT(schema_info, updated_at), STR(schema_info, created_by),
      STR(schema_info, updated_by));

MODEL(volume_info, , "VolumeInfo", STR(volume_info, name), STR(volume_info, catalog_name), STR(volume_info, schema_name),
      STR(volume_info, full_name), STR(volume_info, volume_id), STR(volume_info, volume_type), STR(volume_info, comment),
      STR(volume_info, owner), STR(volume_info, metastore_id), STR(volume_info, storage_location), INT(volume_info, created_at),
      INT(volume_info, updated_at), STR(volume_info, created_by), STR(volume_info, updated_by));

MODEL(volume_info_list, , "ListVolumesResponseContent", LIST(volume_info_list, volumes, &model_volume_info),
      STR(volume_info_list, next_page_token));

MODEL(schema_info_list, , "ListSchemasResponse", LIST(schema_info_list, schemas, &model_schema_info),
      STR(schema_info_list, next_page_token));

MODEL(column_info, , "ColumnInfo", STR(column_info, name), STR(column_info, type_name), STR(column_info, type_text),
      STR(column_info, type_json), STR(column_info, comment), INT(column_info, type_precision),
      INT(column_info, type_scale), INT(column_info, position), INT(column_info, partition_index),
      BOOL(column_info, nullable));

MODEL(table_info, , "TableInfo", STR(table_info, name), STR(table_info, catalog_name), STR(table_info, schema_name),
      STR(table_info, full_name), STR(table_info, table_id), STR(table_info, table_type),
      STR(table_info, data_source_format), STR(table_info, comment), STR(table_info, owner),
      LIST(table_info, columns, &model_column_info), JSON(table_info, table_constraints), STR(table_info, metastore_id),
      STR(table_info, storage_location), STR(table_info, pipeline_id), JSON(table_info, properties),
      INT(table_info, created_at), INT(table_info, updated_at), STR(table_info, created_by), STR(table_info, updated_by));

MODEL(table_info_list, , "ListTablesResponse", LIST(table_info_list, tables, &model_table_info),
      STR(table_info_list, next_page_token));

MODEL(table_exists, , "TableExistsResponse", BOOL(table_exists, table_exists));

MODEL(metastore_assignment, , "MetastoreAssignment", STR(metastore_assignment, metastore_id),
      STR(metastore_assignment, default_catalog_name), INT(metastore_assignment, workspace_id));

/* What may be changed; the rest of a body is dropped. */
MODEL(securable_update, , "UpdateSecurable", STR(securable_update, comment), STR(securable_update, owner),
      STR(securable_update, new_name), JSON(securable_update, properties), STR(securable_update, isolation_mode),
      STR(securable_update, enable_predictive_optimization));

MODEL(privilege_assignment, , "PrivilegeAssignment", STR(privilege_assignment, principal),
      STRS(privilege_assignment, privileges));

MODEL(permissions_list, , "GetPermissionsResponse",
      LIST(permissions_list, privilege_assignments, &model_privilege_assignment),
      STR(permissions_list, next_page_token));

MODEL(permissions_change, , "PermissionsChange", STR(permissions_change, principal), STRS(permissions_change, add),
      STRS(permissions_change, remove));

MODEL(permissions_update, , "UpdatePermissions", LIST(permissions_update, changes, &model_permissions_change));

MODEL(effective_privilege, , "EffectivePrivilege", STR(effective_privilege, privilege),
      STR(effective_privilege, inherited_from_name), STR(effective_privilege, inherited_from_type));

MODEL(effective_assignment, , "EffectivePrivilegeAssignment", STR(effective_assignment, principal),
      LIST(effective_assignment, privileges, &model_effective_privilege));

MODEL(effective_permissions_list, , "EffectivePermissionsList",
      LIST(effective_permissions_list, privilege_assignments, &model_effective_assignment),
      STR(effective_permissions_list, next_page_token));

MODEL(lineage_table, , "LineageTableInfo", STR(lineage_table, name), STR(lineage_table, catalog_name),
      STR(lineage_table, schema_name), STR(lineage_table, table_type), STR(lineage_table, lineage_timestamp));

/* Lineage writes this name in camel case. */
static const struct field fields_lineage_neighbour[] = {
    {"tableInfo", FIELD_OBJECT, 0, offsetof(struct lineage_neighbour, table_info), &model_lineage_table},
    END,
};
const struct model model_lineage_neighbour = {"LineageEntity", sizeof(struct lineage_neighbour),
                                              fields_lineage_neighbour};

MODEL(table_lineage, , "TableLineage", LIST(table_lineage, upstreams, &model_lineage_neighbour),
      LIST(table_lineage, downstreams, &model_lineage_neighbour));
