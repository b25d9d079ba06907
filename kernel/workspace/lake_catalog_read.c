/* The worker's questions to Unity Catalog (see lake_catalog.h): what a name is, and lists. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "pg/exec.h"
#include "workspace/cluster.h"
#include "workspace/grants.h"
#include "workspace/information_schema.h"
#include "workspace/lake_catalog_parts.h"
#include "workspace/samples.h"
#include "workspace/securable.h"
#include "workspace/sql.h"
#include "workspace/unity.h"
#include "workspace/workspace.h"

enum { ITEMS_MAX = 10000, PAGE = 500 };

#define READER "databricks_reader"

/* ---- one table ---- */

static bool no_table(const struct lake_name *n, struct err *e)
{
    err_set(e, ERR_TABLE_NOT_FOUND, "[TABLE_OR_VIEW_NOT_FOUND] The table or view `%s`.`%s`.`%s` cannot be found. Verify the "
                                    "spelling and correctness of the schema and catalog.", n->part[0], n->part[1],
            n->part[2]);
    return false;
}

static bool find_table(struct lake_session *s, const struct lake_name *n, struct table_info *out, struct err *e)
{
    struct model_list found = {0};
    bool more, ok = unity_tables(s->ws, &n->catalog, n->part[1], n->part[2], NULL, &found, &more, e);
    if (ok && found.count == 0)
        ok = no_table(n, e);
    if (found.count)
        *out = *(struct table_info *)found.items;
    free(found.items);
    return ok;
}

/* A value of a conninfo. */
static void put_word(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, "%s='", key);
    for (const char *p = value; *p; p++) {
        if (*p == '\'' || *p == '\\')
            buf_putc(b, '\\');
        buf_putc(b, *p);
    }
    buf_puts(b, "' ");
}

/* The reader role is there, and a login of it for an hour. */
static bool reader_login(struct lake_session *s, const struct catalog_row *catalog, struct buf *conninfo, struct err *e)
{
    struct instance_row row;
    struct pg_conn *conn = unity_open_database(s->ws, catalog, e);
    bool ok = conn && pg_run(conn, sql_uc_reader, NULL, e);
    pg_close(conn);
    if (!ok || !store_instance_by_uid(s->ws->store, catalog->instance_uid, &row, e))
        return false;
    struct token_instance named = {row.name, row.uid};
    char *token = tokens_database(s->ws->tokens, READER, &named, 1, clock_wall_s()), port[16];
    snprintf(port, sizeof port, "%d", row.port);
    put_word(conninfo, "host", row.address);
    put_word(conninfo, "port", port);
    put_word(conninfo, "dbname", catalog->database);
    put_word(conninfo, "user", READER);
    put_word(conninfo, "password", token);
    put_word(conninfo, "sslmode", "verify-full");
    put_word(conninfo, "sslrootcert", clusters_ca_path(s->ws->clusters));
    put_word(conninfo, "application_name", "lakebase-warehouse");
    xfree_secret(token);
    return buf_ok(conninfo, "login of the reader", e);
}

static json_t *columns_of(const struct table_info *t)
{
    json_t *doc = model_encode(&model_table_info, MODEL_SERVER, t);
    json_t *columns = json_incref(json_object_get(doc, "columns"));
    json_decref(doc);
    return columns ? columns : json_array();
}

static bool resolve_postgres(struct lake_session *s, const struct lake_name *n, bool write, json_t **answer,
                             struct err *e)
{
    struct table_info t = {0};
    struct buf conninfo;
    if (write)
        return err_set(e, ERR_BAD_REQUEST, "catalog '%s' shows database '%s' of instance '%s' and is read-only", n->part[0],
                       n->catalog.database, n->catalog.instance_name);
    if (!find_table(s, n, &t, e))
        return false;
    buf_init(&conninfo, 16384);
    bool ok = reader_login(s, &n->catalog, &conninfo, e);
    if (ok)
        *answer = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "kind", "postgres", "full_name", n->full, "schema",
                            n->part[1], "table", n->part[2], "conninfo", buf_str(&conninfo), "columns", columns_of(&t));
    buf_release_secret(&conninfo);
    model_release(&model_table_info, &t);
    return ok;
}

/* A view of ours: its rows come with the answer. */
static bool read_view(struct lake_session *s, const struct lake_name *n, bool with_rows, json_t **answer, struct err *e)
{
    bool of_system = strcmp(n->part[0], "system") == 0;
    if (!n->found && !of_system)
        return no_table(n, e);
    if (!of_system && !grants_need_sight(s->ws, s->principal, SECURABLE_CATALOG, n->part[0], e))
        return false;
    if (of_system && strcasecmp(n->part[1], INFORMATION_SCHEMA) == 0)
        return err_set(e, ERR_NOT_IMPLEMENTED, "system." INFORMATION_SCHEMA " is not offered by this workspace: ask <catalog>." INFORMATION_SCHEMA);
    return information_schema_read(s->ws, s->principal, &n->catalog, n->part[1], n->part[2], with_rows, answer, e);
}

bool lake_call_resolve(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    struct lake_name n;
    struct securable_row row = {0};
    struct err why = {0};
    bool write = jx_get_bool(args, "write", false);
    if (!lake_name_take(s, args, "name", 3, &n, e))
        return false;
    if (information_schema_is(n.part[0], n.part[1])) {
        bool read = write ? err_set(e, ERR_BAD_REQUEST, "%s.%s is read-only", n.part[0], n.part[1]) : read_view(s, &n, true, answer, e);
        if (read) {
            json_object_set_new(*answer, "kind", json_string("rows"));
            json_object_set_new(*answer, "full_name", jx_str(n.full));
        }
        lake_name_release(&n);
        return read;
    }
    bool ok = (n.found || no_table(&n, e)) && (!write || samples_refuse(s->ws, n.full, e)) &&
              grants_need(s->ws, s->principal, SECURABLE_TABLE, n.full, write ? "MODIFY" : "SELECT", e);
    if (ok && n.catalog.uid[0]) {
        ok = resolve_postgres(s, &n, write, answer, e);
    } else if (ok) {
        ok = store_securable(s->ws->store, SECURABLE_TABLE, n.full, &row, &why);
        if (ok) {
            *answer = json_pack("{s:s, s:s, s:s}", "kind", "delta", "full_name", n.full, "location", row.location);
            if (samples_has(s->ws, n.full))
                json_object_set_new(*answer, "sample", jx_str(strchr(n.full, '.') + 1));
        } else if (why.code == ERR_NOT_FOUND) {
            no_table(&n, e);
        } else {
            *e = why;
        }
    }
    securable_row_release(&row);
    lake_name_release(&n);
    return ok;
}

bool lake_call_describe(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    struct lake_name n;
    struct table_info t = {0};
    if (!lake_name_take(s, args, "name", 3, &n, e))
        return false;
    bool view = information_schema_is(n.part[0], n.part[1]);
    bool ok = view ? read_view(s, &n, false, answer, e)
                   : (n.found || no_table(&n, e)) && grants_need_sight(s->ws, s->principal, SECURABLE_TABLE, n.full, e) &&
                         find_table(s, &n, &t, e);
    if (ok && !view)
        *answer = model_encode(&model_table_info, MODEL_SERVER, &t);
    model_release(&model_table_info, &t);
    lake_name_release(&n);
    return ok;
}

/* ---- lists ---- */

bool lake_like(const char *pattern, const char *name)
{
    if (!pattern)
        return true;
    char *copy = xstrdup(pattern), *save = NULL;
    bool hit = false;
    for (char *one = strtok_r(copy, "|", &save); one && !hit; one = strtok_r(NULL, "|", &save)) {
        struct buf glob;
        buf_init(&glob, 4096);
        for (const char *p = one; *p; p++) {
            if (strchr("?[]\\", *p))
                buf_putc(&glob, '\\');
            buf_putc(&glob, *p);
        }
        hit = fnmatch(buf_str(&glob), name, FNM_CASEFOLD) == 0;
        buf_release(&glob);
    }
    free(copy);
    return hit;
}

struct listing {
    struct lake_session *s;
    const struct lake_name *in;
    const char *like;
    json_t *items;
};

static void put(struct listing *l, enum securable_kind kind, const char *full, const char *name, json_t *item)
{
    if (lake_like(l->like, name) && grants_sees(l->s->ws, l->s->principal, kind, full))
        json_array_append_new(l->items, item);
    else
        json_decref(item);
}

static json_t *text(const char *t) { return t && *t ? jx_str(t) : json_null(); }

static bool list_catalogs(struct listing *l, struct err *e)
{
    struct catalog_rows registered;
    struct securable_rows managed;
    struct store *store = l->s->ws->store;
    if (!store_catalogs(store, NULL, NULL, ITEMS_MAX, &registered, e))
        return false;
    bool ok = store_securables(store, SECURABLE_CATALOG, "", NULL, ITEMS_MAX, &managed, e);
    for (size_t i = 0, k = 0; ok && (i < registered.count || k < managed.count);) {
        bool own = k < managed.count &&
                   (i == registered.count || strcmp(managed.rows[k].name, registered.rows[i].name) < 0);
        const char *name = own ? managed.rows[k].name : registered.rows[i].name;
        put(l, SECURABLE_CATALOG, name, name,
            json_pack("{s:s, s:o, s:s}", "name", name, "comment", own ? text(managed.rows[k].comment) : json_null(),
                      "owner", own ? managed.rows[k].owner : registered.rows[i].owner));
        k += own;
        i += !own;
    }
    catalog_rows_release(&registered);
    if (ok)
        securable_rows_release(&managed);
    return ok;
}

static bool list_schemas(struct listing *l, const struct page *page, struct model_list *found, bool *more, struct err *e)
{
    if (!unity_schemas(l->s->ws, &l->in->catalog, NULL, page, found, more, e))
        return false;
    const struct schema_info *all = found->items;
    for (size_t i = 0; i < found->count; i++)
        put(l, SECURABLE_SCHEMA, all[i].full_name, all[i].name,
            json_pack("{s:s, s:o, s:o}", "name", all[i].name, "comment", text(all[i].comment), "owner", text(all[i].owner)));
    return true;
}

static bool list_tables(struct listing *l, const struct page *page, struct model_list *found, bool *more, struct err *e)
{
    if (!unity_tables(l->s->ws, &l->in->catalog, l->in->part[1], NULL, page, found, more, e))
        return false;
    const struct table_info *all = found->items;
    for (size_t i = 0; i < found->count; i++)
        put(l, SECURABLE_TABLE, all[i].full_name, all[i].name,
            json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", all[i].name, "table_type", text(all[i].table_type),
                      "data_source_format", text(all[i].data_source_format), "comment", text(all[i].comment), "owner",
                      text(all[i].owner)));
    return true;
}

static void release_all(const struct model *m, struct model_list *found)
{
    for (size_t i = 0; i < found->count; i++)
        model_release(m, (char *)found->items + i * m->size);
    free(found->items);
    *found = (struct model_list){0};
}

/* Page by page; a schema that is not there is an error, an empty one is not. */
static bool list_inside(struct listing *l, struct err *e)
{
    bool tables = l->in->kind == SECURABLE_SCHEMA, more = true, ok = true;
    const struct model *m = tables ? &model_table_info : &model_schema_info;
    char *after = xstrdup("");
    while (ok && more) {
        struct model_list found = {0};
        struct page page = {.limit = PAGE, .after = after};
        ok = tables ? list_tables(l, &page, &found, &more, e) : list_schemas(l, &page, &found, &more, e);
        if (ok && found.count) {
            /* Both models begin with the name. */
            char *last = xstrdup(*(char **)((char *)found.items + (found.count - 1) * m->size));
            free(after);
            after = last;
        }
        if (ok && json_array_size(l->items) > ITEMS_MAX)
            ok = err_set(e, ERR_TOO_BIG, "'%s' holds more than %d objects; use LIKE", l->in->full, ITEMS_MAX);
        release_all(m, &found);
    }
    free(after);
    return ok;
}

bool lake_need_container(struct lake_session *s, const struct lake_name *in, struct err *e)
{
    if (!in->found)
        return securable_missing(SECURABLE_CATALOG, in->part[0], e);
    if (!grants_need_sight(s->ws, s->principal, in->kind, in->full, e) || in->kind == SECURABLE_CATALOG)
        return !e->code;
    struct model_list found = {0};
    bool more, ok = unity_schemas(s->ws, &in->catalog, in->part[1], NULL, &found, &more, e);
    if (ok && found.count == 0)
        ok = securable_missing(SECURABLE_SCHEMA, in->full, e);
    release_all(&model_schema_info, &found);
    return ok;
}

bool lake_call_list(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    static const char *const whats[] = {"catalogs", "schemas", "tables"};
    const char *what = jx_get_str(args, "what", "");
    struct lake_name in;
    int parts = -1;
    for (int i = 0; i < 3; i++)
        parts = strcmp(what, whats[i]) == 0 ? i : parts;
    if (parts < 0)
        return err_set(e, ERR_INTERNAL, "the lakehouse worker wants a list of '%.40s'", what);
    json_t *nothing = json_pack("{s:[]}", "in");
    bool ok = lake_name_take(s, parts ? args : nothing, "in", parts, &in, e);
    json_decref(nothing);
    if (!ok)
        return false;
    struct listing l = {.s = s, .in = &in, .like = jx_get_str(args, "like", NULL), .items = json_array()};
    ok = parts == 0 ? list_catalogs(&l, e) : lake_need_container(s, &in, e) && list_inside(&l, e);
    *answer = json_pack("{s:o}", "items", l.items);
    lake_name_release(&in);
    return ok;
}
