/*
 * /api/2.0/database/synced_tables*: Delta tables of Unity Catalog kept as tables of an instance.
 * Sources: SDKs (SyncedDatabaseTable, 0.133-0.156); rules and limits: Databricks "Serve lakehouse data with synced tables".
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta.h"
#include "sync/sync.h"
#include "workspace/grants.h"
#include "workspace/permissions.h"
#include "workspace/request.h"
#include "workspace/samples.h"
#include "workspace/store_lake.h"
#include "workspace/synced.h"
#include "workspace/workspace.h"

enum { PAGE_MOST = 100, PG_NAME_MAX = 63, KEY_COLUMNS_MAX = 32 };

/* "c.s.t" in lower case, each part of [A-Za-z0-9_]; parts point into `copy`. */
static bool take_name(struct request *r, const char *what, const char *given, char **full, char *parts[3], struct err *e)
{
    char *copy = arena_strdup(&r->arena, given ? given : "");
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    *full = arena_strdup(&r->arena, copy);
    size_t n = 0;
    bool ok = true;
    for (char *part = copy, *dot; part; part = dot ? dot + 1 : NULL) {
        dot = strchr(part, '.');
        if (dot)
            *dot = '\0';
        ok &= *part && strspn(part, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(part) && strlen(part) <= PG_NAME_MAX;
        if (n < 3)
            parts[n] = part;
        n++;
    }
    return (ok && n == 3) ||
           err_set(e, ERR_INVALID_PARAMETER, "%s '%.150s' is not valid: it has three parts (catalog.schema.table) of letters, "
                                             "digits and underscores, each up to %d long", what, given ? given : "", PG_NAME_MAX);
}

/* ---- create ---- */

struct making {
    const struct synced_table *in;
    struct synced_row row;
    struct pipeline_row pipeline;
    struct update_row update;
    char *catalog;
    char id[37], pipeline_id[37], update_id[37];
};

static bool same_or_absent(const char *what, const char *given, const char *is, struct err *e)
{
    return !given || !*given || strcmp(given, is) == 0 ||
           err_set(e, ERR_INVALID_PARAMETER, "%s '%.100s' is not that of the registered catalog, which is '%s'", what, given, is);
}

/* Where the table goes: the database of a registered catalog, or the one that is named. */
static bool take_target(struct request *r, struct making *m, struct err *e)
{
    struct catalog_row registered;
    struct instance_row instance;
    struct securable_row row;
    struct err none = {0};
    if (store_catalog(r->ws->store, m->catalog, &registered, &none)) {
        m->row.instance_uid = arena_strdup(&r->arena, registered.instance_uid);
        m->row.database = arena_strdup(&r->arena, registered.database);
        return same_or_absent("database_instance_name", m->in->database_instance_name, registered.instance_name, e) &&
               same_or_absent("logical_database_name", m->in->logical_database_name, registered.database, e);
    }
    if (!store_securable(r->ws->store, SECURABLE_CATALOG, m->catalog, &row, &none))
        return err_set(e, ERR_CATALOG_NOT_FOUND, "Catalog '%s' does not exist.", m->catalog);
    securable_row_release(&row);
    if (!m->in->database_instance_name || !m->in->logical_database_name)
        return err_set(e, ERR_INVALID_PARAMETER, "Catalog '%s' is not a registered database: database_instance_name and "
                                                 "logical_database_name are required", m->catalog);
    if (!permission_instance(r, m->in->database_instance_name, ACCESS_USE, &instance, e))
        return false;
    m->row.instance_uid = arena_strdup(&r->arena, instance.uid);
    m->row.database = arena_strdup(&r->arena, m->in->logical_database_name);
    char *schema = arena_printf(&r->arena, "%s.%s", m->catalog, m->row.schema);
    if (!store_securable(r->ws->store, SECURABLE_SCHEMA, schema, &row, &none))
        return err_set(e, ERR_SCHEMA_NOT_FOUND, "Schema '%s' does not exist.", schema);
    securable_row_release(&row);
    return true;
}

static bool known_policy(const char *policy)
{
    return strcmp(policy, "SNAPSHOT") == 0 || strcmp(policy, "TRIGGERED") == 0 || strcmp(policy, "CONTINUOUS") == 0;
}

static bool check_spec(const struct synced_table_spec *s, struct err *e)
{
    if (!s || !s->source_table_full_name || !*s->source_table_full_name)
        return err_set(e, ERR_INVALID_PARAMETER, "spec.source_table_full_name is required");
    if (s->primary_key_columns.count == 0 || s->primary_key_columns.count > KEY_COLUMNS_MAX)
        return err_set(e, ERR_INVALID_PARAMETER, "spec.primary_key_columns needs 1 to %d columns", KEY_COLUMNS_MAX);
    if (!s->scheduling_policy || !known_policy(s->scheduling_policy))
        return err_set(e, ERR_INVALID_PARAMETER, "spec.scheduling_policy must be one of SNAPSHOT, TRIGGERED, CONTINUOUS");
    if (s->new_pipeline_spec && s->existing_pipeline_id && *s->existing_pipeline_id)
        return err_set(e, ERR_INVALID_PARAMETER, "Only one of spec.new_pipeline_spec and spec.existing_pipeline_id can be given");
    if (json_array_size(s->extra_columns) || json_array_size(s->extra_index_definitions) || json_array_size(s->type_overrides))
        return err_set(e, ERR_NOT_IMPLEMENTED, "extra_columns, extra_index_definitions and type_overrides are not offered by "
                                               "this local workspace");
    return true;
}

static bool has_column(const struct delta_snapshot *d, const char *what, const char *name, struct err *e)
{
    const struct delta_column *c = delta_schema_find(&d->schema, name);
    if (!c)
        return err_set(e, ERR_INVALID_PARAMETER, "%s '%.100s' is not a column of the source table", what, name);
    return c->type != DELTA_NESTED ||
           err_set(e, ERR_INVALID_PARAMETER, "%s '%.100s' has a nested type, which a key cannot have", what, name);
}

/* What would fail at the first run is said at once. */
static bool check_source(struct request *r, struct making *m, struct err *e)
{
    const struct synced_table_spec *s = m->in->spec;
    struct securable_row source;
    if (!grants_need(r->ws, r->caller.name, SECURABLE_TABLE, m->row.source, "SELECT", e))
        return false;
    if (!store_securable(r->ws->store, SECURABLE_TABLE, m->row.source, &source, e)) {
        *e = (struct err){0};
        return err_set(e, ERR_TABLE_NOT_FOUND, "Table '%s' does not exist.", m->row.source);
    }
    struct delta_snapshot *d = samples_ready(r->ws, m->row.source, source.location, e) ? delta_open(source.location, -1, e) : NULL;
    bool ok = d != NULL;
    for (size_t i = 0; ok && i < s->primary_key_columns.count; i++)
        ok = has_column(d, "Primary key column", ((char *const *)s->primary_key_columns.items)[i], e);
    if (ok && s->timeseries_key)
        ok = has_column(d, "Timeseries key", s->timeseries_key, e);
    const char *feed = ok ? delta_property(d, "delta.enableChangeDataFeed") : NULL;
    if (ok && strcmp(s->scheduling_policy, "SNAPSHOT") != 0 && (!feed || strcasecmp(feed, "true") != 0)) {
        ok = err_set(e, ERR_INVALID_PARAMETER, "Table '%s' has no change data feed, which scheduling policy %s needs",
                     m->row.source, s->scheduling_policy);
        err_hint(e, "ALTER TABLE %s SET TBLPROPERTIES (delta.enableChangeDataFeed = true)", m->row.source);
    }
    delta_close(d);
    securable_row_release(&source);
    return ok;
}

static bool take_pipeline(struct request *r, struct making *m, struct err *e)
{
    const struct synced_table_spec *s = m->in->spec;
    bool continuous = strcmp(s->scheduling_policy, "CONTINUOUS") == 0;
    m->row.pipeline_id = m->pipeline_id;
    if (!s->existing_pipeline_id || !*s->existing_pipeline_id) {
        ids_uuid(m->pipeline_id);
        m->pipeline = (struct pipeline_row){
            .id = m->pipeline_id, .name = arena_printf(&r->arena, "Synced table: %s", m->row.name), .catalog = m->catalog,
            .schema = m->row.schema, .creator = m->row.creator, .continuous = continuous, .created_ms = m->row.created_ms};
        return true;
    }
    struct pipeline_row old;
    if (!store_pipeline(r->ws->store, s->existing_pipeline_id, &old, e))
        return false;
    bool ok = old.continuous == continuous ||
              err_set(e, ERR_INVALID_PARAMETER, "Pipeline '%s' has another scheduling policy", s->existing_pipeline_id);
    if (ok && synced_is_running(r->ws->synced, old.id))
        ok = err_set(e, ERR_CONFLICT, "An update of pipeline '%s' is under way; stop it or wait for its end", old.id);
    err_copy(m->pipeline_id, sizeof m->pipeline_id, old.id, strlen(old.id));
    pipeline_row_release(&old);
    return ok;
}

static bool take_request(struct request *r, struct making *m, struct err *e)
{
    char *parts[3], *source_parts[3];
    if (m->in->database_project_id || m->in->database_branch_id)
        return err_set(e, ERR_NOT_IMPLEMENTED, "Autoscaling projects are not offered by this local workspace");
    if (!take_name(r, "Synced table name", m->in->name, &m->row.name, parts, e) || !check_spec(m->in->spec, e) ||
        !take_name(r, "Source table name", m->in->spec->source_table_full_name, &m->row.source, source_parts, e))
        return false;
    ids_uuid(m->id);
    m->catalog = parts[0];
    m->row.id = m->id;
    m->row.schema = parts[1];
    m->row.table = parts[2];
    m->row.creator = r->caller.name;
    m->row.created_ms = clock_wall_ms();
    m->row.version = -1;
    m->row.state = arena_strdup(&r->arena, "SYNCED_TABLE_PROVISIONING");
    m->row.message = arena_strdup(&r->arena, "The synced table is being created.");
    char *schema = arena_printf(&r->arena, "%s.%s", m->catalog, m->row.schema);
    return take_target(r, m, e) && grants_need(r->ws, r->caller.name, SECURABLE_SCHEMA, schema, "CREATE_TABLE", e) && check_source(r, m, e) && take_pipeline(r, m, e);
}

static bool add(struct request *r, struct making *m, struct err *e)
{
    json_t *spec = model_encode(&model_synced_table_spec, MODEL_SERVER, m->in->spec);
    m->row.spec = jx_dump(spec);
    json_decref(spec);
    ids_uuid(m->update_id);
    m->update = (struct update_row){.id = m->update_id, .pipeline_id = m->pipeline_id,
                                    .state = arena_strdup(&r->arena, "QUEUED"), .cause = arena_strdup(&r->arena, "API_CALL"),
                                    .created_ms = m->row.created_ms};
    bool ok = synced_create(r->ws->synced, &m->row, m->pipeline.id ? &m->pipeline : NULL, &m->update, e);
    free(m->row.spec);
    return ok;
}

static bool put(struct request *r, const struct synced_row *row, struct synced_table *out, struct err *e);

bool api_create_synced_table(struct request *r, const void *in, void *out, struct err *e)
{
    struct making m = {.in = in};
    struct synced_row row;
    struct err none = {0};
    if (!take_request(r, &m, e))
        return false;
    if (store_synced(r->ws->store, m.row.name, &row, &none)) {
        synced_row_release(&row);
        return err_set(e, ERR_ALREADY_EXISTS, "Synced table '%s' already exists", m.row.name);
    }
    if (!synced_prepare(r->ws, &m.row, m.in->spec->create_database_objects_if_missing == TRI_TRUE, e) || !add(r, &m, e) ||
        !store_synced(r->ws->store, m.row.name, &row, e))
        return false;
    bool ok = put(r, &row, out, e);
    synced_row_release(&row);
    return ok;
}

/* ---- read ---- */

static char *stamp(int64_t ms)
{
    char text[32];
    clock_rfc3339(ms / 1000, text);
    return xstrdup(text);
}

static struct sync_pipeline_progress *progress_of(struct request *r, const struct synced_row *row)
{
    struct synced_progress p;
    if (!synced_progress(r->ws->synced, row->id, &p) || !p.phase)
        return NULL;
    struct sync_pipeline_progress *out = xcalloc(1, sizeof *out);
    out->latest_version_currently_processing = (struct opt_int){p.version >= 0, p.version};
    out->provisioning_phase = xstrdup(p.phase == SYNC_INDEXING ? "PROVISIONING_PHASE_INDEX_SORT" : "PROVISIONING_PHASE_MAIN");
    if (p.rows >= 0)
        out->synced_row_count = (struct opt_int){true, p.rows};
    if (p.total >= 0)
        out->total_row_count = (struct opt_int){true, p.total};
    if (p.rows >= 0 && p.total > 0)
        out->sync_progress_completion = json_real(p.rows >= p.total ? 1.0 : (double)p.rows / (double)p.total);
    return out;
}

static struct update_status *update_status_of(const struct synced_row *row)
{
    struct update_status *out = xcalloc(1, sizeof *out);
    if (row->version >= 0) {
        out->last_processed_commit_version = (struct opt_int){true, row->version};
        out->timestamp = stamp(row->commit_ms);
    }
    return out;
}

static struct synced_table_status *status_of(struct request *r, const struct synced_row *row)
{
    struct synced_table_status *s = xcalloc(1, sizeof *s);
    const char *state = row->state;
    s->detailed_state = xstrdup(state);
    s->message = xstrdup(row->message);
    s->pipeline_id = xstrdup(row->pipeline_id);
    if (row->version >= 0) {
        s->last_sync = xcalloc(1, sizeof *s->last_sync);
        s->last_sync->delta_table_sync_info = xcalloc(1, sizeof *s->last_sync->delta_table_sync_info);
        s->last_sync->delta_table_sync_info->delta_commit_version = (struct opt_int){true, row->version};
        s->last_sync->delta_table_sync_info->delta_commit_timestamp = stamp(row->commit_ms);
        s->last_sync->sync_start_timestamp = stamp(row->start_ms);
        s->last_sync->sync_end_timestamp = stamp(row->end_ms);
    }
    if (strncmp(state, "SYNCED_TABLE_PROVISIONING", 25) == 0) {
        s->provisioning_status = xcalloc(1, sizeof *s->provisioning_status);
        s->provisioning_status->initial_pipeline_sync_progress = progress_of(r, row);
    } else if (strstr(state, "CONTINUOUS")) {
        s->continuous_update_status = update_status_of(row);
        s->continuous_update_status->initial_pipeline_sync_progress = progress_of(r, row);
    } else if (strstr(state, "FAILED")) {
        s->failed_status = update_status_of(row);
    } else {
        s->triggered_update_status = update_status_of(row);
        s->triggered_update_status->triggered_update_progress = progress_of(r, row);
    }
    return s;
}

static const char *provisioning_state(const char *state)
{
    return strncmp(state, "SYNCED_TABLE_PROVISIONING", 25) == 0 ? "PROVISIONING"
           : strcmp(state, "SYNCED_TABLE_OFFLINE_FAILED") == 0  ? "FAILED"
                                                                : "ACTIVE";
}

static bool put(struct request *r, const struct synced_row *row, struct synced_table *out, struct err *e)
{
    struct instance_row instance;
    if (!store_instance_by_uid(r->ws->store, row->instance_uid, &instance, e))
        return false;
    out->name = xstrdup(row->name);
    out->database_instance_name = xstrdup(instance.name);
    out->logical_database_name = xstrdup(row->database);
    out->effective_database_instance_name = xstrdup(instance.name);
    out->effective_logical_database_name = xstrdup(row->database);
    out->unity_catalog_provisioning_state = xstrdup(provisioning_state(row->state));
    out->data_synchronization_status = status_of(r, row);
    json_t *spec = json_loads(row->spec, 0, NULL);
    out->spec = xcalloc(1, sizeof *out->spec);
    bool ok = spec && model_decode(&model_synced_table_spec, MODEL_CLIENT, spec, out->spec, e);
    json_decref(spec);
    return ok || err_set(e, ERR_INTERNAL, "the spec of '%s' cannot be read", row->name);
}

static bool find(struct request *r, struct synced_row *row, struct err *e)
{
    char *full, *parts[3];
    return take_name(r, "Synced table name", request_param(r, "name"), &full, parts, e) &&
           store_synced(r->ws->store, full, row, e);
}

/* In a state that passes, the answer waits for the next one a moment: workspace/synced.h. */
bool api_get_synced_table(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct synced_row row;
    unsigned seen = synced_seen(r->ws->synced);
    if (!find(r, &row, e))
        return false;
    if (synced_passing(row.state)) {
        synced_row_release(&row);
        synced_hold(r->ws->synced, seen);
        if (!find(r, &row, e))
            return false;
    }
    bool ok = put(r, &row, out, e);
    synced_row_release(&row);
    return ok;
}

bool api_list_synced_tables(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct synced_table_list *out = out_;
    struct instance_row instance;
    struct synced_rows rows;
    struct page page;
    if (!request_page(r, "page_size", PAGE_MOST, &page, e) ||
        !permission_instance(r, request_param(r, "instance"), ACCESS_USE, &instance, e) ||
        !store_synced_list(r->ws->store, instance.uid, NULL, page.after, page.limit + 1, &rows, e))
        return false;
    bool ok = true;
    for (size_t i = 0; i < rows.count && i < page.limit && ok; i++)
        ok = put(r, &rows.rows[i], model_list_add(&model_synced_table, &out->synced_tables), e);
    if (rows.count > page.limit)
        out->next_page_token = page_token_after(rows.rows[page.limit - 1].name);
    synced_rows_release(&rows);
    return ok;
}

/* ---- change ---- */

bool api_update_synced_table(struct request *r, const void *in, void *out, struct err *e)
{
    (void)r;
    (void)in;
    (void)out;
    err_set(e, ERR_NOT_IMPLEMENTED, "A synced table cannot be changed");
    err_hint(e, "delete it and create it again");
    return false;
}

bool api_delete_synced_table(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)out;
    struct synced_row row;
    bool purge;
    if (!request_bool(r, "purge_data", false, &purge, e) || !find(r, &row, e))
        return false;
    bool ok = (strcmp(row.creator, r->caller.name) == 0 || grants_manages(r->ws, r->caller.name, SECURABLE_TABLE, row.name) ||
               err_set(e, ERR_PERMISSION, "User is not an owner of synced table '%s'.", row.name)) &&
              synced_delete(r->ws->synced, &row, purge, e);
    synced_row_release(&row);
    return ok;
}
