/*
 * /api/2.0/pipelines*: the pipelines that move rows into synced tables, their updates and events. Pipelines come and go with
 * synced tables; they are not made here. Source: Pipelines API of the SDKs (0.133-0.156).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/grants.h"
#include "workspace/request.h"
#include "workspace/synced.h"
#include "workspace/workspace.h"

enum { LATEST = 5, UPDATES_MOST = 100, EVENTS_MOST = 250 };

static const char *pipeline_state(struct request *r, const char *id)
{
    return synced_is_running(r->ws->synced, id) ? "RUNNING" : "IDLE";
}

static bool put_pipeline(struct request *r, const struct pipeline_row *row, struct pipeline *out, struct err *e)
{
    struct update_rows updates;
    if (!store_updates(r->ws->store, row->id, LATEST, &updates, e))
        return false;
    bool failed = updates.count && strcmp(updates.rows[0].state, "FAILED") == 0;
    out->pipeline_id = xstrdup(row->id);
    out->name = xstrdup(row->name);
    out->state = xstrdup(pipeline_state(r, row->id));
    out->health = xstrdup(failed ? "UNHEALTHY" : "HEALTHY");
    out->creator_user_name = xstrdup(row->creator);
    out->run_as_user_name = xstrdup(row->creator);
    out->last_modified = (struct opt_int){true, row->created_ms};
    out->spec = xcalloc(1, sizeof *out->spec);
    *out->spec = (struct pipeline_spec){xstrdup(row->id), xstrdup(row->name), xstrdup(row->catalog), xstrdup(row->schema),
                                        tri_of(row->continuous)};
    for (size_t i = 0; i < updates.count; i++) {
        struct pipeline_update_brief *b = model_list_add(&model_pipeline_update_brief, &out->latest_updates);
        b->update_id = xstrdup(updates.rows[i].id);
        b->state = xstrdup(updates.rows[i].state);
        char stamp[32];
        clock_rfc3339(updates.rows[i].created_ms / 1000, stamp);
        b->creation_time = xstrdup(stamp);
    }
    update_rows_release(&updates);
    return true;
}

static bool find(struct request *r, struct pipeline_row *row, struct err *e)
{
    return store_pipeline(r->ws->store, request_param(r, "pipeline_id"), row, e);
}

bool api_get_pipeline(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct pipeline_row row;
    if (!find(r, &row, e))
        return false;
    bool ok = put_pipeline(r, &row, out, e);
    pipeline_row_release(&row);
    return ok;
}

/* One page: a workspace has few. A pipeline without tables does not exist, so the tables lead to all of them. */
bool api_list_pipelines(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct pipeline_list *out = out_;
    struct synced_rows tables;
    if (!store_synced_list(r->ws->store, NULL, NULL, NULL, 0, &tables, e))
        return false;
    bool ok = true;
    for (size_t i = 0; i < tables.count && ok; i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen |= strcmp(tables.rows[k].pipeline_id, tables.rows[i].pipeline_id) == 0;
        struct pipeline_row row;
        if (seen)
            continue;
        ok = store_pipeline(r->ws->store, tables.rows[i].pipeline_id, &row, e) &&
             put_pipeline(r, &row, model_list_add(&model_pipeline, &out->statuses), e);
        pipeline_row_release(&row);
    }
    synced_rows_release(&tables);
    return ok;
}

/* Its creator may start and stop it, and who manages one of its tables. */
static bool may_manage(struct request *r, const struct pipeline_row *row, struct err *e)
{
    struct synced_rows tables;
    bool yes = strcmp(row->creator, r->caller.name) == 0;
    if (yes)
        return true;
    if (!store_synced_list(r->ws->store, NULL, NULL, NULL, 0, &tables, e))
        return false;
    for (size_t i = 0; i < tables.count && !yes; i++)
        yes = strcmp(tables.rows[i].pipeline_id, row->id) == 0 &&
              grants_manages(r->ws, r->caller.name, SECURABLE_TABLE, tables.rows[i].name);
    synced_rows_release(&tables);
    return yes || err_set(e, ERR_PERMISSION, "User '%s' does not have Manage permissions on pipeline '%s'.", r->caller.name, row->id);
}

bool api_stop_pipeline(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)out;
    struct pipeline_row row;
    if (!find(r, &row, e))
        return false;
    bool ok = may_manage(r, &row, e);
    if (ok)
        synced_stop(r->ws->synced, row.id);
    pipeline_row_release(&row);
    return ok;
}

/* ---- updates ---- */

static bool all_selected(const struct pipeline_start *in)
{
    return in->refresh_selection.count == 0 && in->full_refresh_selection.count == 0;
}

bool api_start_update(struct request *r, const void *in_, void *out_, struct err *e)
{
    const struct pipeline_start *in = in_;
    struct pipeline_started *out = out_;
    struct pipeline_row row;
    if (in->validate_only == TRI_TRUE || !all_selected(in))
        return err_set(e, ERR_NOT_IMPLEMENTED, "validate_only and selections are not offered for pipelines of synced tables");
    if (!find(r, &row, e))
        return false;
    char id[37];
    ids_uuid(id);
    struct update_row u = {.id = id, .pipeline_id = row.id, .state = arena_strdup(&r->arena, "QUEUED"),
                           .cause = arena_strdup(&r->arena, "API_CALL"), .full_refresh = in->full_refresh == TRI_TRUE,
                           .created_ms = clock_wall_ms()};
    bool ok = may_manage(r, &row, e) && synced_start(r->ws->synced, &u, e);
    if (ok)
        out->update_id = xstrdup(id);
    pipeline_row_release(&row);
    return ok;
}

static void put_update(const struct update_row *row, struct pipeline_update *out)
{
    out->update_id = xstrdup(row->id);
    out->pipeline_id = xstrdup(row->pipeline_id);
    out->state = xstrdup(row->state);
    out->cause = xstrdup(row->cause);
    out->full_refresh = tri_of(row->full_refresh);
    out->creation_time = (struct opt_int){true, row->created_ms};
}

static bool is_over(const char *state)
{
    return strcmp(state, "COMPLETED") == 0 || strcmp(state, "FAILED") == 0 || strcmp(state, "CANCELED") == 0;
}

static bool find_update(struct request *r, const char *pipeline_id, struct update_row *out, struct err *e)
{
    const char *id = request_param(r, "update_id");
    struct update_rows rows;
    if (!store_updates(r->ws->store, pipeline_id, 0, &rows, e))
        return false;
    for (size_t i = 0; i < rows.count && !out->id; i++) {
        if (strcmp(rows.rows[i].id, id) == 0) {
            *out = rows.rows[i];
            rows.rows[i] = (struct update_row){0};
        }
    }
    update_rows_release(&rows);
    return out->id || err_set(e, ERR_RESOURCE_NOT_FOUND, "The specified update %.100s was not found.", id);
}

/* An update under way holds the answer for a moment, as a synced table does. */
bool api_get_update(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct pipeline_update_answer *out = out_;
    struct pipeline_row pipeline;
    struct update_row row = {0};
    unsigned seen = synced_seen(r->ws->synced);
    if (!find(r, &pipeline, e))
        return false;
    bool ok = find_update(r, pipeline.id, &row, e);
    if (ok && !is_over(row.state) && !pipeline.continuous) {
        synced_hold(r->ws->synced, seen);
        update_row_release(&row);
        ok = find_update(r, pipeline.id, &row, e);
    }
    if (ok) {
        out->update = xcalloc(1, sizeof *out->update);
        put_update(&row, out->update);
    }
    update_row_release(&row);
    pipeline_row_release(&pipeline);
    return ok;
}

bool api_list_updates(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct pipeline_update_list *out = out_;
    struct pipeline_row pipeline;
    struct update_rows rows;
    if (!find(r, &pipeline, e))
        return false;
    bool ok = store_updates(r->ws->store, pipeline.id, UPDATES_MOST, &rows, e);
    for (size_t i = 0; ok && i < rows.count; i++)
        put_update(&rows.rows[i], model_list_add(&model_pipeline_update, &out->updates));
    if (ok)
        update_rows_release(&rows);
    pipeline_row_release(&pipeline);
    return ok;
}

/* ---- events ---- */

bool api_list_pipeline_events(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct pipeline_event_list *out = out_;
    struct pipeline_row pipeline;
    struct event_rows rows;
    struct page page;
    if (request_param(r, "filter") && *request_param(r, "filter"))
        return err_set(e, ERR_NOT_IMPLEMENTED, "The filter of pipeline events is not offered by this local workspace");
    if (!request_page(r, "max_results", EVENTS_MOST, &page, e) || !find(r, &pipeline, e))
        return false;
    bool ok = store_events(r->ws->store, pipeline.id, page.limit, &rows, e);
    for (size_t i = 0; ok && i < rows.count; i++) {
        const struct event_row *row = &rows.rows[i];
        struct pipeline_event *event = model_list_add(&model_pipeline_event, &out->events);
        char stamp[32];
        clock_rfc3339(row->at_ms / 1000, stamp);
        event->id = xstrdup(row->id);
        event->timestamp = xstrdup(stamp);
        event->level = xstrdup(row->level);
        event->event_type = xstrdup(row->type);
        event->message = xstrdup(row->message);
        event->maturity_level = xstrdup("STABLE");
        event->origin = json_pack("{s:s,s:s,s:s}", "pipeline_id", pipeline.id, "pipeline_name", pipeline.name, "update_id",
                                  row->update_id);
        event->error = *row->error ? json_loads(row->error, 0, NULL) : NULL;
    }
    if (ok)
        event_rows_release(&rows);
    pipeline_row_release(&pipeline);
    return ok;
}
