/*
 * /api/2.1/unity-catalog: catalogs and schemas. A registered catalog shows what its database holds and is read-only; the
 * others are managed. Source: Databricks SDKs (catalogs, schemas, metastores); error codes: "Unity Catalog errors".
 */
#include "workspace/api_unity.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/grants.h"
#include "workspace/securable.h"
#include "workspace/workspace.h"

enum { CATALOGS_MOST = 1000, SCHEMAS_MOST = 1000, JSON_MOST = 1 << 20 };

bool unity_param(struct request *r, const char *name, const char **out, struct err *e)
{
    *out = request_param(r, name);
    return (*out && **out) || err_set(e, ERR_INVALID_PARAMETER,
                                      "Field '%s' is required, expected non-default value (not \"\")!", name);
}

static void lower(char *text)
{
    for (char *p = text; *p; p++)
        *p = (char)tolower((unsigned char)*p);
}

char *unity_lower(struct request *r, const char *text)
{
    char *copy = arena_strdup(&r->arena, text);
    lower(copy);
    return copy;
}

bool unity_cut(struct request *r, const char *name, int want, char *parts[3], struct catalog_row *catalog, char **full,
               struct err *e)
{
    char *rest = arena_strdup(&r->arena, name);
    for (int i = 0; i < want; i++) {
        char *dot = i < want - 1 ? strchr(rest, '.') : NULL;
        parts[i] = rest;
        if (dot)
            *dot = '\0';
        if (!*rest || (!dot && i < want - 1))
            return err_set(e, ERR_INVALID_PARAMETER, "'%.200s' is not a full name of %d parts", name, want);
        rest = dot ? dot + 1 : rest;
    }
    lower(parts[0]);
    if (!unity_catalog(r->ws, parts[0], catalog, e))
        return false;
    for (int i = 1; i < want && !catalog->uid[0]; i++)
        lower(parts[i]);
    if (full)
        *full = arena_printf(&r->arena, "%s%s%s%s%s", parts[0], want > 1 ? "." : "", want > 1 ? parts[1] : "",
                             want > 2 ? "." : "", want > 2 ? parts[2] : "");
    return true;
}

/* ---- catalogs ---- */

static void put_registered(struct request *r, const struct catalog_row *row, struct catalog_info *out)
{
    *out = (struct catalog_info){
        .name = xstrdup(row->name), .full_name = xstrdup(row->name), .catalog_type = xstrdup("MANAGED_ONLINE_CATALOG"),
        .metastore_id = xstrdup(r->ws->metastore_id), .isolation_mode = xstrdup("OPEN"),
        .securable_type = xstrdup("CATALOG"), .owner = xstrdup(row->owner), .created_by = xstrdup(row->owner),
        .updated_by = xstrdup(row->owner), .created_at = {true, row->created_ms}, .updated_at = {true, row->created_ms},
        .options = json_object()};
    json_object_set_new(out->options, "database", json_string(row->database));
    json_object_set_new(out->options, "database_instance_name", json_string(row->instance_name));
}

static void put_managed(struct request *r, const struct securable_row *row, struct catalog_info *out)
{
    struct err none = {0};
    *out = (struct catalog_info){
        .name = xstrdup(row->name), .full_name = xstrdup(row->name), .catalog_type = xstrdup("MANAGED_CATALOG"),
        .comment = row->comment[0] ? xstrdup(row->comment) : NULL, .metastore_id = xstrdup(r->ws->metastore_id),
        .isolation_mode = xstrdup("OPEN"), .securable_type = xstrdup("CATALOG"), .owner = xstrdup(row->owner),
        .created_by = xstrdup(row->created_by), .updated_by = xstrdup(row->updated_by),
        .created_at = {true, row->created_ms}, .updated_at = {true, row->updated_ms}};
    if (row->properties[0])
        out->properties = jx_parse(row->properties, strlen(row->properties), JSON_MOST, &none);
}

/* The registered ones and the managed ones, merged in the order of names. Those that the caller may not see are left out,
 * so a page may be shorter than asked for. */
bool api_list_catalogs(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct catalog_info_list *out = out_;
    struct catalog_rows rows = {0};
    struct securable_rows managed = {0};
    struct page page;
    bool ok = request_page(r, "max_results", CATALOGS_MOST, &page, e) &&
              store_catalogs(r->ws->store, NULL, page.after, page.limit + 1, &rows, e) &&
              store_securables(r->ws->store, SECURABLE_CATALOG, "", page.after, page.limit + 1, &managed, e);
    const char *last = NULL;
    for (size_t i = 0, k = 0, n = 0; ok && (i < rows.count || k < managed.count); n++) {
        bool own = k < managed.count && (i == rows.count || strcmp(managed.rows[k].name, rows.rows[i].name) < 0);
        const char *name = own ? managed.rows[k].name : rows.rows[i].name;
        if (n == page.limit) {
            out->next_page_token = page_token_after(last);
            break;
        }
        last = name;
        if (!grants_sees(r->ws, r->caller.name, SECURABLE_CATALOG, name)) {
            /* not shown */
        } else if (own) {
            put_managed(r, &managed.rows[k], model_list_add(&model_catalog_info, &out->catalogs));
        } else {
            put_registered(r, &rows.rows[i], model_list_add(&model_catalog_info, &out->catalogs));
        }
        k += own;
        i += !own;
    }
    catalog_rows_release(&rows);
    securable_rows_release(&managed);
    return ok;
}

bool api_get_catalog(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct catalog_row row;
    struct securable_row managed;
    const char *name = unity_lower(r, request_param(r, "name"));
    if (!unity_catalog(r->ws, name, &row, e) || !grants_need_sight(r->ws, r->caller.name, SECURABLE_CATALOG, name, e))
        return false;
    if (row.uid[0]) {
        put_registered(r, &row, out);
        return true;
    }
    if (!store_securable(r->ws->store, SECURABLE_CATALOG, name, &managed, e))
        return false;
    put_managed(r, &managed, out);
    securable_row_release(&managed);
    return true;
}

bool api_create_catalog(struct request *r, const void *in_, void *out, struct err *e)
{
    const struct catalog_info *in = in_;
    struct securable_row row;
    if (in->storage_root || in->connection_name || in->provider_name)
        return err_set(e, ERR_NOT_IMPLEMENTED, "Only catalogs of managed tables are made here: field '%s' is not offered by "
                                               "this local workspace yet", in->storage_root ? "storage_root"
                       : in->connection_name ? "connection_name" : "provider_name");
    if (!securable_create_catalog(r->ws, r->caller.name, in->name, in->comment, in->properties, &row, e))
        return false;
    put_managed(r, &row, out);
    securable_row_release(&row);
    return true;
}

/* A registered catalog has nothing to change here. */
static bool need_managed(const struct catalog_row *row, struct err *e)
{
    return !row->uid[0] || err_set(e, ERR_BAD_REQUEST, "Catalog '%s' shows a database of instance '%s' and is read-only",
                                   row->name, row->instance_name);
}

bool api_update_catalog(struct request *r, const void *in, void *out, struct err *e)
{
    struct catalog_row row;
    struct securable_row managed;
    const char *name = unity_lower(r, request_param(r, "name"));
    if (!unity_catalog(r->ws, name, &row, e) || !need_managed(&row, e) ||
        !securable_update(r->ws, r->caller.name, SECURABLE_CATALOG, name, in, &managed, e))
        return false;
    put_managed(r, &managed, out);
    securable_row_release(&managed);
    return true;
}

bool api_delete_catalog(struct request *r, const void *in, void *out, struct err *e)
{
    struct catalog_row row;
    bool force;
    const char *name = unity_lower(r, request_param(r, "name"));
    if (!request_bool(r, "force", false, &force, e) || !unity_catalog(r->ws, name, &row, e))
        return false;
    if (row.uid[0])
        return grants_need_owner(r->ws, r->caller.name, SECURABLE_CATALOG, name, e) &&
               api_delete_database_catalog(r, in, out, e);
    return securable_drop(r->ws, r->caller.name, SECURABLE_CATALOG, name, force, e);
}

/* ---- schemas ---- */

bool api_list_schemas(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct schema_info_list *out = out_;
    struct catalog_row catalog;
    struct page page;
    const char *name;
    bool more;
    if (!unity_param(r, "catalog_name", &name, e) || !request_page(r, "max_results", SCHEMAS_MOST, &page, e) ||
        !unity_catalog(r->ws, unity_lower(r, name), &catalog, e) ||
        !grants_need_sight(r->ws, r->caller.name, SECURABLE_CATALOG, catalog.name, e) ||
        !unity_schemas(r->ws, &catalog, NULL, &page, &out->schemas, &more, e))
        return false;
    struct schema_info *all = out->schemas.items;
    if (more)
        out->next_page_token = page_token_after(all[out->schemas.count - 1].name);
    size_t kept = 0;
    for (size_t i = 0; i < out->schemas.count; i++) {
        if (grants_sees(r->ws, r->caller.name, SECURABLE_SCHEMA, all[i].full_name))
            all[kept++] = all[i];
        else
            model_release(&model_schema_info, &all[i]);
    }
    out->schemas.count = kept;
    return true;
}

bool unity_one_schema(struct request *r, const struct catalog_row *catalog, const char *name, struct schema_info *out,
                      struct err *e)
{
    struct model_list found = {0};
    bool more, ok = unity_schemas(r->ws, catalog, name, NULL, &found, &more, e);
    if (ok && found.count == 0)
        ok = err_set(e, ERR_SCHEMA_NOT_FOUND, "Schema '%s.%.200s' does not exist.", catalog->name, name);
    if (ok)
        *out = *(struct schema_info *)found.items;
    free(found.items);
    return ok;
}

bool api_get_schema(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct catalog_row catalog;
    char *part[3], *full;
    return unity_cut(r, request_param(r, "full_name"), 2, part, &catalog, &full, e) &&
           grants_need_sight(r->ws, r->caller.name, SECURABLE_SCHEMA, full, e) &&
           unity_one_schema(r, &catalog, part[1], out, e);
}

bool api_create_schema(struct request *r, const void *in_, void *out, struct err *e)
{
    const struct schema_info *in = in_;
    struct securable_row row;
    if (in->storage_root)
        return err_set(e, ERR_NOT_IMPLEMENTED, "Field 'storage_root' is not offered by this local workspace yet");
    if (!in->catalog_name)
        return err_set(e, ERR_INVALID_PARAMETER, "Field 'catalog_name' is required");
    if (!securable_create_schema(r->ws, r->caller.name, in->catalog_name, in->name, in->comment, in->properties, &row, e))
        return false;
    unity_put_schema(r->ws, &row, out);
    securable_row_release(&row);
    return true;
}

bool api_update_schema(struct request *r, const void *in, void *out, struct err *e)
{
    struct catalog_row catalog;
    struct securable_row row;
    char *part[3], *full;
    if (!unity_cut(r, request_param(r, "full_name"), 2, part, &catalog, &full, e) || !need_managed(&catalog, e) ||
        !securable_update(r->ws, r->caller.name, SECURABLE_SCHEMA, full, in, &row, e))
        return false;
    unity_put_schema(r->ws, &row, out);
    securable_row_release(&row);
    return true;
}

bool api_delete_schema(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)out;
    struct catalog_row catalog;
    char *part[3], *full;
    bool force;
    return request_bool(r, "force", false, &force, e) &&
           unity_cut(r, request_param(r, "full_name"), 2, part, &catalog, &full, e) && need_managed(&catalog, e) &&
           securable_drop(r->ws, r->caller.name, SECURABLE_SCHEMA, full, force, e);
}

bool api_current_metastore(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    (void)e;
    struct metastore_assignment *out = out_;
    out->metastore_id = xstrdup(r->ws->metastore_id);
    out->default_catalog_name = xstrdup(UNITY_MAIN);
    out->workspace_id = (struct opt_int){true, strtoll(r->ws->org_id, NULL, 10)};
    return true;
}
