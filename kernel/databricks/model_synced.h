/*
 * The objects of synced tables and pipelines. Part of databricks/model.h; not included by itself.
 * Sources: Databricks SDKs (Python 0.133-0.156), SyncedDatabaseTable and the Pipelines API.
 */
#ifndef DATABRICKS_MODEL_SYNCED_H
#define DATABRICKS_MODEL_SYNCED_H

#include "databricks/model.h"

struct new_pipeline_spec {
    char *storage_catalog, *storage_schema, *budget_policy_id, *pipeline_channel;
};
struct synced_table_spec {
    char *source_table_full_name;
    struct model_list primary_key_columns; /* char* */
    char *timeseries_key, *scheduling_policy; /* SNAPSHOT, TRIGGERED, CONTINUOUS */
    enum tri create_database_objects_if_missing, accelerated_sync;
    struct new_pipeline_spec *new_pipeline_spec;
    char *existing_pipeline_id;
    json_t *extra_columns, *extra_index_definitions, *type_overrides;
};
struct delta_sync_info {
    struct opt_int delta_commit_version;
    char *delta_commit_timestamp;
};
struct synced_table_position {
    struct delta_sync_info *delta_table_sync_info;
    char *sync_start_timestamp, *sync_end_timestamp;
};
struct sync_pipeline_progress {
    struct opt_int latest_version_currently_processing, synced_row_count, total_row_count;
    char *provisioning_phase;
    json_t *sync_progress_completion; /* 0 to 1 */
};
struct provisioning_status {
    struct sync_pipeline_progress *initial_pipeline_sync_progress;
};
/* continuous, triggered and failed status differ in which of these are there. */
struct update_status {
    struct opt_int last_processed_commit_version;
    char *timestamp;
    struct sync_pipeline_progress *initial_pipeline_sync_progress, *triggered_update_progress;
};
struct synced_table_status {
    char *detailed_state, *message, *pipeline_id;
    struct synced_table_position *last_sync;
    struct provisioning_status *provisioning_status;
    struct update_status *continuous_update_status, *triggered_update_status, *failed_status;
};
struct synced_table {
    char *name, *database_instance_name, *logical_database_name;
    char *effective_database_instance_name, *effective_logical_database_name;
    char *database_project_id, *database_branch_id;
    struct synced_table_spec *spec;
    struct synced_table_status *data_synchronization_status;
    char *unity_catalog_provisioning_state;
};
struct synced_table_list {
    struct model_list synced_tables; /* struct synced_table */
    char *next_page_token;
};

/* Times are milliseconds since 1970. */
struct pipeline_spec {
    char *id, *name, *catalog, *schema;
    enum tri continuous;
};
struct pipeline_update_brief {
    char *update_id, *state, *creation_time; /* text here, a number in pipeline_update */
};
struct pipeline {
    char *pipeline_id, *name, *state, *health, *creator_user_name, *run_as_user_name, *cause;
    struct opt_int last_modified;
    struct pipeline_spec *spec;
    struct model_list latest_updates; /* struct pipeline_update_brief */
};
struct pipeline_list {
    struct model_list statuses; /* struct pipeline */
    char *next_page_token;
};
struct pipeline_start {
    enum tri full_refresh, validate_only;
    struct model_list refresh_selection, full_refresh_selection; /* char* */
    char *cause;
};
struct pipeline_started {
    char *update_id;
};
struct pipeline_update {
    char *update_id, *pipeline_id, *state, *cause;
    enum tri full_refresh;
    struct opt_int creation_time;
};
struct pipeline_update_answer {
    struct pipeline_update *update;
};
struct pipeline_update_list {
    struct model_list updates; /* struct pipeline_update */
    char *next_page_token, *prev_page_token;
};
struct pipeline_event {
    char *id, *timestamp, *level, *message, *event_type, *maturity_level;
    json_t *origin, *error;
};
struct pipeline_event_list {
    struct model_list events; /* struct pipeline_event */
    char *next_page_token, *prev_page_token;
};

extern const struct model model_synced_table_spec, model_synced_table, model_synced_table_list, model_pipeline,
    model_pipeline_list, model_pipeline_start, model_pipeline_started, model_pipeline_update_answer,
    model_pipeline_update_list, model_pipeline_event_list, model_pipeline_update, model_pipeline_update_brief,
    model_pipeline_event;

#endif
