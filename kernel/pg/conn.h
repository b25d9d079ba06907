/*
 * One PostgreSQL connection (libpq, non-blocking underneath). Every call takes a cancel token; an interrupt cancels the
 * query on the server and keeps the session. A connection belongs to one thread at a time.
 */
#ifndef PG_CONN_H
#define PG_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/err.h"

struct pg_conn;

struct pg_params {
    const char *conninfo;    /* keyword string or URI; merged first; NULL: none */
    const char *host;        /* each of the following replaces what conninfo says, when not NULL */
    const char *port;
    const char *dbname;
    const char *user;
    const char *password;    /* never copied into any message */
    const char *sslmode;
    const char *sslrootcert;
    const char *application_name; /* NULL: "lakebase" */
    int connect_timeout_ms;  /* 0: 15 s */
};

enum pg_tx { PG_TX_IDLE = 1, PG_TX_ACTIVE, PG_TX_IN_BLOCK, PG_TX_FAILED, PG_TX_UNKNOWN };

/* In main, before the first thread: libpq takes these from the environment before a host that we name (an empty hostaddr
 * does not count as one), and logins with their tokens would go elsewhere. Inline, so that it needs no libpq. */
static inline void pg_forget_redirects(void)
{
    unsetenv("PGHOSTADDR");
    unsetenv("PGSERVICE");
    unsetenv("PGREQUIREPEER");
}

/* For sslrootcert: who signs for hosts on the internet, from the system. libpq 16 has a word for it, for older ones it is
 * the distribution's file. Static; NULL and ERR_CONFIG when there is none. */
const char *pg_system_roots(struct err *e);

/* Connect. The session gets: client_encoding UTF8, DateStyle ISO, IntervalStyle postgres, TimeZone UTC, bytea_output hex,
 * in the start-up packet (no extra round trip). A pooler that refuses those is asked again without them, and DateStyle and TimeZone
 * are SET then. Errors: ERR_LOGIN (28000 and 28P01 alike, sqlstate set), ERR_CONNECT,
 * ERR_TIMEOUT, ERR_CANCELLED, ERR_CONFIG for a conninfo that cannot be read. NULL on failure. */
struct pg_conn *pg_open(const struct pg_params *p, struct cancel *c, struct err *e);
void pg_close(struct pg_conn *conn); /* NULL is fine */

/* What the server said apart from results: NOTICE, WARNING. Called in order with results. text has no newline at the end. */
typedef void pg_notice_fn(void *self, const char *severity, const char *text, const char *detail, const char *hint);
void pg_on_notice(struct pg_conn *conn, pg_notice_fn *fn, void *self);

enum pg_tx pg_tx_state(const struct pg_conn *conn);
bool pg_alive(const struct pg_conn *conn);
const char *pg_host(const struct pg_conn *conn); /* these borrow; "" when unknown */
const char *pg_port(const struct pg_conn *conn);
const char *pg_user(const struct pg_conn *conn);
const char *pg_dbname(const struct pg_conn *conn);
int pg_backend_pid(const struct pg_conn *conn);
int pg_server_version(const struct pg_conn *conn); /* 150018 */
const char *pg_parameter(const struct pg_conn *conn, const char *name); /* reported setting, NULL: unknown */
/* What the connection was opened with, by libpq's keyword ("sslmode"; "password" is a secret). The caller frees it; NULL:
 * nothing. */
char *pg_option(const struct pg_conn *conn, const char *keyword);
/* "TLSv1.3, TLS_AES_256_GCM_SHA384" or "" without TLS. */
const char *pg_tls(const struct pg_conn *conn);

#endif
