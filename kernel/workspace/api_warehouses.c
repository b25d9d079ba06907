/*
 * /api/2.0/sql/warehouses: one serverless warehouse, which is the lakehouse worker. RUNNING means that its process runs; a
 * statement starts it when it does not, as on the service. Source: EndpointInfo of the SDKs.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "workspace/access.h"
#include "workspace/request.h"
#include "workspace/statements.h"
#include "workspace/warehouse.h"
#include "workspace/worker.h"
#include "workspace/workspace.h"

void warehouse_id(const struct workspace *ws, char id[17])
{
    char *seed = xasprintf("warehouse/%s", ws->org_id), sha[65];
    tokens_sha256(seed, strlen(seed), sha);
    free(seed);
    memcpy(id, sha, 16);
    id[16] = '\0';
}

bool warehouse_check(const struct workspace *ws, const char *id, struct err *e)
{
    char own[17];
    warehouse_id(ws, own);
    return strcmp(own, id) == 0 || err_set(e, ERR_INVALID_PARAMETER, "%.60s is not a valid endpoint id.", id);
}

static void put(struct request *r, struct warehouse *out)
{
    char id[17];
    bool up = worker_up(r->ws->worker);
    warehouse_id(r->ws, id);
    *out = (struct warehouse){
        .id = xstrdup(id), .name = xstrdup(WAREHOUSE_NAME), .state = xstrdup(up ? "RUNNING" : "STOPPED"),
        .cluster_size = xstrdup("2X-Small"), .min_num_clusters = {true, 1}, .max_num_clusters = {true, 1},
        .num_clusters = {true, up}, .num_active_sessions = {true, statements_active(r->ws->statements)},
        .auto_stop_mins = {true, 0}, .creator_name = xstrdup(ACCESS_USER), .enable_photon = TRI_FALSE,
        .enable_serverless_compute = TRI_TRUE, .spot_instance_policy = xstrdup("COST_OPTIMIZED"),
        .warehouse_type = xstrdup("PRO")};
    out->channel = xcalloc(1, sizeof *out->channel);
    out->channel->name = xstrdup("CHANNEL_NAME_CURRENT");
    out->health = xcalloc(1, sizeof *out->health);
    out->health->status = xstrdup("HEALTHY");
}

bool api_list_warehouses(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct warehouse_list *out = out_;
    struct page page;
    if (!request_page(r, "page_size", 100, &page, e))
        return false;
    if (!*page.after)
        put(r, model_list_add(&model_warehouse, &out->warehouses));
    return true;
}

bool api_get_warehouse(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    if (!warehouse_check(r->ws, request_param(r, "id"), e))
        return false;
    put(r, out);
    return true;
}

bool api_start_warehouse(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)out;
    return warehouse_check(r->ws, request_param(r, "id"), e) && worker_start(r->ws->worker, NULL, e);
}

/* What runs is cancelled first. */
bool api_stop_warehouse(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)out;
    if (!warehouse_check(r->ws, request_param(r, "id"), e))
        return false;
    statements_cancel_all(r->ws->statements);
    worker_stop(r->ws->worker);
    return true;
}
