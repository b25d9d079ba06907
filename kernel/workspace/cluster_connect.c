/*
 * The workspace's own connections to its servers, as the internal superuser over the unix socket of a cluster's folder, and
 * the databases it makes through them. Users come over the network and never through here.
 */
#include "workspace/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "pg/exec.h"
#include "workspace/cluster_parts.h"

enum { SOCKET_PATH_MAX = 107 /* sun_path without its NUL */ };

/* A socket address holds 107 bytes. Longer paths go through a descriptor of the state folder, which stays open. */
static char *socket_dir(const struct clusters *all, const char *dir)
{
    if (strlen(dir) + strlen("/.s.PGSQL.65535") <= SOCKET_PATH_MAX)
        return xstrdup(dir);
    return xasprintf("/proc/self/fd/%d%s", all->state_fd, dir + strlen(all->state_dir));
}

/* What a user may set for a database (ALTER DATABASE ... SET) must not reach our sessions: what the start-up packet says
 * wins. */
static const char own_settings[] =
    "options='-c search_path=pg_catalog,pg_temp -c role=none -c statement_timeout=0 -c lock_timeout=0 "
    "-c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0 -c default_transaction_read_only=off "
    "-c default_transaction_isolation=read\\\\ committed -c row_security=off -c session_replication_role=origin "
    "-c standard_conforming_strings=on -c check_function_bodies=on -c client_min_messages=warning -c log_statement=none'";

static struct pg_conn *connect_at(struct clusters *all, const char *dir, int port, const char *dbname, struct cancel *c,
                                  struct err *e)
{
    char *host = socket_dir(all, dir), number[16];
    snprintf(number, sizeof number, "%d", port);
    struct pg_params p = {.conninfo = own_settings, .host = host, .port = number, .dbname = dbname,
                          .user = "cloud_admin", .application_name = "lakebase-workspace"};
    struct pg_conn *conn = pg_open(&p, c, e);
    free(host);
    return conn;
}

struct pg_conn *clusters_connect_dir(struct clusters *all, const char *dir, const char *dbname, struct cancel *c,
                                     struct err *e)
{
    struct server s;
    process_find(all, dir, &s);
    if (!s.pid) {
        err_set(e, ERR_CONNECT, "the PostgreSQL server is not running");
        return NULL;
    }
    return connect_at(all, dir, s.port, dbname, c, e);
}

struct pg_conn *cluster_connect(struct clusters *all, const char *uid, const char *dbname, struct cancel *c, struct err *e)
{
    if (!clusters_valid_uid(uid)) {
        err_set(e, ERR_INVALID_PARAMETER, "'%s' is no instance uid", uid);
        return NULL;
    }
    char *dir = clusters_dir(all, uid);
    struct pg_conn *conn = clusters_connect_dir(all, dir, dbname, c, e);
    free(dir);
    return conn;
}

static bool exists_in(struct pg_conn *conn, const char *dbname, bool *exists, struct err *e)
{
    const char *params[] = {dbname};
    char *found = NULL;
    bool ok = pg_scalar(conn, "SELECT count(*) FROM pg_database WHERE datname = $1 AND NOT datistemplate", params, 1, &found,
                        NULL, e);
    *exists = ok && found && strcmp(found, "1") == 0;
    free(found);
    return ok;
}

bool cluster_database_exists(struct clusters *all, const char *uid, const char *dbname, bool *exists, struct err *e)
{
    struct pg_conn *conn = cluster_connect(all, uid, "postgres", NULL, e);
    bool ok = conn && exists_in(conn, dbname, exists, e);
    pg_close(conn);
    return ok;
}

bool cluster_create_database(struct clusters *all, const char *uid, const char *dbname, const char *owner, struct err *e)
{
    if (!dbname[0] || strlen(dbname) > PG_NAME_MAX || !utf8_valid(dbname, strlen(dbname)))
        return err_set(e, ERR_INVALID_PARAMETER, "a database name has 1 to 63 bytes of UTF-8");
    struct pg_conn *conn = cluster_connect(all, uid, "postgres", NULL, e);
    struct buf sql;
    bool exists = false;
    buf_init(&sql, 4096);
    buf_puts(&sql, "CREATE DATABASE ");
    pg_quote_ident(&sql, dbname);
    buf_puts(&sql, " OWNER ");
    pg_quote_ident(&sql, owner);
    bool ok = conn && buf_ok(&sql, "database name", e) && exists_in(conn, dbname, &exists, e);
    if (ok && !exists)
        ok = pg_run(conn, buf_str(&sql), NULL, e);
    if (!ok && strcmp(e->sqlstate, "42P04") == 0) { /* somebody else was faster */
        err_init(e);
        ok = true;
    }
    buf_release(&sql);
    pg_close(conn);
    return ok;
}
