/* The transaction that a session is in, as it sees it itself (sql/transaction.sql), and whom a session waits for. */
#ifndef PG_TRANSACTION_H
#define PG_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/err.h"
#include "pg/conn.h"

struct pg_transaction {
    const char *xid;       /* decimal, with its epoch (64 bits); NULL: none yet, as long as it has written nothing */
    const char *isolation; /* "read committed", … */
    const char *access;    /* "read write", "read only" */
    const char *changed;   /* "yes": it has written something; "no" */
    const char *locks;     /* "RowExclusiveLock on shop.orders", a line each, strongest first; "" */
};

/* Only in a transaction that is open and has not failed; texts are in the arena. */
bool pg_transaction(struct pg_conn *conn, struct arena *a, struct pg_transaction *out, struct cancel *c, struct err *e);

/* The backends that hold what backend `pid` waits for, at most max of them; 0: it waits for no lock. Asked on another session. */
bool pg_blockers(struct pg_conn *conn, int pid, int *out, size_t max, size_t *n, struct cancel *c, struct err *e);

#endif
