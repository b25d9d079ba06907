/* What the pool notices by itself (see pool.h): whose session is behind its connections, and who sits in a transaction without
 * using it. */
#include <string.h>

#include "pg/exec.h"
#include "pg/internal.h"
#include "pg/pool_parts.h"

/* ---- whose session: a connection of ours, or one that a pooler lends to many ---- */

/* ASK_MS is long: behind a pooler that has no session free just now, the answer takes as long as it would for a borrower. */
enum { ASK_MS = 10000, SECOND_MS = 2000, LOOKS = 8 };

/* params.c asks for it when a session starts. A pooler starts the server's sessions itself, and can at most SET it later. PgBouncer
 * shows nothing else: its SHOW exists in its own database only, and a process id that is not the server's also comes from proxies
 * that keep sessions apart. */
static const char ours_sql[] = "SELECT source = 'client' FROM pg_settings WHERE name = 'bytea_output'";

struct answer {
    char text[24];
};

static bool keep(void *self, const struct pg_value *values, size_t n)
{
    struct answer *a = self;
    if (n == 1 && values[0].text)
        err_copy(a->text, sizeof a->text, values[0].text, values[0].len);
    return true;
}

static bool answers(struct pg_conn *conn, const char *sql, int limit_ms, struct cancel *stop, struct answer *a)
{
    const struct pg_rows rows = {.self = a, .row = keep};
    struct err e;
    err_init(&e);
    *a = (struct answer){""};
    return pg_exec_within(conn, sql, NULL, 0, &rows, limit_ms, stop, &e) && *a->text;
}

/* Two connections in turn: in session mode each has a process of its own and keeps it. Whatever else they say, or do not say in
 * time, counts as shared: the warning is then too many, not too few. */
static bool keeps_sessions(struct pg_conn *conn, struct pg_conn *other, struct cancel *stop)
{
    static const char pid[] = "SELECT pg_backend_pid()";
    struct answer first[2], now;
    struct pg_conn *both[] = {conn, other};
    for (int i = 0; i < 2 * LOOKS; i++) {
        struct answer *to = i < 2 ? &first[i] : &now;
        if (!answers(both[i % 2], pid, i % 2 ? SECOND_MS : ASK_MS, stop, to) || strcmp(to->text, first[i % 2].text) != 0)
            return false;
    }
    return strcmp(first[0].text, first[1].text) != 0;
}

enum pool_route pool_pg_route(struct pg_conn *conn, enum pool_route known, const struct pool_options *o, struct cancel *stop)
{
    struct answer ours;
    struct err e;
    err_init(&e);
    if (known == POOL_ROUTE_UNKNOWN && answers(conn, ours_sql, ASK_MS, stop, &ours)) {
        known = POOL_ROUTE_OWN;
        if (strcmp(ours.text, "t") != 0) {
            struct pg_conn *other = o->connect(o->self, stop, &e);
            known = other && keeps_sessions(conn, other, stop) ? POOL_ROUTE_POOLER : POOL_ROUTE_SHARED;
            pg_close(other);
        }
    }
    conn->shared = known == POOL_ROUTE_SHARED;
    return known;
}

/* One at a time: makers that ask side by side could pass two sessions around in step, so that each seems to keep its own. */
void pool_ask_route(struct pool *p, struct pg_conn *conn)
{
    pool_lock(p);
    while (p->route_asking)
        pool_await_change(p, -1);
    enum pool_route known = p->route_asked ? p->stats.route : POOL_ROUTE_UNKNOWN, route;
    p->route_asking = known == POOL_ROUTE_UNKNOWN;
    pool_unlock(p);
    route = p->ops->route(conn, known, &p->o, &p->stop);
    pool_lock(p);
    if (known == POOL_ROUTE_UNKNOWN) {
        p->route_asking = false;
        p->route_asked = route != POOL_ROUTE_UNKNOWN;
        p->stats.route = p->route_asked ? route : p->stats.route;
        pthread_cond_broadcast(&p->changed);
    }
    pool_unlock(p);
}

const char *pool_route_name(enum pool_route route)
{
    static const char *const names[] = {
        [POOL_ROUTE_UNKNOWN] = "not known yet", [POOL_ROUTE_OWN] = "its own",
        [POOL_ROUTE_POOLER] = "of a pooler in session mode", [POOL_ROUTE_SHARED] = "shared, of a pooler in transaction mode"};
    return names[route];
}

/* ---- idle in a transaction ---- */

int64_t pool_pg_idle_tx(struct pg_conn *conn)
{
    return atomic_load_explicit(&conn->idle_tx_us, memory_order_relaxed);
}

static int64_t idle_since(const struct pool *p, const struct member *m)
{
    int64_t since = p->o.idle_in_tx_ms && m->state == MEMBER_BUSY && p->ops->idle_tx ? p->ops->idle_tx(m->conn) : 0;
    return since && p->o.now_us() - since >= (int64_t)p->o.idle_in_tx_ms * 1000 ? since : 0;
}

bool pool_sits_in_tx(const struct pool *p, const struct member *m) { return idle_since(p, m) != 0; }

void pool_find_idle_tx(struct pool *p)
{
    for (struct member *m = p->o.idle_in_tx_ms ? p->members : NULL; m; m = m->next) {
        int64_t since = idle_since(p, m);
        if (!since || since == m->idle_tx_us)
            continue;
        m->idle_tx_us = since; /* once, until its borrower does something */
        p->stats.idle_in_tx++;
        pool_note(p, POOL_IDLE_IN_TX, m, p->o.now_us());
    }
}
