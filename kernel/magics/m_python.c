/* %%python: the cell in the notebook's own Python, a real ipykernel that the kernel keeps (magics/python.h). */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "cell/split.h"
#include "magics/python_run.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* ---- the code ---- */

/* The first line that is not blank: its indentation. */
static const char *first_word(const char *body, size_t len, size_t *indent)
{
    const char *line = body, *at = body, *end = body + len;
    for (; at < end && is_space(*at); at++) {
        if (*at == '\n')
            line = at + 1;
    }
    *indent = (size_t)(at - line);
    return line;
}

/*
 * The body, with what stands above it as comments, so that a traceback counts lines as the cell does. (Blank lines would
 * not do: IPython takes them away.) They are indented like the body, which IPython may move to the left as a whole. A
 * cell magic of IPython must stay first.
 */
static char *numbered(const struct magic_ctx *ctx, struct err *e)
{
    struct buf out;
    size_t indent;
    const char *first = first_word(ctx->body, ctx->body_len, &indent);
    const char *line = ctx->cell, *end = ctx->body;
    bool magic = (size_t)(ctx->body + ctx->body_len - first) >= indent + 2 && memcmp(first + indent, "%%", 2) == 0;
    buf_init(&out, CELL_MAX_BYTES * 2);
    while (!magic && line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((stop ? stop : end) - line);
        buf_add(&out, first, indent);
        buf_puts(&out, n ? "# " : "#");
        buf_add(&out, line, n);
        buf_putc(&out, '\n');
        line += n + 1;
    }
    buf_add(&out, ctx->body, ctx->body_len);
    bool ok = buf_ok(&out, "the cell", e);
    if (ok && memchr(ctx->body, '\0', ctx->body_len))
        ok = err_set(e, ERR_SYNTAX, "a cell of Python cannot hold the character NUL");
    char *text = ok ? buf_detach(&out) : NULL;
    buf_release(&out);
    return text;
}

/* ---- steps ---- */

static bool run_code(struct magic_ctx *ctx, const struct python_answer *python, struct err *e)
{
    char *code = numbered(ctx, e);
    bool ok = code && python_run(ctx, python, code, e);
    free(code);
    return ok;
}

static bool show_status(struct magic_ctx *ctx, struct err *e)
{
    struct python_answer a = {0};
    struct python_call c = {.step = PYTHON_LOOK};
    bool ok = ctx->host->python(ctx->host->self, &c, &a, e);
    if (ok && a.running && a.version && *a.version)
        sink_printf(ctx->out, "Python %s runs as process %ld: %s\n", a.version, (long)a.pid, a.program);
    else if (ok)
        sink_printf(ctx->out, a.running ? "Python is starting.\n" : "Python does not run.\n");
    python_answer_release(&a);
    return ok;
}

static bool stop(struct magic_ctx *ctx, struct err *e)
{
    struct python_answer a = {0};
    struct python_call c = {.step = PYTHON_STOP};
    bool ok = ctx->host->python(ctx->host->self, &c, &a, e);
    python_answer_release(&a);
    return ok;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct python_answer answer = {0};
    size_t n = 0;
    if (!python_offered(ctx, e))
        return false;
    while (n < ctx->body_len && is_space(ctx->body[n]))
        n++;
    bool ok = !args_flag(args, "restart") || stop(ctx, e);
    if (ok && (n < ctx->body_len || args_flag(args, "restart")))
        ok = python_start(ctx, &answer, e);
    if (ok && n < ctx->body_len)
        ok = run_code(ctx, &answer, e);
    if (ok && args_flag(args, "status"))
        ok = show_status(ctx, e);
    python_answer_release(&answer);
    return ok;
}

static const struct arg_row rows[] = {
    {.name = "restart", .type = ARG_FLAG, .help = "begin with a new Python: variables, imports and connections go"},
    {.name = "status", .type = ARG_FLAG, .help = "say which Python it is, after the cell"},
    {.name = NULL}};

const struct magic magic_python = {
    .name = "python",
    .kinds = MAGIC_CELL,
    .group = "kernel",
    .summary = "run the cell in Python",
    .help = "The first cell starts a Python (IPython) that lives as long as the notebook; variables stay from cell to cell. "
            "It is the lab's environment ($LAKEBASE_PYTHON names another one). PGHOST, PGUSER and so on are those of the "
            "current connection, so psycopg.connect() needs no arguments; WorkspaceClient() finds the current workspace; "
            "passwords are in private files only. lakebase.token() makes a fresh token, lakebase.conninfo() says where the "
            "current connection goes. _sqldf is the last SQL result: a DataFrame with pandas, else a list of dicts; at most "
            "10,000 rows or 8 MiB.",
    .examples = "%%python\nimport psycopg\nwith psycopg.connect() as conn:\n    print(conn.execute(\"SELECT 6 * 7\").fetchone())"
                "\n%%python --restart\n%%python --status",
    .args = rows,
    .run = run,
};
