/* Pools of a notebook (see pools.h). The client and the token here are the pool's own: its connections are made on another
 * thread than the cell's. */
#include "magics/pools.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "magics/connect.h"
#include "magics/remote.h"

enum { TOKEN_SPARE_S = 120, TOKEN_FRESH_S = 30, CLOSE_MS = 2000, READY_MS = 30000 };

struct pool_login {
    char *instance, *profile, *config_file; /* instance NULL: conninfo */
    char *host, *port, *dbname, *user, *ca;
    char *conninfo, *password;
    pthread_mutex_t lock; /* around what follows */
    struct dbx_client *client;
    char *token;
    int64_t expires_s, obtained_s;
};

static void login_free(struct pool_login *l)
{
    if (!l)
        return;
    char *plain[] = {l->instance, l->profile, l->config_file, l->host, l->port, l->dbname, l->user, l->ca};
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        free(plain[i]);
    xfree_secret(l->conninfo);
    xfree_secret(l->password);
    xfree_secret(l->token);
    dbx_close(l->client);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* Under the lock. */
static bool renew(struct pool_login *l, struct cancel *c, struct err *e)
{
    struct dbx_options o = {.profile = l->profile, .config_file = l->config_file};
    if (!l->client && !(l->client = dbx_open(&o, e)))
        return false;
    char *name = l->instance;
    struct credential_request request = {.instance_names = {&name, 1}};
    struct database_credential got = {0};
    if (!dbx_call(l->client, DBX_generate_database_credential, NULL, &request, &got, c, e))
        return err_wrap(e, "no token for instance '%s'", l->instance);
    xfree_secret(l->token);
    l->token = got.token;
    got.token = NULL;
    l->obtained_s = clock_wall_s();
    if (!got.expiration_time || !clock_parse_rfc3339(got.expiration_time, &l->expires_s))
        l->expires_s = clock_wall_s() + TOKEN_SPARE_S;
    model_release(&model_database_credential, &got);
    return true;
}

/* A copy of a token that holds for a while; the caller frees it with xfree_secret. fresh: the one before was refused, so ask
 * for another, but not when this one is new itself: a server that says no does not change its mind. One thread asks, the others
 * wait for its answer. */
static char *token(struct pool_login *l, bool fresh, struct cancel *c, struct err *e)
{
    char *copy = NULL;
    pthread_mutex_lock(&l->lock);
    int64_t now = clock_wall_s();
    bool good = l->token && (fresh ? now - l->obtained_s < TOKEN_FRESH_S : now + TOKEN_SPARE_S < l->expires_s);
    if (good || renew(l, c, e))
        copy = xstrdup(l->token);
    pthread_mutex_unlock(&l->lock);
    return copy;
}

static struct pg_conn *connect_with(struct pool_login *l, bool fresh, struct cancel *c, struct err *e)
{
    char *password = token(l, fresh, c, e);
    if (!password)
        return NULL;
    struct pg_params p = {.host = l->host, .port = l->port, .dbname = l->dbname, .user = l->user, .password = password,
                          .sslmode = "verify-full", .sslrootcert = l->ca,
                          .application_name = "lakebase-pool"};
    struct pg_conn *conn = pg_open(&p, c, e);
    xfree_secret(password);
    return conn;
}

static struct pg_conn *login_connect(void *self, struct cancel *c, struct err *e)
{
    struct pool_login *l = self;
    if (!l->instance) {
        struct pg_params p = {.conninfo = l->conninfo, .password = l->password, .dbname = l->dbname,
                              .application_name = "lakebase-pool"};
        return pg_open(&p, c, e);
    }
    struct pg_conn *conn = connect_with(l, false, c, e);
    if (!conn && e->code == ERR_LOGIN) { /* the workspace was reset, or the token ended early */
        err_init(e);
        conn = connect_with(l, true, c, e);
    }
    return conn;
}

struct pg_conn *pools_connect(struct notebook_pool *p, struct cancel *c, struct err *e)
{
    return login_connect(p->login, c, e);
}

static struct pool_login *login_like(struct magic_ctx *ctx, const struct connection *like, struct err *e)
{
    struct session *s = ctx->session;
    if (like->instance && strcmp(like->workspace, s->target) != 0) {
        err_set(e, ERR_INVALID_STATE, "connection '%s' belongs to another workspace", like->alias);
        err_hint(e, "%%workspace %s goes back there", like->workspace);
        return NULL;
    }
    struct pool_login *l = xcalloc(1, sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    l->dbname = xstrdup(like->dbname);
    if (!like->instance) {
        l->conninfo = xstrdup(like->conninfo);
        l->password = xstrdup(like->password);
        return l;
    }
    l->instance = xstrdup(like->instance);
    l->host = xstrdup(pg_host(like->pg));
    l->port = xstrdup(pg_port(like->pg));
    l->user = xstrdup(pg_user(like->pg));
    l->ca = pg_option(like->pg, "sslrootcert");
    bool embedded = remote_is_embedded(s);
    l->profile = embedded ? xstrdup("local") : strcmp(s->target, "env") == 0 ? NULL : xstrdup(s->target);
    l->config_file = embedded && s->state_dir ? xasprintf("%s/databrickscfg", s->state_dir) : NULL;
    return l;
}

static size_t count(const struct session *s)
{
    size_t n = 0;
    for (const struct notebook_pool *p = s->pools; p; p = p->next)
        n++;
    return n;
}

struct notebook_pool *pools_find(struct session *s, const char *name, struct err *e)
{
    struct buf names;
    buf_init(&names, 4096);
    for (struct notebook_pool *p = s->pools; p; p = p->next) {
        if (strcmp(p->name, name) == 0) {
            buf_release(&names);
            return p;
        }
        buf_printf(&names, "%s%s", names.len ? ", " : "", p->name);
    }
    err_set(e, ERR_NOT_FOUND, "there is no pool '%s'", name);
    err_hint(e, names.len ? "open pools: %s" : "%%pool open %s opens one", names.len ? buf_str(&names) : name);
    buf_release(&names);
    return NULL;
}

struct notebook_pool *pools_open(struct magic_ctx *ctx, const char *name, struct connection *like,
                                 const struct pool_options *o, struct err *e)
{
    struct session *s = ctx->session;
    struct err none = {0};
    if (pools_find(s, name, &none)) {
        err_set(e, ERR_ALREADY_EXISTS, "pool '%s' is open already", name);
        err_hint(e, "%%pool close %s closes it; --replace does both", name);
        return NULL;
    }
    if (count(s) >= POOLS_MAX) {
        err_set(e, ERR_QUOTA, "a notebook may have %d pools", POOLS_MAX);
        return NULL;
    }
    struct pool_login *login = login_like(ctx, like, e);
    if (!login)
        return NULL;
    struct pool_options options = *o;
    options.name = name;
    options.connect = login_connect;
    options.self = login;
    struct pool *pool = pool_open(&options, e);
    if (!pool || !pool_wait(pool, READY_MS, ctx->cancel, e)) {
        pool_free(pool);
        login_free(login);
        return NULL;
    }
    struct notebook_pool *p = xcalloc(1, sizeof *p);
    *p = (struct notebook_pool){.name = xstrdup(name), .where = xstrdup(connect_where(ctx, like)),
                                .alias = xstrdup(like->alias), .pool = pool, .login = login};
    struct notebook_pool **end = &s->pools;
    while (*end)
        end = &(*end)->next;
    *end = p;
    return p;
}

void pools_close(struct session *s, struct notebook_pool *p)
{
    for (struct notebook_pool **at = &s->pools; *at; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            break;
        }
    }
    pool_close(p->pool, CLOSE_MS);
    pool_free(p->pool);
    login_free(p->login);
    free(p->name);
    free(p->where);
    free(p->alias);
    free(p->last);
    free(p);
}

void pools_close_all(struct session *s)
{
    while (s->pools)
        pools_close(s, s->pools);
}
