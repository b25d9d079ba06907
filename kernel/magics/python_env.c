/* The environment of Python cells (see python_env.h). How they run is m_python.c and the kernel. */
#include "magics/python_env.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/remote.h"
#include "magics/session.h"

/* A token that is good for less than this is renewed before a cell: a pool may use it long after. */
enum { RENEW_S = 15 * 60, TOKEN_S = 3600, PASSFILE_MAX = 64 << 10 };

void python_link_forget(struct python_link *l)
{
    free(l->env);
    free(l->pass_for);
    *l = (struct python_link){0};
}

static void put(json_t *env, const char *name, const char *value)
{
    json_object_set_new(env, name, value && *value ? jx_str(value) : json_null());
}

/* ---- the password file ---- */

/* A field of a password file: : and \ are special. Source: PostgreSQL, "The Password File". */
static void add_field(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == ':' || *text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

static bool write_passfile(const char *path, struct connection *c, const char *password, struct err *e)
{
    struct buf line;
    buf_init(&line, PASSFILE_MAX);
    add_field(&line, pg_host(c->pg));
    buf_putc(&line, ':');
    add_field(&line, pg_port(c->pg));
    buf_puts(&line, ":*:");
    add_field(&line, pg_user(c->pg));
    buf_putc(&line, ':');
    add_field(&line, password);
    buf_putc(&line, '\n');
    bool ok = buf_ok(&line, "the password file", e) && fs_write_atomic(path, buf_str(&line), line.len, 0600, e);
    buf_release_secret(&line);
    return ok;
}

static bool put_token(struct magic_ctx *ctx, struct connection *c, const char *path, int64_t *expires_s, struct err *e)
{
    struct database_credential credential = {0};
    if (!remote_credential(ctx, c->instance, &credential, e))
        return false;
    if (!credential.expiration_time || !clock_parse_rfc3339(credential.expiration_time, expires_s))
        *expires_s = clock_wall_s() + TOKEN_S;
    bool ok = write_passfile(path, c, credential.token, e);
    explicit_bzero(credential.token, strlen(credential.token));
    model_release(&model_database_credential, &credential);
    return ok;
}

/* For what is no instance of this workspace: the password it logged in with. *none: it has none. */
static bool put_password(struct connection *c, const char *path, bool *none, struct err *e)
{
    char *password = pg_option(c->pg, "password");
    *none = !password;
    bool ok = !password || write_passfile(path, c, password, e);
    xfree_secret(password);
    return ok;
}

/* The file for the connection's login; NULL: there is no password to put into one. */
static const char *passfile(struct magic_ctx *ctx, struct connection *c, const char *folder, struct err *e)
{
    struct python_link *l = &ctx->session->python;
    const char *path = arena_printf(ctx->arena, "%s/pgpass", folder);
    const char *login = arena_printf(ctx->arena, "%s\n%s\n%s\n%s\n%s", text_or_empty(c->workspace),
                                     text_or_empty(c->instance), pg_host(c->pg), pg_port(c->pg), pg_user(c->pg));
    bool same = l->pass_for && strcmp(l->pass_for, login) == 0, none = false;
    if (same && (l->expires_s == 0 || l->expires_s - clock_wall_s() > RENEW_S))
        return path;
    bool mint = c->instance && strcmp(c->workspace, ctx->session->target) == 0;
    int64_t expires_s = 0;
    if (!(mint ? put_token(ctx, c, path, &expires_s, e) : put_password(c, path, &none, e)) || none)
        return NULL;
    free(l->pass_for);
    l->pass_for = xstrdup(login);
    l->expires_s = expires_s;
    return path;
}

/* ---- variables ---- */

static bool put_connection(struct magic_ctx *ctx, const struct python_answer *python, json_t *env, struct err *e)
{
    struct connection *c = ctx->session->current;
    struct err why = {0};
    bool known = c && *pg_host(c->pg); /* one that hung up does not say where it was */
    put(env, "PGHOST", known ? pg_host(c->pg) : NULL);
    put(env, "PGPORT", known ? pg_port(c->pg) : NULL);
    put(env, "PGUSER", known ? pg_user(c->pg) : NULL);
    put(env, "PGDATABASE", known ? pg_dbname(c->pg) : NULL);
    static const char *const options[][2] = {{"PGSSLMODE", "sslmode"}, {"PGSSLROOTCERT", "sslrootcert"}};
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        char *value = known ? pg_option(c->pg, options[i][1]) : NULL;
        put(env, options[i][0], value);
        free(value);
    }
    const char *file = known ? passfile(ctx, c, python->folder, &why) : NULL;
    put(env, "PGPASSFILE", file);
    if (why.code == ERR_CANCELLED) {
        *e = why;
        return false;
    }
    if (why.code)
        sink_warn(ctx->out, "Python has no password for connection %s: %s\n", c->alias, why.text);
    return true;
}

static void put_profile(struct magic_ctx *ctx, const struct python_answer *python, json_t *env)
{
    struct session *s = ctx->session;
    struct err none = {0};
    const char *file = NULL, *profile = NULL;
    if (remote_is_embedded(s)) {
        if (!s->state_dir)
            s->state_dir = fs_state_dir(&none);
        file = s->state_dir ? arena_printf(ctx->arena, "%s/databrickscfg", s->state_dir) : NULL;
        profile = "local";
    } else if (strcmp(s->target, "env") != 0) {
        profile = s->target;
    } else if (python->env_profile) {
        file = arena_printf(ctx->arena, "%s/databrickscfg", python->folder);
        profile = "env";
    }
    put(env, "DATABRICKS_CONFIG_FILE", file);
    put(env, "DATABRICKS_CONFIG_PROFILE", profile);
}

json_t *python_env(struct magic_ctx *ctx, const struct python_answer *python, struct err *e)
{
    const struct connection *c = ctx->session->current;
    json_t *env = json_object();
    if (!put_connection(ctx, python, env, e)) {
        json_decref(env);
        return NULL;
    }
    put_profile(ctx, python, env);
    json_t *told = json_object();
    json_object_set_new(told, "environ", env);
    put(told, "instance", c ? c->instance : NULL);
    return told;
}
