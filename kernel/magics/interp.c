/*
 * The interpreter (see interp.h): cell → items → run in order, the first error ends the cell. What a magic does
 * is in its own file; how SQL is run is in statement.c.
 */
#include "magics/interp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/utf8.h"
#include "magics/advice.h"
#include "magics/help.h"
#include "magics/names.h"
#include "magics/session.h"
#include "magics/side.h"
#include "magics/statement.h"
#include "pg/exec.h"
#include "render/error.h"

enum { HELP_MAX = 1 << 20 };

/* ---- finding the magic ---- */

static unsigned kind_of(enum cell_kind kind)
{
    return kind == CELL_LINE_MAGIC ? MAGIC_LINE : kind == CELL_CELL_MAGIC ? MAGIC_CELL : MAGIC_BACKSLASH;
}

static const char *sign_of(enum cell_kind kind)
{
    return kind == CELL_LINE_MAGIC ? "%" : kind == CELL_CELL_MAGIC ? "%%" : "\\";
}

static bool unknown_magic(const struct cell_item *item, size_t len, struct err *e)
{
    const char *names[200];
    size_t n = 0, count;
    const struct magic *const *all = magic_all(&count);
    const struct magic *other = magic_find(item->name, len, MAGIC_LINE | MAGIC_CELL | MAGIC_BACKSLASH);
    const char *instead = item->kind == CELL_BACKSLASH ? advice_on_psql(item->name, len) : NULL;
    if (instead)
        err_set(e, ERR_USAGE, "\\%.*s is a command of psql that a notebook does not have", (int)len, item->name);
    else
        err_set(e, ERR_USAGE, "there is no magic %s%.*s", sign_of(item->kind), (int)len, item->name);
    for (size_t i = 0; i < count && n + 1 < sizeof names / sizeof *names; i++) {
        if (all[i]->kinds & kind_of(item->kind))
            names[n++] = all[i]->name;
    }
    names[n] = NULL;
    const char *near = args_nearest(item->name, len, names);
    if (instead)
        err_hint(e, "%s", instead);
    else if (other && other->kinds & MAGIC_CELL)
        err_hint(e, "it is a cell magic: write %%%%%s as the first line of a cell, and the rest below", other->name);
    else if (other)
        err_hint(e, "did you mean %s%s?", other->kinds & MAGIC_LINE ? "%" : "\\", other->name);
    else if (near)
        err_hint(e, "did you mean %s%s? %%help lists the magics", sign_of(item->kind), near);
    else
        err_hint(e, "%%help lists the magics");
    e->line = item->line;
    e->column = item->name_column;
    e->width = (int)len + (int)strlen(sign_of(item->kind));
    return false;
}

/* ---- running one item ---- */

static bool show_help(struct magic_ctx *ctx, const struct magic *m, const struct magic_sub *sub)
{
    struct buf plain, markdown;
    buf_init(&plain, HELP_MAX);
    buf_init(&markdown, HELP_MAX);
    help_magic(m, sub, HELP_PLAIN, 3, &plain);
    help_magic(m, sub, HELP_MARKDOWN, 3, &markdown);
    sink_markdown(ctx->out, buf_str(&markdown), buf_str(&plain));
    buf_release(&plain);
    buf_release(&markdown);
    return true;
}

static bool asks_for_help(const char *args, size_t len)
{
    return (len == 6 && memcmp(args, "--help", 6) == 0) || (len == 1 && *args == '?');
}

static size_t word_len(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] != ' ' && text[n] != '\t')
        n++;
    return n;
}

static bool unknown_sub(struct magic_ctx *ctx, const struct magic *m, size_t len, struct err *e)
{
    const char *names[50];
    size_t n = 0;
    struct buf list;
    buf_init(&list, 1000);
    for (const struct magic_sub *s = m->subs; s->name && n + 1 < sizeof names / sizeof *names; s++) {
        if (!*s->name)
            continue;
        buf_printf(&list, "%s%s", n ? ", " : "", s->name);
        names[n++] = s->name;
    }
    names[n] = NULL;
    const char *near = len ? args_nearest(ctx->args, len, names) : NULL;
    if (len)
        err_set(e, ERR_USAGE, "%%%s has no '%.*s'", m->name, (int)len, ctx->args);
    else
        err_set(e, ERR_USAGE, "%%%s needs a sub-command", m->name);
    if (near)
        err_hint(e, "did you mean %%%s %s? It has: %s", m->name, near, buf_str(&list));
    else
        err_hint(e, "it has: %s", buf_str(&list));
    buf_release(&list);
    e->line = ctx->line;
    e->column = ctx->column;
    e->width = len ? (int)len : 1;
    return false;
}

/* The sub-command that the arguments begin with; moves ctx past its name. */
static const struct magic_sub *take_sub(struct magic_ctx *ctx, const struct magic *m, struct err *e)
{
    size_t len = word_len(ctx->args, ctx->args_len);
    const struct magic_sub *sub = help_sub(m, ctx->args, len);
    if (!sub || (len == 0 && !*m->subs->name && sub != m->subs)) {
        if (!*m->subs->name)
            return m->subs; /* the default takes the word as an argument */
        unknown_sub(ctx, m, len, e);
        return NULL;
    }
    while (len < ctx->args_len && (ctx->args[len] == ' ' || ctx->args[len] == '\t'))
        len++;
    ctx->args += len;
    ctx->args_len -= len;
    ctx->column += (int)len;
    return sub;
}

/* The usage in the hint of args_parse, which does not know the command's name. */
static void name_usage(const struct magic *m, const struct magic_sub *sub, struct err *e)
{
    static const char usage[] = "usage: ";
    char hint[sizeof e->hint];
    struct buf sign;
    if (strncmp(e->hint, usage, strlen(usage)) != 0)
        return;
    buf_init(&sign, 200);
    help_sign(m, &sign);
    memcpy(hint, e->hint, sizeof hint);
    e->hint[0] = '\0';
    err_hint(e, "%s%s%s%s %s", usage, buf_str(&sign), sub && *sub->name ? " " : "", sub ? sub->name : "",
             hint + strlen(usage));
    buf_release(&sign);
}

static bool run_magic(struct magic_ctx *ctx, const struct cell_item *item, struct err *e)
{
    size_t len = strlen(item->name);
    bool help = len > 1 && item->name[len - 1] == '?';
    len -= help;
    const struct magic *m = magic_find(item->name, len, kind_of(item->kind));
    if (!m)
        return unknown_magic(item, len, e);
    ctx->name = arena_strndup(ctx->arena, item->name, len);
    ctx->args = item->args;
    ctx->args_len = item->args_len;
    ctx->line = item->line;
    ctx->column = item->column;
    ctx->body = item->body;
    ctx->body_len = item->body_len;
    ctx->body_line = item->body_line;
    const struct magic_sub *sub = NULL;
    if (help || asks_for_help(ctx->args, ctx->args_len))
        return show_help(ctx, m, NULL);
    if (m->subs && !(sub = take_sub(ctx, m, e)))
        return false;
    if (sub && asks_for_help(ctx->args, ctx->args_len))
        return show_help(ctx, m, sub);
    const struct args *args = args_parse(ctx->arena, sub ? sub->args : m->args, ctx->args, ctx->args_len, ctx->line,
                                         ctx->column, e);
    if (!args)
        name_usage(m, sub, e);
    return args && (sub ? sub->run : m->run)(ctx, args, e);
}

static bool run_sql(struct magic_ctx *ctx, const struct cell_item *item, struct err *e)
{
    struct connection *c = session_connection(ctx->session, NULL, e);
    ctx->name = NULL;
    return c && statement_run(ctx, c, item->args, item->args_len, &item->data, &ctx->session->settings, e);
}

/* ---- the cell ---- */

/* After the cell: a transaction that is left open is easily forgotten. To stdout, or as lines of the error. */
static void show_transactions(struct session *s, struct sink *out, json_t *traceback)
{
    bool several = s->connections && s->connections->next;
    struct arena a;
    arena_init(&a);
    for (struct connection *c = s->connections; c; c = c->next) {
        if (!connection_work(c))
            continue;
        bool failed = pg_tx_state(c->pg) == PG_TX_FAILED;
        const char *back = failed ? savepoints_newest(&c->savepoints, &a) : NULL;
        const char *line = arena_printf(
            &a, "%s%s%s%s%s%s", several ? "[" : "", several ? c->alias : "", several ? "] " : "",
            c->background ? "A statement runs in the background: %wait shows what comes of it, %cancel ends it."
            : back        ? "The transaction has failed: every statement is refused until ROLLBACK TO "
            : failed      ? "The transaction has failed: every statement is refused until ROLLBACK."
                          : "A transaction is open: COMMIT keeps its changes, ROLLBACK undoes them.",
            back ? back : "", back ? ", which keeps what was done before that savepoint, or ROLLBACK." : "");
        if (traceback)
            json_array_append_new(traceback, jx_str(line));
        else
            sink_printf(out, "%s\n", line);
    }
    arena_release(&a);
}

/* Which item it was, when the cell has several. */
static void add_which(json_t *bundle, const struct cell_items *items, size_t at)
{
    char line[200];
    if (items->count < 2)
        return;
    snprintf(line, sizeof line, "CELL:  part %zu of %zu (line %d) failed%s", at + 1, items->count,
             items->items[at].line,
             at + 1 < items->count ? "; the rest was not run" : "");
    json_array_append_new(json_object_get(bundle, "traceback"), jx_str(line));
}

static json_t *make_bundle(const struct magic_ctx *ctx, struct err *e)
{
    /* The source line is shown with a caret; one that may hold a secret is not. */
    if (interp_redact_err(ctx->cell, ctx->cell_len, e))
        e->line = 0;
    const char *condition = e->code == ERR_SQL ? pg_condition(e->sqlstate) : NULL;
    bool told = e->code == ERR_CANCELLED || e->code == ERR_TIMEOUT || !e->sqlstate[0];
    const char *advice = told ? NULL : ctx->advice ? ctx->advice : pg_advice(e->sqlstate);
    return error_bundle(e, condition, advice, ctx->cell, ctx->cell_len);
}

/* "SELECT 1 \gx": the splitter refuses the backslash; what to do instead is known here. */
static void explain_backslash(const struct magic_ctx *ctx, struct err *e)
{
    const char *at = ctx->cell, *end = at + ctx->cell_len;
    for (int line = 1; line < e->line && at; line++) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        at = nl ? nl + 1 : NULL;
    }
    if (e->code != ERR_SYNTAX || e->line < 1 || e->column < 1 || !at)
        return;
    at += utf8_offset(at, (size_t)(end - at), (size_t)e->column - 1);
    if (at == end || *at != '\\')
        return;
    size_t n = 0;
    while (at + 1 + n < end && !strchr(" \t\r\n;\\", at[1 + n]))
        n++;
    const char *instead = advice_on_psql(at + 1, n);
    if (instead)
        err_hint(e, "%s", instead);
}

static bool run_items(struct magic_ctx *ctx, const struct cell_items *items, size_t *at, struct err *e)
{
    for (size_t i = 0; i < items->count; i++) {
        const struct cell_item *item = &items->items[i];
        *at = i;
        ctx->last = i + 1 == items->count;
        if (!cancel_check(ctx->cancel, e))
            return false;
        if (!(item->kind == CELL_SQL ? run_sql(ctx, item, e) : run_magic(ctx, item, e)))
            return false;
    }
    return true;
}

bool interp_run(struct session *s, const struct cell_run *run, json_t **error)
{
    struct arena arena;
    struct err e;
    struct cell_items items = {0};
    size_t at = 0;
    arena_init(&arena);
    err_init(&e);
    struct magic_ctx ctx = {.session = s, .out = run->out, .cancel = run->cancel, .host = run->host, .arena = &arena,
                            .cell = run->code, .cell_len = run->len};
    s->ctx = &ctx;
    s->checked = false;
    bool ok = cell_split(&arena, run->code, run->len, &items, &e);
    if (ok)
        ok = run_items(&ctx, &items, &at, &e);
    else
        explain_backslash(&ctx, &e);
    *error = NULL;
    if (!ok) {
        *error = ctx.bundle ? ctx.bundle : make_bundle(&ctx, &e);
        add_which(*error, &items, at);
    }
    show_transactions(s, run->out, json_object_get(*error, "traceback"));
    names_note_cell(s);
    s->ctx = NULL;
    side_note(s, run->code, run->len); /* what a lost server says then is no output of this cell */
    arena_release(&arena);
    return ok;
}

bool interp_part(struct magic_ctx *ctx, const char *code, size_t len, struct sink *out, struct err *e)
{
    struct arena arena;
    struct cell_items items = {0};
    size_t at = 0;
    arena_init(&arena);
    struct magic_ctx part = {.session = ctx->session, .out = out, .cancel = ctx->cancel, .host = ctx->host, .arena = &arena,
                             .cell = code, .cell_len = len};
    ctx->session->ctx = &part;
    bool ok = cell_split(&arena, code, len, &items, e) && run_items(&part, &items, &at, e);
    ctx->session->ctx = ctx;
    e->line = 0;
    json_decref(part.bundle);
    arena_release(&arena);
    return ok;
}
