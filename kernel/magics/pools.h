/*
 * The pools of a notebook: named, over one instance (or server) each, kept until they are closed or the kernel ends.
 * How a pool works: pg/pool.h. Here is only where its connections go and with which token.
 */
#ifndef MAGICS_POOLS_H
#define MAGICS_POOLS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "magics/session.h"
#include "pg/credentials.h"
#include "pg/pool.h"

enum { POOLS_MAX = 20, POOL_CONNECTIONS_MAX = 100 /* of one */, POOL_TIME_MAX_MS = 24 * 60 * 60 * 1000 };

/* One pool with what its connections need; the token of an instance is asked for again before it ends. */
struct notebook_pool {
    char *name;
    char *where;              /* "instance workshop" */
    char *alias;              /* of the connection it was opened like */
    struct pool *pool;
    int timeout_ms, max_waiting; /* as it was opened */
    struct pool_login *login;
    struct pool_run *last;    /* pool_load.h; NULL: %%pool has not run on it */
    struct notebook_pool *next;
};

/* Open a pool of connections like `like` (a connection of the session). ERR_ALREADY_EXISTS. Waits until min are ready. */
struct notebook_pool *pools_open(struct magic_ctx *ctx, const char *name, struct connection *like,
                                 const struct pool_options *o, struct err *e);
/* What became of the tokens of its logins; false: it needs none. */
bool pools_tokens(struct notebook_pool *p, struct credentials_stats *out);
/* Borrow a connection as `alias` of the session; it goes back when that is closed. timeout_ms -1: the pool's. */
struct connection *pools_checkout(struct magic_ctx *ctx, struct notebook_pool *p, const char *alias, int timeout_ms, struct err *e);
/* ERR_NOT_FOUND names the pools there are. */
struct notebook_pool *pools_find(struct session *s, const char *name, struct err *e);
/* What is borrowed as a connection of the notebook goes back first. */
void pools_close(struct session *s, struct notebook_pool *p);
void pools_close_all(struct session *s);
/* One more connection of the same kind, outside of the pool. Any thread. */
struct pg_conn *pools_connect(struct notebook_pool *p, struct cancel *c, struct err *e);
/* How its connections log in, as parameters of psycopg.connect(), the password among them: only for a private file. */
json_t *pools_parameters(struct notebook_pool *p, struct cancel *c, struct err *e);

#endif
