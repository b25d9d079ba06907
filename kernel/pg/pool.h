/*
 * A connection pool over pg/conn.h, for threads. A checkout gets an idle connection, or waits in a queue and is served in
 * the order of coming (FIFO): a returned connection goes straight to the oldest waiter, and nobody overtakes. Connections
 * are made by threads of the pool, never by the caller, so a checkout is bounded by its own time limit only.
 *
 * Rules and their reasons come from the pools of psycopg, pgx, HikariCP and PgBouncer: lifetimes are enforced at the
 * checkout, a dead connection is noticed there without a round trip, and what a borrower left in its session (an open
 * transaction, settings, locks) does not reach the next one.
 *
 * Threads: every function but pool_open and pool_free may be called by any thread at any time. Lock order: the pool's one
 * lock is a leaf; no callback, no query, no connect and no close happens under it.
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

enum { POOL_SIZE_MAX = 1000, POOL_NAME_MAX = 63, POOL_BUCKETS = 26 };

/* What a returned connection forgets. An open transaction is rolled back always. */
enum pool_reset {
    POOL_RESET_SMART,    /* what its statements may have left, by their command tags and a few words: settings, LISTEN,
                            prepared statements, cursors, temporary tables, advisory locks. No round trip when there is
                            nothing. What a function of the user does inside is not seen */
    POOL_RESET_ROLLBACK, /* nothing more: the session's state goes to the next borrower */
    POOL_RESET_DISCARD   /* DISCARD ALL at each return: everything, for a round trip */
};

/* Times in milliseconds; 0 takes the default that is named. */
struct pool_options {
    const char *name;       /* copied; in messages; 1 to POOL_NAME_MAX bytes */
    int min_size, max_size; /* connections kept ready (0: none), and at most (0: 8) */
    int max_waiting;        /* more checkouts than that are refused at once; 0: no limit */
    int timeout_ms;         /* of a checkout that says none; 30 s */
    int max_lifetime_ms;    /* a connection older than that, less up to 10 %, is not lent again; 50 min */
    int max_idle_ms;        /* one that idles longer is closed, down to min_size; 5 min */
    int reset_timeout_ms;   /* silence of the server during a reset after which the connection is given up; 2 s */
    enum pool_reset reset;
    /* Open one connection, with the credentials of this moment: it is asked each time, so a renewed token is used. On
     * threads of the pool, several at once; the token fires when the pool closes. It must not call the pool. */
    struct pg_conn *(*connect)(void *self, struct cancel *c, struct err *e);
    void *self;
    int64_t (*now_ms)(void); /* the clock of ages and pauses; NULL: clock_mono_ms */
};

/* Start the pool's threads; min_size connections are made in the background. NULL with ERR_INVALID_PARAMETER for a name,
 * sizes or times that make no sense. */
struct pool *pool_open(const struct pool_options *o, struct err *e);
/* Until min_size connections are there. ERR_TIMEOUT, ERR_CANCELLED, ERR_POOL_CLOSED, or the error of the last attempt to
 * connect. */
bool pool_wait(struct pool *p, int timeout_ms, struct cancel *c, struct err *e);
/* Every connection that is open now is replaced: idle ones at once, those that are lent when they come back. After a
 * failover, or when a new password must be used everywhere. */
void pool_drain(struct pool *p);
/* Checkouts from now on fail, waiters are woken with ERR_POOL_CLOSED, idle connections are closed, lent ones when they come
 * back. Waits for those at most deadline_ms, then cancels what they run and waits a little more. false: some are still
 * lent. Closing twice is fine. Not from the connect callback. */
bool pool_close(struct pool *p, int deadline_ms);
/* After the last use by any other thread; closes first if need be. What is still lent is closed under its borrower. NULL is
 * fine. */
void pool_free(struct pool *p);

/*
 * Borrow a connection: not in a transaction, and its server had not said goodbye a moment ago. timeout_ms -1: the pool's; 0:
 * now or never. NULL with ERR_POOL_TIMEOUT (the detail says how the pool looked), ERR_POOL_FULL (max_waiting),
 * ERR_POOL_CLOSED, ERR_CANCELLED; or the error of connecting, at once, when the pool has no connection and cannot make one.
 */
struct pg_conn *pool_checkout(struct pool *p, int timeout_ms, struct cancel *c, struct err *e);
/* Give it back. An open transaction is rolled back, the session is reset (pool_reset), a broken or busy connection is
 * closed and replaced. May take one round trip to the server. Giving back what is not lent is a bug and aborts. */
void pool_return(struct pool *p, struct pg_conn *conn);

/* Durations in microseconds; bucket i counts those from 2^i (0: from 0) to below 2^(i+1), the last one all longer ones. */
struct pool_histogram {
    uint64_t count, total_us, most_us;
    uint64_t buckets[POOL_BUCKETS];
};
/* The value that `percent` (1 to 100) of all are at or below, rounded up to the end of its bucket, never above most_us. */
uint64_t pool_percentile(const struct pool_histogram *h, int percent);

/* Why connections were closed. */
enum pool_closed {
    POOL_CLOSED_LIFETIME, POOL_CLOSED_IDLE, POOL_CLOSED_LOST /* found dead at a checkout */,
    POOL_CLOSED_BROKEN /* came back dead, busy, or would not reset */, POOL_CLOSED_DRAIN, POOL_CLOSED_END, POOL_CLOSED_REASONS
};
const char *pool_closed_name(enum pool_closed why); /* "too old" … */

/* One consistent picture. size = idle + busy + cleaning, and size + making <= max_size. */
struct pool_stats {
    int min_size, max_size;
    int size, idle, busy;   /* busy: lent */
    int cleaning;           /* being reset or closed */
    int making, waiting;
    int64_t longest_lent_ms; /* of those lent now */
    bool closing;
    uint64_t checkouts, waited; /* successful ones; those of them that had to wait */
    uint64_t timeouts, refused, cancelled, failed; /* without a connection; failed: none could be made, or closed */
    uint64_t connects, connect_failures, closed[POOL_CLOSED_REASONS];
    uint64_t rollbacks, resets; /* at a return */
    int most_busy, most_waiting;           /* ever */
    int recent_most_busy, recent_most_waiting; /* since pool_mark */
    struct pool_histogram wait;    /* of all that queued, also in vain */
    struct pool_histogram connect; /* of attempts that went well */
};
void pool_stats(struct pool *p, struct pool_stats *out);
/* The recent peaks start again from what is now. */
void pool_mark(struct pool *p);
const char *pool_name(const struct pool *p);

#endif
