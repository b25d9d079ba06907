/*
 * /api/2.0/database/instances/{instance}/roles*: the roles of an instance, which are those of its PostgreSQL server; nothing is stored
 * twice. A role of an identity (USER, SERVICE_PRINCIPAL, GROUP) logs in with that identity's tokens, PG_ONLY does not log in.
 * Source: SDKs (DatabaseInstanceRole, DatabaseInstanceRoleAttributes); databricks_superuser is no superuser.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "pg/exec.h"
#include "workspace/cluster.h"
#include "workspace/permissions.h"
#include "workspace/request.h"
#include "workspace/sql.h"
#include "workspace/workspace.h"

enum { PAGE_MOST = 100, DATABASES_MAX = 1000 };

static const char superuser[] = "DATABRICKS_SUPERUSER";

/* ---- errors ---- */
/* What PostgreSQL says of a role, in the API's classes. */
static bool in_api_terms(const char *name, const char *instance, struct err *e)
{
    static const struct {
        const char *sqlstate;
        enum err_code code;
    } classes[] = {{"42710", ERR_ALREADY_EXISTS}, {"42704", ERR_NOT_FOUND},          {"0A000", ERR_NOT_IMPLEMENTED},
                   {"42602", ERR_INVALID_PARAMETER}, {"42939", ERR_INVALID_PARAMETER}, {"2BP01", ERR_INVALID_STATE}};
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (strcmp(e->sqlstate, classes[i].sqlstate) != 0)
            continue;
        char text[sizeof e->text], detail[sizeof e->detail];
        memcpy(text, e->text, sizeof text);
        memcpy(detail, e->detail, sizeof detail);
        err_init(e);
        if (classes[i].code == ERR_INVALID_STATE)
            return err_set(e, classes[i].code, "Role '%s' of database instance '%s' still owns something or has rights: name another role in "
                                               "reassign_owned_to (%.300s)", name, instance, detail);
        return err_set(e, classes[i].code, "Role '%s' of database instance '%s': %.500s", name, instance, text);
    }
    return err_wrap(e, "role '%s' of database instance '%s'", name, instance);
}

/* ---- the instance ---- */
/* The first time *row is filled in: for who may do that with the instance. */
static struct pg_conn *connect_instance(struct request *r, enum access_level need, struct instance_row *row, const char *dbname,
                                        struct err *e)
{
    if (!row->name[0] && !permission_instance(r, request_param(r, "instance"), need, row, e))
        return NULL;
    if (row->state != INST_AVAILABLE) {
        err_set(e, ERR_INVALID_STATE, "Database instance '%s' is %s; its roles are there while it is AVAILABLE", row->name,
                inst_state_name(row->state));
        return NULL;
    }
    return cluster_connect(r->ws->clusters, row->uid, dbname, NULL, e);
}

/* ---- reading ---- */
struct reading {
    const char *instance;
    struct model_list *out;
    size_t left;
    bool more;
};

static enum tri flag(const struct pg_value *v) { return tri_of(v->text && v->text[0] == 't'); }

static bool on_role(void *self, const struct pg_value *v, size_t n)
{
    struct reading *rd = self;
    if (n != 6 || rd->left == 0) {
        rd->more = true;
        return false;
    }
    rd->left--;
    struct instance_role *role = model_list_add(&model_instance_role, rd->out);
    role->name = xstrndup(v[0].text, v[0].len);
    role->identity_type = xstrndup(v[1].text, v[1].len);
    role->membership_role = flag(&v[2]) == TRI_TRUE ? xstrdup(superuser) : NULL;
    role->instance_name = xstrdup(rd->instance);
    role->attributes = xcalloc(1, sizeof *role->attributes);
    role->effective_attributes = xcalloc(1, sizeof *role->effective_attributes);
    *role->attributes = (struct role_attributes){flag(&v[3]), flag(&v[4]), flag(&v[5])};
    *role->effective_attributes = *role->attributes;
    return true;
}

/* One role, or ERR_NOT_FOUND. */
static bool read_role(struct pg_conn *conn, const struct instance_row *row, const char *name, struct instance_role *out, struct err *e)
{
    struct model_list list = {0};
    struct reading rd = {.instance = row->name, .out = &list, .left = 1};
    const char *params[] = {"", "1", name};
    const struct pg_rows rows = {.self = &rd, .row = on_role};
    if (!pg_exec(conn, sql_role_list, params, 3, &rows, NULL, e))
        return false;
    if (list.count == 0)
        return err_set(e, ERR_NOT_FOUND, "Role '%s' of database instance '%s' does not exist.", name, row->name);
    *out = *(struct instance_role *)list.items;
    free(list.items);
    return true;
}

bool api_list_database_instance_roles(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct instance_role_list *list = out;
    struct instance_row row = {0};
    struct page page;
    char limit[24];
    if (!request_page(r, "page_size", PAGE_MOST, &page, e))
        return false;
    struct pg_conn *conn = connect_instance(r, ACCESS_USE, &row, "postgres", e);
    snprintf(limit, sizeof limit, "%zu", page.limit + 1);
    const char *params[] = {page.after, limit, NULL};
    struct reading rd = {.instance = row.name, .out = &list->database_instance_roles, .left = page.limit};
    const struct pg_rows rows = {.self = &rd, .row = on_role};
    bool ok = conn && pg_exec(conn, sql_role_list, params, 3, &rows, NULL, e);
    pg_close(conn);
    if (ok && rd.more) {
        const struct instance_role *all = list->database_instance_roles.items;
        list->next_page_token = page_token_after(all[list->database_instance_roles.count - 1].name);
    }
    return ok;
}

bool api_get_database_instance_role(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    struct instance_row row = {0};
    struct pg_conn *conn = connect_instance(r, ACCESS_USE, &row, "postgres", e);
    bool ok = conn && read_role(conn, &row, request_param(r, "name"), out, e);
    pg_close(conn);
    return ok;
}

/* ---- changing ---- */
static void put_flag(json_t *wanted, const char *name, enum tri value)
{
    if (value != TRI_ABSENT)
        json_object_set_new(wanted, name, json_boolean(value == TRI_TRUE));
}

/* What the body asks for; attributes that it does not name stay. */
static json_t *wanted_of(const struct instance_role *in, const char *name, bool create)
{
    json_t *wanted = json_pack("{ss sb}", "name", name, "create", create);
    if (create)
        json_object_set_new(wanted, "kind", json_string(in->identity_type));
    if (in->membership_role)
        json_object_set_new(wanted, "member", json_boolean(strcmp(in->membership_role, superuser) == 0));
    if (in->attributes) {
        put_flag(wanted, "bypassrls", in->attributes->bypassrls);
        put_flag(wanted, "createdb", in->attributes->createdb);
        put_flag(wanted, "createrole", in->attributes->createrole);
    }
    return wanted;
}

static bool set_role(struct pg_conn *conn, json_t *wanted, struct err *e)
{
    char *text = jx_dump(wanted), *ignored = NULL;
    const char *params[] = {text};
    bool ok = pg_scalar(conn, "SELECT set_config('lakebase.role', $1, false)", params, 1, &ignored, NULL, e) &&
              pg_run(conn, sql_role_set, NULL, e);
    free(ignored);
    free(text);
    return ok;
}

static bool check(const struct instance_role *in, bool create, struct err *e)
{
    static const char *const types[] = {"USER", "SERVICE_PRINCIPAL", "GROUP", "PG_ONLY"};
    bool known = !in->identity_type && !create;
    for (size_t i = 0; in->identity_type && i < ARRAY_LEN(types); i++)
        known = known || strcmp(in->identity_type, types[i]) == 0;
    if (!known)
        return err_set(e, ERR_INVALID_PARAMETER, "identity_type is one of USER, SERVICE_PRINCIPAL, GROUP, PG_ONLY, not '%.60s'",
                       in->identity_type ? in->identity_type : "");
    if (in->membership_role && *in->membership_role && strcmp(in->membership_role, superuser) != 0)
        return err_set(e, ERR_INVALID_PARAMETER, "membership_role is %s or absent, not '%.60s'", superuser, in->membership_role);
    return true;
}

/* The owner's role is part of the instance. */
static bool may_change(const struct instance_row *row, const char *name, struct err *e)
{
    return strcmp(row->creator, name) != 0 ||
           err_set(e, ERR_INVALID_PARAMETER, "'%s' owns database instance '%s': its role cannot be changed or deleted", name, row->name);
}

static bool apply(struct request *r, const struct instance_role *in, const char *name, bool create, struct instance_role *out, struct err *e)
{
    struct instance_row row = {0};
    if (!check(in, create, e))
        return false;
    struct pg_conn *conn = connect_instance(r, ACCESS_MANAGE, &row, "postgres", e);
    struct instance_role there = {0};
    bool ok = conn && (create || (may_change(&row, name, e) && read_role(conn, &row, name, &there, e)));
    json_t *wanted = wanted_of(in, name, create);
    if (ok && !set_role(conn, wanted, e))
        ok = in_api_terms(name, row.name, e);
    ok = ok && read_role(conn, &row, name, out, e);
    json_decref(wanted);
    model_release(&model_instance_role, &there);
    pg_close(conn);
    return ok;
}

bool api_create_database_instance_role(struct request *r, const void *in_, void *out, struct err *e)
{
    const struct instance_role *in = in_;
    if (!in->name)
        return err_set(e, ERR_INVALID_PARAMETER, "Field 'name' is required, expected non-default value (not \"\")!");
    return apply(r, in, in->name, true, out, e);
}

bool api_update_database_instance_role(struct request *r, const void *in_, void *out, struct err *e)
{
    const struct instance_role *in = in_;
    const char *name = request_param(r, "name");
    if (in->name && strcmp(in->name, name) != 0)
        return err_set(e, ERR_INVALID_PARAMETER, "The name in the body ('%.100s') is not the one in the path ('%.100s')", in->name, name);
    return apply(r, in, name, false, out, e);
}

/* ---- deleting ---- */
struct names {
    char *list[DATABASES_MAX];
    size_t n;
};

static bool on_name(void *self, const struct pg_value *v, size_t n)
{
    struct names *names = self;
    if (n == 1 && names->n < DATABASES_MAX)
        names->list[names->n++] = xstrndup(v[0].text, v[0].len);
    return true;
}

/* What it owns goes to the other role, its rights end; a second call finishes what a first one left. */
static bool reassign(struct request *r, struct instance_row *row, const char *dbname, const char *name, const char *to, struct err *e)
{
    struct buf sql;
    buf_init(&sql, 4096);
    buf_puts(&sql, "REASSIGN OWNED BY ");
    pg_quote_ident(&sql, name);
    buf_puts(&sql, " TO ");
    pg_quote_ident(&sql, to);
    buf_puts(&sql, "; DROP OWNED BY ");
    pg_quote_ident(&sql, name);
    struct pg_conn *conn = connect_instance(r, ACCESS_MANAGE, row, dbname, e);
    bool ok = conn && buf_ok(&sql, "the statement", e) && (pg_run(conn, buf_str(&sql), NULL, e) || in_api_terms(name, row->name, e));
    pg_close(conn);
    buf_release(&sql);
    return ok;
}

static bool reassign_everywhere(struct request *r, struct instance_row *row, struct pg_conn *conn, const char *name, const char *to,
                                struct err *e)
{
    struct names databases = {0};
    struct instance_role other = {0};
    const struct pg_rows rows = {.self = &databases, .row = on_name};
    bool ok = read_role(conn, row, to, &other, e) &&
              pg_exec(conn, "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1", NULL, 0, &rows, NULL, e);
    for (size_t i = 0; i < databases.n; i++) {
        ok = ok && reassign(r, row, databases.list[i], name, to, e);
        free(databases.list[i]);
    }
    model_release(&model_instance_role, &other);
    return ok;
}

bool api_delete_database_instance_role(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)out;
    const char *name = request_param(r, "name"), *to = request_param(r, "reassign_owned_to");
    struct instance_row row = {0};
    struct instance_role there = {0};
    bool missing_is_fine;
    if (!request_bool(r, "allow_missing", false, &missing_is_fine, e))
        return false;
    struct pg_conn *conn = connect_instance(r, ACCESS_MANAGE, &row, "postgres", e);
    bool ok = conn && may_change(&row, name, e) && read_role(conn, &row, name, &there, e);
    if (!ok && missing_is_fine && e->code == ERR_NOT_FOUND && conn) {
        err_init(e);
        pg_close(conn);
        return true;
    }
    ok = ok && (!to || !*to || reassign_everywhere(r, &row, conn, name, to, e));
    struct buf sql;
    buf_init(&sql, 1024);
    buf_puts(&sql, "DROP ROLE ");
    pg_quote_ident(&sql, name);
    ok = ok && buf_ok(&sql, "the statement", e) && (pg_run(conn, buf_str(&sql), NULL, e) || in_api_terms(name, row.name, e));
    buf_release(&sql);
    model_release(&model_instance_role, &there);
    pg_close(conn);
    return ok;
}
