/* The names that Tab offers (see names.h). */
#include "magics/names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "magics/deadline.h"
#include "magics/pools.h"
#include "magics/remote.h"

enum { REFRESH_MS = 2000, FRESH_MS = 2000 };

static const char *const providers[NAMES_KINDS] = {
    [NAMES_CONNECTION] = "connection", [NAMES_INSTANCE] = "instance", [NAMES_CATALOG] = "catalog",
    [NAMES_VARIABLE] = "variable", [NAMES_POOL] = "pool"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char **names;
    size_t n;
} known[NAMES_KINDS];

bool names_kind_of(const char *provider, enum names_kind *kind)
{
    for (size_t i = 0; provider && i < NAMES_KINDS; i++) {
        *kind = (enum names_kind)i;
        if (strcmp(providers[i], provider) == 0)
            return true;
    }
    return false;
}

void names_put(enum names_kind kind, const char *const *names, size_t n)
{
    n = n < NAMES_MAX ? n : NAMES_MAX;
    char **copy = xcalloc(n + 1, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = xstrdup(names[i]);
    pthread_mutex_lock(&lock);
    char **old = known[kind].names;
    size_t n_old = known[kind].n;
    known[kind].names = copy;
    known[kind].n = n;
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < n_old; i++)
        free(old[i]);
    free(old);
}

void names_each(enum names_kind kind, void (*add)(void *self, const char *name), void *self)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < known[kind].n; i++)
        add(self, known[kind].names[i]);
    pthread_mutex_unlock(&lock);
}

void names_forget_all(void)
{
    for (size_t i = 0; i < NAMES_KINDS; i++)
        names_put((enum names_kind)i, NULL, 0);
}

void names_note_cell(struct session *s)
{
    const char *aliases[CONNECTIONS_MAX];
    size_t n = 0;
    for (struct connection *c = s->connections; c && n < CONNECTIONS_MAX; c = c->next)
        aliases[n++] = c->alias;
    names_put(NAMES_CONNECTION, aliases, n);
    const char *variables[VARIABLES_MAX];
    n = 0;
    for (struct variable *v = s->variables.first; v && n < VARIABLES_MAX; v = v->next)
        variables[n++] = v->name;
    names_put(NAMES_VARIABLE, variables, n);
    const char *pools[POOLS_MAX];
    n = 0;
    for (struct notebook_pool *p = s->pools; p && n < POOLS_MAX; p = p->next)
        pools[n++] = p->name;
    names_put(NAMES_POOL, pools, n);
    s->names_ms = 0;
}

/* ---- asking the workspace ---- */

struct list {
    struct arena *arena;
    const char *names[NAMES_MAX];
    size_t n;
};

static void keep(struct list *l, const char *name)
{
    if (name && l->n < NAMES_MAX)
        l->names[l->n++] = arena_strdup(l->arena, name);
}

static bool keep_instances(void *self, const void *page, const char **next_token)
{
    const struct database_instance_list *list = page;
    const struct database_instance *items = list->database_instances.items;
    struct list *l = self;
    for (size_t i = 0; i < list->database_instances.count; i++)
        keep(l, items[i].name);
    *next_token = list->next_page_token;
    return l->n < NAMES_MAX;
}

static bool keep_catalogs(void *self, const void *page, const char **next_token)
{
    const struct catalog_info_list *list = page;
    const struct catalog_info *items = list->catalogs.items;
    struct list *l = self;
    for (size_t i = 0; i < list->catalogs.count; i++)
        keep(l, items[i].name);
    *next_token = list->next_page_token;
    return l->n < NAMES_MAX;
}

static void ask(struct magic_ctx *ctx, enum names_kind kind, enum dbx_route route, remote_page_fn *page)
{
    struct err none = {0};
    struct list *l = arena_alloc(ctx->arena, sizeof *l);
    l->arena = ctx->arena;
    l->n = 0;
    if (remote_pages(ctx, route, NULL, page, l, &none))
        names_put(kind, l->names, l->n);
}

void names_refresh(struct session *s, struct cancel *cancel)
{
    struct arena arena;
    struct deadline d;
    struct err none = {0};
    if ((s->names_ms && clock_mono_ms() - s->names_ms < FRESH_MS) || !remote_peek(s) ||
        !deadline_begin(&d, REFRESH_MS, cancel, &none))
        return;
    arena_init(&arena);
    struct magic_ctx ctx = {.session = s, .cancel = &d.token, .arena = &arena};
    s->checked = true; /* remote_client gives the client as it is */
    ask(&ctx, NAMES_INSTANCE, DBX_list_database_instances, keep_instances);
    ask(&ctx, NAMES_CATALOG, DBX_list_catalogs, keep_catalogs);
    s->checked = false;
    if (!cancel_fired(cancel))
        s->names_ms = clock_mono_ms();
    deadline_end(&d);
    arena_release(&arena);
}
