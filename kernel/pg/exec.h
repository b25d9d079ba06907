/*
 * Run statements and stream their rows: single-row mode, so memory stays flat however large the result is. Knows
 * nothing of tables or JSON: rows go to callbacks.
 */
#ifndef PG_EXEC_H
#define PG_EXEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cancel.h"
#include "base/err.h"
#include "pg/conn.h"

struct pg_column {
    const char *name;
    unsigned oid;   /* type */
    int mod;        /* type modifier */
    bool numeric;   /* right-aligned in psql: numbers, oid, money */
};

struct pg_value {
    const char *text; /* NULL: SQL NULL */
    size_t len;
};

/* Callbacks of one statement; any may be NULL. Values are valid during the call only. */
struct pg_rows {
    void *self;
    void (*columns)(void *self, const struct pg_column *columns, size_t n);
    /* Return false to stop reading; pg_exec succeeds. The rest of a plain read (SELECT …) outside a transaction block is
     * cancelled on the server. The rest of anything else is read and dropped: a cancel would undo a write (RETURNING)
     * or fail the open transaction. A SELECT that calls a writing function is taken for a read. */
    bool (*row)(void *self, const struct pg_value *values, size_t n);
    /* Command tag, "INSERT 0 3"; "" for an empty statement and for one whose rest was cancelled. has_rows: a result set came before it. */
    void (*done)(void *self, const char *tag, bool has_rows);
    /* COPY … FROM STDIN: the next bytes, valid until the next call; *len 0: that was all. false with *e set: the copy is given
     * up, the server forgets its rows. NULL: such a statement is refused. */
    bool (*copy_in)(void *self, const char **data, size_t *len, struct err *e);
    /* COPY … TO STDOUT: first no bytes, then some at a time. false with *e set: the rest is cancelled. NULL: it is refused. */
    bool (*copy_out)(void *self, const char *data, size_t len, struct err *e);
    /* Twice a second while nothing comes from the server. It must not use the connection. */
    void (*tick)(void *self);
};

/* One statement, with optional parameters ($1…; text form, NULL: SQL NULL). Without parameters the simple protocol of
 * psql is used. On failure *e has SQLSTATE, detail, hint, context and position (code points in `sql`). After a cancel the
 * code is ERR_CANCELLED and the session is usable. A lost
 * connection is ERR_CONNECT. A row over 64 MiB is ERR_TOO_BIG. A server that does not react to a cancel within seconds is
 * hung up on: ERR_CANCELLED, and pg_alive says false from then on. */
bool pg_exec(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params, const struct pg_rows *rows,
             struct cancel *c, struct err *e);

/* The same with the type of each parameter: its oid, 0 lets the server find out. */
struct pg_param {
    const char *text; /* NULL: SQL NULL */
    unsigned type;
};
bool pg_exec_params(struct pg_conn *conn, const char *sql, const struct pg_param *params, size_t n_params,
                    const struct pg_rows *rows, struct cancel *c, struct err *e);

/* The same in two steps: pg_send gives the statement to the server and does not wait for it, pg_collect hands out what came of
 * it, as pg_exec_params would have (an interrupt cancels it). In between the connection refuses every other statement, and
 * closing it cancels the one that runs. */
bool pg_send(struct pg_conn *conn, const char *sql, const struct pg_param *params, size_t n_params, struct cancel *c,
             struct err *e);
bool pg_collect(struct pg_conn *conn, const struct pg_rows *rows, struct cancel *c, struct err *e);
/* Between the two, pg_alive says only whether the other end is still there. Wait at most ms for something to collect: a row, the end, or that the connection is lost. false: nothing came yet. */
bool pg_sent_ready(struct pg_conn *conn, int ms, struct cancel *c);
/* Its socket, for poll(2) between the two; -1: the connection was given up. */
int pg_socket(const struct pg_conn *conn);

/* How many NOTIFY messages have come so far; each went to pg_on_notice with the severity "NOTIFY". */
long long pg_notified(const struct pg_conn *conn);
/* Wait until there were `total` of them, or more when they come together, or until ms have passed; 0: no limit. The channels are
 * those that LISTEN was run for, and no transaction may be open. ERR_CANCELLED, ERR_CONNECT. */
bool pg_await_notifications(struct pg_conn *conn, long long total, long long ms, struct cancel *c, struct err *e);
/* For our own small queries: run, ignore rows, fail on error. */
bool pg_run(struct pg_conn *conn, const char *sql, struct cancel *c, struct err *e);
/* The same, nobody can interrupt it, and the connection is given up when the server stays silent for so long. */
bool pg_run_within(struct pg_conn *conn, const char *sql, int silence_ms, struct err *e);
/* First column of the first row, copied (caller frees); NULL value: *out NULL. ERR_NOT_FOUND without rows. */
bool pg_scalar(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params, char **out,
               struct cancel *c, struct err *e);

/* Name of a type with its modifier ("numeric(10,2)"), asked from the server once and cached by connection; on failure
 * "oid N". Must not be called during pg_exec. */
const char *pg_type_name(struct pg_conn *conn, unsigned oid, int mod);

/* Append 'literal' or "identifier", quoted as PostgreSQL wants it. */
struct buf;
void pg_quote_literal(struct buf *out, const char *text);
void pg_quote_ident(struct buf *out, const char *text);

/* Condition name ("UndefinedColumn") and one line of advice of a SQLSTATE; NULL when the table has no row (the class row
 * is tried first). */
const char *pg_condition(const char *sqlstate);
const char *pg_advice(const char *sqlstate);

#endif
