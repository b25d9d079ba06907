/* %listen: wait for NOTIFY messages. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "magics/connect.h"
#include "pg/exec.h"

enum { CHANNEL_MAX = 63, COUNT_MAX = 100000, TIMEOUT_MAX_MS = 86400000 };

/* A plain name is folded to lower case as SQL does; another one is quoted. */
static bool is_plain(const char *name)
{
    bool plain = isalpha((unsigned char)*name) || *name == '_';
    for (; plain && *name; name++)
        plain = isalnum((unsigned char)*name) || *name == '_';
    return plain;
}

static bool listen_to(struct magic_ctx *ctx, struct connection *c, const char *channel, struct err *e)
{
    struct buf sql;
    if (strlen(channel) > CHANNEL_MAX)
        return err_set(e, ERR_USAGE, "the name of a channel has at most %d bytes", CHANNEL_MAX);
    buf_init(&sql, 512);
    buf_puts(&sql, "LISTEN ");
    if (is_plain(channel))
        buf_puts(&sql, channel);
    else
        pg_quote_ident(&sql, channel);
    bool ok = pg_run(c->pg, buf_str(&sql), ctx->cancel, e);
    buf_release(&sql);
    return ok;
}

/* Without a LISTEN nothing ever comes. */
static bool listens_to_any(struct magic_ctx *ctx, struct connection *c, struct err *e)
{
    char *any = NULL;
    bool ok = pg_scalar(c->pg, "SELECT EXISTS (SELECT FROM pg_catalog.pg_listening_channels())", NULL, 0, &any, ctx->cancel, e);
    if (ok && strcmp(any, "t") != 0) {
        ok = err_set(e, ERR_USAGE, "connection '%s' listens to no channel", c->alias);
        err_hint(e, "%%listen CHANNEL listens to one");
    }
    free(any);
    return ok;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct connection *c = session_connection(ctx->session, args_get(args, "on"), e);
    const char *channel;
    long long count = args_int(args, "count", 1), timeout = args_int(args, "timeout", 0);
    if (!c || !connect_ensure(ctx, c, e))
        return false;
    if (c->in_tx) {
        err_set(e, ERR_INVALID_STATE, "connection '%s' is in a transaction, and messages come only between transactions", c->alias);
        err_hint(e, "COMMIT or ROLLBACK first");
        return false;
    }
    bool ok = true;
    long long before = pg_notified(c->pg); /* LISTEN and our question bring along what came before them */
    for (size_t i = 0; ok && (channel = args_get_nth(args, "channel", i)); i++)
        ok = listen_to(ctx, c, channel, e);
    ok = ok && listens_to_any(ctx, c, e) && pg_await_notifications(c->pg, before + count, timeout, ctx->cancel, e);
    long long came = pg_notified(c->pg) - before;
    connect_used(c, ok, e);
    if (ok && came < count)
        sink_printf(ctx->out, "%lld of %lld notifications came in time.\n", came, count);
    return ok;
}

static const struct arg_row rows[] = {
    {.name = "on", .type = ARG_WORD, .placeholder = "ALIAS", .complete = "connection",
     .help = "the connection to use; else the current one"},
    {.name = "count", .type = ARG_INT, .min = 1, .max = COUNT_MAX, .placeholder = "N", .help = "wait for so many; else for one"},
    {.name = "timeout", .type = ARG_DURATION, .max = TIMEOUT_MAX_MS, .placeholder = "T",
     .help = "wait no longer; else until they come or Stop"},
    {.name = "channel", .positional = true, .type = ARG_WORD, .flags = ARG_REPEAT,
     .help = "channels to listen to; else those of earlier LISTENs"},
    {.name = NULL}};

const struct magic magic_listen = {
    .name = "listen",
    .kinds = MAGIC_LINE,
    .group = "SQL",
    .summary = "wait for messages of NOTIFY and show them as they come",
    .help = "The session goes on listening afterwards: what comes later is shown with its next statement. UNLISTEN * ends that.",
    .examples = "%listen orders --timeout 10s\n%listen orders returns --count 5",
    .args = rows,
    .run = run,
};
