/* The views of information_schema (see information_schema.h). */
#include "workspace/information_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/grants.h"
#include "workspace/unity.h"
#include "workspace/workspace.h"

enum { ROWS_MAX = 50000, PAGE = 500 };

struct reading;
typedef bool fill_fn(struct reading *r);
typedef bool schema_fn(struct reading *r, const struct schema_info *s);
typedef bool table_fn(struct reading *r, const struct table_info *t);
struct reading {
    struct workspace *ws;
    const char *principal;
    const struct catalog_row *catalog;
    json_t *rows;
    table_fn *on_table; /* what a walk over all tables calls */
    struct err *e;
};

/* ---- values ---- */
static json_t *text(const char *t) { return t ? jx_str(t) : json_null(); }

static json_t *number(const struct opt_int *n) { return n->has ? json_sprintf("%lld", (long long)n->value) : json_null(); }

static json_t *moment(const struct opt_int *ms)
{
    if (!ms->has)
        return json_null();
    time_t s = (time_t)(ms->value / 1000);
    struct tm tm;
    char out[40];
    gmtime_r(&s, &tm);
    strftime(out, sizeof out, "%Y-%m-%d %H:%M:%S", &tm);
    return json_sprintf("%s.%03d+00", out, (int)(ms->value % 1000));
}

static bool put(struct reading *r, json_t *row)
{
    json_array_append_new(r->rows, row);
    return json_array_size(r->rows) <= ROWS_MAX ||
           err_set(r->e, ERR_TOO_BIG, "catalog '%s' has more than %d rows in this view", r->catalog->name, ROWS_MAX);
}

/* ---- walking over a catalog ---- */
static bool visit(struct reading *r, const struct model *m, struct model_list *list, schema_fn *on_schema, table_fn *on_table)
{
    bool ok = true;
    for (size_t i = 0; i < list->count; i++) {
        void *one = (char *)list->items + i * m->size;
        if (ok)
            ok = on_table ? !grants_sees(r->ws, r->principal, SECURABLE_TABLE, ((struct table_info *)one)->full_name) || on_table(r, one)
                          : !grants_sees(r->ws, r->principal, SECURABLE_SCHEMA, ((struct schema_info *)one)->full_name) || on_schema(r, one);
        model_release(m, one);
    }
    free(list->items);
    return ok;
}

/* schema NULL: the schemas; else the tables in it. Page by page. */
static bool each(struct reading *r, const char *schema, schema_fn *on_schema, table_fn *on_table)
{
    const struct model *m = on_table ? &model_table_info : &model_schema_info;
    char *after = xstrdup("");
    bool more = true, ok = true;
    while (ok && more) {
        struct model_list list = {0};
        struct page page = {.limit = PAGE, .after = after};
        ok = on_table ? unity_tables(r->ws, r->catalog, schema, NULL, &page, &list, &more, r->e)
                      : unity_schemas(r->ws, r->catalog, NULL, &page, &list, &more, r->e);
        if (ok && list.count) { /* both models begin with the name */
            char *last = xstrdup(*(char **)((char *)list.items + (list.count - 1) * m->size));
            free(after);
            after = last;
        }
        ok = ok && visit(r, m, &list, on_schema, on_table);
    }
    free(after);
    return ok;
}

static bool into_schema(struct reading *r, const struct schema_info *s) { return each(r, s->name, NULL, r->on_table); }

static bool each_table(struct reading *r, table_fn *fn)
{
    r->on_table = fn;
    return each(r, NULL, into_schema, NULL);
}

/* ---- catalogs, schemas, tables, columns ---- */
static bool fill_catalog_name(struct reading *r) { return put(r, json_pack("[s]", r->catalog->name)); }

static bool put_schema(struct reading *r, const struct schema_info *s)
{
    return put(r, json_pack("[o,o,o,o,o,o,o,o]", text(s->catalog_name), text(s->name), text(s->owner), text(s->comment), moment(&s->created_at),
                            text(s->created_by), moment(&s->updated_at), text(s->updated_by)));
}
static bool fill_schemata(struct reading *r) { return each(r, NULL, put_schema, NULL); }

static bool put_table(struct reading *r, const struct table_info *t)
{
    bool managed = t->table_type && strcmp(t->table_type, "MANAGED") == 0;
    return put(r, json_pack("[o,o,o,o,s,s,o,o,o,o,o,o,o,o,o]", text(t->catalog_name), text(t->schema_name), text(t->name), text(t->table_type),
                            managed ? "YES" : "NO", "PRESERVE", text(t->owner), text(t->comment), moment(&t->created_at), text(t->created_by),
                            moment(&t->updated_at), text(t->updated_by), text(t->data_source_format), text(t->storage_location), json_null()));
}
static bool fill_tables(struct reading *r) { return each_table(r, put_table); }

static json_t *upper(const char *t)
{
    char *copy = xstrdup(t ? t : "");
    for (char *p = copy; *p; p++)
        *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
    json_t *out = jx_str(copy);
    free(copy);
    return out;
}

static json_t *column_row(const struct table_info *t, const struct column_info *c, size_t place)
{
    bool decimal = c->type_name && strcmp(c->type_name, "DECIMAL") == 0;
    json_t *row = json_pack("[o,o,o,o,o,o,s,o,o,o,o,o,s?,o]", text(t->catalog_name), text(t->schema_name), text(t->name), text(c->name),
                            json_sprintf("%zu", place + 1), json_null(), c->nullable == TRI_FALSE ? "NO" : "YES", text(c->type_text),
                            upper(c->type_name), json_null(), json_null(), decimal ? number(&c->type_precision) : json_null(),
                            decimal ? "10" : NULL, decimal ? number(&c->type_scale) : json_null());
    for (int i = 0; i < 4; i++) /* datetime_precision … maximum_cardinality */
        json_array_append_new(row, json_null());
    json_array_append_new(row, json_string("NO")); /* is_identity */
    for (int i = 0; i < 6; i++)
        json_array_append_new(row, json_null());
    json_array_append_new(row, json_string("NO")); /* is_generated */
    json_array_append_new(row, json_null());
    json_array_append_new(row, json_string("NO")); /* is_system_time_period_start, _end */
    json_array_append_new(row, json_string("NO"));
    json_array_append_new(row, json_null());
    json_array_append_new(row, json_string("YES")); /* is_updatable */
    json_array_append_new(row, number(&c->partition_index));
    json_array_append_new(row, text(c->comment));
    return row;
}

static bool put_columns(struct reading *r, const struct table_info *t)
{
    const struct column_info *all = t->columns.items;
    bool ok = true;
    for (size_t i = 0; ok && i < t->columns.count; i++)
        ok = put(r, column_row(t, &all[i], i));
    return ok;
}
static bool fill_columns(struct reading *r) { return each_table(r, put_columns); }

/* ---- privileges ---- */
/* Rows: grantor, grantee, the n names of the object, privilege, whether it may be passed on, where it was granted. */
static bool put_privileges(struct reading *r, enum securable_kind kind, const char *full, const char *const *names, size_t n)
{
    struct effective_permissions_list list = {0};
    bool ok = grants_effective(r->ws, r->principal, kind, full, NULL, &list, r->e);
    const struct effective_assignment *all = list.privilege_assignments.items;
    char *owner = grants_owner(r->ws, kind, full);
    for (size_t i = 0; ok && i < list.privilege_assignments.count; i++) {
        const struct effective_privilege *p = all[i].privileges.items;
        for (size_t k = 0; ok && k < all[i].privileges.count; k++) {
            json_t *row = json_pack("[o,o]", text(owner), text(all[i].principal));
            for (size_t at = 0; at < n; at++)
                json_array_append_new(row, text(names[at]));
            json_array_append_new(row, text(p[k].privilege));
            json_array_append_new(row, json_string("NO"));
            json_array_append_new(row, p[k].inherited_from_type ? text(p[k].inherited_from_type) : json_string("NONE"));
            ok = put(r, row);
        }
    }
    free(owner);
    model_release(&model_effective_permissions_list, &list);
    return ok;
}

static bool fill_catalog_privileges(struct reading *r)
{
    return put_privileges(r, SECURABLE_CATALOG, r->catalog->name, (const char *[]){r->catalog->name}, 1);
}

static bool put_schema_privileges(struct reading *r, const struct schema_info *s)
{
    return put_privileges(r, SECURABLE_SCHEMA, s->full_name, (const char *[]){s->catalog_name, s->name}, 2);
}
static bool fill_schema_privileges(struct reading *r) { return each(r, NULL, put_schema_privileges, NULL); }

static bool put_table_privileges(struct reading *r, const struct table_info *t)
{
    return put_privileges(r, SECURABLE_TABLE, t->full_name, (const char *[]){t->catalog_name, t->schema_name, t->name}, 3);
}
static bool fill_table_privileges(struct reading *r) { return each_table(r, put_table_privileges); }

/* ---- volumes ---- */
static bool put_volume(struct reading *r, const struct securable_row *v, const char *schema)
{
    struct opt_int created = {true, v->created_ms}, updated = {true, v->updated_ms};
    char *at = xasprintf("file://%s", v->location);
    bool ok = put(r, json_pack("[s,o,o,s,o,o,o,o,o,o,o]", r->catalog->name, text(schema), text(v->name), "MANAGED", text(v->owner),
                               text(v->comment[0] ? v->comment : NULL), text(at), moment(&created), text(v->created_by), moment(&updated),
                               text(v->updated_by)));
    free(at);
    return ok;
}

static bool put_volumes(struct reading *r, const struct schema_info *s)
{
    struct securable_rows rows;
    if (!store_securables(r->ws->store, SECURABLE_VOLUME, s->full_name, NULL, 0, &rows, r->e))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < rows.count; i++)
        ok = !grants_sees(r->ws, r->principal, SECURABLE_VOLUME, rows.rows[i].full_name) || put_volume(r, &rows.rows[i], s->name);
    securable_rows_release(&rows);
    return ok;
}
static bool fill_volumes(struct reading *r) { return each(r, NULL, put_volumes, NULL); }

/* ---- lineage ---- */
static void put_name(json_t *row, const char *full)
{
    const char *schema = strchr(full, '.'), *name = schema ? strchr(schema + 1, '.') : NULL;
    json_array_append_new(row, text(full));
    json_array_append_new(row, name ? json_stringn(full, (size_t)(schema - full)) : json_null());
    json_array_append_new(row, name ? json_stringn(schema + 1, (size_t)(name - schema - 1)) : json_null());
    json_array_append_new(row, name ? text(name + 1) : json_null());
    json_array_append_new(row, json_string("TABLE"));
}

/* Edges whose two ends the principal may see, found from their targets. */
static bool put_lineage(struct reading *r, const char *target)
{
    struct lineage_rows rows;
    if (!store_lineage(r->ws->store, target, true, &rows, r->e))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < rows.count; i++) {
        if (!grants_sees(r->ws, r->principal, SECURABLE_TABLE, rows.rows[i].source))
            continue;
        struct opt_int at = {true, rows.rows[i].at_ms};
        json_t *row = json_pack("[o,o]", text(r->ws->metastore_id), text(r->ws->org_id));
        put_name(row, rows.rows[i].source);
        put_name(row, target);
        json_array_append_new(row, text(rows.rows[i].by));
        json_array_append_new(row, moment(&at));
        json_t *day = moment(&at);
        json_array_append_new(row, json_stringn(json_string_value(day), strlen("2026-01-01")));
        json_decref(day);
        ok = put(r, row);
    }
    lineage_rows_release(&rows);
    return ok;
}

static bool fill_lineage(struct reading *r)
{
    struct securable_rows tables;
    if (!store_all(r->ws->store, SECURABLE_TABLE, &tables, r->e))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < tables.count; i++)
        ok = !grants_sees(r->ws, r->principal, SECURABLE_TABLE, tables.rows[i].full_name) || put_lineage(r, tables.rows[i].full_name);
    securable_rows_release(&tables);
    return ok;
}

/* ---- the views ---- */
#define HISTORY ", created TIMESTAMP, created_by STRING, last_altered TIMESTAMP, last_altered_by STRING"
#define PRIVILEGE ", privilege_type STRING, is_grantable STRING, inherited_from STRING"
#define LINEAGE_END(end) ", " end "_table_full_name STRING, " end "_table_catalog STRING, " end "_table_schema STRING, " end "_table_name STRING, " end "_type STRING"
static const struct view {
    const char *schema, *name, *columns;
    fill_fn *fill;
} views[] = {
    {INFORMATION_SCHEMA, "information_schema_catalog_name", "catalog_name STRING", fill_catalog_name},
    {INFORMATION_SCHEMA, "schemata", "catalog_name STRING, schema_name STRING, schema_owner STRING, comment STRING" HISTORY, fill_schemata},
    {INFORMATION_SCHEMA, "tables",
     "table_catalog STRING, table_schema STRING, table_name STRING, table_type STRING, is_insertable_into STRING, commit_action STRING, "
     "table_owner STRING, comment STRING" HISTORY ", data_source_format STRING, storage_path STRING, storage_sub_directory STRING", fill_tables},
    {INFORMATION_SCHEMA, "columns",
     "table_catalog STRING, table_schema STRING, table_name STRING, column_name STRING, ordinal_position INT, column_default STRING, "
     "is_nullable STRING, full_data_type STRING, data_type STRING, character_maximum_length BIGINT, character_octet_length BIGINT, "
     "numeric_precision INT, numeric_precision_radix INT, numeric_scale INT, datetime_precision INT, interval_type STRING, "
     "interval_precision INT, maximum_cardinality BIGINT, is_identity STRING, identity_generation STRING, identity_start STRING, "
     "identity_increment STRING, identity_maximum STRING, identity_minimum STRING, identity_cycle STRING, is_generated STRING, "
     "generation_expression STRING, is_system_time_period_start STRING, is_system_time_period_end STRING, "
     "system_time_period_timestamp_generation STRING, is_updatable STRING, partition_index INT, comment STRING", fill_columns},
    {INFORMATION_SCHEMA, "catalog_privileges", "grantor STRING, grantee STRING, catalog_name STRING" PRIVILEGE, fill_catalog_privileges},
    {INFORMATION_SCHEMA, "schema_privileges", "grantor STRING, grantee STRING, catalog_name STRING, schema_name STRING" PRIVILEGE,
     fill_schema_privileges},
    {INFORMATION_SCHEMA, "table_privileges",
     "grantor STRING, grantee STRING, table_catalog STRING, table_schema STRING, table_name STRING" PRIVILEGE, fill_table_privileges},
    {INFORMATION_SCHEMA, "volumes",
     "volume_catalog STRING, volume_schema STRING, volume_name STRING, volume_type STRING, volume_owner STRING, comment STRING, "
     "storage_location STRING" HISTORY, fill_volumes},
    {"access", "table_lineage",
     "metastore_id STRING, workspace_id STRING" LINEAGE_END("source") LINEAGE_END("target") ", created_by STRING, event_time TIMESTAMP, "
     "event_date DATE", fill_lineage},
};

bool information_schema_is(const char *catalog, const char *schema)
{
    return strcasecmp(schema, INFORMATION_SCHEMA) == 0 || (strcasecmp(catalog, "system") == 0 && strcasecmp(schema, "access") == 0);
}

/* "a STRING, b INT" as column infos. */
static json_t *columns_json(const char *columns)
{
    json_t *list = json_array();
    for (const char *at = columns; *at;) {
        size_t n = strcspn(at, " "), t = strcspn(at + n + 1, ",");
        json_array_append_new(list, json_pack("{s:s%, s:s%}", "name", at, n, "type_text", at + n + 1, t));
        at += n + 1 + t;
        at += strspn(at, ", ");
    }
    return list;
}

bool information_schema_read(struct workspace *ws, const char *principal, const struct catalog_row *catalog, const char *schema,
                             const char *view, bool with_rows, json_t **out, struct err *e)
{
    char names[400] = "";
    struct reading r = {.ws = ws, .principal = principal, .catalog = catalog, .rows = json_array(), .e = e};
    for (size_t i = 0; i < ARRAY_LEN(views); i++) {
        if (strcasecmp(views[i].schema, schema) != 0)
            continue;
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", *names ? ", " : "", views[i].name);
        if (strcasecmp(views[i].name, view) != 0)
            continue;
        if (with_rows && !views[i].fill(&r)) {
            json_decref(r.rows);
            return false;
        }
        *out = json_pack("{s:o, s:o}", "columns", columns_json(views[i].columns), "rows", r.rows);
        return true;
    }
    json_decref(r.rows);
    return err_set(e, ERR_TABLE_NOT_FOUND, "[TABLE_OR_VIEW_NOT_FOUND] %s has no view '%.100s' in this workspace: it has %s", schema, view, names);
}
