/* What outlives a cell (see session.h). How a connection or the client is opened: connect.h and remote.h. */
#include "magics/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/interp.h"
#include "magics/names.h"
#include "magics/pools.h"
#include "magics/side.h"

struct session *session_new(void)
{
    struct session *s = xcalloc(1, sizeof *s);
    s->settings = (struct settings){.rows = TABLE_ROW_CAP, .fetch_limit = 10000};
    s->target = xstrdup("local");
    return s;
}

void connection_release(struct connection *c)
{
    if (c->pool)
        pool_return(c->pool, c->pg);
    else
        pg_close(c->pg);
    free(c->alias);
    free(c->instance);
    free(c->workspace);
    xfree_secret(c->conninfo);
    xfree_secret(c->password);
    free(c->dbname);
    savepoints_forget(&c->savepoints);
    xfree_secret(c->background);
    *c = (struct connection){0};
}

void session_forget_client(struct session *s)
{
    dbx_close(s->client);
    free(s->me);
    s->client = NULL;
    s->me = NULL;
    s->checked = false;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    side_forget();
    pools_close_all(s);
    while (s->connections)
        session_remove(s, s->connections);
    session_forget_client(s);
    names_forget_all();
    for (size_t i = 0; i < s->n_hints; i++)
        free(s->hints[i].id);
    last_result_release(&s->last);
    variables_release(&s->variables);
    python_link_forget(&s->python);
    free(s->target);
    free(s->state_dir);
    free(s->lake_catalog);
    free(s->lake_schema);
    free(s);
}

struct connection *session_find(struct session *s, const char *alias)
{
    for (struct connection *c = s->connections; c; c = c->next) {
        if (strcmp(c->alias, alias) == 0)
            return c;
    }
    return NULL;
}

static void suggest(struct session *s, const char *alias, struct err *e)
{
    const char *names[CONNECTIONS_MAX + 1];
    size_t n = 0;
    for (struct connection *c = s->connections; c && n < CONNECTIONS_MAX; c = c->next)
        names[n++] = c->alias;
    names[n] = NULL;
    const char *near = args_nearest(alias, strlen(alias), names);
    if (near)
        err_hint(e, "did you mean %s? %%connections lists what is open", near);
    else
        err_hint(e, n ? "%%connections lists what is open" : "open one with %%connect INSTANCE");
}

struct connection *session_connection(struct session *s, const char *alias, struct err *e)
{
    struct connection *c = alias ? session_find(s, alias) : s->current;
    if (c)
        return c;
    if (alias) {
        err_set(e, ERR_NOT_FOUND, "no connection is called '%s'", alias);
        suggest(s, alias, e);
    } else {
        err_set(e, ERR_CONNECT, "no connection");
        err_hint(e, "open one with %%connect INSTANCE; %%instance list shows the instances");
    }
    return NULL;
}

bool session_has_room(const struct session *s, struct err *e)
{
    size_t n = 0;
    for (const struct connection *c = s->connections; c; c = c->next)
        n++;
    return n < CONNECTIONS_MAX || err_set(e, ERR_TOO_BIG, "%d connections are open; %%disconnect some", CONNECTIONS_MAX);
}

struct connection *session_add(struct session *s, const struct connection *c)
{
    struct connection **end = &s->connections, *kept = xmalloc(sizeof *kept);
    while (*end)
        end = &(*end)->next;
    *kept = *c;
    kept->next = NULL;
    *end = kept;
    s->current = kept;
    return kept;
}

void session_remove(struct session *s, struct connection *c)
{
    struct connection **at = &s->connections;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    if (s->current == c) {
        s->current = s->connections;
        while (s->current && s->current->next)
            s->current = s->current->next;
    }
    connection_release(c);
    free(c);
}

const char *connection_state(struct connection *c)
{
    if (!pg_alive(c->pg))
        return "lost";
    switch (pg_tx_state(c->pg)) {
    case PG_TX_IN_BLOCK: return "in transaction";
    case PG_TX_FAILED: return "failed transaction";
    case PG_TX_ACTIVE: return "running";
    case PG_TX_IDLE: case PG_TX_UNKNOWN: break;
    }
    return "idle";
}

const char *connection_work(const struct connection *c)
{
    const char *work = c->background ? "a statement in the background" : c->in_tx ? "an open transaction" : NULL;
    return work && pg_alive(c->pg) ? work : NULL; /* asking an idle session would show what its server said at its end */
}
