/*
 * Unity Catalog's view of a registered database (see unity.h): one query, one row an object. The connection is the
 * workspace's own, read-only by intent, closed after the call: catalogs are looked at by people, a few times a minute.
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
    struct request *r;
    const struct catalog_row *catalog;
    const char *schema;
    bool constraints, more;
    size_t left; /* rows that still belong to the page */
    struct model_list *out;
    struct err *e;
};

bool unity_catalog(struct request *r, const char *name, struct catalog_row *out, struct err *e)
{
    if (strcmp(name, UNITY_MAIN) == 0) {
        *out = (struct catalog_row){.name = UNITY_MAIN};
        return true;
    }
    return store_catalog(r->ws->store, name, out, e);
}

static struct pg_conn *open_database(struct request *r, const struct catalog_row *catalog, struct err *e)
{
    struct instance_row row;
    if (!store_instance_by_uid(r->ws->store, catalog->instance_uid, &row, e))
        return NULL;
    if (row.state != INST_AVAILABLE) {
        err_set(e, ERR_INVALID_STATE, "Catalog '%s' cannot be read: its database instance '%s' is %s", catalog->name,
                row.name, inst_state_name(row.state));
        return NULL;
    }
    struct err why = {0}, none = {0};
    bool there = true;
    struct pg_conn *conn = cluster_connect(r->ws->clusters, row.uid, catalog->database, NULL, &why);
    if (conn)
        return conn;
    /* A database that somebody dropped will not come back by itself; said as an error that clients do not retry. */
    if (cluster_database_exists(r->ws->clusters, row.uid, catalog->database, &there, &none) && !there)
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
    struct pg_conn *conn = open_database(rd->r, rd->catalog, rd->e);
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

/* main has one empty schema, as a new catalog does. */
static void main_schema(const char *name, struct model_list *out)
{
    if (name && strcmp(name, "default") != 0)
        return;
    struct schema_info *s = model_list_add(&model_schema_info, out);
    s->name = xstrdup("default");
    s->catalog_name = xstrdup(UNITY_MAIN);
    s->full_name = xstrdup(UNITY_MAIN ".default");
    s->catalog_type = xstrdup("MANAGED_CATALOG");
}

bool unity_schemas(struct request *r, const struct catalog_row *catalog, const char *name, const struct page *page,
                   struct model_list *out, bool *more, struct err *e)
{
    struct reading rd = {.r = r, .catalog = catalog, .left = name ? 1 : page->limit, .out = out, .e = e};
    if (!catalog->uid[0]) {
        if (name || strcmp(page->after, "default") < 0)
            main_schema(name, out);
        *more = false;
        return true;
    }
    char limit[24];
    snprintf(limit, sizeof limit, "%zu", name ? (size_t)1 : page->limit + 1);
    const char *one[] = {name}, *many[] = {name ? NULL : page->after, limit};
    bool ok = name ? read_rows(&rd, sql_uc_schema, one, 1, on_schema) : read_rows(&rd, sql_uc_schemas, many, 2, on_schema);
    *more = rd.more;
    return ok;
}

bool unity_tables(struct request *r, const struct catalog_row *catalog, const char *schema, const char *name,
                  const struct page *page, struct model_list *out, bool *more, struct err *e)
{
    struct reading rd = {.r = r, .catalog = catalog, .schema = schema, .constraints = name != NULL,
                         .left = name ? 1 : page->limit, .out = out, .e = e};
    *more = false;
    if (!catalog->uid[0])
        return true;
    char limit[24];
    snprintf(limit, sizeof limit, "%zu", name ? (size_t)1 : page->limit + 1);
    const char *params[] = {schema, name ? "" : page->after, limit, name};
    bool ok = read_rows(&rd, sql_uc_tables, params, 4, on_table);
    *more = rd.more;
    return ok;
}
