/*
 * /api/2.1/unity-catalog: reads of catalogs, schemas and tables. A registered catalog shows what its database holds.
 * Source: Databricks SDKs (catalogs, schemas, tables, metastores); error codes: lakehouse "Unity Catalog errors".
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "workspace/request.h"
#include "workspace/unity.h"
#include "workspace/workspace.h"

enum { CATALOGS_MOST = 1000, SCHEMAS_MOST = 1000, TABLES_MOST = 100 };

static bool need(struct request *r, const char *name, const char **out, struct err *e)
{
    *out = request_param(r, name);
    return (*out && **out) || err_set(e, ERR_INVALID_PARAMETER,
                                      "Field '%s' is required, expected non-default value (not \"\")!", name);
}

/* Cut "catalog.schema.table" (parts of it) in the arena; the last part keeps further dots. Catalogs are lower case. */
static bool cut_name(struct request *r, int want, char *parts[3], struct err *e)
{
    const char *full;
    if (!need(r, "full_name", &full, e))
        return false;
    char *rest = arena_strdup(&r->arena, full);
    for (int i = 0; i < want; i++) {
        char *dot = i < want - 1 ? strchr(rest, '.') : NULL;
        parts[i] = rest;
        if (dot)
            *dot = '\0';
        if (!*rest || (!dot && i < want - 1))
            return err_set(e, ERR_INVALID_PARAMETER, "'%.200s' is not a full name of %d parts", full, want);
        rest = dot ? dot + 1 : rest;
    }
    for (char *p = parts[0]; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return true;
}

/* ---- catalogs ---- */

static void put_catalog(struct request *r, const struct catalog_row *row, struct catalog_info *out)
{
    bool registered = row->uid[0] != '\0';
    out->name = xstrdup(row->name);
    out->full_name = xstrdup(row->name);
    out->catalog_type = xstrdup(registered ? "MANAGED_ONLINE_CATALOG" : "MANAGED_CATALOG");
    out->metastore_id = xstrdup(r->ws->metastore_id);
    out->isolation_mode = xstrdup("OPEN");
    out->securable_type = xstrdup("CATALOG");
    if (!registered)
        return;
    out->owner = xstrdup(row->owner);
    out->created_by = xstrdup(row->owner);
    out->updated_by = xstrdup(row->owner);
    out->created_at = out->updated_at = (struct opt_int){true, row->created_ms};
    out->options = json_object();
    json_object_set_new(out->options, "database", json_string(row->database));
    json_object_set_new(out->options, "database_instance_name", json_string(row->instance_name));
}

bool api_list_catalogs(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct catalog_info_list *out = out_;
    struct catalog_rows rows;
    struct page page;
    /* The registered ones and main, in the order of names. */
    if (!request_page(r, "max_results", CATALOGS_MOST, &page, e) ||
        !store_catalogs(r->ws->store, NULL, page.after, page.limit + 1, &rows, e))
        return false;
    const struct catalog_row own = {.name = UNITY_MAIN};
    bool own_left = strcmp(page.after, UNITY_MAIN) < 0;
    const char *last = NULL;
    for (size_t i = 0, n = 0; i < rows.count || own_left; n++) {
        bool take_own = own_left && (i == rows.count || strcmp(UNITY_MAIN, rows.rows[i].name) < 0);
        const struct catalog_row *row = take_own ? &own : &rows.rows[i];
        if (n == page.limit) {
            out->next_page_token = page_token_after(last);
            break;
        }
        put_catalog(r, row, model_list_add(&model_catalog_info, &out->catalogs));
        last = row->name;
        own_left = own_left && !take_own;
        i += !take_own;
    }
    catalog_rows_release(&rows);
    return true;
}

static bool catalog_by(struct request *r, const char *given, struct catalog_row *row, struct err *e)
{
    char *name = arena_strdup(&r->arena, given);
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return unity_catalog(r, name, row, e);
}

bool api_get_catalog(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct catalog_row row;
    if (!catalog_by(r, request_param(r, "name"), &row, e))
        return false;
    put_catalog(r, &row, out);
    return true;
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
    if (!need(r, "catalog_name", &name, e) || !request_page(r, "max_results", SCHEMAS_MOST, &page, e) ||
        !catalog_by(r, name, &catalog, e) || !unity_schemas(r, &catalog, NULL, &page, &out->schemas, &more, e))
        return false;
    if (more)
        out->next_page_token = page_token_after(((struct schema_info *)out->schemas.items)[out->schemas.count - 1].name);
    return true;
}

static bool one_schema(struct request *r, const struct catalog_row *catalog, const char *name, struct schema_info *out,
                       struct err *e)
{
    struct model_list found = {0};
    bool more, ok = unity_schemas(r, catalog, name, NULL, &found, &more, e);
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
    char *part[3];
    return cut_name(r, 2, part, e) && unity_catalog(r, part[0], &catalog, e) && one_schema(r, &catalog, part[1], out, e);
}

/* ---- tables ---- */

bool api_list_tables(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct table_info_list *out = out_;
    struct catalog_row catalog;
    struct schema_info schema = {0};
    struct page page;
    const char *catalog_name, *schema_name;
    bool more, bare;
    if (!need(r, "catalog_name", &catalog_name, e) || !need(r, "schema_name", &schema_name, e) ||
        !request_bool(r, "omit_columns", false, &bare, e) || !request_page(r, "max_results", TABLES_MOST, &page, e) ||
        !catalog_by(r, catalog_name, &catalog, e) ||
        !unity_tables(r, &catalog, schema_name, NULL, &page, &out->tables, &more, e))
        return false;
    struct table_info *tables = out->tables.items;
    if (more)
        out->next_page_token = page_token_after(tables[out->tables.count - 1].name);
    for (size_t i = 0; bare && i < out->tables.count; i++) {
        for (size_t k = 0; k < tables[i].columns.count; k++)
            model_release(&model_column_info, (struct column_info *)tables[i].columns.items + k);
        tables[i].columns.count = 0;
    }
    /* An empty list of a schema that is not there is an error, not an answer. */
    if (out->tables.count == 0 && !*page.after) {
        if (!one_schema(r, &catalog, schema_name, &schema, e))
            return false;
        model_release(&model_schema_info, &schema);
    }
    return true;
}

static bool one_table(struct request *r, struct table_info *out, struct err *e)
{
    struct catalog_row catalog;
    struct schema_info schema = {0};
    struct model_list found = {0};
    char *part[3];
    bool more;
    if (!cut_name(r, 3, part, e) || !unity_catalog(r, part[0], &catalog, e))
        return false;
    bool ok = unity_tables(r, &catalog, part[1], part[2], NULL, &found, &more, e);
    if (ok && found.count == 0) {
        ok = one_schema(r, &catalog, part[1], &schema, e);
        model_release(&model_schema_info, &schema);
        ok = ok && err_set(e, ERR_TABLE_NOT_FOUND, "Table '%s.%.200s.%.200s' does not exist.", catalog.name, part[1],
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
    return one_table(r, out, e);
}

bool api_table_exists(struct request *r, const void *in, void *out_, struct err *e)
{
    (void)in;
    struct table_exists *out = out_;
    struct table_info table = {0};
    struct err why = {0};
    bool there = one_table(r, &table, &why);
    model_release(&model_table_info, &table);
    if (!there && why.code != ERR_TABLE_NOT_FOUND && why.code != ERR_SCHEMA_NOT_FOUND &&
        why.code != ERR_CATALOG_NOT_FOUND) {
        *e = why;
        return false;
    }
    out->table_exists = tri_of(there);
    return true;
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
