/* What the files of pg/ share. Not for other folders: libpq's types stay in here. */
#ifndef PG_INTERNAL_H
#define PG_INTERNAL_H

#include <libpq-fe.h>

#include "base/arena.h"
#include "pg/conn.h"

struct pg_type {
    unsigned oid;
    int mod;
    const char *name;
};

struct pg_conn {
    PGconn *pg; /* NULL once we hung up (pg_hang_up) */
    pg_notice_fn *notice;
    void *notice_self;
    struct err farewell;  /* why the server ended the session, when it said so */
    struct arena arena;   /* names of types */
    struct pg_type *types;
    size_t n_types, types_cap;
    char type_text[32];
    bool pooled;          /* what statements leave in the session is written down, for the pool: */
    unsigned touched;     /* bits of pool_parts.h */
};

/* base/lazy.h: asked before anything else of libpq. */
bool pg_library(struct err *e);

/* The fields of a failed result. Sets ERR_SQL (ERR_CONNECT for a FATAL one) unless *e is set. Returns false. */
bool pg_result_err(const PGresult *res, struct err *e);
/* ERR_CONNECT with the server's farewell or libpq's message. Returns false. */
bool pg_lost(struct pg_conn *conn, struct err *e);
/* pg_scalar for a question of ours that nobody can interrupt: the connection is given up when the server stays silent. */
bool pg_scalar_within(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params, int silence_ms,
                      char **out, struct err *e);
/* Drop the connection at once, without the server's help. */
void pg_hang_up(struct pg_conn *conn);

/* Ask the server to cancel what the connection runs. Waits at most wait_ms for the request to be taken; false: it was
 * not, and it may still reach the server at any later time, so the caller must hang up. */
bool pg_request_cancel(struct pg_conn *conn, int wait_ms);
/* The same in steps, for a thread that has no business with the connection itself (the pool's). NULL: the connection was
 * given up. Sending: any thread. */
struct pg_canceller *pg_canceller_new(const struct pg_conn *conn);
bool pg_canceller_send(struct pg_canceller *c, int wait_ms);
void pg_canceller_free(struct pg_canceller *c); /* NULL is fine */

/* The arrays for PQconnectStartParams (params.c). */
enum { PG_KEYWORDS_MAX = 80 };
struct pg_keywords {
    const char *names[PG_KEYWORDS_MAX + 1], *values[PG_KEYWORDS_MAX + 1];
    size_t n;
    PQconninfoOption *parsed;
    char *options;
    const char *secrets[4]; /* values that must not be shown; NULL-terminated */
    int timeout_ms;
};
bool pg_keywords_init(struct pg_keywords *k, const struct pg_params *p, struct err *e);
void pg_keywords_release(struct pg_keywords *k);
/* Fill *e from libpq's report on a connection that did not come up. Returns false. */
bool pg_connect_err(PGconn *pg, const struct pg_keywords *k, struct err *e);

#endif
