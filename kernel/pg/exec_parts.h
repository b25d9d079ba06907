/*
 * One statement while it runs: what exec.c (what comes of the rows) and exec_wait.c (how its answers are waited for) share.
 * Not for the rest of pg/.
 */
#ifndef PG_EXEC_PARTS_H
#define PG_EXEC_PARTS_H

#include <libpq-fe.h>
#include <stdint.h>

#include "pg/exec.h"
#include "pg/internal.h"

enum { ROW_BYTES_MAX = 64 << 20 }; /* libpq holds a whole row in memory */

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
    int64_t asked_ms;     /* when the last cancel request was out */
    int reads;            /* since the last result */
    bool counting;        /* … long ones, of bytes */
    uint64_t received;    /* … on the socket when that began */
    int64_t heard_ms;
};

/* ---- exec_wait.c ---- */
/* Until a result can be had without blocking. As all of these: false: *r->e says why, or the connection was given up. */
bool exec_pump(struct run *r);
/* Until there is something to read (or room to write, when bytes wait for that), or it is over. */
bool exec_wait_input(struct run *r, bool flush_pending);
/* Read what is there. A row arrives as one message, which libpq keeps whole and which cannot be skipped in part: one
 * that grows past the cap ends the connection. (On a unix socket it is refused when it is complete, see give_rows.) */
bool exec_consume(struct run *r);
void exec_starts_anew(struct run *r); /* a message has come to its end */
/* Ask the server to stop; the answer is waited for as any other. */
bool exec_begin_cancel(struct run *r);
/* Close the connection. Returns false. */
bool exec_give_up(struct run *r, enum err_code code, const char *text);

#endif
