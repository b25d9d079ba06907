/* COPY … FROM STDIN without blocking (see copy.h). What a row looks like is the caller's business. */
#include "pg/copy.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "pg/internal.h"

enum { STOP_MS = 5000 /* for the answer to a copy that was given up */ };

/* Until everything queued is sent. Input is read too: a server that waits for us to read would wait for ever. */
static bool flush(struct pg_conn *conn, struct cancel *c, struct err *e)
{
    int pending;
    while ((pending = PQflush(conn->pg)) == 1) {
        if (!cancel_poll(c, PQsocket(conn->pg), POLLIN | POLLOUT, -1, e))
            return false;
        if (!PQconsumeInput(conn->pg))
            return pg_lost(conn, e);
    }
    return pending == 0 || pg_lost(conn, e);
}

/* Until a result can be had; ms -1: no limit. */
static bool pump(struct pg_conn *conn, int ms, struct cancel *c, struct err *e)
{
    if (!flush(conn, c, e))
        return false;
    while (PQisBusy(conn->pg)) {
        if (!cancel_poll(c, PQsocket(conn->pg), POLLIN, ms, e))
            return false;
        if (!PQconsumeInput(conn->pg))
            return pg_lost(conn, e);
    }
    return true;
}

/* Read results to the end of the statement; the first failure goes to *e. */
static bool read_end(struct pg_conn *conn, int64_t *rows, int ms, struct cancel *c, struct err *e)
{
    for (;;) {
        if (!pump(conn, ms, c, e))
            return false;
        PGresult *res = PQgetResult(conn->pg);
        if (!res)
            break;
        ExecStatusType status = PQresultStatus(res);
        const char *tag = PQcmdStatus(res);
        if (status == PGRES_COMMAND_OK && rows && strncmp(tag, "COPY ", 5) == 0)
            *rows = strtoll(tag + 5, NULL, 10);
        else if (status != PGRES_COMMAND_OK)
            pg_result_err(res, e);
        PQclear(res);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            return false;
    }
    if (PQstatus(conn->pg) == CONNECTION_BAD)
        return pg_lost(conn, e);
    return e->code == ERR_NONE;
}

bool pg_copy_in(struct pg_conn *conn, const char *sql, struct cancel *c, struct err *e)
{
    if (!cancel_check(c, e))
        return false;
    if (!pg_alive(conn) || !PQsendQuery(conn->pg, sql))
        return pg_lost(conn, e);
    if (!pump(conn, -1, c, e)) {
        pg_hang_up(conn); /* the statement may still begin */
        return false;
    }
    PGresult *res = PQgetResult(conn->pg);
    ExecStatusType status = PQresultStatus(res);
    if (status == PGRES_COPY_IN) {
        PQclear(res);
        return true;
    }
    if (status == PGRES_FATAL_ERROR)
        pg_result_err(res, e);
    else
        err_set(e, ERR_INTERNAL, "not a COPY ... FROM STDIN statement");
    PQclear(res);
    read_end(conn, NULL, -1, c, e);
    return false;
}

bool pg_copy_put(struct pg_conn *conn, const void *data, size_t len, struct cancel *c, struct err *e)
{
    const char *at = data;
    while (len > 0) {
        int piece = len > (1 << 20) ? 1 << 20 : (int)len;
        int sent = PQputCopyData(conn->pg, at, piece);
        if (sent < 0)
            return pg_lost(conn, e);
        if (!cancel_check(c, e) || !flush(conn, c, e))
            return false;
        if (sent == 1) {
            at += piece;
            len -= (size_t)piece;
        }
    }
    return true;
}

static bool end(struct pg_conn *conn, const char *why, struct cancel *c, struct err *e)
{
    int sent;
    while ((sent = PQputCopyEnd(conn->pg, why)) == 0) {
        if (!flush(conn, c, e))
            return false;
    }
    return sent == 1 || pg_lost(conn, e);
}

bool pg_copy_done(struct pg_conn *conn, int64_t *rows, struct cancel *c, struct err *e)
{
    if (end(conn, NULL, c, e) && read_end(conn, rows, -1, c, e))
        return true;
    if (e->code == ERR_CANCELLED || e->code == ERR_TIMEOUT)
        pg_hang_up(conn); /* indexes may be under way for long; what was not committed is gone */
    return false;
}

void pg_copy_stop(struct pg_conn *conn, struct err *e)
{
    struct err why;
    err_init(&why);
    if (!pg_alive(conn))
        return;
    if (!end(conn, "stopped by the client", NULL, &why) || !read_end(conn, NULL, STOP_MS, NULL, &why)) {
        bool ours = strstr(why.text, "stopped by the client") != NULL;
        if (e->code == ERR_NONE && !ours)
            *e = why;
    }
    if (pg_alive(conn) && PQtransactionStatus(conn->pg) == PQTRANS_ACTIVE)
        pg_hang_up(conn);
}
