/* %connect: open a session on an instance of the workspace, or on any PostgreSQL server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/connect.h"

enum { WORDS_MAX = 64 };

/* "instance", "instance/database", "host:port/database" */
static const char *default_alias(struct magic_ctx *ctx, const struct target *t, const struct connection *c)
{
    if (t->instance && !t->dbname)
        return t->instance;
    if (t->instance)
        return arena_printf(ctx->arena, "%s/%s", t->instance, t->dbname);
    return arena_printf(ctx->arena, "%s:%s/%s", pg_host(c->pg), pg_port(c->pg), c->dbname);
}

static bool busy(struct connection *old, const char *alias, struct err *e)
{
    const char *work = old ? connection_work(old) : NULL;
    if (!work)
        return false;
    err_set(e, ERR_INVALID_STATE, "connection '%s' has %s, which would be lost", alias, work);
    if (old->background)
        err_hint(e, "%%wait %s first, or %%disconnect %s --force", alias, alias);
    else
        err_hint(e, "COMMIT or ROLLBACK first, or %%disconnect %s --force", alias);
    return true;
}

static void announce(struct magic_ctx *ctx, const struct connection *c)
{
    char tls[64];
    const char *full = pg_tls(c->pg);
    snprintf(tls, sizeof tls, "%.*s", (int)strcspn(full, ","), *full ? full : "no TLS");
    sink_printf(ctx->out, "Connected to %s: database %s, user %s, PostgreSQL %s, %s.\n", connect_where(ctx, c),
                c->dbname,
                pg_user(c->pg), connect_major(ctx, c), tls);
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *words[WORDS_MAX];
    size_t n = 0;
    struct session *s = ctx->session;
    struct target target;
    struct connection fresh;
    while (n < WORDS_MAX && (words[n] = args_get_nth(args, "target", n)))
        n++;
    if (n == WORDS_MAX)
        return err_set(e, ERR_USAGE, "a target has fewer than %d words", WORDS_MAX);
    const char *alias = args_get(args, "alias");
    if (alias && strlen(alias) > 63)
        return err_set(e, ERR_USAGE, "an alias has at most 63 bytes");
    if (!target_parse(ctx, words, n, &target, e))
        return false;
    if (target.instance && busy(session_find(s, alias ? alias : default_alias(ctx, &target, NULL)),
                                alias ? alias : default_alias(ctx, &target, NULL), e))
        return false;
    if (!session_has_room(s, e) || !connect_open(ctx, &target, &fresh, e))
        return false;
    fresh.alias = xstrdup(alias ? alias : default_alias(ctx, &target, &fresh));
    struct connection *old = session_find(s, fresh.alias);
    if (busy(old, fresh.alias, e)) {
        connection_release(&fresh);
        return false;
    }
    if (old)
        session_remove(s, old);
    announce(ctx, session_add(s, &fresh));
    return true;
}

static const struct arg_row rows[] = {
    {.name = "target", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED | ARG_REPEAT,
     .complete = "instance",
     .help = "INSTANCE, INSTANCE/DATABASE, a postgresql:// URI, or key=value words (service=NAME too)"},
    {.name = "alias", .positional = true, .type = ARG_WORD, .keyword = "as",
     .help = "what to call the connection; else the name of the instance"},
    {.name = NULL}};

const struct magic magic_connect = {
    .name = "connect",
    .kinds = MAGIC_LINE,
    .group = "connections",
    .summary = "open a session and make it the current one",
    .help = "For an instance the workspace makes a token, which is the password; each login gets a new one. The database is "
            "databricks_postgres unless you name another. A session that was lost is opened again by the next statement, "
            "which says so. A second connection of the same alias replaces the first.",
    .examples = "%connect workshop\n%connect workshop/shop as shop\n%connect postgresql://localhost/test\n"
                "%connect host=localhost dbname=test as local",
    .args = rows,
    .run = run,
};
