/*
 * A connection pool over pg/conn.h, for threads. A checkout gets an idle connection, or waits in a queue and is served in
 * the order of coming (FIFO): a returned connection goes straight to the oldest waiter, and nobody overtakes. Connections
 * are made by threads of the pool, never by the caller, so a checkout is bounded by its own time limit only.
 *
 * Rules and their reasons come from the pools of psycopg, pgx, HikariCP and PgBouncer: lifetimes are enforced at the
 * checkout, a dead connection is noticed there without a round trip, and what a borrower left in its session (an open
 * transaction, settings, locks) does not reach the next one.
 *
 * A pool belongs to the process that opened it: after fork() the child gets ERR_POOL_FORKED, and nothing that it does or
 * leaves undone touches the parent's sessions.
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

enum { POOL_SIZE_MAX = 1000, POOL_NAME_MAX = 63, POOL_WHO_MAX = 63, POOL_BUCKETS = 104, POOL_TRACE_MAX = 1000000 };

/* What a returned connection forgets. An open transaction is rolled back always. */
enum pool_reset {
    POOL_RESET_SMART,    /* what its statements may have left, by their command tags and a few words: settings, LISTEN,
                            prepared statements, cursors, temporary tables, advisory locks. No round trip when there is
                            nothing. What a function of the user does inside is not seen; currval and lastval stay */
    POOL_RESET_ROLLBACK, /* nothing more: the session's state goes to the next borrower */
    POOL_RESET_DISCARD   /* DISCARD ALL at each return: everything, for a round trip */
};

/* What is asked of a connection before it is lent. */
enum pool_check {
    POOL_CHECK_PASSIVE, /* what its socket says, without a round trip; one that idled longer than ping_idle_ms is asked */
    POOL_CHECK_NONE,
    POOL_CHECK_PING     /* a round trip each time */
};

/* Times in milliseconds; 0 takes the default that is named. */
struct pool_options {
    const char *name;       /* copied; in messages; 1 to POOL_NAME_MAX bytes */
    int min_size, max_size; /* connections kept ready (0: none), and at most (0: 8) */
    int min_idle;           /* beyond those that are lent, so many are kept ready, up to max; 0 */
    int max_waiting;        /* more checkouts than that are refused at once; 0: no limit */
    int timeout_ms;         /* of a checkout that says none; 30 s */
    int max_lifetime_ms;    /* a connection older than that, less up to 10 %, is not lent again; 50 min */
    int max_idle_ms;        /* one that idles longer is closed, down to min_size; 5 min */
    int reset_timeout_ms;   /* silence of the server during a reset after which the connection is given up; 2 s */
    enum pool_reset reset;
    enum pool_check check;
    int ping_idle_ms;       /* with POOL_CHECK_PASSIVE; 1 s, below 0: never */
    int check_timeout_ms;   /* silence after which a connection that was asked counts as dead; 2 s */
    int leak_after_ms;      /* a connection lent for longer is reported as a leak; 0: never */
    /* A borrower that has a transaction open and sends nothing for so long is reported: it holds locks, and keeps vacuum from
     * cleaning up. 0: never. Nothing is ended by it. The server's idle_in_transaction_session_timeout would end the session, and
     * the borrower would learn of it at its next statement only; so the pool looks itself, at what each connection's own thread
     * wrote down after its last statement (no call of libpq, no round trip). Hence it is known up to a tenth later, and a transaction
     * that only waits in pg_send is at work, not idle. */
    int idle_in_tx_ms;
    /* Open one connection, with the credentials of this moment: it is asked each time, so a renewed token is used. On
     * threads of the pool, several at once; the token fires when the pool closes. It must not call the pool. It may prepare
     * the session too: a transaction that it leaves open is rolled back, one that fails to is no connection. Settings belong into
     * the conninfo's "options": a reset goes back to those, and undoes what SET did. */
    struct pg_conn *(*connect)(void *self, struct cancel *c, struct err *e);
    void *self;
    int64_t (*now_us)(void); /* the clock of ages and pauses; NULL: clock_mono_us. Monotonic: the wall clock may jump */
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
/* New bounds, at once: above max, idle connections are closed before this returns, lent ones when they come back; below min,
 * new ones are made in the background. ERR_INVALID_PARAMETER. */
bool pool_resize(struct pool *p, int min_size, int max_size, struct err *e);
/* Nothing is lent from now on: checkouts queue (ERR_POOL_PAUSED when their time is over). Waits at most deadline_ms until all
 * that was lent is back; else ERR_TIMEOUT, and it is paused all the same. ERR_CANCELLED: it lends as before the call.
 * ERR_CONFLICT: somebody resumed it meanwhile; ERR_POOL_CLOSED. pool_resume goes on, the queue first. */
bool pool_pause(struct pool *p, int deadline_ms, struct cancel *c, struct err *e);
void pool_resume(struct pool *p);
/* Ask every connection that idles now, and close those that do not answer. ERR_CANCELLED: not all were asked. */
struct pool_checked {
    int asked, dead;
};
bool pool_check_idle(struct pool *p, struct pool_checked *out, struct cancel *c, struct err *e);
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
/* The same; `who` is told where a loan is shown: in the detail of time-outs, in pool_loans. Copied, cut at POOL_WHO_MAX bytes;
 * NULL: nobody in particular. */
struct pg_conn *pool_checkout_for(struct pool *p, const char *who, int timeout_ms, struct cancel *c, struct err *e);
/*
 * The same without waiting, for one thread that serves many clients: a ticket stands in the queue, in the same order as those
 * who wait. When its turn has come, or it failed, `wake` becomes readable: an eventfd of the caller's, one for all tickets is
 * fine. NULL with the errors of pool_checkout that come at once.
 */
struct pool_ticket;
struct pool_ticket *pool_checkout_start(struct pool *p, const char *who, int timeout_ms, int wake, struct err *e);
/* true: it is over and the ticket is gone; *out is the connection, or NULL with *e set. false: its turn has not come. Ask again
 * when `wake` is readable, or after pool_ticket_left_ms. Takes a round trip when the connection is one that must be asked. */
bool pool_checkout_poll(struct pool_ticket *t, struct pg_conn **out, struct err *e);
int pool_ticket_left_ms(const struct pool_ticket *t);
/* The ticket is gone, and what it was given goes to the next one. Before pool_free, every ticket is polled to its end or
 * abandoned. */
void pool_checkout_abandon(struct pool_ticket *t);
/* A lent connection leaves the pool for good: it is the borrower's, who ends it with pg_close. For LISTEN, or work of hours.
 * The pool may make another one in its place. */
void pool_detach(struct pool *p, struct pg_conn *conn);
/* Give it back. An open transaction is rolled back, the session is reset (pool_reset), a broken or busy connection is
 * closed and replaced. May take one round trip to the server. Giving back what is not lent is a bug and aborts. */
void pool_return(struct pool *p, struct pg_conn *conn);

/* Durations in microseconds. Four buckets for each power of two, so that a value is known to a quarter of it: bucket i counts
 * those up to pool_bucket_end(i), the last one all longer ones. */
struct pool_histogram {
    uint64_t count, total_us, most_us;
    uint64_t buckets[POOL_BUCKETS];
};
uint64_t pool_bucket_end(int bucket);
/* The value that `percent` (1 to 100) of all are at or below, rounded up to the end of its bucket, never above most_us. */
uint64_t pool_percentile(const struct pool_histogram *h, int percent);

/* Why connections were closed. */
enum pool_closed {
    POOL_CLOSED_LIFETIME, POOL_CLOSED_IDLE, POOL_CLOSED_LOST /* found dead at a checkout */,
    POOL_CLOSED_BROKEN /* came back dead, busy, or would not reset */, POOL_CLOSED_DRAIN, POOL_CLOSED_SURPLUS /* resize */,
    POOL_CLOSED_END, POOL_CLOSED_REASONS
};
const char *pool_closed_name(enum pool_closed why); /* "too old" … */

/*
 * Whose sessions the connections have. A pooler in transaction mode (PgBouncer and its like) gives each transaction another one, so
 * what a session keeps is not there any more in the next: SET, LISTEN, temporary tables, advisory locks of the session, WITH HOLD
 * cursors, PREPARE. pg_exec_prepared knows, and is safe there. Found out at the first connection, and at the first one after a failure to connect or
 * a drain: a round trip; when it is a pooler's, a second connection is opened for a moment, to see whether the two get one session.
 */
enum pool_route {
    POOL_ROUTE_UNKNOWN, POOL_ROUTE_OWN, POOL_ROUTE_POOLER /* in session mode: nothing is lost */, POOL_ROUTE_SHARED /* in transaction mode */
};
const char *pool_route_name(enum pool_route route); /* "its own" … */

/* One consistent picture. size = idle + busy + cleaning, and size + making <= max_size. */
struct pool_stats {
    int min_size, max_size;
    int size, idle, busy;   /* busy: lent */
    int cleaning;           /* being reset or closed */
    int making, waiting;
    int64_t longest_lent_ms; /* of those lent now */
    int64_t longest_wait_ms; /* of those waiting now */
    int leaked;              /* of those lent now, for longer than leak_after_ms */
    int sitting_in_tx;       /* of those lent now, idle in a transaction for longer than idle_in_tx_ms */
    enum pool_route route;
    bool closing, paused;
    uint64_t checkouts, waited; /* successful ones; those of them that had to wait */
    uint64_t timeouts, refused, cancelled, failed; /* without a connection; failed: none could be made, or closed */
    uint64_t connects, connect_failures, closed[POOL_CLOSED_REASONS];
    uint64_t rollbacks, resets; /* at a return */
    uint64_t pings, pings_failed, leaks, idle_in_tx, detached;
    int most_busy, most_waiting;           /* ever */
    int recent_most_busy, recent_most_waiting; /* since pool_mark */
    struct pool_histogram wait;    /* of all that queued, also in vain */
    struct pool_histogram connect; /* of attempts that went well */
    struct pool_histogram hold;    /* from the checkout to the return */
    struct pool_histogram reset;   /* of the returns that took a round trip */
};
void pool_stats(struct pool *p, struct pool_stats *out);
/* The recent peaks start again from what is now. */
void pool_mark(struct pool *p);
const char *pool_name(const struct pool *p);

/* What is lent now, at most max of them, the longest first. How many were written. */
struct pool_loan {
    char who[POOL_WHO_MAX + 1]; /* "" */
    int64_t us;     /* so far */
    int connection; /* its number in the pool, from 1 */
    bool leaked, idle_in_tx;
};
size_t pool_loans(struct pool *p, struct pool_loan *out, size_t max);

/* What happened, for a timeline. Each with the state right after it. */
enum pool_event_kind { POOL_MADE = 1, POOL_LENT, POOL_RETURNED, POOL_CLOSED, POOL_QUEUED, POOL_GAVE_UP, POOL_IDLE_IN_TX };
struct pool_event {
    int64_t us;     /* on the pool's clock */
    enum pool_event_kind kind;
    int connection; /* 0: none (queued, gave up) */
    int busy, waiting;
};
/* Write down the next n events, at most POOL_TRACE_MAX; 0 ends it. Costs nothing while it is off. */
void pool_trace(struct pool *p, size_t n);
/* The events since then, oldest first; at most max are copied. How many there were; more than n: the rest was not kept. */
size_t pool_trace_read(struct pool *p, struct pool_event *out, size_t max);

/* The stats as Prometheus text (exposition format 0.0.4), appended: names are lakebase_pool_*, the label is the pool's name. */
struct buf;
void pool_metrics(struct pool *p, struct buf *out);

#endif
