/*
 * /api/2.0/postgres, for reading: instance `shop` seen as project `shop` with its one branch `production` and that one's endpoint
 * `primary`, and credentials for the endpoint. Same store, same permissions as /api/2.0/database.
 * Sources: Databricks SDKs (service postgres); an instance appears there as a project: Databricks "Lakebase Autoscaling".
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "workspace/cluster.h"
#include "workspace/permissions.h"
#include "workspace/request.h"
#include "workspace/workspace.h"

#define BRANCH "production"
#define ENDPOINT "primary"

enum {
    PAGE_MOST = 100,
    CU_OF_ONE = 8,                        /* autoscaling CU (2 GB) in a capacity unit of an instance (16 GB) */
    TTL_LEAST_S = 300, TTL_MOST_S = 3600, /* of a credential that names its life */
    DAY_S = 86400
};

/* ---- what goes out ---- */

static void put_project(struct request *r, const struct instance_row *row, struct pg_project *out)
{
    struct pg_project_status *s = out->status = xcalloc(1, sizeof *s);
    out->name = xasprintf("projects/%s", row->name);
    out->project_id = xstrdup(row->name);
    out->uid = xstrdup(row->uid);
    out->create_time = xstrdup(row->creation_time);
    out->update_time = xstrdup(row->creation_time);
    s->display_name = xstrdup(row->name);
    s->project_id = xstrdup(row->name);
    s->owner = xstrdup(row->creator);
    s->default_branch = xasprintf("projects/%s/branches/" BRANCH, row->name);
    s->history_retention_duration = xasprintf("%ds", row->retention_days * DAY_S);
    s->enable_pg_native_login = TRI_FALSE;
    s->pg_version = (struct opt_int){true, strtol(strrchr(clusters_pg_version(r->ws->clusters), '_') + 1, NULL, 10)}; /* a number here */
}

static void put_branch(const struct instance_row *row, struct pg_branch *out)
{
    struct pg_branch_status *s = out->status = xcalloc(1, sizeof *s);
    out->name = xasprintf("projects/%s/branches/" BRANCH, row->name);
    out->parent = xasprintf("projects/%s", row->name);
    out->branch_id = xstrdup(BRANCH);
    out->uid = xasprintf("br-%s", row->uid);
    out->create_time = xstrdup(row->creation_time);
    out->update_time = xstrdup(row->creation_time);
    s->branch_id = xstrdup(BRANCH);
    s->current_state = xstrdup(row->created ? "READY" : "INIT");
    s->default_ = TRI_TRUE;
    s->is_protected = TRI_FALSE;
}

static void put_endpoint(const struct instance_row *row, struct pg_endpoint *out)
{
    static const struct {
        const char *current, *pending;
    } states[] = {[INST_STARTING] = {"INIT", "ACTIVE"}, [INST_AVAILABLE] = {"ACTIVE", NULL}, [INST_STOPPED] = {"IDLE", NULL},
                  [INST_UPDATING] = {"ACTIVE", "ACTIVE"}, [INST_DELETING] = {"IDLE", NULL}};
    struct pg_endpoint_status *s = out->status = xcalloc(1, sizeof *s);
    const char *units = strchr(row->capacity, '_');
    int64_t cu = (units ? strtol(units + 1, NULL, 10) : 1) * CU_OF_ONE; /* "CU_2"; a fixed size */
    out->name = xasprintf("projects/%s/branches/" BRANCH "/endpoints/" ENDPOINT, row->name);
    out->parent = xasprintf("projects/%s/branches/" BRANCH, row->name);
    out->endpoint_id = xstrdup(ENDPOINT);
    out->uid = xasprintf("ep-%s", row->uid);
    out->create_time = xstrdup(row->creation_time);
    out->update_time = xstrdup(row->creation_time);
    s->endpoint_id = xstrdup(ENDPOINT);
    s->endpoint_type = xstrdup("ENDPOINT_TYPE_READ_WRITE");
    s->current_state = xstrdup(states[row->state].current);
    s->pending_state = states[row->state].pending ? xstrdup(states[row->state].pending) : NULL;
    s->autoscaling_limit_min_cu = s->autoscaling_limit_max_cu = (struct opt_int){true, cu};
    s->disabled = tri_of(row->stopped);
    if (row->address[0]) {
        s->hosts = xcalloc(1, sizeof *s->hosts);
        s->hosts->host = xstrdup(row->address);
    }
}

/* ---- what is asked for ---- */

static bool project_of(struct request *r, const char *id, struct instance_row *row, struct err *e)
{
    struct err why = {0};
    bool found = permission_instance(r, id, ACCESS_USE, row, &why);
    if ((found && row->state == INST_DELETING) || why.code == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "project id not found");
    if (!found)
        *e = why;
    return found;
}

/* The project that the path names, and under it the only branch and endpoint there are. */
static bool resource(struct request *r, struct instance_row *row, struct err *e)
{
    const char *branch = request_param(r, "branch"), *endpoint = request_param(r, "endpoint");
    if (!project_of(r, request_param(r, "project"), row, e))
        return false;
    if (branch && strcmp(branch, BRANCH) != 0)
        return err_set(e, ERR_NOT_FOUND, "branch id not found");
    return !endpoint || strcmp(endpoint, ENDPOINT) == 0 || err_set(e, ERR_NOT_FOUND, "endpoint id not found");
}

/* A page that holds the one thing there is; what a token was given for comes after it. */
static bool page_of_one(struct request *r, bool *show, struct err *e)
{
    struct page page;
    bool ok = request_page(r, "page_size", PAGE_MOST, &page, e);
    *show = ok && !*page.after;
    return ok;
}

bool api_list_projects(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct pg_project_list *out = out_;
    struct instance_rows rows;
    struct page page;
    const char *last = NULL;
    if (!request_page(r, "page_size", PAGE_MOST, &page, e) || !store_instances(r->ws->store, page.after, 0, &rows, e))
        return false;
    bool ok = permission_drop_unseen(r, &rows, e);
    for (size_t i = 0; ok && i < rows.count && !out->next_page_token; i++) {
        if (rows.rows[i].state == INST_DELETING)
            continue;
        if (out->projects.count == page.limit) {
            out->next_page_token = page_token_after(last);
        } else {
            put_project(r, &rows.rows[i], model_list_add(&model_pg_project, &out->projects));
            last = rows.rows[i].name;
        }
    }
    instance_rows_release(&rows);
    return ok;
}

bool api_get_project(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct instance_row row;
    bool ok = resource(r, &row, e);
    if (ok)
        put_project(r, &row, out);
    return ok;
}

bool api_list_branches(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct pg_branch_list *out = out_;
    struct instance_row row;
    bool show, ok = resource(r, &row, e) && page_of_one(r, &show, e);
    if (ok && show)
        put_branch(&row, model_list_add(&model_pg_branch, &out->branches));
    return ok;
}

bool api_get_branch(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct instance_row row;
    bool ok = resource(r, &row, e);
    if (ok)
        put_branch(&row, out);
    return ok;
}

bool api_list_endpoints(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct pg_endpoint_list *out = out_;
    struct instance_row row;
    bool show, ok = resource(r, &row, e) && page_of_one(r, &show, e);
    if (ok && show)
        put_endpoint(&row, model_list_add(&model_pg_endpoint, &out->endpoints));
    return ok;
}

bool api_get_endpoint(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct instance_row row;
    bool ok = resource(r, &row, e);
    if (ok)
        put_endpoint(&row, out);
    return ok;
}

/* ---- credentials ---- */

/* "projects/shop/branches/production/endpoints/primary" */
static bool endpoint_of(struct request *r, const char *name, struct instance_row *row, struct err *e)
{
    static const char before[] = "projects/", behind[] = "/branches/" BRANCH "/endpoints/" ENDPOINT;
    if (!name || !*name)
        return err_set(e, ERR_INVALID_PARAMETER, "Field 'endpoint' is required, expected non-default value (not \"\")!");
    const char *id = name + strlen(before), *end = strncmp(name, before, strlen(before)) == 0 ? strchr(id, '/') : NULL;
    if (!end || end == id)
        return err_set(e, ERR_INVALID_PARAMETER, "'%.200s' is not the name of an endpoint: projects/{project_id}/branches/{branch_id}/"
                                                 "endpoints/{endpoint_id}", name);
    if (!project_of(r, arena_strndup(&r->arena, id, (size_t)(end - id)), row, e))
        return false;
    return strcmp(end, behind) == 0 || err_set(e, ERR_NOT_FOUND, "endpoint id not found");
}

/* Whole seconds, "900s". */
static bool take_ttl(const char *text, int64_t *out)
{
    char *end;
    long long n = strtoll(text, &end, 10);
    *out = n;
    return isdigit((unsigned char)*text) && strcmp(end, "s") == 0;
}

/* Seconds that the credential holds; never longer than this workspace's tokens do. */
static bool life_of(struct request *r, const struct pg_credential_request *in, int64_t now, int *life, struct err *e)
{
    int64_t asked = tokens_life_s(r->ws->tokens), until;
    *life = (int)asked;
    if (in->ttl && in->expire_time)
        return err_set(e, ERR_INVALID_PARAMETER, "Only one of ttl and expire_time is taken");
    if (!in->ttl && !in->expire_time)
        return true;
    if (in->ttl && !take_ttl(in->ttl, &asked))
        return err_set(e, ERR_INVALID_PARAMETER, "ttl '%.60s' is not a duration in seconds, like 900s", in->ttl);
    if (in->expire_time) {
        if (!clock_parse_rfc3339(in->expire_time, &until))
            return err_set(e, ERR_INVALID_PARAMETER, "expire_time '%.60s' is not a time, like 2026-01-31T12:00:00Z", in->expire_time);
        asked = until - now;
    }
    if (asked < TTL_LEAST_S || asked > TTL_MOST_S)
        return err_set(e, ERR_INVALID_PARAMETER, "A credential holds for %d to %d seconds", TTL_LEAST_S, TTL_MOST_S);
    if (asked < *life)
        *life = (int)asked;
    return true;
}

bool api_generate_endpoint_credential(struct request *r, const void *in_, void *out_, struct err *e)
{
    const struct pg_credential_request *in = in_;
    struct pg_credential *out = out_;
    struct instance_row row;
    char until[32];
    int life;
    int64_t now = clock_wall_s();
    if (json_array_size(in->claims) > 0 || in->group_name)
        return err_set(e, ERR_NOT_IMPLEMENTED, "Credentials with %s are not offered by this local workspace; ask for one without",
                       in->group_name ? "a group_name" : "claims (READ_ONLY)");
    if (!endpoint_of(r, in->endpoint, &row, e) || !life_of(r, in, now, &life, e))
        return false;
    const struct token_instance named = {row.name, row.uid};
    clock_rfc3339(now + life, until);
    out->token = tokens_database_for(r->ws->tokens, r->caller.name, &named, 1, now, life);
    out->expire_time = xstrdup(until);
    return true;
}
