/*
 * The objects of the Databricks REST API as C structs, and one codec for all of them, driven by field tables. Client and
 * server compile this same file, so what one writes the other reads.
 *
 * Rules: absent and null are the same; unknown fields are ignored; strings are owned by the struct (malloc); numbers may
 * arrive as numbers or numeric strings. Sources: Databricks SDKs (Python 0.133-0.156, Go 0.175), by field name.
 */
#ifndef DATABRICKS_MODEL_H
#define DATABRICKS_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A boolean that may be absent. Zero is absent, so a zeroed struct is an empty one. */
enum tri { TRI_ABSENT = 0, TRI_FALSE, TRI_TRUE };
static inline enum tri tri_of(bool b) { return b ? TRI_TRUE : TRI_FALSE; }

/* An integer that may be absent: has is false then. */
struct opt_int {
    bool has;
    int64_t value;
};

/* A list of models of one kind, or of strings. */
struct model_list {
    void *items; /* array of structs, or of char* */
    size_t count;
};

enum field_type { FIELD_STR = 1, FIELD_INT, FIELD_BOOL, FIELD_OBJECT, FIELD_LIST, FIELD_STRS, FIELD_JSON };

/* input: only a client sends it; output: only a server sends it (a server drops what a client sends). */
enum { FIELD_INPUT = 1, FIELD_OUTPUT = 2, FIELD_REQUIRED = 4 };

struct model;
struct field {
    const char *name;
    enum field_type type;
    unsigned flags;
    size_t offset;
    const struct model *of; /* FIELD_OBJECT (a pointer to the struct, NULL: absent) and FIELD_LIST */
};

struct model {
    const char *name; /* "DatabaseInstance" */
    size_t size;
    const struct field *fields; /* ended by a NULL name */
};

/* Which side writes or reads: decides about input and output fields. */
enum model_side { MODEL_CLIENT = 1, MODEL_SERVER };

/* Fill *out (size m->size, zeroed first) from a JSON object. On failure ERR_INVALID_PARAMETER names the field, its type and what
 * came; *out is released. The reading server ignores FIELD_OUTPUT fields and wants FIELD_REQUIRED ones. */
bool model_decode(const struct model *m, enum model_side reader, const json_t *object, void *out, struct err *e);
/* New JSON object; the writing server leaves FIELD_INPUT fields out, the writing client FIELD_OUTPUT ones. */
json_t *model_encode(const struct model *m, enum model_side writer, const void *in);
void model_release(const struct model *m, void *in);
void model_copy(const struct model *m, void *to, const void *from);
/* Append a zeroed item to a list of model `of`, return it. */
void *model_list_add(const struct model *of, struct model_list *list);

/* The models themselves. */
struct instance_ref {
    char *name, *uid, *branch_time, *lsn, *effective_lsn;
};
struct custom_tag {
    char *key, *value;
};
struct database_instance {
    char *name, *capacity;
    struct opt_int node_count, retention_window_in_days;
    enum tri enable_readable_secondaries, enable_pg_native_login, stopped;
    char *usage_policy_id;
    struct model_list custom_tags; /* struct custom_tag */
    struct instance_ref *parent_instance_ref;
    struct model_list child_instance_refs; /* struct instance_ref */
    char *effective_capacity;
    struct opt_int effective_node_count, effective_retention_window_in_days;
    enum tri effective_enable_readable_secondaries, effective_enable_pg_native_login, effective_stopped;
    char *effective_usage_policy_id;
    struct model_list effective_custom_tags;
    char *creation_time, *creator, *pg_version, *read_write_dns, *read_only_dns, *state, *uid;
};
struct database_instance_list {
    struct model_list database_instances; /* struct database_instance */
    char *next_page_token;
};
struct credential_claim_resource {
    char *table_name, *unspecified_resource_name;
};
struct credential_claim {
    char *permission_set;
    struct model_list resources; /* struct credential_claim_resource */
};
struct credential_request {
    struct model_list instance_names; /* char* */
    struct model_list claims;         /* struct credential_claim */
    char *request_id;
};
struct database_credential {
    char *token, *expiration_time;
};
struct database_catalog {
    char *name, *database_instance_name, *database_name, *uid;
    enum tri create_database_if_not_exists;
};
struct database_catalog_list {
    struct model_list database_catalogs; /* struct database_catalog */
    char *next_page_token;
};
/* effective_attributes is what the role has; attributes what a request asks for, absent: as it is. */
struct role_attributes {
    enum tri bypassrls, createdb, createrole;
};
struct instance_role {
    char *name, *identity_type, *membership_role, *instance_name;
    struct role_attributes *attributes, *effective_attributes;
};
struct instance_role_list {
    struct model_list database_instance_roles; /* struct instance_role */
    char *next_page_token;
};
/* Unity Catalog: created_at and updated_at are milliseconds since 1970. */
struct catalog_info {
    char *name, *full_name, *catalog_type, *comment, *owner, *metastore_id, *isolation_mode, *securable_type;
    char *storage_root, *connection_name, *provider_name; /* a client asks for what is not offered here */
    json_t *options, *properties;
    struct opt_int created_at, updated_at;
    char *created_by, *updated_by;
};
struct catalog_info_list {
    struct model_list catalogs; /* struct catalog_info */
    char *next_page_token;
};
struct schema_info {
    char *name, *catalog_name, *full_name, *schema_id, *comment, *owner, *catalog_type, *metastore_id, *storage_root;
    json_t *properties;
    struct opt_int created_at, updated_at;
    char *created_by, *updated_by;
};
struct schema_info_list {
    struct model_list schemas; /* struct schema_info */
    char *next_page_token;
};
struct column_info {
    char *name, *type_name, *type_text, *type_json, *comment;
    struct opt_int type_precision, type_scale, position, partition_index;
    enum tri nullable;
};
struct table_info {
    char *name, *catalog_name, *schema_name, *full_name, *table_id, *table_type, *data_source_format, *comment, *owner;
    struct model_list columns; /* struct column_info */
    json_t *table_constraints;
    char *metastore_id, *storage_location, *pipeline_id;
    json_t *properties;
    struct opt_int created_at, updated_at;
    char *created_by, *updated_by;
};
struct table_info_list {
    struct model_list tables; /* struct table_info */
    char *next_page_token;
};
struct volume_info {
    char *name, *catalog_name, *schema_name, *full_name, *volume_id, *volume_type, *comment, *owner, *metastore_id, *storage_location;
    struct opt_int created_at, updated_at;
    char *created_by, *updated_by;
};
struct volume_info_list {
    struct model_list volumes; /* struct volume_info */
    char *next_page_token;
};
struct table_exists {
    enum tri table_exists;
};
struct scim_email {
    char *value, *type;
    enum tri primary;
};
struct scim_name {
    char *given_name, *family_name; /* givenName, familyName */
};
struct scim_me {
    char *id, *user_name, *display_name; /* userName, displayName */
    enum tri active;
    struct scim_name *name;
    struct model_list emails; /* struct scim_email */
    struct model_list schemas; /* char* */
};
struct metastore_assignment {
    char *metastore_id, *default_catalog_name;
    struct opt_int workspace_id;
};
/* PATCH of a catalog, schema or table. */
struct securable_update {
    char *comment, *owner, *new_name;
    json_t *properties;
    char *isolation_mode, *enable_predictive_optimization;
};
struct privilege_assignment {
    char *principal;
    struct model_list privileges; /* char*: "USE_CATALOG" */
};
struct permissions_list {
    struct model_list privilege_assignments; /* struct privilege_assignment */
    char *next_page_token;
};
struct permissions_change {
    char *principal;
    struct model_list add, remove; /* char* */
};
struct permissions_update {
    struct model_list changes; /* struct permissions_change */
};
struct effective_privilege {
    char *privilege, *inherited_from_name, *inherited_from_type; /* the last two NULL: granted on the object itself */
};
struct effective_assignment {
    char *principal;
    struct model_list privileges; /* struct effective_privilege */
};
struct effective_permissions_list {
    struct model_list privilege_assignments; /* struct effective_assignment */
    char *next_page_token;
};
struct lineage_table {
    char *name, *catalog_name, *schema_name, *table_type, *lineage_timestamp;
};
struct lineage_neighbour {
    struct lineage_table *table_info;
};
struct table_lineage {
    struct model_list upstreams, downstreams; /* struct lineage_neighbour */
};

/* SQL warehouses. */
struct warehouse_channel {
    char *name;
};
struct warehouse_health {
    char *status, *message, *summary;
};
struct warehouse {
    char *id, *name, *state, *cluster_size;
    struct opt_int min_num_clusters, max_num_clusters, num_clusters, num_active_sessions, auto_stop_mins;
    char *creator_name;
    enum tri enable_photon, enable_serverless_compute;
    char *spot_instance_policy, *warehouse_type;
    struct warehouse_channel *channel;
    struct warehouse_health *health;
};
struct warehouse_list {
    struct model_list warehouses; /* struct warehouse */
    char *next_page_token;
};

/* SQL Statement Execution. */
struct statement_parameter {
    char *name, *value, *type; /* value NULL: NULL */
};
struct statement_request {
    char *statement, *warehouse_id, *catalog, *schema;
    struct model_list parameters; /* struct statement_parameter */
    struct opt_int row_limit, byte_limit;
    char *disposition, *format, *wait_timeout, *on_wait_timeout;
};
struct statement_error {
    char *error_code, *message;
};
struct statement_status {
    char *state; /* PENDING RUNNING SUCCEEDED FAILED CANCELED CLOSED */
    struct statement_error *error;
    char *sql_state;
};
struct result_column {
    char *name;
    struct opt_int position; /* from 0 */
    char *type_name, *type_text;
    struct opt_int type_precision, type_scale;
};
struct result_schema {
    struct opt_int column_count;
    struct model_list columns; /* struct result_column */
};
struct result_chunk {
    struct opt_int chunk_index, row_offset, row_count, byte_count;
};
struct result_manifest {
    char *format;
    struct result_schema *schema;
    struct model_list chunks; /* struct result_chunk */
    struct opt_int total_chunk_count, total_row_count;
    enum tri truncated;
};
struct result_data {
    struct opt_int chunk_index, row_offset, row_count;
    json_t *data_array; /* [[text or null]] */
    struct opt_int next_chunk_index;
    char *next_chunk_internal_link;
};
struct statement_response {
    char *statement_id;
    struct statement_status *status;
    struct result_manifest *manifest;
    struct result_data *result;
};
struct empty {
    char unused;
};

extern const struct model model_instance_ref, model_custom_tag, model_database_instance, model_database_instance_list,
    model_instance_role, model_instance_role_list, model_credential_claim, model_credential_request, model_database_credential, model_database_catalog,
    model_database_catalog_list, model_catalog_info, model_catalog_info_list, model_schema_info, model_schema_info_list,
    model_column_info, model_table_info, model_table_info_list, model_table_exists, model_volume_info, model_volume_info_list, model_scim_me,
    model_metastore_assignment, model_securable_update, model_privilege_assignment, model_permissions_list,
    model_permissions_change, model_permissions_update, model_effective_privilege, model_effective_assignment,
    model_effective_permissions_list, model_lineage_table, model_lineage_neighbour, model_table_lineage,
    model_warehouse, model_warehouse_list, model_statement_request, model_statement_response, model_result_column,
    model_result_chunk, model_result_data,
    model_empty;

#include "databricks/model_permissions.h"
#include "databricks/model_postgres.h"
#include "databricks/model_synced.h"

#endif
