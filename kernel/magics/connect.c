/* Opening connections (see connect.h). Which of them is the current one is the session's business. */
#include "magics/connect.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "magics/remote.h"
#include "pg/exec.h"
#include "pg/pool.h"

static const char default_database[] = "databricks_postgres", default_port[] = "5432";

/* ---- what the words mean ---- */

/* key=value words as a conninfo string; quotes went with the words, so values are quoted anew. */
static const char *join_conninfo(struct arena *a, const char *const *words, size_t n)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        const char *eq = strchr(words[i], '=');
        buf_add(&b, words[i], (size_t)(eq - words[i] + 1));
        buf_putc(&b, '\'');
        for (const char *c = eq + 1; *c; c++) {
            if (*c == '\'' || *c == '\\')
                buf_putc(&b, '\\');
            buf_putc(&b, *c);
        }
        buf_puts(&b, i + 1 < n ? "' " : "'");
    }
    const char *text = arena_strdup(a, buf_str(&b));
    buf_release_secret(&b);
    return text;
}

static bool is_setting(const char *word)
{
    size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz_");
    return n > 0 && word[n] == '=';
}

bool target_parse(struct magic_ctx *ctx, const char *const *words, size_t n, struct target *out, struct err *e)
{
    *out = (struct target){0};
    size_t settings = 0;
    for (size_t i = 0; i < n; i++)
        settings += is_setting(words[i]);
    if (settings == n) {
        out->conninfo = join_conninfo(ctx->arena, words, n);
        return true;
    }
    if (settings > 0 || n > 1) {
        err_set(e, ERR_USAGE, "this is neither an instance nor a list of key=value");
        err_hint(e, "%%connect INSTANCE/DATABASE, %%connect postgresql://HOST/DATABASE, or %%connect host=HOST dbname=DATABASE");
        return false;
    }
    if (strstr(words[0], "://")) {
        out->conninfo = words[0];
        if (strncmp(words[0], "postgresql://", 13) == 0 || strncmp(words[0], "postgres://", 11) == 0)
            return true;
        err_set(e, ERR_USAGE, "a URI of PostgreSQL starts with postgresql://");
        return false;
    }
    const char *slash = strchr(words[0], '/');
    out->instance = slash ? arena_strndup(ctx->arena, words[0], (size_t)(slash - words[0])) : words[0];
    out->dbname = slash && slash[1] ? slash + 1 : NULL;
    return *out->instance || err_set(e, ERR_USAGE, "the name of an instance is missing before '/'");
}

/* ---- opening ---- */

static void show_notice(void *self, const char *severity, const char *text, const char *detail, const char *hint)
{
    struct session *s = self;
    struct sink *out = s->ctx ? s->ctx->out : NULL;
    if (!out)
        return;
    if (strcmp(severity, "NOTIFY") == 0) {
        sink_printf(out, detail ? "Asynchronous notification \"%s\" with payload \"%s\" received.\n"
                                : "Asynchronous notification \"%s\" received.\n", text, detail);
        return;
    }
    sink_warn(out, "%s:  %s\n", severity, text);
    if (detail && *detail)
        sink_warn(out, "DETAIL:  %s\n", detail);
    if (hint && *hint)
        sink_warn(out, "HINT:  %s\n", hint);
}

void connect_show_notices(struct pg_conn *pg, struct session *s) { pg_on_notice(pg, show_notice, s); }

/* Ready for logins, or why not. */
static bool available(struct magic_ctx *ctx, const char *name, struct database_instance *out, struct err *e)
{
    if (!remote_instance(ctx, name, out, e))
        return false;
    const char *state = text_or_empty(out->state);
    if (strcmp(state, "AVAILABLE") == 0)
        return true;
    if (strcmp(state, "STOPPED") == 0 || strcmp(state, "DELETING") == 0) {
        err_set(e, ERR_INVALID_STATE, "instance '%s' is %s", name, state);
        if (*state == 'S')
            err_hint(e, "%%instance start %s", name);
        model_release(&model_database_instance, out);
        return false;
    }
    model_release(&model_database_instance, out);
    return remote_wait(ctx, name, "AVAILABLE", arena_printf(ctx->arena, "waiting for instance %s", name), out, e);
}

static bool open_instance(struct magic_ctx *ctx, const struct target *t, struct connection *out, struct err *e)
{
    struct database_instance instance = {0};
    struct database_credential credential = {0};
    const char *me = remote_me(ctx, e);
    if (!me || !available(ctx, t->instance, &instance, e))
        return false;
    bool ok = remote_credential(ctx, t->instance, &credential, e);
    if (ok && !instance.read_write_dns)
        ok = err_set(e, ERR_REMOTE, "the workspace does not say where instance '%s' is", t->instance);
    const char *ca = ok ? remote_ca(ctx, e) : NULL;
    ok = ok && ca;
    if (ok) {
        struct pg_params p = {.host = instance.read_write_dns,
                              .port = default_port,
                              .dbname = t->dbname ? t->dbname : default_database,
                              .user = me,
                              .password = credential.token,
                              .sslmode = "verify-full", /* whoever answers gets the token */
                              .sslrootcert = ca};
        out->pg = pg_open(&p, ctx->cancel, e);
        ok = out->pg || err_wrap(e, "cannot connect to instance '%s'", t->instance);
    }
    if (ok) {
        out->instance = xstrdup(t->instance);
        out->workspace = xstrdup(ctx->session->target);
        out->dbname = xstrdup(pg_dbname(out->pg));
    }
    if (credential.token)
        explicit_bzero(credential.token, strlen(credential.token));
    model_release(&model_database_credential, &credential);
    model_release(&model_database_instance, &instance);
    return ok;
}

/* A login failed: ask for a password and try again, where asking is possible. */
static bool open_with_password(struct magic_ctx *ctx, const struct target *t, struct connection *out, struct err *e)
{
    struct err refused = *e;
    struct buf answer;
    if (!ctx->host || !ctx->host->input)
        return false;
    err_init(e);
    buf_init(&answer, 4096);
    bool ok = ctx->host->input(ctx->host->self, "Password: ", true, &answer, e);
    if (ok) {
        struct pg_params p = {.conninfo = t->conninfo, .password = buf_str(&answer)};
        out->pg = pg_open(&p, ctx->cancel, e);
        ok = out->pg != NULL;
        if (ok)
            out->password = xstrdup(buf_str(&answer));
    } else if (e->code == ERR_INVALID_STATE) {
        *e = refused;
    }
    buf_release_secret(&answer);
    return ok;
}

static bool open_conninfo(struct magic_ctx *ctx, const struct target *t, const char *password, struct connection *out,
                          struct err *e)
{
    struct pg_params p = {.conninfo = t->conninfo, .password = password};
    out->pg = pg_open(&p, ctx->cancel, e);
    if (!out->pg && e->code == ERR_LOGIN && !password && !strcasestr(t->conninfo, "password"))
        open_with_password(ctx, t, out, e);
    if (!out->pg) {
        /* libpq's last try is one without TLS, and its refusal is what is told. */
        if (e->code == ERR_LOGIN && strstr(e->text, "no encryption"))
            err_hint(e, "the server wants TLS, and a login over TLS was refused before: add sslmode=require to see why");
        return false;
    }
    if (password)
        out->password = xstrdup(password);
    out->conninfo = xstrdup(t->conninfo);
    out->dbname = xstrdup(pg_dbname(out->pg));
    return true;
}

bool connect_open(struct magic_ctx *ctx, const struct target *t, struct connection *out, struct err *e)
{
    *out = (struct connection){0};
    bool ok = t->conninfo ? open_conninfo(ctx, t, NULL, out, e) : open_instance(ctx, t, out, e);
    if (ok)
        pg_on_notice(out->pg, show_notice, ctx->session);
    return ok;
}

/* A pool replaces it when it comes back; opening another one here would be one more than the pool may have. */
static bool lost_to_pool(const struct connection *c, struct err *e)
{
    err_hint(e, "%%disconnect %s gives it back; %%pool checkout borrows another one", c->alias);
    return false;
}

bool connect_ensure(struct magic_ctx *ctx, struct connection *c, struct err *e)
{
    if (c->background) {
        err_set(e, ERR_CONFLICT, "connection '%s' runs a statement in the background", c->alias);
        err_hint(e, "%%wait %s shows what comes of it, %%cancel %s ends it", c->alias, c->alias);
        return false;
    }
    if (pg_alive(c->pg))
        return true;
    if (c->in_tx) {
        c->in_tx = false;
        err_set(e, ERR_CONNECT,
                "the session of connection '%s' was lost inside a transaction, so its changes are undone",
                c->alias);
        if (!c->pool)
            err_hint(e, "run the transaction again from its BEGIN; the next statement opens a new session");
        return c->pool ? lost_to_pool(c, e) : false;
    }
    if (c->pool) {
        err_set(e, ERR_CONNECT, "the session of connection '%s', borrowed from pool '%s', was lost", c->alias, pool_name(c->pool));
        return lost_to_pool(c, e);
    }
    if (c->instance && strcmp(c->workspace, ctx->session->target) != 0) {
        /* Another workspace may have an instance of the same name. */
        err_set(e, ERR_INVALID_STATE,
                "the session of connection '%s' was lost, and its instance is in another workspace",
                c->alias);
        err_hint(e, "%%workspace %s goes back there; %%connect opens a new one here", c->workspace);
        return false;
    }
    struct target t = {.instance = c->instance, .dbname = c->dbname, .conninfo = c->conninfo};
    struct connection fresh = {0};
    bool ok = c->instance ? open_instance(ctx, &t, &fresh, e) : open_conninfo(ctx, &t, c->password, &fresh, e);
    if (!ok)
        return err_wrap(e, "the session of connection '%s' was lost, and a new one does not open", c->alias);
    pg_on_notice(fresh.pg, show_notice, ctx->session);
    pg_close(c->pg);
    c->pg = fresh.pg;
    fresh.pg = NULL;
    connection_release(&fresh);
    sink_warn(ctx->out,
              "The session of connection %s was lost. This is a new one, with a new login: settings, temporary "
                        "tables and prepared statements of the old one are gone.\n", c->alias);
    return true;
}

void connect_used(struct connection *c, bool ok, struct err *e)
{
    enum pg_tx tx = pg_tx_state(c->pg);
    bool alive = pg_alive(c->pg);
    /* A lost transaction that an error tells of is not told again. */
    if (alive)
        c->in_tx = tx == PG_TX_IN_BLOCK || tx == PG_TX_FAILED;
    else if (!ok)
        c->in_tx = false;
    if (!c->in_tx)
        savepoints_forget(&c->savepoints);
    if (!ok && !alive && e->code == ERR_CONNECT) {
        e->hint[0] = '\0';
        if (c->pool)
            lost_to_pool(c, e);
        else
            err_hint(e, "what was not committed is undone; the next statement opens a new session");
    }
}

const char *connect_where(struct magic_ctx *ctx, const struct connection *c)
{
    if (c->instance)
        return arena_printf(ctx->arena, "instance %s", c->instance);
    return arena_printf(ctx->arena, "%s:%s", pg_host(c->pg), pg_port(c->pg));
}

const char *connect_major(struct magic_ctx *ctx, const struct connection *c)
{
    int version = pg_server_version(c->pg);
    return version >= 100000 ? arena_printf(ctx->arena, "%d", version / 10000)
                             : arena_printf(ctx->arena, "%d.%d", version / 10000, version / 100 % 100);
}
