/* Running code in the notebook's Python (see python_run.h). */
#include "magics/python_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/python_env.h"
#include "magics/remote.h"
#include "magics/session.h"

bool python_offered(const struct magic_ctx *ctx, struct err *e)
{
    return (ctx->host && ctx->host->python) || err_set(e, ERR_NOT_IMPLEMENTED, "%%%%python works in a notebook only");
}

/* What goes down beside the code: only what the child does not have yet. */
static char *metadata(struct magic_ctx *ctx, const struct python_answer *python, const char *code, struct err *e)
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
    l->uses_result = l->uses_result || strstr(code, "_sqldf");
    if (l->uses_result && l->result != s->last.serial) {
        json_object_set_new(told, "result", last_result_json(&s->last));
        l->result = s->last.serial;
    }
    json_t *all = json_pack("{so}", "lakebase", told);
    char *text = jx_dump(all);
    json_decref(all);
    return text;
}

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

bool python_start(struct magic_ctx *ctx, struct python_answer *answer, struct err *e)
{
    struct progress p;
    struct python_call c = {.step = PYTHON_START, .tick = tick, .self = &p};
    progress_open(&p, ctx->out, "starting Python");
    bool ok = call(ctx, &c, answer, e);
    progress_close(&p, NULL);
    return ok && greet(ctx, answer, e);
}

bool python_run(struct magic_ctx *ctx, const struct python_answer *python, const char *code, struct err *e)
{
    struct python_answer answer = {0};
    char *more = metadata(ctx, python, code, e);
    struct python_call c = {.step = PYTHON_RUN, .code = code, .metadata = more};
    bool ok = more && call(ctx, &c, &answer, e);
    if (!ok && answer.error)
        ctx->bundle = json_loads(answer.error, JSON_ALLOW_NUL, NULL);
    python_answer_release(&answer);
    free(more);
    return ok;
}
