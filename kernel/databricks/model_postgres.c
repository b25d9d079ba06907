/*
 * The field tables of /api/2.0/postgres (see model_postgres.h).
 * Source: Databricks SDKs (service postgres, Python 0.133-0.156): a GET carries the status and no spec.
 */
#include "databricks/model_fields.h"

MODEL(pg_project_status, , "ProjectStatus", STR(pg_project_status, display_name), STR(pg_project_status, project_id),
      STR(pg_project_status, owner), STR(pg_project_status, default_branch), STR(pg_project_status, history_retention_duration),
      INT(pg_project_status, pg_version), BOOL(pg_project_status, enable_pg_native_login));

MODEL(pg_project, , "Project", STR(pg_project, name), STR(pg_project, project_id), STR(pg_project, uid), STR(pg_project, create_time),
      STR(pg_project, update_time), FIELD(pg_project, status, FIELD_OBJECT, 0, &model_pg_project_status));

MODEL(pg_project_list, , "ListProjectsResponse", LIST(pg_project_list, projects, &model_pg_project), STR(pg_project_list, next_page_token));

MODEL(pg_branch_status, , "BranchStatus", STR(pg_branch_status, branch_id), STR(pg_branch_status, current_state),
      {"default", FIELD_BOOL, 0, offsetof(struct pg_branch_status, default_), NULL}, BOOL(pg_branch_status, is_protected));

MODEL(pg_branch, , "Branch", STR(pg_branch, name), STR(pg_branch, parent), STR(pg_branch, branch_id), STR(pg_branch, uid),
      STR(pg_branch, create_time), STR(pg_branch, update_time), FIELD(pg_branch, status, FIELD_OBJECT, 0, &model_pg_branch_status));

MODEL(pg_branch_list, , "ListBranchesResponse", LIST(pg_branch_list, branches, &model_pg_branch), STR(pg_branch_list, next_page_token));

MODEL(pg_endpoint_hosts, , "EndpointHosts", STR(pg_endpoint_hosts, host));

MODEL(pg_endpoint_status, , "EndpointStatus", STR(pg_endpoint_status, endpoint_id), STR(pg_endpoint_status, endpoint_type),
      STR(pg_endpoint_status, current_state), STR(pg_endpoint_status, pending_state), INT(pg_endpoint_status, autoscaling_limit_min_cu),
      INT(pg_endpoint_status, autoscaling_limit_max_cu), BOOL(pg_endpoint_status, disabled),
      FIELD(pg_endpoint_status, hosts, FIELD_OBJECT, 0, &model_pg_endpoint_hosts));

MODEL(pg_endpoint, , "Endpoint", STR(pg_endpoint, name), STR(pg_endpoint, parent), STR(pg_endpoint, endpoint_id), STR(pg_endpoint, uid),
      STR(pg_endpoint, create_time), STR(pg_endpoint, update_time), FIELD(pg_endpoint, status, FIELD_OBJECT, 0, &model_pg_endpoint_status));

MODEL(pg_endpoint_list, , "ListEndpointsResponse", LIST(pg_endpoint_list, endpoints, &model_pg_endpoint),
      STR(pg_endpoint_list, next_page_token));

MODEL(pg_credential_request, , "GenerateDatabaseCredentialRequest", STR(pg_credential_request, endpoint), STR(pg_credential_request, ttl),
      STR(pg_credential_request, expire_time), STR(pg_credential_request, group_name), JSON(pg_credential_request, claims));

MODEL(pg_credential, , "DatabaseCredential", STR(pg_credential, token), STR(pg_credential, expire_time));
