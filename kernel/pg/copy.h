/*
 * COPY … FROM STDIN: bytes into PostgreSQL as fast as it takes them. Knows nothing of what the bytes mean.
 *
 * One copy at a time on a connection: pg_copy_in, any number of pg_copy_put, then pg_copy_done or pg_copy_stop.
 */
#ifndef PG_COPY_H
#define PG_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/err.h"
#include "pg/conn.h"

/* Send the COPY statement and wait until the server wants data. On failure no copy is under way. */
bool pg_copy_in(struct pg_conn *conn, const char *sql, struct cancel *c, struct err *e);
/* Hand over bytes (any cut; 64 KiB or more at a time is fast). Returns when the kernel has taken them, so memory stays
 * flat. After a failure call pg_copy_stop. */
bool pg_copy_put(struct pg_conn *conn, const void *data, size_t len, struct cancel *c, struct err *e);
/* The data is complete: *rows (may be NULL) gets the count the server reports. The copy is over, also after a failure:
 * ERR_SQL with the server's reason (in a transaction block that is then failed), ERR_CANCELLED, ERR_CONNECT. */
bool pg_copy_done(struct pg_conn *conn, int64_t *rows, struct cancel *c, struct err *e);
/* Give up: the server forgets the rows of this copy; an open transaction block is failed. Sets *e to the server's own reason
 * if it had refused the data already and *e is not set. The connection is closed when the server does not answer. */
void pg_copy_stop(struct pg_conn *conn, struct err *e);

#endif
