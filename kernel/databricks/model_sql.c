/*
 * The field tables of SQL warehouses and of the SQL Statement Execution API (see model.h).
 * Source: Databricks SDKs (Python 0.133-0.156), REST reference "Statement Execution".
 */
#include "databricks/model_fields.h"

MODEL(warehouse_channel, static, "Channel", STR(warehouse_channel, name));

MODEL(warehouse_health, static, "EndpointHealth", STR(warehouse_health, status), STR(warehouse_health, message),
      STR(warehouse_health, summary));

MODEL(warehouse, , "EndpointInfo", STR(warehouse, id), STR(warehouse, name), STR(warehouse, state),
      STR(warehouse, cluster_size), INT(warehouse, min_num_clusters), INT(warehouse, max_num_clusters),
      INT(warehouse, num_clusters), INT(warehouse, num_active_sessions), INT(warehouse, auto_stop_mins),
      STR(warehouse, creator_name), BOOL(warehouse, enable_photon), BOOL(warehouse, enable_serverless_compute),
      STR(warehouse, spot_instance_policy), STR(warehouse, warehouse_type),
      FIELD(warehouse, channel, FIELD_OBJECT, 0, &model_warehouse_channel),
      FIELD(warehouse, health, FIELD_OBJECT, 0, &model_warehouse_health));

MODEL(warehouse_list, , "ListWarehousesResponse", LIST(warehouse_list, warehouses, &model_warehouse),
      STR(warehouse_list, next_page_token));

MODEL(statement_parameter, static, "StatementParameterListItem", NEED(statement_parameter, name),
      STR(statement_parameter, value), STR(statement_parameter, type));

MODEL(statement_request, , "ExecuteStatementRequest", NEED(statement_request, statement),
      NEED(statement_request, warehouse_id), STR(statement_request, catalog), STR(statement_request, schema),
      LIST(statement_request, parameters, &model_statement_parameter), INT(statement_request, row_limit),
      INT(statement_request, byte_limit), STR(statement_request, disposition), STR(statement_request, format),
      STR(statement_request, wait_timeout), STR(statement_request, on_wait_timeout));

MODEL(statement_error, static, "ServiceError", STR(statement_error, error_code), STR(statement_error, message));

MODEL(statement_status, static, "StatementStatus", STR(statement_status, state),
      FIELD(statement_status, error, FIELD_OBJECT, 0, &model_statement_error), STR(statement_status, sql_state));

MODEL(result_column, , "ColumnInfo", STR(result_column, name), INT(result_column, position),
      STR(result_column, type_name), STR(result_column, type_text), INT(result_column, type_precision),
      INT(result_column, type_scale));

MODEL(result_schema, static, "ResultSchema", INT(result_schema, column_count),
      LIST(result_schema, columns, &model_result_column));

MODEL(result_chunk, , "BaseChunkInfo", INT(result_chunk, chunk_index), INT(result_chunk, row_offset),
      INT(result_chunk, row_count), INT(result_chunk, byte_count));

MODEL(result_manifest, static, "ResultManifest", STR(result_manifest, format),
      FIELD(result_manifest, schema, FIELD_OBJECT, 0, &model_result_schema),
      LIST(result_manifest, chunks, &model_result_chunk), INT(result_manifest, total_chunk_count),
      INT(result_manifest, total_row_count), BOOL(result_manifest, truncated));

MODEL(result_data, , "ResultData", INT(result_data, chunk_index), INT(result_data, row_offset),
      INT(result_data, row_count), JSON(result_data, data_array), INT(result_data, next_chunk_index),
      STR(result_data, next_chunk_internal_link));

MODEL(statement_response, , "StatementResponse", STR(statement_response, statement_id),
      FIELD(statement_response, status, FIELD_OBJECT, 0, &model_statement_status),
      FIELD(statement_response, manifest, FIELD_OBJECT, 0, &model_result_manifest),
      FIELD(statement_response, result, FIELD_OBJECT, 0, &model_result_data));
