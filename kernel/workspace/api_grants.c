/*
 * /api/2.1/unity-catalog/permissions and effective-permissions, and /api/2.0/lineage-tracking.
 * Source: Databricks SDKs (grants, Python 0.156); lineage: the REST answers of the service.
 */
#include <string.h>

#include "workspace/api_unity.h"
#include "workspace/grants.h"
#include "workspace/lineage.h"
#include "workspace/workspace.h"

/* The object of the path: its kind, and its name as grants keep it; it exists. */
static bool object(struct request *r, enum securable_kind *kind, char **full, struct err *e)
{
    const char *type = request_param(r, "securable_type"), *name = request_param(r, "full_name");
    char *part[3];
    struct catalog_row catalog;
    struct schema_info schema = {0};
    struct table_info table = {0};
    *kind = securable_kind_of(type);
    *full = arena_strdup(&r->arena, "");
    if (!*kind)
        return err_set(e, ERR_INVALID_PARAMETER, "Securable type '%.60s' is not offered by this workspace; possible: "
                                                 "metastore, catalog, schema, table, volume", type);
    if (*kind == SECURABLE_METASTORE)
        return strcmp(name, r->ws->metastore_id) == 0 ||
               err_set(e, ERR_NOT_FOUND, "Metastore '%.100s' does not exist.", name);
    struct securable_row volume = {0};
    if (!unity_cut(r, name, securable_parts(*kind), part, &catalog, full, e))
        return false;
    bool ok = *kind == SECURABLE_CATALOG ||
              (*kind == SECURABLE_VOLUME   ? unity_one_volume(r, *full, &volume, e)
               : *kind == SECURABLE_SCHEMA ? unity_one_schema(r, &catalog, part[1], &schema, e)
                                         : unity_one_table(r, &catalog, part, &table, e));
    securable_row_release(&volume);
    model_release(&model_schema_info, &schema);
    model_release(&model_table_info, &table);
    return ok;
}

static const char *wanted_principal(struct request *r)
{
    const char *p = request_param(r, "principal");
    return p && *p ? p : NULL;
}

bool api_get_grants(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    enum securable_kind kind;
    char *full;
    return object(r, &kind, &full, e) &&
           grants_list(r->ws, r->caller.name, kind, full, wanted_principal(r), out, e);
}

bool api_update_grants(struct request *r, const void *in, void *out, struct err *e)
{
    enum securable_kind kind;
    char *full;
    return object(r, &kind, &full, e) && grants_change(r->ws, r->caller.name, kind, full, in, e) &&
           grants_list(r->ws, r->caller.name, kind, full, NULL, out, e);
}

bool api_get_effective_grants(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    enum securable_kind kind;
    char *full;
    return object(r, &kind, &full, e) &&
           grants_effective(r->ws, r->caller.name, kind, full, wanted_principal(r), out, e);
}

bool api_table_lineage(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    const char *name;
    char *part[3], *full;
    struct catalog_row catalog;
    struct table_info table = {0};
    bool ok = unity_param(r, "table_name", &name, e) && unity_cut(r, name, 3, part, &catalog, &full, e) &&
              grants_need_sight(r->ws, r->caller.name, SECURABLE_TABLE, full, e) &&
              unity_one_table(r, &catalog, part, &table, e);
    model_release(&model_table_info, &table);
    return ok && lineage_of(r->ws, r->caller.name, full, out, e);
}
