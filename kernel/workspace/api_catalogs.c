/*
 * /api/2.0/database/catalogs*: Unity Catalog catalogs over one PostgreSQL database each.
 * Sources: SDKs (DatabaseCatalog); one database, one catalog, instance must run: Databricks "register a database".
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/xalloc.h"
#include "workspace/cluster.h"
#include "workspace/permissions.h"
#include "workspace/request.h"
#include "workspace/store_lake.h"
#include "workspace/unity.h"
#include "workspace/workspace.h"

enum { PAGE_MOST = 100, DATABASE_NAME_MAX = 63, CATALOG_NAME_MAX = 255 };

/* Unity Catalog names are stored in lower case; dots, spaces, slashes and control characters are not allowed. */
static bool take_name(const char *given, char out[CATALOG_NAME_MAX + 1], struct err *e)
{
    size_t len = strlen(given);
    bool ok = len <= CATALOG_NAME_MAX;
    for (size_t i = 0; ok && i < len; i++) {
        unsigned char c = (unsigned char)given[i];
        ok = c > 0x20 && c != 0x7f && c != '.' && c != '/';
        out[i] = (char)tolower(c);
    }
    out[ok ? len : 0] = '\0';
    return ok || err_set(e, ERR_INVALID_PARAMETER, "Catalog name '%.100s' is not valid: up to %d characters, without dots, "
                                                   "spaces, slashes and control characters", given, CATALOG_NAME_MAX);
}

static bool take_database(const char *given, char out[DATABASE_NAME_MAX + 1], struct err *e)
{
    size_t len = strlen(given);
    if (len > DATABASE_NAME_MAX)
        return err_set(e, ERR_INVALID_PARAMETER, "Database name has %zu bytes; PostgreSQL takes up to %d", len,
                       DATABASE_NAME_MAX);
    if (strcmp(given, "template0") == 0 || strcmp(given, "template1") == 0)
        return err_set(e, ERR_INVALID_PARAMETER, "Database '%s' is a template of PostgreSQL and cannot be registered",
                       given);
    memcpy(out, given, len + 1);
    return true;
}

/* The database is there, or is made when the request allows it. */
static bool need_database(struct request *r, const struct catalog_row *row, bool create, struct err *e)
{
    bool exists = false;
    if (!cluster_database_exists(r->ws->clusters, row->instance_uid, row->database, &exists, e))
        return false;
    if (exists)
        return true;
    if (create)
        return cluster_create_database(r->ws->clusters, row->instance_uid, row->database, row->owner, e);
    return err_set(e, ERR_NOT_FOUND, "Database '%s' does not exist on instance '%s'; create it first, or set "
                                     "create_database_if_not_exists", row->database, row->instance_name);
}

static void put_catalog(const struct catalog_row *row, struct database_catalog *out)
{
    out->name = xstrdup(row->name);
    out->database_instance_name = xstrdup(row->instance_name);
    out->database_name = xstrdup(row->database);
    out->uid = xstrdup(row->uid);
}

bool api_create_database_catalog(struct request *r, const void *in_, void *out, struct err *e)
{
    const struct database_catalog *in = in_;
    struct catalog_row row = {.created_ms = clock_wall_ms()}, old;
    struct instance_row instance;
    struct err none = {0};
    if (!take_name(in->name, row.name, e) || !take_database(in->database_name, row.database, e) ||
        !permission_instance(r, in->database_instance_name, ACCESS_USE, &instance, e))
        return false;
    if (unity_catalog(r->ws, row.name, &old, &none))
        return err_set(e, ERR_CATALOG_EXISTS, "Catalog '%s' already exists", row.name);
    if (instance.state != INST_AVAILABLE)
        return err_set(e, ERR_INVALID_STATE, "Database instance '%s' is %s; it must be AVAILABLE to register a database",
                       instance.name, inst_state_name(instance.state));
    ids_uuid(row.uid);
    memcpy(row.instance_uid, instance.uid, sizeof row.instance_uid);
    memcpy(row.instance_name, instance.name, sizeof row.instance_name);
    memcpy(row.owner, r->caller.name, sizeof row.owner);
    if (!need_database(r, &row, in->create_database_if_not_exists == TRI_TRUE, e) ||
        !store_add_catalog(r->ws->store, &row, e))
        return false;
    put_catalog(&row, out);
    return true;
}

static const char *lower_param(struct request *r, const char *name)
{
    char *copy = arena_strdup(&r->arena, request_param(r, name));
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

bool api_get_database_catalog(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct catalog_row row;
    if (!store_catalog(r->ws->store, lower_param(r, "name"), &row, e))
        return false;
    put_catalog(&row, out);
    return true;
}

bool api_update_database_catalog(struct request *r, const void *in, void *out, struct err *e)
{
    (void)r;
    (void)in;
    (void)out;
    /* The service's own answer, word for word. */
    return err_set(e, ERR_NOT_IMPLEMENTED, "Update Database Catalog is not yet implemented");
}

/* The catalog goes, the database stays. */
bool api_delete_database_catalog(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)out;
    const char *name = lower_param(r, "name");
    return store_remove_catalog(r->ws->store, name, e) && store_forget_grants(r->ws->store, name, e);
}

bool api_list_database_catalogs(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct database_catalog_list *list = out;
    struct instance_row instance;
    struct catalog_rows rows;
    struct page page;
    if (!request_page(r, "page_size", PAGE_MOST, &page, e) ||
        !permission_instance(r, request_param(r, "instance"), ACCESS_USE, &instance, e) ||
        !store_catalogs(r->ws->store, instance.uid, page.after, page.limit + 1, &rows, e))
        return false;
    for (size_t i = 0; i < rows.count && i < page.limit; i++)
        put_catalog(&rows.rows[i], model_list_add(&model_database_catalog, &list->database_catalogs));
    if (rows.count > page.limit)
        list->next_page_token = page_token_after(rows.rows[page.limit - 1].name);
    catalog_rows_release(&rows);
    return true;
}
