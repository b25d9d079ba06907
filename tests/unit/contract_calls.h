/* What the contract's tests share: a workspace over HTTP with clusters that are none, one real PostgreSQL server behind all of its
 * instances, two clients, and calls that must work or must be refused. Notes which routes were driven. */
#ifndef TESTS_CONTRACT_CALLS_H
#define TESTS_CONTRACT_CALLS_H

#include "base/jx.h"
#include "base/xalloc.h"
#include "clusters_in_memory.h"
#include "databricks/client.h"
#include "pg/exec.h"
#include "pg_cluster.h"
#include "workspace/access.h"
#include "workspace/workspace.h"

static char dir[] = "/tmp/lb-contract-XXXXXX";
static struct workspace *ws;
static struct dbx_client *user, *app;
static struct pg_cluster pg;
static bool called[DBX_ROUTE_COUNT];

static struct pg_conn *to_postgres(const char *dbname, struct cancel *c, struct err *e)
{
    (void)dbname;
    struct pg_params p = {.host = pg.dir, .port = "5432", .dbname = "postgres", .user = "learner"};
    return pg_open(&p, c, e);
}

static void fill_database(void)
{
    struct err e = {0};
    struct pg_conn *conn = to_postgres("postgres", NULL, &e);
    assert_string_equal(e.text, "");
    assert_true(pg_run(conn,
                       "CREATE SCHEMA shop; COMMENT ON SCHEMA shop IS 'what we sell';"
                       "CREATE TABLE shop.customers (id bigint PRIMARY KEY, email text NOT NULL, points int);"
                       "CREATE TABLE shop.orders (id uuid, line smallint, customer_id bigint REFERENCES shop.customers,"
                       " total numeric(10,2), raw numeric, at timestamptz, note varchar(20), ok boolean, tags text[],"
                       " PRIMARY KEY (id, line));"
                       "COMMENT ON TABLE shop.orders IS 'one row a line';"
                       "COMMENT ON COLUMN shop.orders.total IS 'euro';"
                       "CREATE VIEW shop.best AS SELECT email FROM shop.customers",
                       NULL, &e));
    pg_close(conn);
}

static struct dbx_client *client(const char *profile)
{
    struct err e = {0};
    char *path = access_path(dir);
    struct dbx_client *c = dbx_open(&(struct dbx_options){.profile = profile, .config_file = path}, &e);
    free(path);
    assert_string_equal(e.text, "");
    return c;
}

static int set_up(void **state)
{
    (void)state;
    struct err e = {0};
    assert_non_null(mkdtemp(dir));
    /* This program is not the workspace's, so it cannot be its own worker; tests/workspace has a real one. */
    setenv("LAKEBASE_WORKER_PROGRAM", "/nowhere/lakebase-workspace", 1);
    const char *why = pg_cluster_start(&pg, NULL);
    assert_string_equal(why ? why : "", "");
    memory.connect = to_postgres;
    fill_database();
    ws = workspace_open(dir, &e);
    assert_string_equal(e.text, "");
    assert_true(workspace_serve(ws, 0, &e));
    user = client("local");
    app = client("app");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct err e = {0};
    dbx_close(user);
    dbx_close(app);
    workspace_close(ws);
    pg_cluster_stop(&pg);
    fs_remove_tree(dir, &e);
    return 0;
}

/* ---- calls ---- */

#define P(...) ((const struct dbx_param[]){__VA_ARGS__, {NULL, NULL}})

static void call_as(struct dbx_client *c, enum dbx_route route, const struct dbx_param *params, const void *in, void *out)
{
    struct err e = {0};
    called[route] = true;
    bool ok = dbx_call(c, route, params, in, out, NULL, &e);
    assert_string_equal(e.text, "");
    assert_true(ok);
}

static void call(enum dbx_route route, const struct dbx_param *params, const void *in, void *out)
{
    call_as(user, route, params, in, out);
}

static void refused(enum dbx_route route, const struct dbx_param *params, const void *in, enum err_code code, int http,
                    const char *text)
{
    struct err e = {0};
    called[route] = true;
    assert_false(dbx_call(user, route, params, in, NULL, NULL, &e));
    assert_string_equal(e.text, text);
    assert_int_equal(e.code, code);
    assert_int_equal(e.http, http);
}

static void await_state(const char *name, const char *want)
{
    struct err e = {0};
    struct database_instance seen = {0};
    bool ok = dbx_wait_instance(user, name, want, NULL, NULL, &seen, NULL, &e);
    assert_string_equal(e.text, "");
    assert_true(ok);
    model_release(&model_database_instance, &seen);
}

#endif
