/*
 * A connection pool over pg/conn.h, for threads. A checkout gets an idle connection, or waits in a queue and is served in
 * the order of coming (FIFO): a returned connection goes straight to the oldest waiter, and nobody overtakes. Connections
 * are made by a thread of the pool, never by the caller, so a checkout is bounded by its own time limit only.
 *
 * Rules and their reasons: the pools of psycopg, pgx and HikariCP; "pool sizing" in the PostgreSQL wiki. Lock order: the
 * pool's lock is a leaf: no callback, no query and no connect happens under it.
 */
#ifndef PG_POOL_H
#define PG_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/err.h"
#include "pg/conn.h"

struct pool;

enum { POOL_SIZE_MAX = 1000, POOL_NAME_MAX = 63, POOL_WAIT_BUCKETS = 24 };

struct pool_options {
    const char *name;      /* copied; in messages */
    int min_size, max_size; /* connections kept ready, and at most; 0 max: 8 */
    int max_waiting;       /* more checkouts than that are refused at once; 0: no limit */
    int timeout_ms;        /* of a checkout, when it says none; 0: 30 s */
    int max_lifetime_ms;   /* a connection older than that (less up to 10 %) is closed when it comes back; 0: 50 min */
    int max_idle_ms;       /* one that idles longer is closed, down to min_size; 0: 5 min */
    /* Open one connection, with the credentials of this moment. On the pool's own thread. */
    struct pg_conn *(*connect)(void *self, struct cancel *c, struct err *e);
    void *self;
    int64_t (*now_ms)(void); /* NULL: clock_mono_ms; for tests */
};

/* Start the maker thread; min_size connections are made in the background. NULL with ERR_INVALID_PARAMETER for sizes that
 * contradict each other. */
struct pool *pool_open(const struct pool_options *o, struct err *e);
/* Until min_size connections are ready. ERR_TIMEOUT, or the error of the last attempt to connect. */
bool pool_wait(struct pool *p, int timeout_ms, struct cancel *c, struct err *e);
/* Checkouts from now on fail, waiters are woken with ERR_POOL_CLOSED, idle connections are closed, those out are closed when they
 * come back. Waits for those at most deadline_ms, then cancels what they run. The pool is freed by pool_free. */
void pool_close(struct pool *p, int deadline_ms);
/* After pool_close, when no thread uses the pool any more. NULL is fine. */
void pool_free(struct pool *p);

/*
 * Borrow a connection: idle, not in a transaction, seen alive a moment ago. timeout_ms -1: the pool's. ERR_POOL_TIMEOUT says how
 * the pool looked, ERR_POOL_FULL (max_waiting), ERR_POOL_CLOSED, ERR_CANCELLED; the server's error when no connection can be
 * made and none is there.
 */
struct pg_conn *pool_checkout(struct pool *p, int timeout_ms, struct cancel *c, struct err *e);
/* Give it back: an open transaction is rolled back (and counted), a broken or busy connection is closed and replaced. May
 * take a round trip to the server. */
void pool_return(struct pool *p, struct pg_conn *conn);

/* One consistent picture. Times in microseconds. */
struct pool_stats {
    int size, idle, busy, making, waiting; /* size: idle + busy + those being checked or reset */
    int min_size, max_size;
    uint64_t checkouts, waited, timeouts, refused, cancelled;
    uint64_t connects, connect_failures, closed, rollbacks, lost;
    int most_busy, most_waiting;
    uint64_t wait_us_total, wait_us_most;
    bool closing;
};
void pool_stats(struct pool *p, struct pool_stats *out);
const char *pool_name(const struct pool *p);

#endif
