/* %%pool --compare psycopg (see pool_psycopg.h). The clients are lakebase.py's _pool; question and answer are private files in
 * Python's folder, since the question holds the password. */
#include "magics/pool_psycopg.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/python_run.h"

enum { ANSWER_MAX = 1 << 20 };

bool psycopg_ready(struct magic_ctx *ctx, struct err *e)
{
    struct python_answer python = {0};
    bool ok = python_offered(ctx, e) && python_start(ctx, &python, e);
    python_answer_release(&python);
    return ok;
}

static bool write_question(struct magic_ctx *ctx, const struct load *l, const char *path, const char *answer, struct err *e)
{
    struct pool_stats s;
    json_t *login = pools_parameters(l->pool, ctx->cancel, e);
    if (!login)
        return false;
    pool_stats(l->pool->pool, &s);
    json_t *all = json_pack("{s:o,s:o,s:o,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:b}", "login", login, "sql", jx_str(l->bound->sql), "answer", jx_str(answer),
                            "clients", l->clients, "calls", l->calls, "think_ms", l->think_ms, "min", s.min_size, "max", s.max_size,
                            "timeout_ms", l->timeout_ms >= 0 ? l->timeout_ms : l->pool->timeout_ms, "max_waiting",
                            l->pool->max_waiting, "prepare", l->prepare);
    char *text = jx_dump(all);
    json_decref(all);
    bool ok = fs_write_atomic(path, text, strlen(text), 0600, e);
    xfree_secret(text);
    return ok;
}

static void take_failures(const json_t *failures, struct load_result *out)
{
    size_t i;
    json_t *f;
    json_array_foreach(failures, i, f)
        load_count_failed(out, jx_get_str(f, "sqlstate", ""), jx_get_str(f, "name", "Error"), jx_get_str(f, "text", ""), "",
                          jx_get_int(f, "count", 1));
}

static void take(const json_t *a, struct load_result *out)
{
    const json_t *counts = json_object_get(a, "counts");
    *out = (struct load_result){
        .done = jx_get_int(a, "done", 0), .us = jx_get_int(a, "us", 0), .p50 = jx_get_int(a, "p50", 0),
        .p95 = jx_get_int(a, "p95", 0), .p99 = jx_get_int(a, "p99", 0), .most = jx_get_int(a, "most", 0),
        .wait_p95 = jx_get_int(a, "wait_p95", 0), .wait_most = jx_get_int(a, "wait_most", 0), .waited = jx_get_int(a, "waited", 0),
        .most_waiting = -1, .backends = (int)jx_get_int(a, "backends", 0),
        .counts = {.requests = jx_get_int(counts, "requests_num", 0), .waited = jx_get_int(counts, "requests_queued", 0),
                   .unserved = jx_get_int(counts, "requests_errors", 0), .connects = jx_get_int(counts, "connections_num", 0),
                   .connect_failures = jx_get_int(counts, "connections_errors", 0)}};
    take_failures(json_object_get(a, "failures"), out);
}

/* Nothing was measured: not installed, no login, or interrupted. */
static void put_error(struct magic_ctx *ctx, const json_t *a, const char *program, struct err *e)
{
    const char *error = jx_get_str(a, "error", ""), *sqlstate = jx_get_str(a, "sqlstate", "");
    if (!cancel_check(ctx->cancel, e))
        return;
    bool missing = jx_get_bool(a, "missing", false);
    err_set(e, missing ? ERR_CONFIG : *sqlstate ? ERR_SQL : ERR_CONNECT, "psycopg: %s", error);
    err_copy(e->sqlstate, sizeof e->sqlstate, sqlstate, strlen(sqlstate));
    if (missing)
        err_hint(e, "install it: %s -m pip install 'psycopg[binary,pool]'", program);
}

static bool read_answer(struct magic_ctx *ctx, const char *path, const char *program, struct load_result *out, struct err *e)
{
    struct buf file;
    buf_init(&file, ANSWER_MAX);
    json_t *a = fs_read(path, &file, e) ? json_loadb(buf_str(&file), file.len, 0, NULL) : NULL;
    if (!a && !e->code)
        err_set(e, ERR_CHILD, "Python gave no figures");
    else if (json_object_get(a, "error"))
        put_error(ctx, a, program, e);
    else if (a)
        take(a, out);
    json_decref(a);
    buf_release(&file);
    return !e->code;
}

bool psycopg_run(struct magic_ctx *ctx, const struct load *l, struct load_result *out, struct err *e)
{
    struct python_answer python = {0};
    if (!python_start(ctx, &python, e)) {
        python_answer_release(&python);
        return false;
    }
    const char *question = arena_printf(ctx->arena, "%s/pool.json", python.folder);
    const char *answer = arena_printf(ctx->arena, "%s/pool-answer.json", python.folder);
    json_t *word = jx_str(question);
    char *quoted = json_dumps(word, JSON_ENCODE_ANY); /* a JSON text is one of Python too */
    bool ok = write_question(ctx, l, question, answer, e) &&
              python_run(ctx, &python, arena_printf(ctx->arena, "__import__('lakebase')._pool(%s)", quoted), e) &&
              read_answer(ctx, answer, python.program, out, e);
    unlink(question);
    unlink(answer);
    free(quoted);
    json_decref(word);
    python_answer_release(&python);
    return ok;
}
