/* The worker's calls that change Unity Catalog, and how errors are worded (see lake_catalog.h). */
#include "workspace/lake_catalog.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/grants.h"
#include "workspace/lake_catalog_parts.h"
#include "workspace/lake_folders.h"
#include "workspace/samples.h"
#include "workspace/securable.h"
#include "workspace/unity.h"
#include "workspace/workspace.h"

/* ---- names ---- */

void lake_name_release(struct lake_name *n)
{
    for (int i = 0; i < 3; i++)
        free(n->part[i]);
    free(n->full);
    *n = (struct lake_name){0};
}

static void lower(char *text)
{
    for (char *p = text; *p; p++)
        *p = (char)tolower((unsigned char)*p);
}

bool lake_name_take(struct lake_session *s, const json_t *args, const char *member, int want, struct lake_name *out,
                    struct err *e)
{
    struct err none = {0};
    const json_t *list = json_object_get(args, member);
    size_t n = json_array_size(list);
    *out = (struct lake_name){0};
    if (!json_is_array(list) || n > 3 || (want && n != (size_t)want))
        return err_set(e, ERR_INVALID_PARAMETER, "'%s' must be a name of %d parts", member, want);
    for (size_t i = 0; i < n; i++) {
        const char *part = json_string_value(json_array_get(list, i));
        if (!part || !*part || strlen(part) > SECURABLE_NAME_MAX) {
            lake_name_release(out);
            return err_set(e, ERR_INVALID_PARAMETER, "part %zu of '%s' is no name", i + 1, member);
        }
        out->part[i] = xstrdup(part);
    }
    out->kind = (enum securable_kind)(SECURABLE_METASTORE + n);
    if (n > 0) {
        lower(out->part[0]);
        out->found = unity_catalog(s->ws, out->part[0], &out->catalog, &none);
    }
    for (size_t i = 1; i < n && !(out->found && out->catalog.uid[0]); i++)
        lower(out->part[i]);
    out->full = n ? securable_full_name(out->part[0], out->part[1], out->part[2]) : xstrdup("");
    return true;
}

/* ---- errors ---- */

/* What the REST API calls one thing, Databricks SQL calls another. Source: "Error conditions in Databricks". */
static const struct {
    enum err_code code;
    const char *class, *sqlstate;
} classes[] = {
    {ERR_CATALOG_NOT_FOUND, "NO_SUCH_CATALOG_EXCEPTION", "42704"},
    {ERR_SCHEMA_NOT_FOUND, "SCHEMA_NOT_FOUND", "42704"},
    {ERR_TABLE_NOT_FOUND, "TABLE_OR_VIEW_NOT_FOUND", "42P01"},
    {ERR_CATALOG_EXISTS, "CATALOG_ALREADY_EXISTS", "42710"},
    {ERR_SCHEMA_EXISTS, "SCHEMA_ALREADY_EXISTS", "42P06"},
    {ERR_TABLE_EXISTS, "TABLE_OR_VIEW_ALREADY_EXISTS", "42P07"},
    {ERR_SCHEMA_NOT_EMPTY, "SCHEMA_NOT_EMPTY", "2BP01"},
    {ERR_CATALOG_NOT_EMPTY, "CATALOG_NOT_EMPTY", "2BP01"},
    {ERR_VOLUME_NOT_FOUND, "UC_VOLUME_NOT_FOUND", "42704"},
    {ERR_VOLUME_EXISTS, "VOLUME_ALREADY_EXISTS", "42000"},
    {ERR_PERMISSION, "INSUFFICIENT_PERMISSIONS", "42501"},
    {ERR_PRINCIPAL_NOT_FOUND, "PRINCIPAL_DOES_NOT_EXIST", "42704"},
    {ERR_INVALID_PARAMETER, "INVALID_PARAMETER_VALUE", "22023"},
    {ERR_BAD_REQUEST, "UNSUPPORTED_FEATURE", "0A000"},
    {ERR_NOT_IMPLEMENTED, "UNSUPPORTED_FEATURE", "0A000"},
    {ERR_INVALID_STATE, "CONNECT", "08001"},
};

static void as_sql(struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (e->code != classes[i].code)
            continue;
        e->code = ERR_SQL;
        if (e->text[0] != '[')
            err_wrap(e, "[%s] %s", classes[i].class,
                     classes[i].code == ERR_PERMISSION ? "Insufficient privileges" : "Unity Catalog");
        memcpy(e->sqlstate, classes[i].sqlstate, 6);
        return;
    }
}

/* ---- catalogs and schemas ---- */

static bool existing_is_fine(const json_t *args, enum err_code exists, const struct err *why)
{
    return why->code == exists && jx_get_bool(args, "if_not_exists", false);
}

static bool call_create_catalog(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    (void)answer;
    const json_t *given = json_object_get(args, "name");
    const char *name = json_is_array(given) ? json_string_value(json_array_get(given, 0)) : json_string_value(given);
    struct err why = {0};
    if (securable_create_catalog(s->ws, s->principal, name ? name : "", jx_get_str(args, "comment", NULL), NULL, NULL,
                                 &why) || existing_is_fine(args, ERR_CATALOG_EXISTS, &why))
        return true;
    *e = why;
    return false;
}

static bool call_create_schema(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    (void)answer;
    struct lake_name n;
    struct err why = {0};
    if (!lake_name_take(s, args, "name", 2, &n, e))
        return false;
    bool ok = securable_create_schema(s->ws, s->principal, n.part[0], n.part[1], jx_get_str(args, "comment", NULL), NULL,
                                      NULL, &why) || existing_is_fine(args, ERR_SCHEMA_EXISTS, &why);
    lake_name_release(&n);
    if (!ok)
        *e = why;
    return ok;
}

static bool read_only(const struct lake_name *n, struct err *e)
{
    return err_set(e, ERR_BAD_REQUEST, "catalog '%s' shows database '%s' of instance '%s' and is read-only", n->part[0],
                   n->catalog.database, n->catalog.instance_name);
}

static bool drop(struct lake_session *s, const json_t *args, int parts, struct err *e)
{
    static const enum err_code missing[] = {ERR_CATALOG_NOT_FOUND, ERR_SCHEMA_NOT_FOUND, ERR_TABLE_NOT_FOUND};
    struct lake_name n;
    struct err why = {0};
    if (!lake_name_take(s, args, "name", parts, &n, e))
        return false;
    bool ok = n.found && n.catalog.uid[0]
                  ? read_only(&n, &why)
                  : securable_drop(s->ws, s->principal, n.kind, n.full, jx_get_bool(args, "cascade", false), &why);
    lake_name_release(&n);
    if (ok || (why.code == missing[parts - 1] && jx_get_bool(args, "if_exists", false)))
        return true;
    *e = why;
    return false;
}

static bool call_drop_catalog(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    (void)answer;
    /* The name may come as a text or as an array of one. */
    const json_t *given = json_object_get(args, "name");
    if (!json_is_string(given))
        return drop(s, args, 1, e);
    json_t *list = json_pack("{s:[O], s:b, s:b}", "name", given, "if_exists", jx_get_bool(args, "if_exists", false),
                             "cascade", jx_get_bool(args, "cascade", false));
    bool ok = drop(s, list, 1, e);
    json_decref(list);
    return ok;
}

static bool call_drop_schema(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    (void)answer;
    return drop(s, args, 2, e);
}

static bool call_drop_table(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    (void)answer;
    return drop(s, args, 3, e);
}

/* ---- tables ---- */

static bool call_allocate_table(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    struct lake_name n;
    char id[37];
    if (!lake_name_take(s, args, "name", 3, &n, e))
        return false;
    bool ok = securable_may_create_table(s->ws, s->principal, n.part[0], n.part[1], n.part[2], e);
    lake_name_release(&n);
    if (!ok)
        return false;
    ids_uuid(id);
    char *location = lake_folder_new(s->ws, id, e);
    if (!location)
        return false;
    s->allocated = xreallocarray(s->allocated, s->n_allocated + 1, sizeof *s->allocated);
    s->allocated[s->n_allocated++] = location;
    *answer = json_pack("{s:s, s:s}", "location", location, "table_id", id);
    return true;
}

static char **find_allocated(struct lake_session *s, const char *location)
{
    for (size_t i = 0; i < s->n_allocated; i++) {
        if (s->allocated[i] && strcmp(s->allocated[i], location) == 0)
            return &s->allocated[i];
    }
    return NULL;
}

/* Unity Catalog spells types in lower case, results of statements in upper case. Names of fields keep theirs. */
static json_t *catalog_columns(const json_t *given)
{
    json_t *columns = json_deep_copy(given), *one;
    size_t i;
    json_array_foreach(columns, i, one)
    {
        char *text = xstrdup(jx_get_str(one, "type_text", ""));
        if (*text && !strchr(text, '<')) {
            lower(text);
            json_object_set_new(one, "type_text", json_string(text));
        }
        free(text);
    }
    return columns;
}

static bool call_publish_table(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    (void)answer;
    struct lake_name n;
    const char *location = jx_get_str(args, "location", "");
    char **mine = find_allocated(s, location);
    if (!mine)
        return err_set(e, ERR_INTERNAL, "the folder of the new table was not allocated by this job");
    if (!lake_name_take(s, args, "name", 3, &n, e))
        return false;
    json_t *columns = catalog_columns(json_object_get(args, "columns"));
    struct securable_new_table t = {
        .catalog = n.part[0], .schema = n.part[1], .name = n.part[2], .location = location,
        .table_id = strrchr(location, '/') + 1, .comment = jx_get_str(args, "comment", NULL),
        .columns = columns, .properties = json_object_get(args, "properties")};
    bool ok = json_is_array(t.columns) ? securable_create_table(s->ws, s->principal, &t, e)
                                       : err_set(e, ERR_INTERNAL, "a table without columns was published");
    json_decref(columns);
    lake_name_release(&n);
    if (ok) {
        free(*mine);
        *mine = NULL;
    }
    return ok;
}

static void replace(char **text, char *by)
{
    free(*text);
    *text = by;
}

static bool call_update_table(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    (void)answer;
    struct lake_name n;
    struct securable_row row = {0};
    if (!lake_name_take(s, args, "name", 3, &n, e))
        return false;
    const json_t *columns = json_object_get(args, "columns"), *properties = json_object_get(args, "properties");
    bool ok = (!n.found || !n.catalog.uid[0] || read_only(&n, e)) && samples_refuse(s->ws, n.full, e) &&
              grants_need(s->ws, s->principal, SECURABLE_TABLE, n.full, "MODIFY", e);
    struct err why = {0};
    if (ok && !store_securable(s->ws->store, SECURABLE_TABLE, n.full, &row, &why))
        ok = securable_missing(SECURABLE_TABLE, n.full, e);
    if (ok && json_is_array(columns)) {
        json_t *kept = catalog_columns(columns);
        replace(&row.columns, jx_dump(kept));
        json_decref(kept);
    }
    if (ok && json_is_object(properties))
        replace(&row.properties, jx_dump(properties));
    if (ok && json_is_string(json_object_get(args, "comment")))
        replace(&row.comment, xstrdup(jx_get_str(args, "comment", "")));
    if (ok) {
        replace(&row.updated_by, xstrdup(s->principal));
        row.updated_ms = clock_wall_ms();
        ok = store_update_securable(s->ws->store, &row, e);
    }
    securable_row_release(&row);
    lake_name_release(&n);
    return ok;
}

/* ---- grants ---- */

static bool take_object(struct lake_session *s, const json_t *args, struct lake_name *n, struct err *e)
{
    const char *type = jx_get_str(args, "securable_type", "");
    enum securable_kind kind = securable_kind_of(type);
    if (!kind)
        return err_set(e, ERR_INVALID_PARAMETER, "'%.60s' has no privileges in this workspace; possible: METASTORE, CATALOG, "
                                                 "SCHEMA, TABLE, VOLUME", type);
    if (!lake_name_take(s, args, "name", securable_parts(kind), n, e))
        return false;
    n->kind = kind;
    struct table_info table = {0};
    struct schema_info schema = {0};
    bool ok = kind == SECURABLE_METASTORE || n->found || securable_missing(SECURABLE_CATALOG, n->part[0], e);
    struct model_list found = {0};
    bool more;
    if (ok && kind == SECURABLE_SCHEMA) {
        ok = unity_schemas(s->ws, &n->catalog, n->part[1], NULL, &found, &more, e);
        if (found.count)
            schema = *(struct schema_info *)found.items;
    } else if (ok && kind == SECURABLE_TABLE) {
        ok = unity_tables(s->ws, &n->catalog, n->part[1], n->part[2], NULL, &found, &more, e);
        if (found.count)
            table = *(struct table_info *)found.items;
    }
    if (ok && kind == SECURABLE_VOLUME) {
        struct securable_row row = {0};
        struct err none = {0};
        if (!store_securable(s->ws->store, kind, n->full, &row, &none))
            ok = securable_missing(kind, n->full, e);
        securable_row_release(&row);
    } else if (ok && kind >= SECURABLE_SCHEMA && found.count == 0)
        ok = securable_missing(kind, n->full, e);
    free(found.items);
    model_release(&model_schema_info, &schema);
    model_release(&model_table_info, &table);
    if (!ok)
        lake_name_release(n);
    return ok;
}

static bool change_grants(struct lake_session *s, const json_t *args, bool grant, struct err *e)
{
    struct lake_name n;
    const json_t *list = json_object_get(args, "privileges");
    size_t count = json_array_size(list);
    if (!take_object(s, args, &n, e))
        return false;
    char **names = xcalloc(count ? count : 1, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = xstrdup(json_string_value(json_array_get(list, i)) ? json_string_value(json_array_get(list, i)) : "");
    struct permissions_change change = {.principal = xstrdup(jx_get_str(args, "principal", ""))};
    *(grant ? &change.add : &change.remove) = (struct model_list){names, count};
    struct permissions_update update = {.changes = {&change, 1}};
    bool ok = grants_change(s->ws, s->principal, n.kind, n.full, &update, e);
    model_release(&model_permissions_change, &change);
    lake_name_release(&n);
    return ok;
}

static bool call_grant(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    (void)answer;
    return change_grants(s, args, true, e);
}

static bool call_revoke(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    (void)answer;
    return change_grants(s, args, false, e);
}

static json_t *spelled(const char *privilege)
{
    char text[PRIVILEGE_MAX];
    snprintf(text, sizeof text, "%s", privilege);
    for (char *p = text; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    return json_string(text);
}

static bool call_show_grants(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    struct lake_name n;
    struct effective_permissions_list list = {0};
    if (!take_object(s, args, &n, e))
        return false;
    bool ok = grants_effective(s->ws, s->principal, n.kind, n.full, jx_get_str(args, "principal", NULL), &list, e);
    json_t *items = json_array();
    const struct effective_assignment *all = list.privilege_assignments.items;
    for (size_t i = 0; ok && i < list.privilege_assignments.count; i++) {
        const struct effective_privilege *p = all[i].privileges.items;
        for (size_t k = 0; k < all[i].privileges.count; k++) {
            bool inherited = p[k].inherited_from_name != NULL;
            json_array_append_new(items, json_pack("{s:s, s:o, s:s, s:s}", "principal", all[i].principal, "action_type",
                                                   spelled(p[k].privilege), "object_type",
                                                   inherited ? p[k].inherited_from_type : securable_kind_name(n.kind),
                                                   "object_key", inherited ? p[k].inherited_from_name : n.full));
        }
    }
    *answer = json_pack("{s:o}", "items", items);
    model_release(&model_effective_permissions_list, &list);
    lake_name_release(&n);
    return ok;
}

/* ---- the table of calls ---- */

static const struct {
    const char *name;
    bool (*run)(struct lake_session *s, const json_t *args, json_t **answer, struct err *e);
} calls[] = {
    {"resolve", lake_call_resolve},           {"create_catalog", call_create_catalog},
    {"drop_catalog", call_drop_catalog},      {"create_schema", call_create_schema},
    {"drop_schema", call_drop_schema},        {"allocate_table", call_allocate_table},
    {"publish_table", call_publish_table},    {"update_table", call_update_table},
    {"drop_table", call_drop_table},          {"list", lake_call_list},
    {"describe", lake_call_describe},         {"grant", call_grant},
    {"revoke", call_revoke},                  {"show_grants", call_show_grants},
    {"open_volume", lake_call_open_volume},   {"create_volume", lake_call_create_volume},
    {"drop_volume", lake_call_drop_volume},   {"list_volumes", lake_call_list_volumes},
    {"describe_volume", lake_call_describe_volume},
};

bool lake_catalog_call(void *self, const char *method, const json_t *args, json_t **answer, struct err *e)
{
    *answer = NULL;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (strcmp(calls[i].name, method) != 0)
            continue;
        if (calls[i].run(self, args, answer, e))
            return true;
        json_decref(*answer);
        *answer = NULL;
        as_sql(e);
        return false;
    }
    return err_set(e, ERR_INTERNAL, "the lakehouse worker asked '%.60s', which nobody answers", method);
}

void lake_session_release(struct lake_session *s)
{
    for (size_t i = 0; i < s->n_allocated; i++) {
        struct err e = {0};
        if (s->allocated[i] && !lake_folder_remove(s->ws, s->allocated[i], &e))
            log_err("lakehouse", "unused folder", &e); /* swept at the next start */
        free(s->allocated[i]);
    }
    free(s->allocated);
    s->allocated = NULL;
    s->n_allocated = 0;
}
