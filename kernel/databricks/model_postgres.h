/* The autoscaling API's view of an instance: project, branch, endpoint. Part of databricks/model.h; not included by itself. */
#ifndef DATABRICKS_MODEL_POSTGRES_H
#define DATABRICKS_MODEL_POSTGRES_H

#include "databricks/model.h"

/* name: the path of the resource, "projects/shop/branches/production". Times: RFC 3339. Durations: "604800s". */
struct pg_project_status {
    char *display_name, *project_id, *owner, *default_branch, *history_retention_duration;
    struct opt_int pg_version; /* 16 */
    enum tri enable_pg_native_login;
};
struct pg_project {
    char *name, *project_id, *uid, *create_time, *update_time;
    struct pg_project_status *status;
};
struct pg_project_list {
    struct model_list projects;
    char *next_page_token;
};

struct pg_branch_status {
    char *branch_id, *current_state;
    enum tri default_, is_protected;
};
struct pg_branch {
    char *name, *parent, *branch_id, *uid, *create_time, *update_time;
    struct pg_branch_status *status;
};
struct pg_branch_list {
    struct model_list branches;
    char *next_page_token;
};

struct pg_endpoint_hosts {
    char *host;
};
struct pg_endpoint_status {
    char *endpoint_id, *endpoint_type, *current_state, *pending_state;
    struct opt_int autoscaling_limit_min_cu, autoscaling_limit_max_cu;
    enum tri disabled;
    struct pg_endpoint_hosts *hosts;
};
struct pg_endpoint {
    char *name, *parent, *endpoint_id, *uid, *create_time, *update_time;
    struct pg_endpoint_status *status;
};
struct pg_endpoint_list {
    struct model_list endpoints;
    char *next_page_token;
};

/* ttl: "900s", or expire_time; claims: as they came. */
struct pg_credential_request {
    char *endpoint, *ttl, *expire_time, *group_name;
    json_t *claims;
};
struct pg_credential {
    char *token, *expire_time;
};

extern const struct model model_pg_project_status, model_pg_project, model_pg_project_list, model_pg_branch_status, model_pg_branch,
    model_pg_branch_list, model_pg_endpoint_hosts, model_pg_endpoint_status, model_pg_endpoint, model_pg_endpoint_list,
    model_pg_credential_request, model_pg_credential;

#endif
