/*
 * The field tables of the API's objects (see model.h). Only names, types and directions; how they are read and written
 * is model.c. Directions: FIELD_INPUT is never answered, FIELD_OUTPUT is never taken from a client.
 * Source: Databricks SDKs (Python 0.133-0.156, Go 0.175); which fields a real GET carries: recorded CLI output.
 */
#include "databricks/model_fields.h"

MODEL(instance_ref, , "DatabaseInstanceRef", STR(instance_ref, name), STR(instance_ref, uid),
      STR(instance_ref, branch_time), STR(instance_ref, lsn), OUT(instance_ref, effective_lsn, FIELD_STR));

MODEL(custom_tag, , "CustomTag", STR(custom_tag, key), STR(custom_tag, value));

MODEL(database_instance, , "DatabaseInstance", NEED(database_instance, name), STR(database_instance, capacity),
      IN(database_instance, node_count, FIELD_INT), IN(database_instance, retention_window_in_days, FIELD_INT),
      IN(database_instance, enable_readable_secondaries, FIELD_BOOL),
      IN(database_instance, enable_pg_native_login, FIELD_BOOL), IN(database_instance, stopped, FIELD_BOOL),
      IN(database_instance, usage_policy_id, FIELD_STR), LIST(database_instance, custom_tags, &model_custom_tag),
      FIELD(database_instance, parent_instance_ref, FIELD_OBJECT, 0, &model_instance_ref),
      FIELD(database_instance, child_instance_refs, FIELD_LIST, FIELD_OUTPUT, &model_instance_ref),
      OUT(database_instance, effective_capacity, FIELD_STR), OUT(database_instance, effective_node_count, FIELD_INT),
      OUT(database_instance, effective_retention_window_in_days, FIELD_INT),
      OUT(database_instance, effective_enable_readable_secondaries, FIELD_BOOL),
      OUT(database_instance, effective_enable_pg_native_login, FIELD_BOOL),
      OUT(database_instance, effective_stopped, FIELD_BOOL),
      OUT(database_instance, effective_usage_policy_id, FIELD_STR),
      FIELD(database_instance, effective_custom_tags, FIELD_LIST, FIELD_OUTPUT, &model_custom_tag),
      OUT(database_instance, creation_time, FIELD_STR), OUT(database_instance, creator, FIELD_STR),
      OUT(database_instance, pg_version, FIELD_STR), OUT(database_instance, read_write_dns, FIELD_STR),
      OUT(database_instance, read_only_dns, FIELD_STR), OUT(database_instance, state, FIELD_STR),
      OUT(database_instance, uid, FIELD_STR));

MODEL(database_instance_list, , "ListDatabaseInstancesResponse",
      LIST(database_instance_list, database_instances, &model_database_instance),
      STR(database_instance_list, next_page_token));

MODEL(credential_claim_resource, static, "RequestedResource", STR(credential_claim_resource, table_name),
      STR(credential_claim_resource, unspecified_resource_name));

MODEL(credential_claim, , "RequestedClaims", STR(credential_claim, permission_set),
      LIST(credential_claim, resources, &model_credential_claim_resource));

MODEL(credential_request, , "GenerateDatabaseCredentialRequest", STRS(credential_request, instance_names),
      LIST(credential_request, claims, &model_credential_claim), STR(credential_request, request_id));

MODEL(database_credential, , "DatabaseCredential", STR(database_credential, token),
      STR(database_credential, expiration_time));

MODEL(role_attributes, static, "DatabaseInstanceRoleAttributes", BOOL(role_attributes, bypassrls), BOOL(role_attributes, createdb),
      BOOL(role_attributes, createrole));

MODEL(instance_role, , "DatabaseInstanceRole", STR(instance_role, name), STR(instance_role, identity_type),
      STR(instance_role, membership_role), FIELD(instance_role, attributes, FIELD_OBJECT, 0, &model_role_attributes),
      FIELD(instance_role, effective_attributes, FIELD_OBJECT, FIELD_OUTPUT, &model_role_attributes),
      OUT(instance_role, instance_name, FIELD_STR));

MODEL(instance_role_list, , "ListDatabaseInstanceRolesResponse",
      LIST(instance_role_list, database_instance_roles, &model_instance_role), STR(instance_role_list, next_page_token));

MODEL(database_catalog, , "DatabaseCatalog", NEED(database_catalog, name), NEED(database_catalog, database_instance_name),
      NEED(database_catalog, database_name), OUT(database_catalog, uid, FIELD_STR),
      IN(database_catalog, create_database_if_not_exists, FIELD_BOOL));

MODEL(database_catalog_list, , "ListDatabaseCatalogsResponse",
      LIST(database_catalog_list, database_catalogs, &model_database_catalog),
      STR(database_catalog_list, next_page_token));

/* SCIM writes its names in camel case. */
MODEL(scim_email, static, "ComplexValue", STR(scim_email, value), STR(scim_email, type), BOOL(scim_email, primary));

static const struct field fields_scim_name[] = {
    {"givenName", FIELD_STR, 0, offsetof(struct scim_name, given_name), NULL},
    {"familyName", FIELD_STR, 0, offsetof(struct scim_name, family_name), NULL},
    END,
};
static const struct model model_scim_name = {"Name", sizeof(struct scim_name), fields_scim_name};

static const struct field fields_scim_me[] = {
    {"id", FIELD_STR, 0, offsetof(struct scim_me, id), NULL},
    {"userName", FIELD_STR, 0, offsetof(struct scim_me, user_name), NULL},
    {"displayName", FIELD_STR, 0, offsetof(struct scim_me, display_name), NULL},
    BOOL(scim_me, active),
    FIELD(scim_me, name, FIELD_OBJECT, 0, &model_scim_name),
    LIST(scim_me, emails, &model_scim_email),
    STRS(scim_me, schemas),
    END,
};
const struct model model_scim_me = {"User", sizeof(struct scim_me), fields_scim_me};

static const struct field fields_empty[] = {END};
const struct model model_empty = {"Empty", sizeof(struct empty), fields_empty};
