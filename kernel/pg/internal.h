/* What the files of pg/ share. Not for other folders: libpq's types stay in here. */
#ifndef PG_INTERNAL_H
#define PG_INTERNAL_H

#include <libpq-fe.h>
#include <stdatomic.h>

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
    struct err last_words; /* a warning that a session gets when the server stops at once; then it may be gone, or not */
    struct arena arena;   /* names of types */
    struct pg_type *types;
    size_t n_types, types_cap;
    char type_text[32];
    bool pooled;          /* what statements leave in the session is written down, for the pool: */
    unsigned touched;     /* bits of pool_parts.h */
    struct pg_prepared *prepared; /* prepared.c: n_prepared of them, room for PREPARED_MAX; NULL: none yet */
    size_t n_prepared;
    char prepared_prefix[17];     /* of their names, random: behind a pooler the session of the server has other clients' too */
    unsigned prepared_numbers;    /* names so far */
    unsigned long prepared_runs;
    bool shared;          /* the server's session may be another one in each transaction (a transaction pooler) */
    bool bare;            /* logged in without our start-up settings (pg_bare_sql) */
    char failed_in[32];   /* the function of the server that raised the last error, "" when it does not say */
    atomic_llong idle_tx_us; /* pooled: since when it waits for the borrower with a transaction open (clock_mono_us); 0: it does
                                not. Any thread may read it */
    long long notified;   /* NOTIFY messages that were handed out */
    bool slow;            /* the last answer took so long that it is not worth waiting for the next one awake */
    bool sent;            /* pg_send: a statement is not collected yet */
    bool sent_reads;      /* … and nothing is lost when the rest of it is cancelled */
};

/* base/lazy.h: asked before anything else of libpq. */
bool pg_library(struct err *e);

/* The fields of a failed result. Sets ERR_SQL (ERR_CONNECT for a FATAL one) unless *e is set. Returns false. */
bool pg_result_err(const PGresult *res, struct err *e);
/* ERR_CONNECT with the server's farewell or libpq's message. Returns false. */
bool pg_lost(struct pg_conn *conn, struct err *e);
/* One statement as it is sent. */
struct pg_request {
    const char *sql;
    const char *prepared; /* the name of it on the server; NULL: the text is sent */
    bool prepare;         /* do not run it, give it that name */
    const char *const *values;
    const unsigned *types;
    size_t n;
};
struct pg_rows;
/* Any of pg/exec.h's ways. Gives the connection up when the server stays silent for silence_ms; -1: never. */
bool pg_exec_request(struct pg_conn *conn, const struct pg_request *q, const struct pg_rows *rows, int silence_ms, struct cancel *c,
                     struct err *e);
/* Parameters as libpq wants them. */
struct pg_param;
struct pg_values {
    const char **texts;
    unsigned *types;
};
void pg_values_of(const struct pg_param *params, size_t n, struct pg_values *out);
void pg_values_release(struct pg_values *v);
/* prepared.c: the session ended, or a command with this tag worked. */
void pg_prepared_forget(struct pg_conn *conn);
void pg_prepared_tag(struct pg_conn *conn, const char *tag);
/* pg_exec with silence_ms. */
bool pg_exec_within(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params,
                    const struct pg_rows *rows, int silence_ms, struct cancel *c, struct err *e);
/* pg_scalar for a question of ours that nobody can interrupt: the connection is given up when the server stays silent. */
bool pg_scalar_within(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params, int silence_ms,
                      char **out, struct err *e);
/* NOTIFY messages that came along go to the notice function; libpq would keep them for ever. */
void pg_hand_out_notifications(struct pg_conn *conn);
/* Drop the connection at once, without the server's help. */
void pg_hang_up(struct pg_conn *conn);

/* Ask the server to cancel what the connection runs. Waits at most wait_ms for the request to be taken; false: it was
 * not, and it may still reach the server at any later time, so the caller must hang up. */
bool pg_request_cancel(struct pg_conn *conn, int wait_ms);
/* Cancel what pg_send has begun until it is over: a single request is lost when it comes before the statement begins. The
 * connection is given up when the server stays silent for so long. */
void pg_stop_sent(struct pg_conn *conn, int silence_ms);
/* pg_request_cancel in steps, for a thread that has no business with the connection itself (the pool's). NULL: the connection was
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
    bool options_are_ours; /* the user gave none */
};
/* The login failed because a pooler takes no start-up settings, and it may be tried again without ours. */
bool pg_keywords_strip(struct pg_keywords *k, const struct err *e);
/* What stands in for them then: those that PgBouncer keeps for each client; the others have their values by default. */
extern const char pg_bare_sql[];
bool pg_keywords_init(struct pg_keywords *k, const struct pg_params *p, struct err *e);
void pg_keywords_release(struct pg_keywords *k);
/* Fill *e from libpq's report on a connection that did not come up. Returns false. */
bool pg_connect_err(PGconn *pg, const struct pg_keywords *k, struct err *e);

#endif
