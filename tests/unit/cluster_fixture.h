/* What the tests of clusters share: a state folder, a workspace's clusters, and logins as a user would make them. */
#ifndef CLUSTER_FIXTURE_H
#define CLUSTER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "pg/exec.h"
#include "workspace/cluster.h"

#define OWNER "learner@example.com"

/* A token is good when it is "good-token-of:<user>@<uid>", padded with dots to any length. */
static atomic_int logins_asked;
static bool check_login(void *self, const char *user, const char *token, size_t len, const char *uid, struct err *e)
{
    char want[512];
    (void)self;
    atomic_fetch_add(&logins_asked, 1);
    int n = snprintf(want, sizeof want, "good-token-of:%s@%s", user, uid);
    if (len >= (size_t)n && strncmp(token, want, (size_t)n) == 0 && strspn(token + n, ".") == len - (size_t)n)
        return true;
    return err_set(e, ERR_LOGIN, "no token of this user");
}

/* One state folder for all tests of a program: its template is made once. Instances go with each test. */
static char state_dir[64];

static int group_set_up(void **state)
{
    (void)state;
    snprintf(state_dir, sizeof state_dir, "/tmp/lb-cluster-XXXXXX");
    return mkdtemp(state_dir) && chmod(state_dir, 0711) == 0 ? 0 : -1;
}

static int group_tear_down(void **state)
{
    struct err e;
    (void)state;
    err_init(&e);
    return fs_remove_tree(state_dir, &e) ? 0 : -1;
}

struct fixture {
    const char *dir;
    struct clusters *all;
    char uid[37];
    struct cluster_spec spec;
};

static void no_error(const struct err *e)
{
    if (e->code != ERR_NONE)
        fail_msg("%s (%s) [%s]", e->text, e->detail, e->hint);
}

static void fixture_open(struct fixture *f)
{
    struct err e;
    err_init(&e);
    struct cluster_options o = {.state_dir = f->dir, .login = check_login};
    f->all = clusters_open(&o, &e);
    no_error(&e);
}

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->dir = state_dir;
    fixture_open(f);
    ids_uuid(f->uid);
    f->spec = (struct cluster_spec){.uid = f->uid, .name = "lab-instance", .owner = OWNER, .capacity = "CU_1"};
}

static void fixture_create(struct fixture *f)
{
    struct err e;
    err_init(&e);
    cluster_create(f->all, &f->spec, NULL, &e);
    no_error(&e);
}

/* Nothing is kept: every server of the folder ends. */
static void fixture_release(struct fixture *f)
{
    struct err e;
    err_init(&e);
    if (!f->all)
        fixture_open(f);
    clusters_delete_all(f->all, &e);
    no_error(&e);
    clusters_close(f->all);
}

static struct pg_conn *login_with(struct fixture *f, const char *user, const char *password, const char *dbname,
                                  const char *sslmode, struct err *e)
{
    char port[16];
    snprintf(port, sizeof port, "%d", f->spec.port);
    struct pg_params p = {.host = f->spec.address, .port = port, .user = user, .password = password, .dbname = dbname,
                          .sslmode = sslmode, .sslrootcert = clusters_ca_path(f->all),
                          .connect_timeout_ms = 120000 /* a busy machine is no failure */};
    return pg_open(&p, NULL, e);
}

static struct pg_conn *login_as(struct fixture *f, const char *user, const char *dbname, struct err *e)
{
    char token[512];
    snprintf(token, sizeof token, "good-token-of:%s@%s", user, f->uid);
    return login_with(f, user, token, dbname, "verify-full", e);
}

static struct pg_conn *login(struct fixture *f)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = login_as(f, OWNER, "databricks_postgres", &e);
    no_error(&e);
    return conn;
}

static void run(struct pg_conn *conn, const char *sql)
{
    struct err e;
    err_init(&e);
    if (!pg_run(conn, sql, NULL, &e))
        fail_msg("%s\n  %s: %s", sql, e.sqlstate, e.text);
}

/* The SQLSTATE of the refusal; fails when the statement works. The connection stays usable. */
__attribute__((unused)) static const char *refusal(struct pg_conn *conn, const char *sql)
{
    static char state[8];
    struct err e;
    err_init(&e);
    if (pg_run(conn, sql, NULL, &e))
        fail_msg("this must be refused: %s", sql);
    snprintf(state, sizeof state, "%s", e.sqlstate);
    return state;
}

/* First value, to be freed; fails on an error. */
static char *ask(struct pg_conn *conn, const char *sql)
{
    struct err e;
    char *out = NULL;
    err_init(&e);
    if (!pg_scalar(conn, sql, NULL, 0, &out, NULL, &e))
        fail_msg("%s\n  %s: %s", sql, e.sqlstate, e.text);
    return out;
}

/* The tests of one instance: `f`, made anew for each test. */
static struct fixture f;

__attribute__((unused)) static int set_up(void **state)
{
    (void)state;
    fixture_init(&f);
    return 0;
}

__attribute__((unused)) static int tear_down(void **state)
{
    (void)state;
    fixture_release(&f);
    return 0;
}

__attribute__((unused)) static char *instance_path(const char *name)
{
    return xasprintf("%s/instances/%s/%s", f.dir, f.uid, name);
}

#define assert_asked(conn, sql, want)         \
    do {                                      \
        char *asked = ask(conn, sql);         \
        assert_string_equal(asked ? asked : "(null)", want); \
        free(asked);                          \
    } while (0)

#endif
