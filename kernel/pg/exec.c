/*
 * Statements on a connection (see exec.h): send, wait without blocking, hand out rows one by one, and after a cancel
 * bring the session back to a usable state. What rows mean is the callbacks' business.
 */
#include "pg/exec.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/internal.h"
#include "pg/pool_parts.h"

enum {
    COLUMNS_MAX = 1664,            /* PostgreSQL's own limit of a result */
    ROW_BYTES_MAX = 64 << 20,      /* libpq holds a whole row in memory */
    TICK_MS = 500,
    CANCEL_SEND_MS = 3000,         /* for one cancel request */
    CANCEL_AGAIN_MS = 250,         /* a request that came before the statement began is lost, so it is repeated */
    CANCEL_SILENCE_MS = 5000       /* no byte for so long after a cancel: the server is not coming back */
};

struct run {
    struct pg_conn *conn;
    const struct pg_rows *rows;
    struct cancel *cancel;
    int silence_ms;       /* give up when nothing comes for so long; -1: never */
    struct err *e;
    struct pg_column *columns;
    struct pg_value *values;
    size_t n_columns;
    bool described;       /* columns of the current result were handed out */
    bool stopped;         /* the row callback has enough */
    bool may_cancel_rest; /* nothing is lost when the rest of this statement is cancelled */
    bool cancelling;      /* a cancel request is out */
    bool interrupted;     /* … because the token fired */
    bool completed;       /* a result came to its end */
    bool over;            /* the connection was given up */
    size_t reads;         /* since the last result */
    uint64_t received;    /* bytes on the socket at the first of them */
    int64_t heard_ms;
};

static bool give_up(struct run *r, enum err_code code, const char *text)
{
    err_set(r->e, code, "%s", text);
    err_hint(r->e, "connect again with %%connect; an open transaction was rolled back");
    pg_hang_up(r->conn);
    r->over = true;
    return false;
}

static bool request_cancel(struct run *r)
{
    r->cancelling = true;
    if (pg_request_cancel(r->conn, CANCEL_SEND_MS))
        return true;
    if (!pg_alive(r->conn))
        return true; /* the reader finds out */
    return give_up(r, r->interrupted ? ERR_CANCELLED : ERR_CONNECT,
                   "the server did not take the cancel request; the connection was closed");
}

static bool begin_cancel(struct run *r)
{
    r->heard_ms = clock_mono_ms();
    return r->cancelling || request_cancel(r);
}

/* Wait for input (and room for output) while a cancel is out. */
static bool wait_cancelled(struct run *r, int fd, short events)
{
    struct err e;
    err_init(&e);
    if (cancel_poll(NULL, fd, events, CANCEL_AGAIN_MS, &e))
        return true;
    if (clock_mono_ms() - r->heard_ms > CANCEL_SILENCE_MS)
        return give_up(r, r->interrupted ? ERR_CANCELLED : ERR_CONNECT,
                       "the server does not react to the cancel request; the connection was closed");
    return request_cancel(r);
}

static bool wait_input(struct run *r, bool flush_pending)
{
    int fd = PQsocket(r->conn->pg);
    short events = (short)(POLLIN | (flush_pending ? POLLOUT : 0));
    if (!r->cancelling) {
        struct err e;
        err_init(&e);
        bool ticks = r->silence_ms < 0 && r->rows && r->rows->tick;
        if (cancel_poll(r->cancel, fd, events, ticks ? TICK_MS : r->silence_ms, &e))
            return true;
        if (ticks && e.code == ERR_TIMEOUT) {
            r->rows->tick(r->rows->self);
            return true; /* whoever waits looks again */
        }
        if (e.code != ERR_CANCELLED)
            return give_up(r, e.code, e.text);
        r->interrupted = true;
        return begin_cancel(r);
    }
    return wait_cancelled(r, fd, events);
}

/* Bytes that came in on a TCP connection so far; false on a unix socket, which does not count. */
static bool received(int fd, uint64_t *bytes)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    *bytes = 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        return false;
    *bytes = info.tcpi_bytes_received;
    return true;
}

/* Read what is there. A row arrives as one message, which libpq keeps whole and which cannot be skipped in part: one
 * that grows past the cap ends the connection. (On a unix socket it is refused when it is complete, see give_rows.) */
static bool consume(struct run *r)
{
    int fd = PQsocket(r->conn->pg);
    uint64_t now;
    r->heard_ms = clock_mono_ms();
    if (received(fd, &now)) {
        if (r->reads++ == 0)
            r->received = now;
        else if (now - r->received > ROW_BYTES_MAX)
            return give_up(r, ERR_TOO_BIG, "a row is larger than 64 MiB; the connection was closed");
    }
    PQconsumeInput(r->conn->pg); /* a failure becomes a result */
    return true;
}

/* Until a result can be had without blocking. */
static bool pump(struct run *r)
{
    PGconn *pg = r->conn->pg;
    if (!r->interrupted && cancel_fired(r->cancel)) {
        r->interrupted = true;
        if (!begin_cancel(r))
            return false;
    }
    for (;;) {
        int pending = PQflush(pg);
        if (!PQisBusy(pg))
            break;
        if (!wait_input(r, pending == 1) || !consume(r))
            return false;
    }
    return true;
}

static bool describe(struct run *r, const PGresult *res)
{
    r->described = true;
    r->n_columns = (size_t)PQnfields(res);
    if (r->n_columns > COLUMNS_MAX) {
        r->n_columns = 0;
        r->stopped = true;
        err_set(r->e, ERR_TOO_BIG, "the result has more than %d columns", COLUMNS_MAX);
        return begin_cancel(r);
    }
    r->columns = xreallocarray(r->columns, r->n_columns, sizeof *r->columns);
    r->values = xreallocarray(r->values, r->n_columns, sizeof *r->values);
    for (size_t i = 0; i < r->n_columns; i++) {
        /* As psql aligns: column_type_alignment in fe_utils/print.c */
        static const unsigned numeric[] = {20, 21, 23, 26, 28, 29, 700, 701, 790, 1700, 5069};
        unsigned oid = PQftype(res, (int)i);
        bool right = false;
        for (size_t k = 0; k < ARRAY_LEN(numeric); k++)
            right |= oid == numeric[k];
        r->columns[i] = (struct pg_column){
            .name = PQfname(res, (int)i), .oid = oid, .mod = PQfmod(res, (int)i), .numeric = right};
    }
    if (r->rows && r->rows->columns)
        r->rows->columns(r->rows->self, r->columns, r->n_columns);
    return true;
}

static bool give_rows(struct run *r, const PGresult *res)
{
    for (int i = 0; i < PQntuples(res); i++) {
        size_t bytes = 0;
        for (size_t j = 0; j < r->n_columns; j++) {
            bool null = PQgetisnull(res, i, (int)j);
            bytes += (size_t)PQgetlength(res, i, (int)j);
            r->values[j] = (struct pg_value){null ? NULL : PQgetvalue(res, i, (int)j),
                                             null ? 0 : (size_t)PQgetlength(res, i, (int)j)};
        }
        if (r->stopped || r->interrupted || !r->rows || !r->rows->row)
            continue;
        if (bytes > ROW_BYTES_MAX) { /* it came faster than it was counted */
            r->stopped = true;
            err_set(r->e, ERR_TOO_BIG, "a row is larger than 64 MiB");
            return begin_cancel(r);
        }
        if (!r->rows->row(r->rows->self, r->values, r->n_columns)) {
            r->stopped = true;
            if (r->may_cancel_rest && !begin_cancel(r))
                return false;
        }
    }
    return true;
}

static void finish_result(struct run *r, const char *tag, bool has_rows)
{
    r->completed = true;
    r->described = false;
    if (r->conn->pooled)
        r->conn->touched |= pool_touched_by_tag(tag);
    if (r->rows && r->rows->done)
        r->rows->done(r->rows->self, tag, has_rows);
}

static bool end_copy(struct run *r, const char *why)
{
    int sent;
    while ((sent = PQputCopyEnd(r->conn->pg, why)) == 0) {
        if (!wait_input(r, true) || !consume(r))
            return false;
    }
    return true; /* what failed becomes a result */
}

/* Everything queued is sent before the next piece, so that memory stays flat. */
static bool drain(struct run *r)
{
    while (PQflush(r->conn->pg) == 1) {
        if (!wait_input(r, true) || !consume(r))
            return false;
    }
    return true;
}

static bool feed_copy(struct run *r)
{
    enum { PIECE = 1 << 20 };
    if (!r->rows || !r->rows->copy_in) {
        err_set(r->e, ERR_NOT_IMPLEMENTED, "COPY ... FROM STDIN has no data here");
        err_hint(r->e, "run it in a plain cell, with the data in the lines below and a last line of \\.");
        return end_copy(r, "no data is offered here");
    }
    for (;;) {
        const char *data = NULL;
        size_t len = 0;
        if (r->interrupted || cancel_fired(r->cancel)) {
            r->interrupted = true;
            return end_copy(r, "interrupted");
        }
        if (!r->rows->copy_in(r->rows->self, &data, &len, r->e))
            return end_copy(r, "the client cannot go on");
        if (len == 0)
            return end_copy(r, NULL);
        while (len > 0) {
            int piece = len > PIECE ? PIECE : (int)len, sent = PQputCopyData(r->conn->pg, data, piece);
            if (sent < 0)
                return true; /* the server has ended the copy, or the connection is lost: a result says which */
            if (!drain(r))
                return false;
            if (sent == 1) {
                data += piece;
                len -= (size_t)piece;
            }
        }
    }
}

static bool read_copy(struct run *r)
{
    bool taken = r->rows && r->rows->copy_out;
    if (taken && !r->rows->copy_out(r->rows->self, "", 0, r->e))
        taken = false;
    if (!taken && r->e->code == ERR_NONE) {
        err_set(r->e, ERR_NOT_IMPLEMENTED, "COPY ... TO STDOUT has no reader here");
        err_hint(r->e, "run it in a plain cell, or use SELECT to see the rows");
    }
    if (!taken && !begin_cancel(r))
        return false;
    for (;;) {
        char *line = NULL;
        int n = PQgetCopyData(r->conn->pg, &line, 1);
        if (n > 0 && taken && !r->interrupted && !r->rows->copy_out(r->rows->self, line, (size_t)n, r->e)) {
            taken = false;
            r->stopped = true;
            if (!begin_cancel(r)) {
                PQfreemem(line);
                return false;
            }
        }
        PQfreemem(line);
        if (n < 0)
            return true;
        if (n > 0)
            r->reads = 0;
        else if (!wait_input(r, PQflush(r->conn->pg) == 1) || !consume(r))
            return false;
    }
}

static bool is_cancel(const PGresult *res)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    return state && strcmp(state, "57014") == 0;
}

static bool take_result(struct run *r, const PGresult *res)
{
    switch (PQresultStatus(res)) {
    case PGRES_EMPTY_QUERY:
        finish_result(r, "", false);
        return true;
    case PGRES_COMMAND_OK:
        finish_result(r, PQcmdStatus((PGresult *)(uintptr_t)res), false);
        return true;
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
        if (!r->described && !describe(r, res))
            return false;
        if (!give_rows(r, res))
            return false;
        if (PQresultStatus(res) == PGRES_TUPLES_OK)
            finish_result(r, PQcmdStatus((PGresult *)(uintptr_t)res), true);
        return true;
    case PGRES_COPY_IN:
        return feed_copy(r);
    case PGRES_COPY_OUT:
        return read_copy(r);
    case PGRES_COPY_BOTH:
        return give_up(r, ERR_NOT_IMPLEMENTED, "replication commands are not offered; the connection was closed");
    case PGRES_NONFATAL_ERROR:
        return true;
    case PGRES_BAD_RESPONSE: case PGRES_FATAL_ERROR: case PGRES_PIPELINE_SYNC: case PGRES_PIPELINE_ABORTED:
    default: /* newer libpqs have more */
        break;
    }
    if (r->stopped && r->cancelling && !r->interrupted && is_cancel(res)) {
        finish_result(r, "", true);
    } else if (r->interrupted && is_cancel(res)) {
        err_set(r->e, ERR_CANCELLED, "interrupted");
        memcpy(r->e->sqlstate, "57014", 6);
    } else {
        pg_result_err(res, r->e);
    }
    return true;
}

/* Plainly a read, so that cancelling the rest of it loses nothing: SELECT, TABLE, VALUES, or a WITH without words of
 * change. In doubt the rest is read and dropped instead. */
static bool only_reads(const char *sql)
{
    for (;;) {
        sql += strspn(sql, " \t\r\n\f\v(");
        if (strncmp(sql, "--", 2) == 0)
            sql += strcspn(sql, "\n");
        else if (strncmp(sql, "/*", 2) != 0)
            break;
        else if (!(sql = strstr(sql, "*/")))
            return false;
        else
            sql += 2;
    }
    static const char *const reads[] = {"select", "table", "values", "with"};
    static const char *const changes[] = {"insert", "update", "delete", "merge", "nextval", "setval"};
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
        size_t n = strlen(reads[i]);
        known |= strncasecmp(sql, reads[i], n) == 0 && !isalnum((unsigned char)sql[n]) && sql[n] != '_';
    }
    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        known &= strcasestr(sql, changes[i]) == NULL;
    return known;
}

static bool start(struct pg_conn *conn, const char *sql, const char *const *params, const unsigned *types,
                  size_t n_params, struct err *e)
{
    if (n_params > 65535)
        return err_set(e, ERR_TOO_BIG, "a statement takes at most 65535 parameters, not %zu", n_params);
    if (PQtransactionStatus(conn->pg) == PQTRANS_ACTIVE)
        return err_set(e, ERR_CONFLICT, "the connection is busy with another statement");
    if (conn->pooled)
        conn->touched |= pool_touched_by_text(sql);
    int sent = n_params == 0 ? PQsendQuery(conn->pg, sql)
                             : PQsendQueryParams(conn->pg, sql, (int)n_params, types, params, NULL, NULL, 0);
    if (!sent)
        return pg_lost(conn, e);
    if (!PQsetSingleRowMode(conn->pg))
        bug("libpq refused single-row mode");
    return true;
}

/* NOTIFY messages that came along; libpq would keep them for ever. */
static void hand_out_notifications(struct pg_conn *conn)
{
    for (PGnotify *n; (n = PQnotifies(conn->pg)); PQfreemem(n)) {
        if (conn->notice)
            conn->notice(conn->notice_self, "NOTIFY", n->relname, *n->extra ? n->extra : NULL, NULL);
    }
}

static void read_results(struct run *r)
{
    for (;;) {
        if (!pump(r))
            return;
        PGresult *res = PQgetResult(r->conn->pg);
        if (!res)
            break;
        r->reads = 0;
        bool ok = take_result(r, res);
        PQclear(res);
        if (!ok)
            return;
    }
    if (PQstatus(r->conn->pg) == CONNECTION_BAD) {
        if (r->e->code == ERR_SQL)
            r->e->code = ERR_CONNECT;
        pg_lost(r->conn, r->e);
    }
}

static bool exec_typed(struct pg_conn *conn, const char *sql, const char *const *params, const unsigned *types,
                       size_t n_params, const struct pg_rows *rows, int silence_ms, struct cancel *c, struct err *e)
{
    if (!cancel_check(c, e))
        return false;
    if (PQstatus(conn->pg) != CONNECTION_OK)
        return pg_lost(conn, e);
    struct run r = {.conn = conn, .rows = rows, .silence_ms = silence_ms, .cancel = c, .e = e};
    r.may_cancel_rest = PQtransactionStatus(conn->pg) == PQTRANS_IDLE && only_reads(sql);
    if (!start(conn, sql, params, types, n_params, e))
        return false;
    read_results(&r);
    free(r.columns);
    free(r.values);
    if (conn->pg)
        hand_out_notifications(conn);
    if (r.interrupted && e->code == ERR_NONE) {
        err_set(e, ERR_CANCELLED, "interrupted");
        err_detail(e, "the statement had finished before the interrupt reached the server");
    }
    return e->code == ERR_NONE;
}

static bool exec(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params,
                 const struct pg_rows *rows, int silence_ms, struct cancel *c, struct err *e)
{
    return exec_typed(conn, sql, params, NULL, n_params, rows, silence_ms, c, e);
}

bool pg_exec(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params,
             const struct pg_rows *rows, struct cancel *c, struct err *e)
{
    return exec(conn, sql, params, n_params, rows, -1, c, e);
}

bool pg_exec_params(struct pg_conn *conn, const char *sql, const struct pg_param *params, size_t n_params,
                    const struct pg_rows *rows, struct cancel *c, struct err *e)
{
    const char **values = xreallocarray(NULL, n_params + 1, sizeof *values);
    unsigned *types = xreallocarray(NULL, n_params + 1, sizeof *types);
    for (size_t i = 0; i < n_params; i++) {
        values[i] = params[i].text;
        types[i] = params[i].type;
    }
    bool ok = exec_typed(conn, sql, values, types, n_params, rows, -1, c, e);
    free(values);
    free(types);
    return ok;
}

bool pg_run(struct pg_conn *conn, const char *sql, struct cancel *c, struct err *e)
{
    return pg_exec(conn, sql, NULL, 0, NULL, c, e);
}

bool pg_run_within(struct pg_conn *conn, const char *sql, int silence_ms, struct err *e)
{
    return exec(conn, sql, NULL, 0, NULL, silence_ms, NULL, e);
}

struct scalar {
    bool got;
    char *text;
};

static bool take_scalar(void *self, const struct pg_value *values, size_t n)
{
    struct scalar *s = self;
    if (!s->got && n > 0 && values[0].text)
        s->text = xstrndup(values[0].text, values[0].len);
    s->got = true;
    return true;
}

static bool scalar(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params, int silence_ms,
                   char **out, struct cancel *c, struct err *e)
{
    struct scalar s = {0};
    struct pg_rows rows = {.self = &s, .row = take_scalar};
    *out = NULL;
    bool ok = exec(conn, sql, params, n_params, &rows, silence_ms, c, e);
    if (ok && !s.got)
        ok = err_set(e, ERR_NOT_FOUND, "the query gave no row");
    if (ok)
        *out = s.text;
    else
        free(s.text);
    return ok;
}

bool pg_scalar(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params, char **out,
               struct cancel *c, struct err *e)
{
    return scalar(conn, sql, params, n_params, -1, out, c, e);
}

bool pg_scalar_within(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params, int silence_ms,
                      char **out, struct err *e)
{
    return scalar(conn, sql, params, n_params, silence_ms, out, NULL, e);
}
