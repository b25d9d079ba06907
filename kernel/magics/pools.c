/* Pools of a notebook (see pools.h). The client and the token here are the pool's own: its connections are made on another
 * thread than the cell's. */
#include "magics/pools.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/connect.h"
#include "magics/remote.h"
#include "pg/credentials.h"

enum { TOKEN_UNKNOWN_S = 120, CLOSE_MS = 2000, READY_MS = 30000 };

struct pool_login {
    char *instance, *profile, *config_file; /* instance NULL: conninfo */
    char *host, *port, *dbname, *user, *ca;
    char *conninfo, *password;
    struct credentials *tokens;
    struct dbx_client *client; /* fetch_token's */
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
    credentials_free(l->tokens);
    dbx_close(l->client);
    free(l);
}

/* struct credentials_options: a token for the instance, and its life as the workspace tells it. */
static bool fetch_token(void *self, char **token, int64_t *life_s, struct cancel *c, struct err *e)
{
    struct pool_login *l = self;
    struct dbx_options o = {.profile = l->profile, .config_file = l->config_file};
    if (!l->client && !(l->client = dbx_open(&o, e)))
        return false;
    char *name = l->instance;
    struct credential_request request = {.instance_names = {&name, 1}};
    struct database_credential got = {0};
    int64_t ends;
    if (!dbx_call(l->client, DBX_generate_database_credential, NULL, &request, &got, c, e))
        return err_wrap(e, "no token for instance '%s'", l->instance);
    if (!got.token) {
        model_release(&model_database_credential, &got);
        return err_set(e, ERR_REMOTE, "the workspace gave no token for instance '%s'", l->instance);
    }
    *token = got.token;
    got.token = NULL;
    *life_s = got.expiration_time && clock_parse_rfc3339(got.expiration_time, &ends) ? ends - clock_wall_s() : TOKEN_UNKNOWN_S;
    model_release(&model_database_credential, &got);
    return true;
}

static struct pg_conn *connect_with(struct pool_login *l, bool fresh, struct cancel *c, struct err *e)
{
    char *password = credentials_get(l->tokens, fresh, c, e);
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

json_t *pools_parameters(struct notebook_pool *p, struct cancel *c, struct err *e)
{
    const struct pool_login *l = p->login;
    char *token = l->instance ? credentials_get(l->tokens, false, c, e) : NULL;
    if (l->instance && !token)
        return NULL;
    const char *const words[][2] = {{"conninfo", l->conninfo}, {"host", l->host}, {"port", l->port}, {"dbname", l->dbname},
                                    {"user", l->user}, {"sslmode", l->instance ? "verify-full" : NULL}, {"sslrootcert", l->ca},
                                    {"password", token ? token : l->password}};
    json_t *out = json_object();
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i][1])
            json_object_set_new(out, words[i][0], jx_str(words[i][1]));
    }
    xfree_secret(token);
    return out;
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
    l->tokens = credentials_new(&(struct credentials_options){.fetch = fetch_token, .self = l});
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
                                .alias = xstrdup(like->alias), .pool = pool, .login = login,
                                .timeout_ms = o->timeout_ms, .max_waiting = o->max_waiting};
    struct notebook_pool **end = &s->pools;
    while (*end)
        end = &(*end)->next;
    *end = p;
    return p;
}

bool pools_tokens(struct notebook_pool *p, struct credentials_stats *out)
{
    if (p->login->instance)
        credentials_stats(p->login->tokens, out);
    return p->login->instance != NULL;
}

struct connection *pools_checkout(struct magic_ctx *ctx, struct notebook_pool *p, const char *alias, int timeout_ms, struct err *e)
{
    const struct pool_login *l = p->login;
    if (!session_has_room(ctx->session, e))
        return NULL;
    struct pg_conn *pg = pool_checkout_for(p->pool, alias, timeout_ms, ctx->cancel, e);
    if (!pg)
        return NULL;
    connect_show_notices(pg, ctx->session);
    struct connection c = {.alias = xstrdup(alias), .pg = pg, .pool = p->pool, .dbname = xstrdup(pg_dbname(pg)),
                           .instance = l->instance ? xstrdup(l->instance) : NULL,
                           .workspace = l->instance ? xstrdup(ctx->session->target) : NULL,
                           .conninfo = l->conninfo ? xstrdup(l->conninfo) : NULL,
                           .password = l->password ? xstrdup(l->password) : NULL};
    return session_add(ctx->session, &c);
}

static void give_back(struct session *s, const struct pool *pool)
{
    for (struct connection *c = s->connections, *next; c; c = next) {
        next = c->next;
        if (c->pool == pool)
            session_remove(s, c);
    }
}

void pools_close(struct session *s, struct notebook_pool *p)
{
    give_back(s, p->pool);
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
