/*
 * What outlives a cell: the open connections, the client of the workspace, the settings. Owned by the cell thread.
 * Private to magics/; the kernel sees only session_new and session_free (interp.h).
 */
#ifndef MAGICS_SESSION_H
#define MAGICS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "databricks/client.h"
#include "magics/last_result.h"
#include "magics/magic.h"
#include "magics/python_env.h"
#include "magics/savepoints.h"
#include "magics/variables.h"
#include "pg/conn.h"

enum { CONNECTIONS_MAX = 100, HINTS_SEEN_MAX = 64 };

/* One named connection. What is needed to open it again is kept, the token is not. */
struct connection {
    char *alias;
    char *instance;  /* NULL: not an instance of the workspace */
    char *workspace; /* the session's target when it was opened; NULL like instance */
    char *conninfo;  /* keyword string or URI, for what is not an instance; may hold a password, never shown */
    char *password;  /* asked from the user; never shown */
    char *dbname;
    struct pg_conn *pg; /* never NULL */
    struct pool *pool;  /* lent by it, and goes back there; NULL: its own */
    bool in_tx;         /* as of the last statement: a transaction is open or failed, and nobody said that it is lost */
    struct savepoints savepoints; /* of that transaction */
    char *background;   /* the statement that runs in the background (statement_send), NULL: none. May hold a secret */
    long long background_rows; /* how many rows of its result are shown */
    struct connection *next;
};

/* %set: each one works where its help says so (settings.c has the table). */
struct settings {
    long long rows;        /* rows of a result that are shown */
    long long fetch_limit; /* rows of a result that are read */
    long long timeout;     /* ms for a statement; 0: none */
    bool expanded, timing;
};

struct notebook_pool;

struct session {
    struct connection *connections; /* in the order they were opened */
    struct connection *current;     /* NULL: none */
    struct settings settings;
    struct variables variables; /* :name */

    struct dbx_client *client;    /* NULL: not opened yet */
    char *target;                 /* "local", "env", or the name of a profile */
    char *state_dir;              /* of the local workspace; NULL until it is used */
    char *me;                     /* user name; NULL until asked */
    char *lake_catalog, *lake_schema; /* of %%warehouse, as USE set them; NULL: the workspace's own */
    bool checked;                 /* the local workspace was seen alive in this cell */
    int64_t names_ms;             /* when Tab's names were asked for (names.h); 0: not since the last cell */

    struct hints_seen {
        char *id;
        size_t count;
    } hints[HINTS_SEEN_MAX];
    size_t n_hints;

    struct notebook_pool *pools; /* pools.h */

    struct last_result last;   /* for Python's _sqldf */
    struct python_link python; /* what the notebook's Python was told */

    struct magic_ctx *ctx; /* the running cell; NULL between cells */
};

/* By alias; NULL: none. */
struct connection *session_find(struct session *s, const char *alias);
/* The connection to use: `alias`, or the current one when it is NULL. NULL with ERR_NOT_FOUND or ERR_CONNECT,
 * which says how to connect. */
struct connection *session_connection(struct session *s, const char *alias, struct err *e);
/* ERR_TOO_BIG: CONNECTIONS_MAX are open. */
bool session_has_room(const struct session *s, struct err *e);
/* Take a connection (its strings and pg). One of the same alias must be gone. It becomes the current one. */
struct connection *session_add(struct session *s, const struct connection *c);
/* Close and forget. The newest of the rest becomes current if it was the current one. */
void session_remove(struct session *s, struct connection *c);
/* Free the strings and close the connection of a struct that was not added. */
void connection_release(struct connection *c);

/* Forget the client and who we are; target stays. */
void session_forget_client(struct session *s);

/* "in transaction", "failed transaction", "idle", "running", "lost". */
const char *connection_state(struct connection *c);
/* What would be lost with the session: "an open transaction", "a statement in the background"; NULL: nothing. */
const char *connection_work(const struct connection *c);

#endif
