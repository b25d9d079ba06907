/* %%python: the cell in the notebook's own Python, a real ipykernel that the kernel keeps (magics/python.h). */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "cell/split.h"
#include "magics/python_env.h"
#include "magics/remote.h"
#include "magics/session.h"

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

static bool names_result(const struct magic_ctx *ctx)
{
    return memmem(ctx->body, ctx->body_len, "_sqldf", 6) != NULL;
}

/* What goes down beside the code: only what the child does not have yet. */
static char *metadata(struct magic_ctx *ctx, const struct python_answer *python, struct err *e)
{
    struct session *s = ctx->session;
    struct python_link *l = &s->python;
    json_t *told = python_env(ctx, python, e);
    if (!told)
        return NULL;
    char *env = jx_dump(told);
    if (l->env && strcmp(l->env, env) == 0)
        json_object_clear(told);
    free(l->env);
    l->env = env;
    l->uses_result = l->uses_result || names_result(ctx);
    if (l->uses_result && l->result != s->last.serial) {
        json_object_set_new(told, "result", last_result_json(&s->last));
        l->result = s->last.serial;
    }
    json_t *all = json_pack("{so}", "lakebase", told);
    char *text = jx_dump(all);
    json_decref(all);
    return text;
}

/* ---- steps ---- */

static bool call(struct magic_ctx *ctx, const struct python_call *c, struct python_answer *answer, struct err *e)
{
    return ctx->host->python(ctx->host->self, c, answer, e);
}

static void tick(void *self) { progress_update(self, NULL, 0, 0); }

/* A new child: forget what the one before was told, and have the workspace there that its profile names. */
static bool greet(struct magic_ctx *ctx, const struct python_answer *python, struct err *e)
{
    struct session *s = ctx->session;
    struct err why = {0};
    if (s->python.generation == python->generation)
        return true;
    if (python->lost)
        sink_warn(ctx->out, "This is a new Python: the one before %s. Its variables, imports and connections are gone.\n",
                  python->lost);
    python_link_forget(&s->python);
    s->python.generation = python->generation;
    if (!remote_is_embedded(s) || remote_client(ctx, &why))
        return true;
    if (why.code == ERR_CANCELLED) {
        *e = why;
        return false;
    }
    sink_warn(ctx->out, "WorkspaceClient() will not work yet: %s\n", why.text);
    return true;
}

static bool start(struct magic_ctx *ctx, struct python_answer *answer, struct err *e)
{
    struct progress p;
    struct python_call c = {.step = PYTHON_START, .tick = tick, .self = &p};
    progress_open(&p, ctx->out, "starting Python");
    bool ok = call(ctx, &c, answer, e);
    progress_close(&p, NULL);
    return ok;
}

static bool run_code(struct magic_ctx *ctx, const struct python_answer *python, struct err *e)
{
    struct python_answer answer = {0};
    char *code = numbered(ctx, e), *more = code ? metadata(ctx, python, e) : NULL;
    struct python_call c = {.step = PYTHON_RUN, .code = code, .metadata = more};
    bool ok = more && call(ctx, &c, &answer, e);
    if (!ok && answer.error)
        ctx->bundle = json_loads(answer.error, JSON_ALLOW_NUL, NULL);
    python_answer_release(&answer);
    free(more);
    free(code);
    return ok;
}

static bool show_status(struct magic_ctx *ctx, struct err *e)
{
    struct python_answer a = {0};
    struct python_call c = {.step = PYTHON_LOOK};
    bool ok = call(ctx, &c, &a, e);
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
    bool ok = call(ctx, &c, &a, e);
    python_answer_release(&a);
    return ok;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct python_answer answer = {0};
    size_t n = 0;
    if (!ctx->host || !ctx->host->python)
        return err_set(e, ERR_NOT_IMPLEMENTED, "%%%%python works in a notebook only");
    while (n < ctx->body_len && is_space(ctx->body[n]))
        n++;
    bool ok = !args_flag(args, "restart") || stop(ctx, e);
    if (ok && (n < ctx->body_len || args_flag(args, "restart")))
        ok = start(ctx, &answer, e) && greet(ctx, &answer, e);
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
