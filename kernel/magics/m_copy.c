/*
 * \copy: a table or a query to a file of the notebook's machine, or a file into a table, through COPY … STDIN and STDOUT,
 * as psql's command of that name. The server never opens a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cell/sqllex.h"
#include "magics/connect.h"
#include "magics/outfile.h"
#include "magics/statement.h"
#include "pg/exec.h"

enum { PIECE = 256 << 10 };

/* \copy WHAT from|to FILE OPTIONS */
struct command {
    const char *what, *file, *options; /* in the arena */
    bool from;
};

struct copying {
    int fd;            /* of the file that is read */
    struct outfile to; /* or the one that is written */
    const char *file;
    char *piece;
    char tag[64];
};

static bool usage(struct err *e, const char *why)
{
    err_set(e, ERR_USAGE, "%s", why);
    err_hint(e, "\\copy TABLE [(COLUMNS)] from 'FILE' [options], or \\copy TABLE|(QUERY) to 'FILE' [options]; "
                "options as of COPY: csv header");
    return false;
}

static bool is_keyword(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

/* A name of a file: 'quoted' with '' for a quote, or up to a blank. *at moves behind it. */
static const char *take_file(struct arena *a, const char *text, size_t len, size_t *at)
{
    while (*at < len && strchr(" \t", text[*at]))
        (*at)++;
    size_t start = *at;
    if (start < len && text[start] == '\'') {
        char *name = arena_strndup(a, text + start, len - start);
        size_t n = 0;
        for (size_t i = start + 1; i < len; i++) {
            if (text[i] == '\'' && !(i + 1 < len && text[i + 1] == '\'')) {
                *at = i + 1;
                name[n] = '\0';
                return name;
            }
            i += text[i] == '\'';
            name[n++] = text[i];
        }
        return NULL;
    }
    while (*at < len && !strchr(" \t", text[*at]))
        (*at)++;
    return *at > start ? arena_strndup(a, text + start, *at - start) : NULL;
}

static bool parse(struct magic_ctx *ctx, const char *text, size_t len, struct command *out, struct err *e)
{
    size_t at = 0, depth = 0;
    while (at < len) {
        size_t end = sql_token(text, len, at);
        bool from = is_keyword(text + at, end - at, "from"), to = is_keyword(text + at, end - at, "to");
        depth += text[at] == '(';
        depth -= depth > 0 && text[at] == ')';
        if (depth == 0 && at > 0 && (from || to)) {
            out->what = arena_strndup(ctx->arena, text, at);
            out->from = from;
            at = end;
            out->file = take_file(ctx->arena, text, len, &at);
            out->options = arena_strndup(ctx->arena, text + at, len - at);
            if (!out->file || !*out->file)
                return usage(e, "\\copy needs the name of a file");
            if (strcasecmp(out->file, "stdin") == 0 || strcasecmp(out->file, "pstdin") == 0)
                return usage(e, "\\copy reads a file; COPY ... FROM STDIN takes its data from the lines below it");
            if (strcasecmp(out->file, "stdout") == 0 || strcasecmp(out->file, "pstdout") == 0)
                return usage(e, "\\copy writes a file; COPY ... TO STDOUT shows its data");
            if (strcasecmp(out->file, "program") == 0)
                return usage(e, "\\copy runs no program; %%bash does");
            return true;
        }
        at = end;
    }
    return usage(e, "\\copy needs from or to");
}

static bool read_piece(void *self, const char **data, size_t *len, struct err *e)
{
    struct copying *c = self;
    ssize_t n = read(c->fd, c->piece, PIECE);
    if (n < 0)
        return err_errno(e, errno, "cannot read '%.300s'", c->file);
    *data = c->piece;
    *len = (size_t)n;
    return true;
}

static bool write_piece(void *self, const char *data, size_t len, struct err *e)
{
    struct copying *c = self;
    return outfile_write(&c->to, data, len, e);
}

static void keep_tag(void *self, const char *tag, bool has_rows)
{
    struct copying *c = self;
    (void)has_rows;
    err_copy(c->tag, sizeof c->tag, tag, strlen(tag));
}

static bool send(struct magic_ctx *ctx, struct connection *c, const struct command *k, struct copying *copy, struct err *e)
{
    struct pg_rows rows = {.self = copy, .done = keep_tag, .copy_in = k->from ? read_piece : NULL,
                           .copy_out = k->from ? NULL : write_piece};
    struct bound b = {.sql = arena_printf(ctx->arena, "COPY %s %s %s", k->what, k->from ? "FROM STDIN" : "TO STDOUT", k->options)};
    copy->piece = arena_alloc(ctx->arena, PIECE);
    bool ok = connect_ensure(ctx, c, e) && statement_exec(ctx, c, &b, &rows, ctx->session->settings.timeout, e);
    e->position = 0; /* in a text that the user did not write */
    connect_used(c, ok, e);
    return ok;
}

static bool copy_from(struct magic_ctx *ctx, struct connection *c, const struct command *k, struct err *e)
{
    struct copying copy = {.file = k->file, .fd = open(k->file, O_RDONLY | O_CLOEXEC)};
    struct stat st;
    if (copy.fd < 0)
        return err_errno(e, errno, "cannot open '%.300s'", k->file);
    bool ok = fstat(copy.fd, &st) == 0 || err_errno(e, errno, "cannot read '%.300s'", k->file);
    if (ok && S_ISDIR(st.st_mode))
        ok = err_set(e, ERR_USAGE, "'%.300s' is a folder", k->file);
    ok = ok && send(ctx, c, k, &copy, e);
    close(copy.fd);
    if (ok)
        sink_printf(ctx->out, "%s\n", copy.tag);
    return ok;
}

static bool copy_to(struct magic_ctx *ctx, struct connection *c, const struct command *k, struct err *e)
{
    struct copying copy = {.file = k->file};
    if (!outfile_open(&copy.to, ctx->arena, k->file, e))
        return false;
    bool ok = send(ctx, c, k, &copy, e);
    ok = outfile_close(&copy.to, ok, e);
    if (ok)
        sink_printf(ctx->out, "%s\n", copy.tag);
    return ok;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct command k;
    const char *text = args_get(args, "what");
    if (!text)
        return usage(e, "\\copy needs a table");
    if (!parse(ctx, text, strlen(text), &k, e))
        return false;
    struct connection *c = session_connection(ctx->session, NULL, e);
    return c && (k.from ? copy_from(ctx, c, &k, e) : copy_to(ctx, c, &k, e));
}

static const struct arg_row rows[] = {
    {.name = "what", .positional = true, .type = ARG_REST, .placeholder = "TABLE|(QUERY) from|to 'FILE' [OPTIONS]",
     .complete = "relation", .help = "a table with or without columns, or for \"to\" a query; options as of COPY"},
    {.name = NULL}};

const struct magic magic_copy = {
    .name = "copy",
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "copy a file of this machine into a table, or a table or a query to a file",
    .help = "The file is one of the notebook's machine; its name is relative to the notebook's folder. A file that is there is "
            "replaced when the new one is whole. On the server it is COPY with STDIN or STDOUT, in the open transaction if there is one.",
    .examples = "\\copy shop.orders from 'orders.csv' csv header\n\\copy (SELECT * FROM shop.orders) to 'orders.csv' csv header",
    .args = rows,
    .run = run,
};
