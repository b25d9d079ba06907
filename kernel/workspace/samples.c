/* The catalog `samples` in the store (see samples.h). */
#include "workspace/samples.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "lakehouse/samples.h"
#include "workspace/grants.h"
#include "workspace/lake_folders.h"
#include "workspace/unity.h"
#include "workspace/worker.h"
#include "workspace/workspace.h"

static char *mutable_text(const char *text) { return (char *)(uintptr_t)text; }

/* A row of the system's; one that is there already is fine. */
static bool add(struct workspace *ws, struct securable_row *row, struct err *e)
{
    struct err why = {0};
    char id[37];
    ids_uuid(id);
    row->id = row->id ? row->id : id;
    row->owner = row->created_by = row->updated_by = mutable_text(SAMPLES_OWNER);
    row->created_ms = row->updated_ms = clock_wall_ms();
    if (store_add_securable(ws->store, row, &why) || why.code == ERR_ALREADY_EXISTS)
        return true;
    *e = why;
    return false;
}

static char *columns_of(const struct sample_table *t, struct err *e)
{
    struct delta_schema schema;
    json_t *list = json_array();
    bool ok = sample_schema(t, &schema, e);
    for (size_t i = 0; ok && i < schema.count; i++) {
        const struct delta_column *c = &schema.columns[i];
        char *text = delta_type_text(c);
        for (char *p = text; *p; p++) /* Unity Catalog spells types in lower case */
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:b}", "name", c->name, "type_text", text, "type_name",
                                              delta_column_type_name(c), "position", (int)i, "nullable", 1));
        if (c->type == DELTA_DECIMAL) {
            json_object_set_new(json_array_get(list, i), "type_precision", json_integer(c->precision));
            json_object_set_new(json_array_get(list, i), "type_scale", json_integer(c->scale));
        }
        free(text);
    }
    delta_schema_release(&schema);
    char *text = jx_dump(list);
    json_decref(list);
    return text;
}

/* The folder first, then its row. */
static bool add_table(struct workspace *ws, const struct sample_table *t, struct err *e)
{
    struct securable_row there;
    struct err none = {0};
    char id[37], *parent = xasprintf(SAMPLES_CATALOG ".%s", t->schema), *full = xasprintf("%s.%s", parent, t->name);
    bool ok = store_securable(ws->store, SECURABLE_TABLE, full, &there, &none);
    if (ok) {
        securable_row_release(&there);
    } else {
        ids_uuid(id);
        char *location = lake_sample_folder(ws, strchr(full, '.') + 1, e), *columns = location ? columns_of(t, e) : NULL;
        struct securable_row row = {.kind = SECURABLE_TABLE, .full_name = full, .parent = parent, .name = mutable_text(t->name), .id = id,
                                    .comment = mutable_text(t->comment), .location = location, .columns = columns};
        ok = columns && !e->code && add(ws, &row, e);
        free(columns);
        free(location);
    }
    free(full);
    free(parent);
    return ok;
}

static bool add_all(struct workspace *ws, struct err *e)
{
    size_t n;
    const struct sample_table *tables = sample_tables(&n);
    struct securable_row catalog = {.kind = SECURABLE_CATALOG, .full_name = mutable_text(SAMPLES_CATALOG), .parent = mutable_text(""),
                                    .name = mutable_text(SAMPLES_CATALOG), .comment = mutable_text("Sample data to try things on; read-only")};
    bool ok = add(ws, &catalog, e);
    for (size_t i = 0; ok && i < n; i++) {
        char *full = xasprintf(SAMPLES_CATALOG ".%s", tables[i].schema);
        struct securable_row schema = {.kind = SECURABLE_SCHEMA, .full_name = full, .parent = mutable_text(SAMPLES_CATALOG),
                                       .name = mutable_text(tables[i].schema)};
        ok = add(ws, &schema, e) && add_table(ws, &tables[i], e);
        free(full);
    }
    static const char *const privileges[] = {"BROWSE", "SELECT", "USE_CATALOG", "USE_SCHEMA"};
    struct grant_row grants[ARRAY_LEN(privileges)];
    for (size_t i = 0; i < ARRAY_LEN(privileges); i++) {
        grants[i] = (struct grant_row){.kind = SECURABLE_CATALOG, .full_name = mutable_text(SAMPLES_CATALOG),
                                       .principal = mutable_text(GRANTS_EVERYBODY)};
        memcpy(grants[i].privilege, privileges[i], strlen(privileges[i]) + 1);
    }
    return ok && store_change_grants(ws->store, grants, ARRAY_LEN(grants), NULL, 0, e);
}

bool samples_open(struct workspace *ws, struct err *e)
{
    struct catalog_row row;
    struct err none = {0};
    if (unity_catalog(ws, SAMPLES_CATALOG, &row, &none) && strcmp(row.owner, SAMPLES_OWNER) != 0) {
        log_line(LOG_WARN, "lakehouse", "a catalog '" SAMPLES_CATALOG "' of %s is there: the sample data is not", row.owner);
        return true;
    }
    return add_all(ws, e);
}

bool samples_has(struct workspace *ws, const char *full_name)
{
    struct catalog_row row;
    struct err none = {0};
    size_t n = strlen(SAMPLES_CATALOG);
    return strncmp(full_name, SAMPLES_CATALOG, n) == 0 && (full_name[n] == '.' || !full_name[n]) &&
           unity_catalog(ws, SAMPLES_CATALOG, &row, &none) && strcmp(row.owner, SAMPLES_OWNER) == 0;
}

bool samples_ready(struct workspace *ws, const char *full_name, const char *location, struct err *e)
{
    if (!samples_has(ws, full_name))
        return true;
    struct worker_job none = {0};
    json_t *done = NULL, *job = json_pack("{s:s, s:s, s:s}", "job", "sample", "name", strchr(full_name, '.') + 1, "location", location);
    bool ok = worker_run(ws->worker, job, &none, &done, NULL, e);
    json_decref(done);
    json_decref(job);
    return ok;
}

bool samples_refuse(struct workspace *ws, const char *full_name, struct err *e)
{
    return !samples_has(ws, full_name) ||
           err_set(e, ERR_PERMISSION, "Catalog '" SAMPLES_CATALOG "' belongs to the system and is read-only: copy a table with CREATE TABLE … "
                                      "AS SELECT");
}
