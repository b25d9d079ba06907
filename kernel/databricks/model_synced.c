/* The field tables of synced tables and pipelines (see model_synced.h). */
#include "databricks/model_fields.h"

MODEL(new_pipeline_spec, static, "NewPipelineSpec", STR(new_pipeline_spec, storage_catalog),
      STR(new_pipeline_spec, storage_schema), STR(new_pipeline_spec, budget_policy_id),
      STR(new_pipeline_spec, pipeline_channel));

MODEL(synced_table_spec, , "SyncedTableSpec", STR(synced_table_spec, source_table_full_name),
      STRS(synced_table_spec, primary_key_columns), STR(synced_table_spec, timeseries_key),
      STR(synced_table_spec, scheduling_policy), BOOL(synced_table_spec, create_database_objects_if_missing),
      BOOL(synced_table_spec, accelerated_sync),
      FIELD(synced_table_spec, new_pipeline_spec, FIELD_OBJECT, 0, &model_new_pipeline_spec),
      STR(synced_table_spec, existing_pipeline_id), JSON(synced_table_spec, extra_columns),
      JSON(synced_table_spec, extra_index_definitions), JSON(synced_table_spec, type_overrides));

MODEL(delta_sync_info, static, "DeltaTableSyncInfo", INT(delta_sync_info, delta_commit_version),
      STR(delta_sync_info, delta_commit_timestamp));

MODEL(synced_table_position, static, "SyncedTablePosition",
      FIELD(synced_table_position, delta_table_sync_info, FIELD_OBJECT, 0, &model_delta_sync_info),
      STR(synced_table_position, sync_start_timestamp), STR(synced_table_position, sync_end_timestamp));

MODEL(sync_pipeline_progress, static, "SyncedTablePipelineProgress",
      INT(sync_pipeline_progress, latest_version_currently_processing), INT(sync_pipeline_progress, synced_row_count),
      INT(sync_pipeline_progress, total_row_count), STR(sync_pipeline_progress, provisioning_phase),
      JSON(sync_pipeline_progress, sync_progress_completion));

MODEL(provisioning_status, static, "SyncedTableProvisioningStatus",
      FIELD(provisioning_status, initial_pipeline_sync_progress, FIELD_OBJECT, 0, &model_sync_pipeline_progress));

MODEL(update_status, static, "SyncedTableUpdateStatus", INT(update_status, last_processed_commit_version),
      STR(update_status, timestamp),
      FIELD(update_status, initial_pipeline_sync_progress, FIELD_OBJECT, 0, &model_sync_pipeline_progress),
      FIELD(update_status, triggered_update_progress, FIELD_OBJECT, 0, &model_sync_pipeline_progress));

MODEL(synced_table_status, static, "SyncedTableStatus", STR(synced_table_status, detailed_state),
      STR(synced_table_status, message), STR(synced_table_status, pipeline_id),
      FIELD(synced_table_status, last_sync, FIELD_OBJECT, 0, &model_synced_table_position),
      FIELD(synced_table_status, provisioning_status, FIELD_OBJECT, 0, &model_provisioning_status),
      FIELD(synced_table_status, continuous_update_status, FIELD_OBJECT, 0, &model_update_status),
      FIELD(synced_table_status, triggered_update_status, FIELD_OBJECT, 0, &model_update_status),
      FIELD(synced_table_status, failed_status, FIELD_OBJECT, 0, &model_update_status));

MODEL(synced_table, , "SyncedDatabaseTable", NEED(synced_table, name), STR(synced_table, database_instance_name),
      STR(synced_table, logical_database_name), OUT(synced_table, effective_database_instance_name, FIELD_STR),
      OUT(synced_table, effective_logical_database_name, FIELD_STR), STR(synced_table, database_project_id),
      STR(synced_table, database_branch_id), FIELD(synced_table, spec, FIELD_OBJECT, 0, &model_synced_table_spec),
      FIELD(synced_table, data_synchronization_status, FIELD_OBJECT, FIELD_OUTPUT, &model_synced_table_status),
      OUT(synced_table, unity_catalog_provisioning_state, FIELD_STR));

MODEL(synced_table_list, , "ListSyncedDatabaseTablesResponse", LIST(synced_table_list, synced_tables, &model_synced_table),
      STR(synced_table_list, next_page_token));

MODEL(pipeline_spec, static, "PipelineSpec", STR(pipeline_spec, id), STR(pipeline_spec, name), STR(pipeline_spec, catalog),
      STR(pipeline_spec, schema), BOOL(pipeline_spec, continuous));

MODEL(pipeline_update_brief, , "UpdateStateInfo", STR(pipeline_update_brief, update_id),
      STR(pipeline_update_brief, state), STR(pipeline_update_brief, creation_time));

MODEL(pipeline, , "GetPipelineResponse", STR(pipeline, pipeline_id), STR(pipeline, name), STR(pipeline, state),
      STR(pipeline, health), STR(pipeline, creator_user_name), STR(pipeline, run_as_user_name), STR(pipeline, cause),
      INT(pipeline, last_modified), FIELD(pipeline, spec, FIELD_OBJECT, 0, &model_pipeline_spec),
      LIST(pipeline, latest_updates, &model_pipeline_update_brief));

MODEL(pipeline_list, , "ListPipelinesResponse", LIST(pipeline_list, statuses, &model_pipeline),
      STR(pipeline_list, next_page_token));

MODEL(pipeline_start, , "StartUpdate", BOOL(pipeline_start, full_refresh), BOOL(pipeline_start, validate_only),
      STRS(pipeline_start, refresh_selection), STRS(pipeline_start, full_refresh_selection), STR(pipeline_start, cause));

MODEL(pipeline_started, , "StartUpdateResponse", STR(pipeline_started, update_id));

MODEL(pipeline_update, , "UpdateInfo", STR(pipeline_update, update_id), STR(pipeline_update, pipeline_id),
      STR(pipeline_update, state), STR(pipeline_update, cause), BOOL(pipeline_update, full_refresh),
      INT(pipeline_update, creation_time));

MODEL(pipeline_update_answer, , "GetUpdateResponse",
      FIELD(pipeline_update_answer, update, FIELD_OBJECT, 0, &model_pipeline_update));

MODEL(pipeline_update_list, , "ListUpdatesResponse", LIST(pipeline_update_list, updates, &model_pipeline_update),
      STR(pipeline_update_list, next_page_token), STR(pipeline_update_list, prev_page_token));

MODEL(pipeline_event, , "PipelineEvent", STR(pipeline_event, id), STR(pipeline_event, timestamp),
      STR(pipeline_event, level), STR(pipeline_event, message), STR(pipeline_event, event_type),
      STR(pipeline_event, maturity_level), JSON(pipeline_event, origin), JSON(pipeline_event, error));

MODEL(pipeline_event_list, , "ListPipelineEventsResponse", LIST(pipeline_event_list, events, &model_pipeline_event),
      STR(pipeline_event_list, next_page_token), STR(pipeline_event_list, prev_page_token));
