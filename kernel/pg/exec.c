/*
 * Statements on a connection (see exec.h): send, wait without blocking, hand out rows one by one, and after a cancel
 * bring the session back to a usable state. What rows mean is the callbacks' business.
 */
#include "pg/exec.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/exec_parts.h"
#include "pg/internal.h"
#include "pg/pool_parts.h"

enum { COLUMNS_MAX = 1664 }; /* PostgreSQL's own limit of a result */

static bool describe(struct run *r, const PGresult *res)
{
    r->described = true;
    r->n_columns = (size_t)PQnfields(res);
    if (r->n_columns > COLUMNS_MAX) {
        r->n_columns = 0;
        r->stopped = true;
        err_set(r->e, ERR_TOO_BIG, "the result has more than %d columns", COLUMNS_MAX);
        return exec_begin_cancel(r);
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
            return exec_begin_cancel(r);
        }
        if (!r->rows->row(r->rows->self, r->values, r->n_columns)) {
            r->stopped = true;
            if (r->may_cancel_rest && !exec_begin_cancel(r))
                return false;
        }
    }
    return true;
}

static void finish_result(struct run *r, const char *tag, bool has_rows)
{
    r->completed = true;
    r->described = false;
    pg_prepared_tag(r->conn, tag);
    if (r->conn->pooled)
        r->conn->touched |= pool_touched_by_tag(tag);
    if (r->rows && r->rows->done)
        r->rows->done(r->rows->self, tag, has_rows);
}

static bool end_copy(struct run *r, const char *why)
{
    int sent;
    while ((sent = PQputCopyEnd(r->conn->pg, why)) == 0) {
        if (!exec_wait_input(r, true) || !exec_consume(r))
            return false;
    }
    return true; /* what failed becomes a result */
}

/* Everything queued is sent before the next piece, so that memory stays flat. */
static bool drain(struct run *r)
{
    while (PQflush(r->conn->pg) == 1) {
        if (!exec_wait_input(r, true) || !exec_consume(r))
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
    if (!taken && !exec_begin_cancel(r))
        return false;
    for (;;) {
        char *line = NULL;
        int n = PQgetCopyData(r->conn->pg, &line, 1);
        if (n > 0 && taken && !r->interrupted && !r->rows->copy_out(r->rows->self, line, (size_t)n, r->e)) {
            taken = false;
            r->stopped = true;
            if (!exec_begin_cancel(r)) {
                PQfreemem(line);
                return false;
            }
        }
        PQfreemem(line);
        if (n < 0)
            return true;
        if (n > 0)
            exec_starts_anew(r);
        else if (!exec_wait_input(r, PQflush(r->conn->pg) == 1) || !exec_consume(r))
            return false;
    }
}

static bool is_cancel(const PGresult *res)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    return state && strcmp(state, "57014") == 0;
}

/* Says whether a statement had begun, which its SQLSTATE does not (prepared.c). */
static void note_source(struct run *r, const PGresult *res)
{
    const char *function = PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION);
    if (r->e->code == ERR_NONE)
        snprintf(r->conn->failed_in, sizeof r->conn->failed_in, "%s", function ? function : "");
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
        return exec_give_up(r, ERR_NOT_IMPLEMENTED, "replication commands are not offered; the connection was closed");
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
        note_source(r, res);
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

static int send_request(PGconn *pg, const struct pg_request *q)
{
    if (q->prepare)
        return PQsendPrepare(pg, q->prepared, q->sql, (int)q->n, q->types);
    if (q->prepared)
        return PQsendQueryPrepared(pg, q->prepared, (int)q->n, q->values, NULL, NULL, 0);
    return q->n == 0 ? PQsendQuery(pg, q->sql) : PQsendQueryParams(pg, q->sql, (int)q->n, q->types, q->values, NULL, NULL, 0);
}

static bool start(struct pg_conn *conn, const struct pg_request *q, struct err *e)
{
    if (q->n > 65535)
        return err_set(e, ERR_TOO_BIG, "a statement takes at most 65535 parameters, not %zu", q->n);
    if (conn->sent || PQtransactionStatus(conn->pg) == PQTRANS_ACTIVE)
        return err_set(e, ERR_CONFLICT, "the connection is busy with another statement");
    if (conn->pooled)
        conn->touched |= pool_touched_by_text(q->sql);
    atomic_store_explicit(&conn->idle_tx_us, 0, memory_order_relaxed);
    if (!send_request(conn->pg, q))
        return pg_lost(conn, e);
    if (!q->prepare && !PQsetSingleRowMode(conn->pg))
        bug("libpq refused single-row mode");
    return true;
}

static void read_results(struct run *r)
{
    for (;;) {
        if (!exec_pump(r))
            return;
        PGresult *res = PQgetResult(r->conn->pg);
        if (!res)
            break;
        exec_starts_anew(r);
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

/* The pool's threads cannot ask libpq about a connection that a borrower uses, so its own thread leaves word. */
static void note_idle_tx(struct pg_conn *conn)
{
    PGTransactionStatusType tx = PQtransactionStatus(conn->pg);
    if (conn->pooled && (tx == PQTRANS_INTRANS || tx == PQTRANS_INERROR))
        atomic_store_explicit(&conn->idle_tx_us, clock_mono_us(), memory_order_relaxed);
}

static bool finish(struct run *r)
{
    read_results(r);
    free(r->columns);
    free(r->values);
    if (r->conn->pg)
        pg_hand_out_notifications(r->conn);
    note_idle_tx(r->conn);
    if (r->interrupted && r->e->code == ERR_NONE) {
        err_set(r->e, ERR_CANCELLED, "interrupted");
        err_detail(r->e, "the statement had finished before the interrupt reached the server");
    }
    return r->e->code == ERR_NONE;
}

static bool may_cancel_rest(const struct pg_conn *conn, const char *sql)
{
    return PQtransactionStatus(conn->pg) == PQTRANS_IDLE && only_reads(sql);
}

/* A fired token costs no round trip. */
static bool may_start(struct pg_conn *conn, struct cancel *c, struct err *e)
{
    return cancel_check(c, e) && (PQstatus(conn->pg) == CONNECTION_OK || pg_lost(conn, e));
}

bool pg_exec_request(struct pg_conn *conn, const struct pg_request *q, const struct pg_rows *rows, int silence_ms, struct cancel *c,
                     struct err *e)
{
    if (!may_start(conn, c, e))
        return false;
    struct run r = {.conn = conn, .rows = rows, .silence_ms = silence_ms, .cancel = c, .e = e};
    r.may_cancel_rest = rows && rows->row && may_cancel_rest(conn, q->sql); /* only who reads rows can have enough of them */
    return start(conn, q, e) && finish(&r);
}

bool pg_exec_within(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params,
                    const struct pg_rows *rows, int silence_ms, struct cancel *c, struct err *e)
{
    struct pg_request q = {.sql = sql, .values = params, .n = n_params};
    return pg_exec_request(conn, &q, rows, silence_ms, c, e);
}

bool pg_exec(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params,
             const struct pg_rows *rows, struct cancel *c, struct err *e)
{
    return pg_exec_within(conn, sql, params, n_params, rows, -1, c, e);
}

void pg_values_of(const struct pg_param *params, size_t n, struct pg_values *out)
{
    out->texts = xreallocarray(NULL, n + 1, sizeof *out->texts);
    out->types = xreallocarray(NULL, n + 1, sizeof *out->types);
    for (size_t i = 0; i < n; i++) {
        out->texts[i] = params[i].text;
        out->types[i] = params[i].type;
    }
}

void pg_values_release(struct pg_values *v)
{
    free(v->texts);
    free(v->types);
}

bool pg_exec_params(struct pg_conn *conn, const char *sql, const struct pg_param *params, size_t n_params,
                    const struct pg_rows *rows, struct cancel *c, struct err *e)
{
    struct pg_values v;
    pg_values_of(params, n_params, &v);
    struct pg_request q = {.sql = sql, .values = v.texts, .types = v.types, .n = n_params};
    bool ok = pg_exec_request(conn, &q, rows, -1, c, e);
    pg_values_release(&v);
    return ok;
}

bool pg_send(struct pg_conn *conn, const char *sql, const struct pg_param *params, size_t n_params, struct cancel *c,
             struct err *e)
{
    struct pg_values v;
    if (!may_start(conn, c, e))
        return false;
    bool reads = may_cancel_rest(conn, sql);
    pg_values_of(params, n_params, &v);
    bool ok = start(conn, &(struct pg_request){.sql = sql, .values = v.texts, .types = v.types, .n = n_params}, e);
    pg_values_release(&v);
    /* A text that does not fit into the socket's buffer has to be pushed out; the server reads it at once. */
    struct run r = {.conn = conn, .silence_ms = -1, .cancel = c, .e = e};
    while (ok && PQflush(conn->pg) == 1)
        ok = exec_wait_input(&r, true) && exec_consume(&r);
    if (ok && r.cancelling)
        return finish(&r); /* interrupted while it was pushed out */
    conn->sent = ok;
    conn->sent_reads = reads;
    return ok;
}

bool pg_sent_ready(struct pg_conn *conn, int ms, struct cancel *c)
{
    struct err e;
    int64_t end = clock_mono_ms() + ms;
    err_init(&e);
    while (PQstatus(conn->pg) == CONNECTION_OK && PQisBusy(conn->pg)) {
        int64_t left = end - clock_mono_ms();
        if (left < 0 || !cancel_poll(c, PQsocket(conn->pg), POLLIN, (int)left, &e))
            return false;
        PQconsumeInput(conn->pg);
    }
    return true;
}

int pg_socket(const struct pg_conn *conn) { return conn->pg ? PQsocket(conn->pg) : -1; }

bool pg_collect(struct pg_conn *conn, const struct pg_rows *rows, struct cancel *c, struct err *e)
{
    if (!conn->sent)
        return err_set(e, ERR_INVALID_STATE, "the connection runs nothing in the background");
    struct run r = {.conn = conn, .rows = rows, .silence_ms = -1, .cancel = c, .e = e,
                    .may_cancel_rest = conn->sent_reads};
    conn->sent = false;
    return finish(&r);
}

void pg_stop_sent(struct pg_conn *conn, int silence_ms)
{
    struct cancel now = {.fired = true, .fd = -1};
    struct err e;
    err_init(&e);
    struct run r = {.conn = conn, .silence_ms = silence_ms, .cancel = &now, .e = &e};
    conn->sent = false;
    pg_on_notice(conn, NULL, NULL); /* nobody is there for it any more */
    finish(&r);
}
