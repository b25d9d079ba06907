/* The transaction that a session is in, as it sees it itself (sql/transaction.sql). */
#ifndef PG_TRANSACTION_H
#define PG_TRANSACTION_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/err.h"
#include "pg/conn.h"

struct pg_transaction {
    const char *isolation; /* "read committed", … */
    const char *access;    /* "read write", "read only" */
    const char *changed;   /* "yes": it has written something; "no" */
    const char *locks;     /* "RowExclusiveLock on shop.orders", a line each, strongest first; "" */
};

/* Only in a transaction that is open and has not failed; texts are in the arena. */
bool pg_transaction(struct pg_conn *conn, struct arena *a, struct pg_transaction *out, struct cancel *c, struct err *e);

#endif
