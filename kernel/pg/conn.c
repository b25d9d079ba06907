/*
 * One PostgreSQL connection (see conn.h): opening, closing, and what is known about it. Running statements is exec.c's.
 */
#include "pg/conn.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/internal.h"

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
    } else if (conn->notice) {
        conn->notice(conn->notice_self, severity, text, PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL),
                     PQresultErrorField(res, PG_DIAG_MESSAGE_HINT));
    }
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
                err_set(e, ERR_TIMEOUT, "the server did not complete the login within %d s", k->timeout_ms / 1000);
            }
            return false;
        }
        want = PQconnectPoll(pg);
        if (want == PGRES_POLLING_FAILED)
            return pg_connect_err(pg, k, e);
    }
    return true;
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
    conn->pg = PQconnectStartParams(k.names, k.values, 0);
    if (!conn->pg)
        bug("out of memory for a connection");
    PQsetNoticeReceiver(conn->pg, on_notice, conn);
    /* Only so does libpq show the SQLSTATE of a refused login. */
    PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE);
    bool ok = finish_login(conn->pg, &k, c, e);
    pg_keywords_release(&k);
    if (!ok) {
        pg_close(conn);
        return NULL;
    }
    PQsetErrorVerbosity(conn->pg, PQERRORS_DEFAULT);
    PQsetnonblocking(conn->pg, 1);
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
    pg_hang_up(conn);
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
