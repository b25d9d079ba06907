/* Making, changing and removing objects of Unity Catalog (see securable.h). */
#include "workspace/securable.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "workspace/access.h"
#include "workspace/grants.h"
#include "workspace/lake_folders.h"
#include "workspace/samples.h"
#include "workspace/unity.h"
#include "workspace/workspace.h"

enum { COMMENT_MAX = 64 << 10, PROPERTIES_MAX = 64 << 10 };

static const char *const titles[] = {[SECURABLE_METASTORE] = "Metastore", [SECURABLE_CATALOG] = "Catalog",
                                     [SECURABLE_SCHEMA] = "Schema", [SECURABLE_TABLE] = "Table",
                                     [SECURABLE_VOLUME] = "Volume"};

/* ---- names ---- */

char *securable_name(enum securable_kind kind, const char *name, struct err *e)
{
    size_t len = name ? strlen(name) : 0;
    bool ok = len > 0 && len <= SECURABLE_NAME_MAX && utf8_valid(name, len);
    for (size_t i = 0; ok && i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        ok = c > 0x20 && c != 0x7f && c != '.' && c != '/';
    }
    if (!ok) {
        err_set(e, ERR_INVALID_PARAMETER, "%s name '%.100s' is not valid: 1 to %d characters, without dots, spaces, slashes "
                                          "and control characters", titles[kind], name ? name : "", SECURABLE_NAME_MAX);
        return NULL;
    }
    char *out = xstrdup(name);
    for (char *p = out; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return out;
}

char *securable_full_name(const char *catalog, const char *schema, const char *table)
{
    return table ? xasprintf("%s.%s.%s", catalog, schema, table) : schema ? xasprintf("%s.%s", catalog, schema)
                                                                          : xstrdup(catalog);
}

bool securable_missing(enum securable_kind kind, const char *full_name, struct err *e)
{
    static const enum err_code codes[] = {[SECURABLE_METASTORE] = ERR_NOT_FOUND,
                                          [SECURABLE_CATALOG] = ERR_CATALOG_NOT_FOUND,
                                          [SECURABLE_SCHEMA] = ERR_SCHEMA_NOT_FOUND,
                                          [SECURABLE_TABLE] = ERR_TABLE_NOT_FOUND,
                                          [SECURABLE_VOLUME] = ERR_VOLUME_NOT_FOUND};
    return err_set(e, codes[kind], "%s '%.300s' does not exist.", titles[kind], full_name);
}

static bool taken(enum securable_kind kind, const char *full_name, struct err *e)
{
    static const enum err_code codes[] = {[SECURABLE_METASTORE] = ERR_ALREADY_EXISTS,
                                          [SECURABLE_CATALOG] = ERR_CATALOG_EXISTS, [SECURABLE_SCHEMA] = ERR_SCHEMA_EXISTS,
                                          [SECURABLE_TABLE] = ERR_TABLE_EXISTS,
                                          [SECURABLE_VOLUME] = ERR_VOLUME_EXISTS};
    return err_set(e, codes[kind], "%s '%.300s' already exists", titles[kind], full_name);
}

/* ---- creation ---- */

static bool short_enough(const char *text, size_t max, const char *what, struct err *e)
{
    size_t len = text ? strlen(text) : 0;
    return len <= max || err_set(e, ERR_TOO_BIG, "the %s has %zu bytes; at most %zu are kept", what, len, max);
}

/* A JSON object of texts, as Unity Catalog keeps it. Caller frees; NULL with *e set. "" for none. */
static char *take_properties(const json_t *properties, struct err *e)
{
    const char *key;
    json_t *value;
    if (!properties || json_is_null(properties))
        return xstrdup("");
    if (!json_is_object(properties)) {
        err_set(e, ERR_INVALID_PARAMETER, "Field 'properties' must be an object of texts");
        return NULL;
    }
    json_object_foreach((json_t *)(uintptr_t)properties, key, value)
    {
        if (!json_is_string(value)) {
            err_set(e, ERR_INVALID_PARAMETER, "Property '%.100s' must be a text", key);
            return NULL;
        }
    }
    char *text = jx_dump(properties);
    if (short_enough(text, PROPERTIES_MAX, "list of properties", e))
        return text;
    free(text);
    return NULL;
}

/* Fill what every row has and add it. Takes nothing. */
static bool add(struct workspace *ws, const char *caller, struct securable_row *row, const json_t *properties,
                struct securable_row *out, struct err *e)
{
    char id[37];
    struct err why = {0};
    ids_uuid(id);
    char *kept = take_properties(properties, e);
    if (!kept || !short_enough(row->comment, COMMENT_MAX, "comment", e)) {
        free(kept);
        return false;
    }
    row->properties = kept;
    row->id = row->id ? row->id : id;
    row->owner = row->created_by = row->updated_by = (char *)(uintptr_t)caller;
    row->created_ms = row->updated_ms = clock_wall_ms();
    bool ok = store_add_securable(ws->store, row, &why);
    free(kept);
    if (ok)
        return !out || store_securable(ws->store, row->kind, row->full_name, out, e);
    if (why.code == ERR_ALREADY_EXISTS)
        return taken(row->kind, row->full_name, e);
    if (why.code == ERR_NOT_FOUND)
        return securable_missing(securable_above(row->kind), row->parent, e);
    *e = why;
    return false;
}

static char *mutable_text(const char *text) { return (char *)(uintptr_t)text; }

bool securable_create_catalog(struct workspace *ws, const char *caller, const char *name, const char *comment,
                              const json_t *properties, struct securable_row *out, struct err *e)
{
    struct catalog_row registered;
    struct err none = {0};
    char *lower = securable_name(SECURABLE_CATALOG, name, e);
    bool ok = lower && grants_need(ws, caller, SECURABLE_METASTORE, "", "CREATE_CATALOG", e);
    if (ok && store_catalog(ws->store, lower, &registered, &none))
        ok = taken(SECURABLE_CATALOG, lower, e);
    struct securable_row row = {.kind = SECURABLE_CATALOG, .full_name = lower, .parent = mutable_text(""), .name = lower,
                                .comment = mutable_text(comment)};
    ok = ok && add(ws, caller, &row, properties, out, e);
    /* As on the service, a new catalog has the schema default. */
    if (ok) {
        char *full = securable_full_name(lower, "default", NULL);
        struct securable_row schema = {.kind = SECURABLE_SCHEMA, .full_name = full, .parent = lower,
                                       .name = mutable_text("default")};
        ok = add(ws, caller, &schema, NULL, NULL, e);
        free(full);
    }
    free(lower);
    return ok;
}

/* What is in a registered database is not Unity Catalog's to make. */
static bool need_managed(struct workspace *ws, const char *catalog, struct err *e)
{
    struct catalog_row row;
    if (!unity_catalog(ws, catalog, &row, e) || !samples_refuse(ws, catalog, e))
        return false;
    return !row.uid[0] || err_set(e, ERR_BAD_REQUEST, "Catalog '%s' shows database '%s' of instance '%s' and is read-only; "
                                                      "make the object in PostgreSQL", row.name, row.database,
                                  row.instance_name);
}

bool securable_create_schema(struct workspace *ws, const char *caller, const char *catalog, const char *name,
                             const char *comment, const json_t *properties, struct securable_row *out, struct err *e)
{
    char *parent = securable_name(SECURABLE_CATALOG, catalog, e);
    char *lower = parent ? securable_name(SECURABLE_SCHEMA, name, e) : NULL;
    char *full = lower ? securable_full_name(parent, lower, NULL) : NULL;
    bool ok = full && need_managed(ws, parent, e) &&
              grants_need(ws, caller, SECURABLE_CATALOG, parent, "CREATE_SCHEMA", e);
    if (ok && strcmp(lower, "information_schema") == 0)
        ok = taken(SECURABLE_SCHEMA, full, e);
    struct securable_row row = {.kind = SECURABLE_SCHEMA, .full_name = full, .parent = parent, .name = lower,
                                .comment = mutable_text(comment)};
    ok = ok && add(ws, caller, &row, properties, out, e);
    free(full);
    free(lower);
    free(parent);
    return ok;
}

bool securable_may_create_table(struct workspace *ws, const char *caller, const char *catalog, const char *schema,
                                const char *name, struct err *e)
{
    struct securable_row row = {0};
    struct err why = {0};
    char *lower = securable_name(SECURABLE_TABLE, name, e);
    char *parent = securable_full_name(catalog, schema, NULL);
    char *full = securable_full_name(catalog, schema, lower ? lower : "");
    bool ok = lower && need_managed(ws, catalog, e);
    if (ok && !store_securable(ws->store, SECURABLE_SCHEMA, parent, &row, &why))
        ok = why.code == ERR_NOT_FOUND ? securable_missing(SECURABLE_SCHEMA, parent, e) : (*e = why, false);
    securable_row_release(&row);
    ok = ok && grants_need(ws, caller, SECURABLE_SCHEMA, parent, "CREATE_TABLE", e);
    if (ok && store_securable(ws->store, SECURABLE_TABLE, full, &row, &why))
        ok = taken(SECURABLE_TABLE, full, e);
    securable_row_release(&row);
    free(full);
    free(parent);
    free(lower);
    return ok;
}

bool securable_create_table(struct workspace *ws, const char *caller, const struct securable_new_table *t, struct err *e)
{
    if (!securable_may_create_table(ws, caller, t->catalog, t->schema, t->name, e))
        return false;
    char *lower = securable_name(SECURABLE_TABLE, t->name, e);
    char *parent = securable_full_name(t->catalog, t->schema, NULL);
    char *full = securable_full_name(t->catalog, t->schema, lower), *columns = jx_dump(t->columns);
    struct securable_row row = {.kind = SECURABLE_TABLE, .full_name = full, .parent = parent, .name = lower,
                                .id = mutable_text(t->table_id), .comment = mutable_text(t->comment),
                                .location = mutable_text(t->location), .columns = columns};
    bool ok = add(ws, caller, &row, t->properties, NULL, e);
    free(columns);
    free(full);
    free(parent);
    free(lower);
    return ok;
}

bool securable_create_volume(struct workspace *ws, const char *caller, const char *catalog, const char *schema, const char *name,
                             const char *comment, struct securable_row *out, struct err *e)
{
    struct securable_row there = {0};
    struct err why = {0};
    char id[37], *lower = securable_name(SECURABLE_VOLUME, name, e);
    char *parent = lower ? securable_full_name(catalog, schema, NULL) : NULL;
    char *full = lower ? securable_full_name(catalog, schema, lower) : NULL;
    bool ok = lower && need_managed(ws, catalog, e);
    if (ok && !store_securable(ws->store, SECURABLE_SCHEMA, parent, &there, &why))
        ok = why.code == ERR_NOT_FOUND ? securable_missing(SECURABLE_SCHEMA, parent, e) : (*e = why, false);
    securable_row_release(&there);
    ok = ok && grants_need(ws, caller, SECURABLE_SCHEMA, parent, "CREATE_VOLUME", e);
    ids_uuid(id);
    char *location = ok ? lake_volume_new(ws, id, e) : NULL;
    struct securable_row row = {.kind = SECURABLE_VOLUME, .full_name = full, .parent = parent, .name = lower, .id = id,
                                .comment = mutable_text(comment), .location = location};
    ok = location && add(ws, caller, &row, NULL, out, e);
    err_init(&why);
    if (location && !ok && !lake_folder_remove(ws, location, &why))
        log_err("lakehouse", "unused folder", &why); /* swept at the next start */
    free(location);
    free(full);
    free(parent);
    free(lower);
    return ok;
}

/* ---- change and removal ---- */

static bool find(struct workspace *ws, enum securable_kind kind, const char *full_name, struct securable_row *out,
                 struct err *e)
{
    struct err why = {0};
    if (store_securable(ws->store, kind, full_name, out, &why))
        return true;
    if (why.code == ERR_NOT_FOUND)
        return securable_missing(kind, full_name, e);
    *e = why;
    return false;
}

static void replace(char **text, const char *by)
{
    char *copy = xstrdup(by);
    free(*text);
    *text = copy;
}

static bool change_row(struct workspace *ws, struct securable_row *row, const struct securable_update *change,
                       struct err *e)
{
    if (change->new_name && strcmp(change->new_name, row->name) != 0)
        return err_set(e, ERR_NOT_IMPLEMENTED, "Renaming a %s is not offered by this local workspace yet",
                       titles[row->kind]);
    if (change->isolation_mode && strcmp(change->isolation_mode, "OPEN") != 0)
        return err_set(e, ERR_NOT_IMPLEMENTED, "Isolation mode '%.40s' is not offered by this local workspace: there is one "
                                               "workspace only", change->isolation_mode);
    if (change->comment) {
        if (!short_enough(change->comment, COMMENT_MAX, "comment", e))
            return false;
        replace(&row->comment, change->comment);
    }
    if (change->properties) {
        char *kept = take_properties(change->properties, e);
        if (!kept)
            return false;
        free(row->properties);
        row->properties = kept;
    }
    if (!change->owner)
        return true;
    if (!grants_principal(ws, change->owner, e))
        return false;
    replace(&row->owner, change->owner);
    return true;
}

bool securable_update(struct workspace *ws, const char *caller, enum securable_kind kind, const char *full_name,
                      const struct securable_update *change, struct securable_row *out, struct err *e)
{
    struct securable_row row = {0};
    bool ok = find(ws, kind, full_name, &row, e) && samples_refuse(ws, full_name, e) &&
              grants_need_owner(ws, caller, kind, full_name, e) && change_row(ws, &row, change, e);
    if (ok) {
        row.updated_ms = clock_wall_ms();
        replace(&row.updated_by, caller);
        ok = store_update_securable(ws->store, &row, e);
    }
    if (ok && out)
        *out = row;
    else
        securable_row_release(&row);
    return ok;
}

static bool not_empty(enum securable_kind kind, const char *full_name, struct err *e)
{
    if (kind == SECURABLE_CATALOG)
        return err_set(e, ERR_CATALOG_NOT_EMPTY, "Catalog '%s' is not empty. The catalog has one or more schema(s).",
                       full_name);
    return err_set(e, ERR_SCHEMA_NOT_EMPTY, "Schema '%s' is not empty. The schema has one or more table(s) or volume(s).", full_name);
}

/* The schema default of a new catalog alone does not make it "not empty"… but its tables do. */
static bool only_default(struct workspace *ws, const char *catalog)
{
    struct securable_rows schemas, tables = {0};
    struct err none = {0};
    if (!store_securables(ws->store, SECURABLE_SCHEMA, catalog, NULL, 2, &schemas, &none))
        return false;
    bool only = schemas.count == 1 && strcmp(schemas.rows[0].name, "default") == 0 &&
                store_securables(ws->store, SECURABLE_TABLE, schemas.rows[0].full_name, NULL, 1, &tables, &none) && tables.count == 0 &&
                store_securables(ws->store, SECURABLE_VOLUME, schemas.rows[0].full_name, NULL, 1, &tables, &none) && tables.count == 0;
    securable_rows_release(&tables);
    securable_rows_release(&schemas);
    return only;
}

bool securable_drop(struct workspace *ws, const char *caller, enum securable_kind kind, const char *full_name,
                    bool cascade, struct err *e)
{
    struct securable_row row = {0};
    struct securable_rows tables;
    struct err why = {0};
    bool ok = find(ws, kind, full_name, &row, e) && samples_refuse(ws, full_name, e) &&
              grants_need_owner(ws, caller, kind, full_name, e);
    securable_row_release(&row);
    if (!ok)
        return false;
    if (kind == SECURABLE_CATALOG && strcmp(full_name, UNITY_MAIN) == 0)
        return err_set(e, ERR_PERMISSION, "Catalog '" UNITY_MAIN "' belongs to the workspace and cannot be deleted");
    if (!store_remove_securable(ws->store, kind, full_name,
                                cascade || (kind == SECURABLE_CATALOG && only_default(ws, full_name)), &tables, &why)) {
        if (why.code == ERR_INVALID_STATE)
            return not_empty(kind, full_name, e);
        if (why.code == ERR_NOT_FOUND)
            return securable_missing(kind, full_name, e);
        *e = why;
        return false;
    }
    /* A folder that stays because of an error is swept at the next start. */
    for (size_t i = 0; i < tables.count; i++) {
        if (tables.rows[i].location[0] && !lake_folder_remove(ws, tables.rows[i].location, &why))
            log_err("lakehouse", "drop", &why);
        err_init(&why);
    }
    securable_rows_release(&tables);
    return true;
}

/* Idempotent until the fact is written, so a crash in the middle is completed at the next start. */
bool securable_open(struct workspace *ws, struct err *e)
{
    static const char made[] = "unity_main";
    struct err why = {0};
    char *done = NULL;
    if (!store_get(ws->store, made, &done, e))
        return false;
    free(done);
    if (done)
        return true;
    if (!securable_create_catalog(ws, ACCESS_USER, UNITY_MAIN, NULL, NULL, NULL, &why) && why.code != ERR_CATALOG_EXISTS) {
        *e = why;
        return false;
    }
    err_init(&why);
    if (!securable_create_schema(ws, ACCESS_USER, UNITY_MAIN, "default", NULL, NULL, NULL, &why) &&
        why.code != ERR_SCHEMA_EXISTS) {
        *e = why;
        return false;
    }
    return store_set(ws->store, made, "1", e);
}
