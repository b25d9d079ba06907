/*
 * A statement that a connection runs again and again is prepared on the server, by itself: from its second run on only its
 * values travel, and it is not parsed again. Names and limits are the connection's; nobody has to know of them.
 *
 * What the server forgets is noticed: DEALLOCATE and DISCARD by their command tags, another session behind a transaction pooler
 * by 26000 (no such statement) and 42P05 (it is there already), a table that changed by 0A000 (the plan's result type). The
 * statement is then sent as text, which works in every session, and prepared again at its next run. That is done only when the
 * server refused it before it began (26000 names it, 0A000 comes from the plan cache), so nothing runs twice; and only outside of a
 * transaction, for inside the transaction has failed. Hence a connection that was once caught in another session, or that the pool
 * knows to be shared (pool.h), sends text inside of transactions. A name means one text for ever, so 42P05 is good news. One that is
 * missing more often than it is there is not prepared any more. (libpq manual, PQsendPrepare; PREPARE page;
 * src/backend/commands/prepare.c, src/backend/utils/cache/plancache.c.)
 */
#ifndef PG_PREPARED_H
#define PG_PREPARED_H

#include "pg/exec.h"

enum { PREPARED_MAX = 100 /* of a connection; then the one used longest ago goes */, PREPARED_SQL_MAX = 64 << 10 /* longer ones are sent as they are */ };

/* As pg_exec_params. A text with a semicolon inside is run, but never prepared: it may hold several statements. */
bool pg_exec_prepared(struct pg_conn *conn, const char *sql, const struct pg_param *params, size_t n_params, const struct pg_rows *rows,
                      struct cancel *c, struct err *e);
/* How many the connection believes to be prepared on the server. */
size_t pg_prepared_count(const struct pg_conn *conn);

#endif
