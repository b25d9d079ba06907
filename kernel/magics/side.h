/*
 * The side connection: a second session of the current connection, for what must not disturb the user's own. Tab and
 * Shift-Tab ask there, so they work while a cell runs and in a failed transaction; what is not committed is not seen there.
 * Opened at the first need in a thread of its own, closed when it was idle for 20 seconds (a database that is copied or
 * renamed must have no other session). One for the process.
 */
#ifndef MAGICS_SIDE_H
#define MAGICS_SIDE_H

#include <stdbool.h>

#include "base/cancel.h"
#include "magics/session.h"
#include "pg/conn.h"

/* After a cell: keep what a login of the current connection needs, its token or password too (in memory only, wiped when
 * it changes); and search_path, when the cell's text speaks of it. Cell thread. */
void side_note(struct session *s, const char *code, size_t len);
/* Close it and forget the login. Cell thread. */
void side_forget(void);

/* One question. `ask` runs in the side thread with a connection that works; the asker may be gone by then, so everything
 * it needs is in the struct that this one is the head of. `drop` frees that struct, once, by whoever is last. */
struct side_question {
    void (*ask)(struct side_question *q, struct pg_conn *conn, struct cancel *c);
    void (*drop)(struct side_question *q);
    int holders; /* side.c's */
    bool answered;
};

/* Put the question and wait for its answer, at most ms. true: it was asked to its end, the caller reads the answer and then
 * calls side_drop. false: no connection, an error, or it takes longer; side_drop all the same. A newer question cancels one
 * that is still asked. Any thread. */
bool side_ask(struct side_question *q, int ms);
void side_drop(struct side_question *q);

/* Would the side connection see the session of c: is it on the same server? Cell thread. */
bool side_sees(const struct connection *c);

#endif
