/*
 * One PostgreSQL connection (see conn.h): opening, closing, and what is known about it. Running statements is exec.c's.
 */
#include "pg/conn.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/exec.h"
#include "pg/internal.h"

enum { CANCEL_AT_CLOSE_MS = 2000 };

/* A server that crashes or stops in immediate mode says so with a warning, and hangs up. */
static void note_last_words(struct pg_conn *conn, const PGresult *res)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    if (!state || strncmp(state, "57P0", 4) != 0)
        return;
    err_init(&conn->last_words);
    pg_result_err(res, &conn->last_words);
    conn->last_words.code = ERR_CONNECT;
}

/* libpq hands over notices while it reads. A FATAL one on an idle connection is the reason for its end: kept for
 * pg_lost, because the result that follows has no SQLSTATE. */
static void on_notice(void *self, const PGresult *res)
{
    struct pg_conn *conn = self;
    const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    if (!severity || !text)
        return;
    if (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0) {
        err_init(&conn->farewell);
        pg_result_err(res, &conn->farewell);
        return;
    }
    if (strcmp(severity, "WARNING") == 0)
        note_last_words(conn, res);
    if (conn->notice)
        conn->notice(conn->notice_self, severity, text, PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL),
                     PQresultErrorField(res, PG_DIAG_MESSAGE_HINT));
}

static bool finish_login(PGconn *pg, const struct pg_keywords *k, struct cancel *c, struct err *e)
{
    int64_t end = clock_mono_ms() + k->timeout_ms;
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;
    if (PQstatus(pg) == CONNECTION_BAD)
        return pg_connect_err(pg, k, e);
    while (want != PGRES_POLLING_OK) {
        int64_t left = end - clock_mono_ms();
        short events = want == PGRES_POLLING_WRITING ? POLLOUT : POLLIN;
        if (!cancel_poll(c, PQsocket(pg), events, left > 0 ? (int)left : 0, e)) {
            if (e->code == ERR_TIMEOUT) {
                err_init(e);
                err_set(e, ERR_TIMEOUT, "the server did not complete the login within %.3g s", k->timeout_ms / 1000.0);
            }
            return false;
        }
        want = PQconnectPoll(pg);
        if (want == PGRES_POLLING_FAILED)
            return pg_connect_err(pg, k, e);
    }
    return true;
}

static bool log_in(struct pg_conn *conn, const struct pg_keywords *k, struct cancel *c, struct err *e)
{
    conn->pg = PQconnectStartParams(k->names, k->values, 0);
    if (!conn->pg)
        bug("out of memory for a connection");
    PQsetNoticeReceiver(conn->pg, on_notice, conn);
    /* Only so does libpq show the SQLSTATE of a refused login. */
    PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE);
    if (!finish_login(conn->pg, k, c, e))
        return false;
    PQsetErrorVerbosity(conn->pg, PQERRORS_DEFAULT);
    PQsetnonblocking(conn->pg, 1);
    return true;
}

/* As PgBouncer is configured when nobody configures it: it refuses what is not in its short list. */
static bool log_in_bare(struct pg_conn *conn, struct pg_keywords *k, struct cancel *c, struct err *e)
{
    if (!pg_keywords_strip(k, e))
        return false;
    PQfinish(conn->pg);
    err_init(e);
    conn->bare = true;
    return log_in(conn, k, c, e) && pg_run_within(conn, pg_bare_sql, k->timeout_ms, e);
}

struct pg_conn *pg_open(const struct pg_params *p, struct cancel *c, struct err *e)
{
    struct pg_keywords k;
    if (!pg_keywords_init(&k, p, e) || !cancel_check(c, e)) {
        pg_keywords_release(&k);
        return NULL;
    }
    struct pg_conn *conn = xcalloc(1, sizeof *conn);
    arena_init(&conn->arena);
    bool ok = log_in(conn, &k, c, e) || log_in_bare(conn, &k, c, e);
    pg_keywords_release(&k);
    if (!ok) {
        pg_close(conn);
        return NULL;
    }
    return conn;
}

void pg_hang_up(struct pg_conn *conn)
{
    PQfinish(conn->pg);
    conn->pg = NULL;
}

void pg_close(struct pg_conn *conn)
{
    if (!conn)
        return;
    if (conn->sent && PQstatus(conn->pg) == CONNECTION_OK)
        pg_stop_sent(conn, CANCEL_AT_CLOSE_MS); /* the server would go on, and keep its locks */
    pg_hang_up(conn);
    pg_prepared_forget(conn);
    free(conn->types);
    arena_release(&conn->arena);
    free(conn);
}

void pg_on_notice(struct pg_conn *conn, pg_notice_fn *fn, void *self)
{
    conn->notice = fn;
    conn->notice_self = self;
}

enum pg_tx pg_tx_state(const struct pg_conn *conn)
{
    switch (PQtransactionStatus(conn->pg)) {
    case PQTRANS_IDLE: return PG_TX_IDLE;
    case PQTRANS_ACTIVE: return PG_TX_ACTIVE;
    case PQTRANS_INTRANS: return PG_TX_IN_BLOCK;
    case PQTRANS_INERROR: return PG_TX_FAILED;
    case PQTRANS_UNKNOWN: break;
    }
    return PG_TX_UNKNOWN;
}

bool pg_alive(const struct pg_conn *conn)
{
    struct pollfd p = {.fd = PQsocket(conn->pg), .events = POLLIN};
    if (conn->sent) { /* what comes belongs to its statement, may be long, and is read by pg_collect alone */
        p.events = POLLRDHUP;
        return PQstatus(conn->pg) == CONNECTION_OK && poll(&p, 1, 0) != 1;
    }
    /* An end that came while nobody was reading shows as readable input: the farewell, then the end of the stream. */
    while (PQstatus(conn->pg) == CONNECTION_OK && poll(&p, 1, 0) == 1) {
        if (!PQconsumeInput(conn->pg))
            return false;
        PQisBusy(conn->pg); /* reads a farewell into the notice receiver */
    }
    return PQstatus(conn->pg) == CONNECTION_OK && conn->farewell.code == ERR_NONE;
}

static const char *or_empty(const char *text) { return text ? text : ""; }

const char *pg_host(const struct pg_conn *conn) { return or_empty(PQhost(conn->pg)); }
const char *pg_port(const struct pg_conn *conn) { return or_empty(PQport(conn->pg)); }
const char *pg_user(const struct pg_conn *conn) { return or_empty(PQuser(conn->pg)); }
const char *pg_dbname(const struct pg_conn *conn) { return or_empty(PQdb(conn->pg)); }
int pg_backend_pid(const struct pg_conn *conn) { return PQbackendPID(conn->pg); }
int pg_server_version(const struct pg_conn *conn) { return PQserverVersion(conn->pg); }

const char *pg_parameter(const struct pg_conn *conn, const char *name) { return PQparameterStatus(conn->pg, name); }

const char *pg_tls(const struct pg_conn *conn)
{
    if (!PQsslInUse(conn->pg))
        return "";
    struct pg_conn *own = (struct pg_conn *)(uintptr_t)conn;
    const char *protocol = or_empty(PQsslAttribute(conn->pg, "protocol"));
    const char *cipher = or_empty(PQsslAttribute(conn->pg, "cipher"));
    return arena_printf(&own->arena, "%s, %s", protocol, cipher);
}

char *pg_option(const struct pg_conn *conn, const char *keyword)
{
    char *value = NULL;
    PQconninfoOption *all = conn->pg ? PQconninfo(conn->pg) : NULL;
    for (PQconninfoOption *o = all; o && o->keyword; o++) {
        if (o->val && *o->val && strcmp(o->keyword, keyword) == 0)
            value = xstrdup(o->val);
        if (o->val && strstr(o->keyword, "password"))
            explicit_bzero(o->val, strlen(o->val));
    }
    PQconninfoFree(all);
    return value;
}
