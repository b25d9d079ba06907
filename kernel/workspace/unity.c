/*
 * Unity Catalog's view of its objects (see unity.h). Of a registered database: one query, one row an object. The connection
 * is the workspace's own, read-only by intent, closed after the call: catalogs are looked at by people, a few times a
 * minute.
 */
#include "workspace/unity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "pg/exec.h"
#include "workspace/cluster.h"
#include "workspace/sql.h"
#include "workspace/workspace.h"

enum { MAX_JSON = 16 << 20 };

struct reading {
    struct workspace *ws;
    const struct catalog_row *catalog;
    const char *schema;
    bool constraints, more;
    size_t left; /* rows that still belong to the page */
    struct model_list *out;
    struct err *e;
};

bool unity_catalog(struct workspace *ws, const char *name, struct catalog_row *out, struct err *e)
{
    struct securable_row row;
    struct err none = {0};
    if (!store_securable(ws->store, SECURABLE_CATALOG, name, &row, &none))
        return store_catalog(ws->store, name, out, e);
    *out = (struct catalog_row){.created_ms = row.created_ms};
    err_copy(out->name, sizeof out->name, row.name, strlen(row.name));
    err_copy(out->owner, sizeof out->owner, row.owner, strlen(row.owner));
    securable_row_release(&row);
    return true;
}

struct pg_conn *unity_open_database(struct workspace *ws, const struct catalog_row *catalog, struct err *e)
{
    struct instance_row row;
    if (!store_instance_by_uid(ws->store, catalog->instance_uid, &row, e))
        return NULL;
    if (row.state != INST_AVAILABLE) {
        err_set(e, ERR_INVALID_STATE, "Catalog '%s' cannot be read: its database instance '%s' is %s", catalog->name,
                row.name, inst_state_name(row.state));
        return NULL;
    }
    struct err why = {0}, none = {0};
    bool there = true;
    struct pg_conn *conn = cluster_connect(ws->clusters, row.uid, catalog->database, NULL, &why);
    if (conn)
        return conn;
    /* A database that somebody dropped will not come back by itself; said as an error that clients do not retry. */
    if (cluster_database_exists(ws->clusters, row.uid, catalog->database, &there, &none) && !there)
        err_set(e, ERR_NOT_FOUND, "Database '%s' of catalog '%s' does not exist on instance '%s' any more",
                catalog->database, catalog->name, row.name);
    else
        err_set(e, why.code, "catalog '%s', database '%s': %s", catalog->name, catalog->database, why.text);
    return NULL;
}

static char *text_of(const struct pg_value *v) { return xstrndup(v->text ? v->text : "", v->text ? v->len : 0); }

/* A UUID-shaped id that stays the same while the object does: of the catalog and the object's oid. */
static char *object_id(const struct catalog_row *catalog, const struct pg_value *oid)
{
    char *text = xasprintf("%s/%.*s", catalog->uid, (int)oid->len, oid->text), sha[65];
    tokens_sha256(text, strlen(text), sha);
    free(text);
    return xasprintf("%.8s-%.4s-%.4s-%.4s-%.12s", sha, sha + 8, sha + 12, sha + 16, sha + 20);
}

static bool on_schema(void *self, const struct pg_value *v, size_t n)
{
    (void)n;
    struct reading *rd = self;
    if (rd->left == 0) {
        rd->more = true;
        return false;
    }
    rd->left--;
    struct schema_info *s = model_list_add(&model_schema_info, rd->out);
    s->name = text_of(&v[0]);
    s->catalog_name = xstrdup(rd->catalog->name);
    s->full_name = xasprintf("%s.%s", rd->catalog->name, s->name);
    s->comment = v[1].len ? text_of(&v[1]) : NULL;
    s->owner = text_of(&v[2]);
    s->schema_id = object_id(rd->catalog, &v[3]);
    s->catalog_type = xstrdup("MANAGED_ONLINE_CATALOG");
    return true;
}

/* parent_table arrives as [schema, table]; Unity Catalog wants one full name. */
static json_t *finish_constraints(const struct catalog_row *catalog, json_t *list)
{
    json_t *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        json_t *fk = json_object_get(one, "foreign_key_constraint"), *parent = json_object_get(fk, "parent_table");
        if (!parent)
            continue;
        char *full = xasprintf("%s.%s.%s", catalog->name, json_string_value(json_array_get(parent, 0)),
                               json_string_value(json_array_get(parent, 1)));
        json_object_set_new(fk, "parent_table", jx_str(full));
        free(full);
    }
    return list;
}

static bool take_columns(struct reading *rd, const struct pg_value *v, struct table_info *t)
{
    json_t *list = jx_parse(v->text, v->len, MAX_JSON, rd->e), *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        struct column_info *c = model_list_add(&model_column_info, &t->columns);
        if (!model_decode(&model_column_info, MODEL_CLIENT, one, c, rd->e))
            break;
    }
    json_decref(list);
    return !rd->e->code;
}

static bool on_table(void *self, const struct pg_value *v, size_t n)
{
    (void)n;
    struct reading *rd = self;
    if (rd->left == 0) {
        rd->more = true;
        return false;
    }
    rd->left--;
    struct table_info *t = model_list_add(&model_table_info, rd->out);
    t->name = text_of(&v[0]);
    t->catalog_name = xstrdup(rd->catalog->name);
    t->schema_name = xstrdup(rd->schema);
    t->full_name = xasprintf("%s.%s.%s", rd->catalog->name, rd->schema, t->name);
    t->table_id = object_id(rd->catalog, &v[3]);
    t->table_type = xstrdup("FOREIGN");
    t->data_source_format = xstrdup("POSTGRESQL_FORMAT");
    t->comment = v[1].len ? text_of(&v[1]) : NULL;
    t->owner = text_of(&v[2]);
    if (rd->constraints && v[5].len > 2)
        t->table_constraints = finish_constraints(rd->catalog, jx_parse(v[5].text, v[5].len, MAX_JSON, rd->e));
    return take_columns(rd, &v[4], t);
}

static bool read_rows(struct reading *rd, const char *sql, const char *const *params, size_t n,
                      bool (*row)(void *, const struct pg_value *, size_t))
{
    struct pg_conn *conn = unity_open_database(rd->ws, rd->catalog, rd->e);
    if (!conn)
        return false;
    struct pg_rows rows = {.self = rd, .row = row};
    struct err why = {0};
    bool ok = pg_exec(conn, sql, params, n, &rows, NULL, &why) && !rd->e->code;
    pg_close(conn);
    if (!ok)
        err_set(rd->e, ERR_INTERNAL, "the catalog of database '%s' cannot be read: %s", rd->catalog->database, why.text);
    return ok;
}

/* ---- managed catalogs ---- */

void unity_put_schema(struct workspace *ws, const struct securable_row *row, struct schema_info *out)
{
    *out = (struct schema_info){
        .name = xstrdup(row->name), .catalog_name = xstrdup(row->parent), .full_name = xstrdup(row->full_name),
        .schema_id = xstrdup(row->id), .comment = row->comment[0] ? xstrdup(row->comment) : NULL,
        .owner = xstrdup(row->owner), .catalog_type = xstrdup("MANAGED_CATALOG"),
        .metastore_id = xstrdup(ws->metastore_id), .created_at = {true, row->created_ms},
        .updated_at = {true, row->updated_ms}, .created_by = xstrdup(row->created_by),
        .updated_by = xstrdup(row->updated_by)};
    struct err none = {0};
    if (row->properties[0])
        out->properties = jx_parse(row->properties, strlen(row->properties), MAX_JSON, &none);
}

static bool put_columns(const struct securable_row *row, struct table_info *out, struct err *e)
{
    json_t *list = row->columns[0] ? jx_parse(row->columns, strlen(row->columns), MAX_JSON, e) : NULL, *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        struct column_info *c = model_list_add(&model_column_info, &out->columns);
        if (!model_decode(&model_column_info, MODEL_CLIENT, one, c, e))
            break;
        if (!c->position.has)
            c->position = (struct opt_int){true, (int64_t)i};
    }
    json_decref(list);
    return !e->code || err_wrap(e, "columns of table '%s'", row->full_name);
}

bool unity_put_table(struct workspace *ws, const struct securable_row *row, struct table_info *out, struct err *e)
{
    const char *dot = strchr(row->parent, '.');
    *out = (struct table_info){
        .name = xstrdup(row->name), .catalog_name = xstrndup(row->parent, (size_t)(dot - row->parent)),
        .schema_name = xstrdup(dot + 1), .full_name = xstrdup(row->full_name), .table_id = xstrdup(row->id),
        .table_type = xstrdup("MANAGED"), .data_source_format = xstrdup("DELTA"),
        .comment = row->comment[0] ? xstrdup(row->comment) : NULL, .owner = xstrdup(row->owner),
        .metastore_id = xstrdup(ws->metastore_id), .storage_location = xasprintf("file://%s", row->location),
        .created_at = {true, row->created_ms}, .updated_at = {true, row->updated_ms},
        .created_by = xstrdup(row->created_by), .updated_by = xstrdup(row->updated_by)};
    if (row->properties[0])
        out->properties = jx_parse(row->properties, strlen(row->properties), MAX_JSON, e);
    return put_columns(row, out, e);
}

/* Rows of the store: one by name, or a page. */
static bool read_managed(struct workspace *ws, enum securable_kind kind, const char *parent, const char *name,
                         const struct page *page, struct securable_rows *rows, struct err *e)
{
    struct err why = {0};
    struct securable_row one;
    *rows = (struct securable_rows){0};
    if (!name)
        return store_securables(ws->store, kind, parent, page->after, page->limit + 1, rows, e);
    char *full = xasprintf("%s.%s", parent, name);
    bool found = store_securable(ws->store, kind, full, &one, &why);
    free(full);
    if (found) {
        rows->rows = xcalloc(1, sizeof *rows->rows);
        rows->rows[rows->count++] = one;
    } else if (why.code != ERR_NOT_FOUND) {
        *e = why;
        return false;
    }
    return true;
}

static bool managed_schemas(struct workspace *ws, const char *catalog, const char *name, const struct page *page,
                            struct model_list *out, bool *more, struct err *e)
{
    struct securable_rows rows;
    if (!read_managed(ws, SECURABLE_SCHEMA, catalog, name, page, &rows, e))
        return false;
    *more = page && rows.count > page->limit;
    for (size_t i = 0; i < rows.count - *more; i++)
        unity_put_schema(ws, &rows.rows[i], model_list_add(&model_schema_info, out));
    securable_rows_release(&rows);
    return true;
}

static bool managed_tables(struct workspace *ws, const char *catalog, const char *schema, const char *name,
                           const struct page *page, struct model_list *out, bool *more, struct err *e)
{
    struct securable_rows rows;
    char *parent = xasprintf("%s.%s", catalog, schema);
    bool ok = read_managed(ws, SECURABLE_TABLE, parent, name, page, &rows, e);
    free(parent);
    if (!ok)
        return false;
    *more = page && rows.count > page->limit;
    for (size_t i = 0; ok && i < rows.count - *more; i++)
        ok = unity_put_table(ws, &rows.rows[i], model_list_add(&model_table_info, out), e);
    securable_rows_release(&rows);
    return ok;
}

/* A list that did not get to its end is not handed out: its caller sees an empty one. */
static bool whole(const struct model *of, struct model_list *list, bool ok)
{
    for (size_t i = 0; !ok && i < list->count; i++)
        model_release(of, (char *)list->items + i * of->size);
    if (!ok) {
        free(list->items);
        *list = (struct model_list){0};
    }
    return ok;
}

bool unity_schemas(struct workspace *ws, const struct catalog_row *catalog, const char *name, const struct page *page,
                   struct model_list *out, bool *more, struct err *e)
{
    struct reading rd = {.ws = ws, .catalog = catalog, .left = name ? 1 : page->limit, .out = out, .e = e};
    *more = false;
    if (!catalog->uid[0])
        return whole(&model_schema_info, out, managed_schemas(ws, catalog->name, name, page, out, more, e));
    char limit[24];
    snprintf(limit, sizeof limit, "%zu", name ? (size_t)1 : page->limit + 1);
    const char *one[] = {name}, *many[] = {name ? NULL : page->after, limit};
    bool ok = name ? read_rows(&rd, sql_uc_schema, one, 1, on_schema) : read_rows(&rd, sql_uc_schemas, many, 2, on_schema);
    *more = rd.more;
    return whole(&model_schema_info, out, ok);
}

bool unity_tables(struct workspace *ws, const struct catalog_row *catalog, const char *schema, const char *name,
                  const struct page *page, struct model_list *out, bool *more, struct err *e)
{
    struct reading rd = {.ws = ws, .catalog = catalog, .schema = schema, .constraints = name != NULL,
                         .left = name ? 1 : page->limit, .out = out, .e = e};
    *more = false;
    if (!catalog->uid[0])
        return whole(&model_table_info, out, managed_tables(ws, catalog->name, schema, name, page, out, more, e));
    char limit[24];
    snprintf(limit, sizeof limit, "%zu", name ? (size_t)1 : page->limit + 1);
    const char *params[] = {schema, name ? "" : page->after, limit, name};
    bool ok = read_rows(&rd, sql_uc_tables, params, 4, on_table);
    *more = rd.more;
    return whole(&model_table_info, out, ok);
}
