/*
 * /api/2.1/unity-catalog/tables. Tables are made by SQL; here they are read, changed in comment and owner, and dropped.
 * Source: Databricks SDKs (tables); error codes: "Unity Catalog errors".
 */
#include "workspace/api_unity.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "workspace/grants.h"
#include "workspace/securable.h"
#include "workspace/workspace.h"

enum { TABLES_MOST = 100 };

/* Leave out what the request does not want and what the caller may not see. */
static void thin_out(struct request *r, struct model_list *list, bool bare, bool without_properties)
{
    struct table_info *tables = list->items;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!grants_sees(r->ws, r->caller.name, SECURABLE_TABLE, tables[i].full_name)) {
            model_release(&model_table_info, &tables[i]);
            continue;
        }
        for (size_t k = 0; bare && k < tables[i].columns.count; k++)
            model_release(&model_column_info, (struct column_info *)tables[i].columns.items + k);
        if (bare)
            tables[i].columns.count = 0;
        if (without_properties) {
            json_decref(tables[i].properties);
            tables[i].properties = NULL;
        }
        tables[kept++] = tables[i];
    }
    list->count = kept;
}

bool api_list_tables(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct table_info_list *out = out_;
    struct catalog_row catalog;
    struct schema_info schema = {0};
    struct page page;
    const char *catalog_name, *schema_name;
    char *part[3], *full;
    bool more, bare, without_properties;
    if (!unity_param(r, "catalog_name", &catalog_name, e) || !unity_param(r, "schema_name", &schema_name, e) ||
        !request_bool(r, "omit_columns", false, &bare, e) ||
        !request_bool(r, "omit_properties", false, &without_properties, e) ||
        !request_page(r, "max_results", TABLES_MOST, &page, e) ||
        !unity_cut(r, arena_printf(&r->arena, "%s.%s", catalog_name, schema_name), 2, part, &catalog, &full, e) ||
        !grants_need_sight(r->ws, r->caller.name, SECURABLE_SCHEMA, full, e) ||
        !unity_tables(r->ws, &catalog, part[1], NULL, &page, &out->tables, &more, e))
        return false;
    if (more)
        out->next_page_token = page_token_after(((struct table_info *)out->tables.items)[out->tables.count - 1].name);
    /* An empty list of a schema that is not there is an error, not an answer. */
    if (out->tables.count == 0 && !*page.after) {
        if (!unity_one_schema(r, &catalog, part[1], &schema, e))
            return false;
        model_release(&model_schema_info, &schema);
    }
    thin_out(r, &out->tables, bare, without_properties);
    return true;
}

bool unity_one_table(struct request *r, const struct catalog_row *catalog, char *const part[3], struct table_info *out,
                     struct err *e)
{
    struct schema_info schema = {0};
    struct model_list found = {0};
    bool more, ok = unity_tables(r->ws, catalog, part[1], part[2], NULL, &found, &more, e);
    if (ok && found.count == 0) {
        ok = unity_one_schema(r, catalog, part[1], &schema, e);
        model_release(&model_schema_info, &schema);
        ok = ok && err_set(e, ERR_TABLE_NOT_FOUND, "Table '%s.%.200s.%.200s' does not exist.", catalog->name, part[1],
                           part[2]);
    }
    if (found.count == 1)
        *out = *(struct table_info *)found.items;
    free(found.items);
    return ok;
}

bool api_get_table(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct catalog_row catalog;
    char *part[3], *full;
    return unity_cut(r, request_param(r, "full_name"), 3, part, &catalog, &full, e) &&
           grants_need_sight(r->ws, r->caller.name, SECURABLE_TABLE, full, e) &&
           unity_one_table(r, &catalog, part, out, e);
}

bool api_table_exists(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct table_exists *out = out_;
    struct table_info table = {0};
    struct err why = {0};
    bool there = api_get_table(r, NULL, &table, &why);
    model_release(&model_table_info, &table);
    if (!there && why.code != ERR_TABLE_NOT_FOUND && why.code != ERR_SCHEMA_NOT_FOUND &&
        why.code != ERR_CATALOG_NOT_FOUND) {
        *e = why;
        return false;
    }
    out->table_exists = tri_of(there);
    return true;
}

static bool managed_name(struct request *r, char **full, struct err *e)
{
    struct catalog_row catalog;
    char *part[3];
    return unity_cut(r, request_param(r, "full_name"), 3, part, &catalog, full, e) &&
           (!catalog.uid[0] || err_set(e, ERR_BAD_REQUEST, "Catalog '%s' shows a database of instance '%s' and is "
                                                           "read-only; change the table in PostgreSQL", catalog.name,
                                       catalog.instance_name));
}

bool api_update_table(struct request *r, const void *in, void *out, struct err *e)
{
    (void)out;
    char *full;
    return managed_name(r, &full, e) &&
           securable_update(r->ws, r->caller.name, SECURABLE_TABLE, full, in, NULL, e);
}

bool api_delete_table(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)out;
    char *full;
    return managed_name(r, &full, e) && securable_drop(r->ws, r->caller.name, SECURABLE_TABLE, full, false, e);
}
