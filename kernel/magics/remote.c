/* The workspace behind the magics (see remote.h): choosing, starting, asking for consent, waiting. */
#include "magics/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/xalloc.h"
#include "magics/child.h"
#include "magics/session.h"

enum { PAGES_MAX = 1000, CHILD_TEXT_MAX = 16 << 10, NAMES_MAX = 100 };

bool remote_is_embedded(const struct session *s) { return strcmp(s->target, "local") == 0; }

void remote_choose(struct session *s, const char *target)
{
    char *kept = xstrdup(target);
    session_forget_client(s);
    free(s->target);
    s->target = kept;
}

/* ---- the local workspace ---- */

static char *workspace_program(struct err *e)
{
    const char *told = getenv("LAKEBASE_WORKSPACE_PROGRAM");
    if (told && *told)
        return xstrdup(told);
    char *dir = fs_program_dir(e);
    if (!dir)
        return NULL;
    char *path = xasprintf("%s/lakebase-workspace", dir);
    free(dir);
    if (!fs_exists(path)) {
        free(path);
        path = xstrdup("lakebase-workspace"); /* in PATH */
    }
    return path;
}

/* The program that starts the workspace, while it runs. */
struct starting {
    struct buf said;
    struct progress shown;
};

static void keep_stderr(void *self, bool is_stderr, const char *text, size_t len)
{
    struct starting *s = self;
    if (is_stderr)
        buf_add(&s->said, text, len);
}

static void show_starting(void *self)
{
    struct starting *s = self;
    progress_update(&s->shown, NULL, 0, 0);
}

/* The last line of what it said. */
static const char *last_line(struct arena *a, const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        len--;
    size_t from = len;
    while (from > 0 && text[from - 1] != '\n')
        from--;
    return arena_strndup(a, text + from, len - from);
}

static bool start_workspace(struct magic_ctx *ctx, struct err *e)
{
    char *program = workspace_program(e);
    if (!program)
        return err_wrap(e, "cannot find the program of the local workspace");
    struct starting s;
    buf_init(&s.said, CHILD_TEXT_MAX);
    progress_open(&s.shown, ctx->out, "starting the local workspace");
    const char *argv[] = {program, "start", NULL};
    struct child child = {.argv = argv, .self = &s, .output = keep_stderr, .tick = show_starting};
    int status = 0;
    bool ok = child_run(&child, &status, ctx->cancel, e);
    progress_close(&s.shown, NULL);
    if (ok && status != 0) {
        const char *why = last_line(ctx->arena, buf_str(&s.said));
        err_set(e, ERR_UNAVAILABLE, "the local workspace did not start%s%s", *why ? ": " : "", why);
        err_hint(e, "run 'lakebase-workspace start' in a terminal to see more, or choose another one with %%workspace PROFILE");
        ok = false;
    }
    buf_release(&s.said);
    free(program);
    return ok;
}

/* The local workspace writes its address and a token into a profile when it starts. */
static struct dbx_client *open_profile(struct session *s, struct err *e)
{
    if (!remote_is_embedded(s)) {
        struct dbx_options o = {.profile = strcmp(s->target, "env") == 0 ? NULL : s->target};
        return dbx_open(&o, e);
    }
    if (!s->state_dir && !(s->state_dir = fs_state_dir(e)))
        return NULL;
    char *file = xasprintf("%s/databrickscfg", s->state_dir);
    struct dbx_options o = {.profile = "local", .config_file = file};
    struct dbx_client *c = fs_exists(file) ? dbx_open(&o, e) : NULL;
    if (!c)
        err_set(e, ERR_UNAVAILABLE, "the local workspace has not written its profile");
    free(file);
    return c;
}

struct dbx_client *remote_peek(struct session *s)
{
    struct err none = {0};
    if (!s->client)
        s->client = open_profile(s, &none);
    return s->client;
}

struct dbx_client *remote_client(struct magic_ctx *ctx, struct err *e)
{
    struct session *s = ctx->session;
    bool embedded = remote_is_embedded(s);
    /* The local one may have died, or been reset with new tokens, since the last cell. */
    if (s->client && (!embedded || s->checked))
        return s->client;
    session_forget_client(s);
    if (!embedded || start_workspace(ctx, e))
        s->client = open_profile(s, e);
    s->checked = s->client != NULL;
    return s->client;
}

bool remote_call(struct magic_ctx *ctx, enum dbx_route route, const struct dbx_param *params, const void *request,
                 void *response, struct err *e)
{
    struct dbx_client *c = remote_client(ctx, e);
    return c && dbx_call(c, route, params, request, response, ctx->cancel, e);
}

const char *remote_me(struct magic_ctx *ctx, struct err *e)
{
    struct session *s = ctx->session;
    struct dbx_client *c = remote_client(ctx, e);
    if (!c)
        return NULL;
    if (s->me)
        return s->me;
    struct scim_me me = {0};
    if (dbx_call(c, DBX_me, NULL, NULL, &me, ctx->cancel, e)) {
        s->me = xstrdup(me.user_name);
        model_release(&model_scim_me, &me);
        if (!s->me)
            err_set(e, ERR_REMOTE, "the workspace does not say who you are");
    }
    return s->me;
}

const char *remote_ca(struct magic_ctx *ctx, struct err *e)
{
    struct session *s = ctx->session;
    if (!s->client || !dbx_is_local(s->client))
        return pg_system_roots(e);
    if (!s->state_dir && !(s->state_dir = fs_state_dir(e)))
        return NULL;
    return arena_printf(ctx->arena, "%s/ca.crt", s->state_dir);
}

/* ---- consent ---- */

static bool ask(struct magic_ctx *ctx, const char *question, struct err *e)
{
    struct buf answer;
    buf_init(&answer, 1000);
    bool ok = ctx->host && ctx->host->input
                  ? ctx->host->input(ctx->host->self, question, false, &answer, e)
                  : err_set(e, ERR_INVALID_STATE, "this front end cannot be asked");
    const char *text = buf_str(&answer);
    bool yes = ok && (strcasecmp(text, "y") == 0 || strcasecmp(text, "yes") == 0);
    if (ok && !yes)
        err_set(e, ERR_CANCELLED, "not done: the answer was not yes");
    buf_release(&answer);
    return yes;
}

bool remote_consent(struct magic_ctx *ctx, const char *what, bool always, bool yes, struct err *e)
{
    struct dbx_client *c = remote_client(ctx, e);
    if (!c)
        return false;
    if (yes || (dbx_is_local(c) && !always))
        return true;
    const char *where = "";
    if (!dbx_is_local(c))
        where = arena_printf(ctx->arena, " on %s, where it may cost money", dbx_host(c));
    struct err asked = {0};
    if (ask(ctx, arena_printf(ctx->arena, "%s%s? [y/N] ", what, where), &asked))
        return true;
    if (asked.code == ERR_INVALID_STATE) {
        err_set(e, ERR_INVALID_STATE, "%s%s? This front end cannot be asked", what, where);
        err_hint(e, "add --yes to agree in the cell");
        return false;
    }
    *e = asked;
    return false;
}

/* ---- calls that several magics make ---- */

bool remote_pages(struct magic_ctx *ctx, enum dbx_route route, const struct dbx_param *params, remote_page_fn *page,
                  void *self, struct err *e)
{
    const struct model *m = dbx_route_info(route)->response;
    struct dbx_param all[8] = {{NULL, NULL}};
    size_t n = 0;
    for (; params && params[n].name && n < ARRAY_LEN(all) - 2; n++)
        all[n] = params[n];
    for (int i = 0; i < PAGES_MAX; i++) {
        void *got = arena_alloc(ctx->arena, m->size);
        if (!remote_call(ctx, route, all, NULL, got, e))
            return false;
        const char *next = NULL;
        bool more = page(self, got, &next);
        next = arena_strdup(ctx->arena, next);
        model_release(m, got);
        if (!more || !next || !*next)
            return true;
        all[n] = (struct dbx_param){"page_token", next};
        all[n + 1] = (struct dbx_param){NULL, NULL};
    }
    return err_set(e, ERR_TOO_BIG, "%s: more than %d pages", dbx_route_info(route)->operation, PAGES_MAX);
}

struct names {
    struct arena *arena;
    const char *names[NAMES_MAX + 1];
    size_t n;
};

static bool collect_names(void *self, const void *page, const char **next_token)
{
    struct names *names = self;
    const struct database_instance_list *list = page;
    const struct database_instance *items = list->database_instances.items;
    for (size_t i = 0; i < list->database_instances.count && names->n < NAMES_MAX; i++)
        names->names[names->n++] = arena_strdup(names->arena, text_or_empty(items[i].name));
    *next_token = list->next_page_token;
    return names->n < NAMES_MAX;
}

static void hint_at_instances(struct magic_ctx *ctx, const char *name, struct err *e)
{
    struct names names = {.arena = ctx->arena};
    struct err none = {0};
    if (!remote_pages(ctx, DBX_list_database_instances, NULL, collect_names, &names, &none))
        return;
    names.names[names.n] = NULL;
    const char *near = args_nearest(name, strlen(name), names.names);
    if (near)
        err_hint(e, "did you mean %s? %%instance list shows all", near);
    else if (names.n == 0)
        err_hint(e, "there is none yet: %%instance create %s", name);
    else
        err_hint(e, "%%instance list shows all");
}

bool remote_instance(struct magic_ctx *ctx, const char *name, struct database_instance *out, struct err *e)
{
    struct dbx_param params[] = {{"name", name}, {NULL, NULL}};
    if (remote_call(ctx, DBX_get_database_instance, params, NULL, out, e))
        return true;
    if (e->http == 404) {
        struct err plain = {.code = e->code, .http = e->http};
        err_copy(plain.detail, sizeof plain.detail, e->text, strlen(e->text));
        *e = plain;
        snprintf(e->text, sizeof e->text, "there is no instance '%.200s'", name);
        hint_at_instances(ctx, name, e);
    }
    return false;
}

bool remote_credential(struct magic_ctx *ctx, const char *instance, struct database_credential *out, struct err *e)
{
    char *name = xstrdup(instance);
    struct credential_request request = {.instance_names = {.items = &name, .count = 1}};
    bool ok = remote_call(ctx, DBX_generate_database_credential, NULL, &request, out, e);
    free(name);
    if (ok && !out->token) {
        model_release(&model_database_credential, out);
        return err_set(e, ERR_REMOTE, "the workspace answered without a token");
    }
    return ok || err_wrap(e, "cannot get a token for instance '%s'", instance);
}

static void show_state(void *self, const char *state, long long ms)
{
    (void)ms; /* the display counts for itself */
    progress_update(self, state, 0, 0);
}

bool remote_wait(struct magic_ctx *ctx, const char *name, const char *want, const char *label,
                 struct database_instance *out, struct err *e)
{
    struct dbx_client *c = remote_client(ctx, e);
    if (!c)
        return false;
    struct progress p;
    progress_open(&p, ctx->out, label);
    bool ok = dbx_wait_instance(c, name, want, show_state, &p, out, ctx->cancel, e);
    progress_close(&p, NULL);
    return ok;
}
