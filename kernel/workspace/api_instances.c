/*
 * /api/2.0/database/instances*: what a client may ask of an instance, and what is answered. Checks and translation only;
 * states and work are workspace/instances.c.
 * Sources: Databricks REST API reference and SDKs; which fields a GET carries: recorded CLI output of the service.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/cluster.h"
#include "workspace/instances.h"
#include "workspace/permissions.h"
#include "workspace/request.h"
#include "workspace/workspace.h"

enum { PAGE_MOST = 100, RETENTION_DEFAULT = 7, RETENTION_LEAST = 2, RETENTION_MOST = 35, TAGS_MOST = 20 };
static const char capacity_default[] = "CU_2";

/* ---- what comes in ---- */

static bool check_name(const char *name, struct err *e)
{
    size_t len = strlen(name);
    bool ok = len <= INST_NAME_MAX && isalpha((unsigned char)name[0]);
    for (const char *p = name; *p && ok; p++)
        ok = isalnum((unsigned char)*p) || *p == '-';
    return ok || err_set(e, ERR_INVALID_PARAMETER, "Instance name '%.100s' is not valid: 1 to %d letters, digits and "
                                                   "hyphens, starting with a letter", name, INST_NAME_MAX);
}

static bool take_capacity(const char *given, char out[8], struct err *e)
{
    static const char *const allowed[] = {"CU_1", "CU_2", "CU_4", "CU_8"};
    const char *capacity = given && *given ? given : capacity_default;
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        if (strcmp(allowed[i], capacity) == 0) {
            memcpy(out, allowed[i], 5);
            return true;
        }
    }
    return err_set(e, ERR_INVALID_PARAMETER, "Capacity '%.40s' is not valid; allowed values are CU_1, CU_2, CU_4, CU_8",
                   capacity);
}

static bool take_retention(const struct opt_int *given, int *out, struct err *e)
{
    int64_t days = given->has ? given->value : RETENTION_DEFAULT;
    *out = (int)days;
    return (days >= RETENTION_LEAST && days <= RETENTION_MOST) ||
           err_set(e, ERR_INVALID_PARAMETER, "retention_window_in_days is %lld; allowed are %d to %d", (long long)days,
                   RETENTION_LEAST, RETENTION_MOST);
}

static bool later(struct err *e, const char *what)
{
    return err_set(e, ERR_NOT_IMPLEMENTED, "%s not offered by this local workspace yet", what);
}

/* What is known and not built is refused, never taken in pretence. */
static bool refuse_unbuilt(const struct database_instance *in, struct err *e)
{
    if (in->node_count.has && in->node_count.value < 1)
        return err_set(e, ERR_INVALID_PARAMETER, "node_count is %lld; it must be at least 1",
                       (long long)in->node_count.value);
    if (in->node_count.has && in->node_count.value > 1)
        return later(e, "High availability (node_count above 1) is");
    if (in->enable_readable_secondaries == TRI_TRUE)
        return later(e, "Readable secondaries are");
    if (in->enable_pg_native_login == TRI_TRUE)
        return later(e, "Native PostgreSQL login (enable_pg_native_login) is");
    if (in->parent_instance_ref)
        return later(e, "Child instances (parent_instance_ref) are");
    return true;
}

static bool take_tags(const struct model_list *tags, char out[INST_TAGS_MAX], struct err *e)
{
    out[0] = '\0';
    if (tags->count == 0)
        return true;
    if (tags->count > TAGS_MOST)
        return err_set(e, ERR_INVALID_PARAMETER, "custom_tags has %zu tags; at most %d are taken", tags->count, TAGS_MOST);
    json_t *list = json_array();
    for (size_t i = 0; i < tags->count; i++)
        json_array_append_new(list, model_encode(&model_custom_tag, MODEL_SERVER,
                                                 (const struct custom_tag *)tags->items + i));
    char *text = jx_dump(list);
    json_decref(list);
    size_t len = strlen(text);
    bool ok = len < INST_TAGS_MAX || err_set(e, ERR_INVALID_PARAMETER, "custom_tags are longer than %d bytes together",
                                             INST_TAGS_MAX - 1);
    if (ok)
        memcpy(out, text, len + 1);
    free(text);
    return ok;
}

static bool take_policy(const char *given, char out[256], struct err *e)
{
    size_t len = given ? strlen(given) : 0;
    if (len > 255)
        return err_set(e, ERR_INVALID_PARAMETER, "usage_policy_id is longer than 255 bytes");
    memcpy(out, len ? given : "", len + 1);
    return true;
}

/* ---- what goes out ---- */

static void put_tags(const char *text, struct model_list *out)
{
    struct err none = {0};
    json_t *list = *text ? jx_parse(text, strlen(text), INST_TAGS_MAX, &none) : NULL, *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        struct custom_tag *tag = model_list_add(&model_custom_tag, out);
        tag->key = xstrdup(jx_get_str(one, "key", NULL));
        tag->value = xstrdup(jx_get_str(one, "value", NULL));
    }
    json_decref(list);
}

/* changed: the answer to a create or update, which alone repeats custom_tags. */
static void put_instance(struct request *r, const struct instance_row *row, bool changed, struct database_instance *out)
{
    out->name = xstrdup(row->name);
    out->capacity = xstrdup(row->capacity);
    out->effective_capacity = xstrdup(row->capacity);
    out->effective_node_count = (struct opt_int){true, 1};
    out->effective_retention_window_in_days = (struct opt_int){true, row->retention_days};
    out->effective_enable_readable_secondaries = TRI_FALSE;
    out->effective_enable_pg_native_login = TRI_FALSE;
    out->effective_stopped = tri_of(row->stopped);
    if (row->usage_policy_id[0])
        out->effective_usage_policy_id = xstrdup(row->usage_policy_id);
    if (changed)
        put_tags(row->custom_tags, &out->custom_tags);
    put_tags(row->custom_tags, &out->effective_custom_tags);
    out->creation_time = xstrdup(row->creation_time);
    out->creator = xstrdup(row->creator);
    out->pg_version = xstrdup(clusters_pg_version(r->ws->clusters));
    /* A host name only; clients take port 5432. */
    if (row->address[0])
        out->read_write_dns = xstrdup(row->address);
    out->state = xstrdup(inst_state_name(row->state));
    out->uid = xstrdup(row->uid);
}

/* ---- the routes ---- */

bool api_create_database_instance(struct request *r, const void *in_, void *out, struct err *e)
{
    const struct database_instance *in = in_;
    struct instance_row row = {.state = INST_STARTING, .stopped = in->stopped == TRI_TRUE};
    if (!check_name(in->name, e) || !take_capacity(in->capacity, row.capacity, e) ||
        !take_retention(&in->retention_window_in_days, &row.retention_days, e) || !refuse_unbuilt(in, e) ||
        !take_tags(&in->custom_tags, row.custom_tags, e) || !take_policy(in->usage_policy_id, row.usage_policy_id, e))
        return false;
    ids_uuid(row.uid);
    memcpy(row.name, in->name, strlen(in->name) + 1);
    memcpy(row.creator, r->caller.name, sizeof row.creator);
    clock_rfc3339(clock_wall_s(), row.creation_time);
    if (!instances_create(r->ws->instances, &row, e))
        return false;
    put_instance(r, &row, true, out);
    return true;
}

bool api_get_database_instance(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct instance_row row;
    if (!instances_get(r->ws->instances, request_param(r, "name"), &row, e) ||
        !permission_need(r->ws, r->caller.name, &row, ACCESS_USE, e))
        return false;
    put_instance(r, &row, false, out);
    return true;
}

bool api_find_database_instance_by_uid(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct instance_row row;
    const char *uid = request_param(r, "uid");
    if (!uid || !*uid)
        return err_set(e, ERR_INVALID_PARAMETER, "Field 'uid' is required, expected non-default value (not \"\")!");
    if (!store_instance_by_uid(r->ws->store, uid, &row, e) ||
        !permission_need(r->ws, r->caller.name, &row, ACCESS_USE, e))
        return false;
    put_instance(r, &row, false, out);
    return true;
}

bool api_list_database_instances(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct database_instance_list *list = out;
    struct instance_rows rows;
    struct page page;
    /* All that follow, as some may not be the caller's to see; there are INSTANCES_MAX at most. */
    if (!request_page(r, "page_size", PAGE_MOST, &page, e) || !store_instances(r->ws->store, page.after, 0, &rows, e))
        return false;
    bool ok = permission_drop_unseen(r, &rows, e);
    for (size_t i = 0; ok && i < rows.count && i < page.limit; i++)
        put_instance(r, &rows.rows[i], false, model_list_add(&model_database_instance, &list->database_instances));
    if (ok && rows.count > page.limit)
        list->next_page_token = page_token_after(rows.rows[page.limit - 1].name);
    instance_rows_release(&rows);
    return ok;
}

/* ---- update: the mask says which fields ---- */

/*
 * Is `field` to be changed? A named field that the body leaves out is set to its default (the convention of field
 * masks); under "*" only what the body holds counts, because bundles send "*" with a few fields.
 */
static bool masked(const char *mask, const char *field, bool in_body)
{
    if (strcmp(mask, "*") == 0)
        return in_body;
    size_t len = strlen(field);
    for (const char *p = mask; *p; p += strcspn(p, ","), p += *p == ',') {
        if (strcspn(p, ",") == len && strncmp(p, field, len) == 0)
            return true;
    }
    return false;
}

static bool check_mask(const char *mask, struct err *e)
{
    static const char *const known[] = {"name", "capacity", "stopped", "retention_window_in_days", "custom_tags",
                                        "usage_policy_id", "node_count", "enable_readable_secondaries",
                                        "enable_pg_native_login", "parent_instance_ref"};
    if (!mask || !*mask)
        return err_set(e, ERR_INVALID_PARAMETER,
                       "Field 'update_mask' is required, expected non-default value (not \"\")!");
    for (const char *p = mask; *p; p += strcspn(p, ","), p += *p == ',') {
        size_t len = strcspn(p, ",");
        bool found = strcmp(mask, "*") == 0;
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            found = found || (strlen(known[i]) == len && strncmp(p, known[i], len) == 0);
        if (!found)
            return err_set(e, ERR_INVALID_PARAMETER, "update_mask names '%.*s', which is not a field that can be updated",
                           len > 60 ? 60 : (int)len, p);
    }
    return true;
}

bool api_update_database_instance(struct request *r, const void *in_, void *out, struct err *e)
{
    const struct database_instance *in = in_;
    const char *mask = request_param(r, "update_mask"), *name = request_param(r, "name");
    struct instance_update u = {0};
    struct instance_row row;
    char tags[INST_TAGS_MAX], policy[256];
    if (!check_mask(mask, e))
        return false;
    if (strcmp(in->name, name) != 0)
        return err_set(e, ERR_INVALID_PARAMETER, "The name in the body ('%.70s') is not the one in the path ('%.70s')",
                       in->name, name);
    u.set_capacity = masked(mask, "capacity", in->capacity != NULL);
    u.set_stopped = masked(mask, "stopped", in->stopped != TRI_ABSENT);
    u.set_retention = masked(mask, "retention_window_in_days", in->retention_window_in_days.has);
    u.set_policy = masked(mask, "usage_policy_id", in->usage_policy_id != NULL);
    u.set_tags = masked(mask, "custom_tags", in->custom_tags.count > 0);
    u.stopped = in->stopped == TRI_TRUE;
    u.usage_policy_id = policy;
    u.custom_tags = tags;
    if (!permission_instance(r, name, ACCESS_MANAGE, &row, e) || !refuse_unbuilt(in, e) ||
        (u.set_capacity && !take_capacity(in->capacity, u.capacity, e)) ||
        (u.set_retention && !take_retention(&in->retention_window_in_days, &u.retention_days, e)) ||
        !take_policy(in->usage_policy_id, policy, e) || !take_tags(&in->custom_tags, tags, e) ||
        !instances_update(r->ws->instances, name, &u, &row, e))
        return false;
    put_instance(r, &row, true, out);
    return true;
}

bool api_delete_database_instance(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)out;
    struct instance_row row;
    const char *name = request_param(r, "name");
    bool purge, force; /* force: also children, of which there are none */
    if (!request_bool(r, "purge", true, &purge, e) || !request_bool(r, "force", false, &force, e))
        return false;
    if (!purge)
        return err_set(e, ERR_INVALID_PARAMETER, "Purge must be set to true to delete a database instance.");
    return permission_instance(r, name, ACCESS_MANAGE, &row, e) && instances_delete(r->ws->instances, name, e);
}
