/*
 * /api/2.1/unity-catalog/volumes: managed volumes. Their files: api_files.c.
 * Source: Databricks SDKs (volumes, Python 0.156); error codes: "Unity Catalog errors".
 */
#include "workspace/api_unity.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "workspace/grants.h"
#include "workspace/securable.h"
#include "workspace/volumes.h"
#include "workspace/workspace.h"

enum { VOLUMES_MOST = 1000 };

bool api_create_volume(struct request *r, const void *in_, void *out, struct err *e)
{
    const struct volume_info *in = in_;
    struct securable_row row;
    if (in->storage_location || (in->volume_type && strcasecmp(in->volume_type, "MANAGED") != 0))
        return err_set(e, ERR_NOT_IMPLEMENTED, "External volumes are not offered by this local workspace: volume_type is MANAGED, and the "
                                               "workspace chooses the place");
    if (!in->catalog_name || !in->schema_name)
        return err_set(e, ERR_INVALID_PARAMETER, "Field '%s' is required", in->catalog_name ? "schema_name" : "catalog_name");
    if (!securable_create_volume(r->ws, r->caller.name, unity_lower(r, in->catalog_name), unity_lower(r, in->schema_name), in->name,
                                 in->comment, &row, e))
        return false;
    volume_put(r->ws, &row, out);
    securable_row_release(&row);
    return true;
}

bool api_list_volumes(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct volume_info_list *out = out_;
    struct catalog_row catalog;
    struct schema_info schema = {0};
    struct securable_rows rows;
    struct page page;
    const char *catalog_name, *schema_name;
    char *part[3], *full;
    if (!unity_param(r, "catalog_name", &catalog_name, e) || !unity_param(r, "schema_name", &schema_name, e) ||
        !request_page(r, "max_results", VOLUMES_MOST, &page, e) ||
        !unity_cut(r, arena_printf(&r->arena, "%s.%s", catalog_name, schema_name), 2, part, &catalog, &full, e) ||
        !grants_need_sight(r->ws, r->caller.name, SECURABLE_SCHEMA, full, e) || !unity_one_schema(r, &catalog, part[1], &schema, e))
        return false;
    model_release(&model_schema_info, &schema);
    if (!store_securables(r->ws->store, SECURABLE_VOLUME, full, page.after, page.limit + 1, &rows, e))
        return false;
    for (size_t i = 0; i < rows.count && i < page.limit; i++)
        if (grants_sees(r->ws, r->caller.name, SECURABLE_VOLUME, rows.rows[i].full_name))
            volume_put(r->ws, &rows.rows[i], model_list_add(&model_volume_info, &out->volumes));
    if (rows.count > page.limit)
        out->next_page_token = page_token_after(rows.rows[page.limit - 1].name);
    securable_rows_release(&rows);
    return true;
}

bool unity_one_volume(struct request *r, const char *full, struct securable_row *row, struct err *e)
{
    struct err why = {0};
    if (store_securable(r->ws->store, SECURABLE_VOLUME, full, row, &why))
        return true;
    if (why.code == ERR_NOT_FOUND)
        return securable_missing(SECURABLE_VOLUME, full, e);
    *e = why;
    return false;
}

static bool full_name(struct request *r, char **full, struct err *e)
{
    struct catalog_row catalog;
    char *part[3];
    return unity_cut(r, request_param(r, "name"), 3, part, &catalog, full, e);
}

bool api_get_volume(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    char *full;
    struct securable_row row;
    if (!full_name(r, &full, e) || !grants_need_sight(r->ws, r->caller.name, SECURABLE_VOLUME, full, e) ||
        !unity_one_volume(r, full, &row, e))
        return false;
    volume_put(r->ws, &row, out);
    securable_row_release(&row);
    return true;
}

bool api_update_volume(struct request *r, const void *in, void *out, struct err *e)
{
    char *full;
    struct securable_row row;
    if (!full_name(r, &full, e) || !securable_update(r->ws, r->caller.name, SECURABLE_VOLUME, full, in, &row, e))
        return false;
    volume_put(r->ws, &row, out);
    securable_row_release(&row);
    return true;
}

bool api_delete_volume(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)out;
    char *full;
    return full_name(r, &full, e) && securable_drop(r->ws, r->caller.name, SECURABLE_VOLUME, full, false, e);
}
