/* What the files of the pool share: pool.c (checkout, return), pool_queue.c (members and waiters under the lock),
 * pool_maker.c (the pool's threads), pool_life.c (opening, closing), pool_reset.c (what is done to a connection). */
#ifndef PG_POOL_PARTS_H
#define PG_POOL_PARTS_H

#include <pthread.h>

#include "pg/pool.h"

enum { POOL_CANCEL_MS = 1000, POOL_GRACE_MS = 2000, POOL_FAIL_FAST_MS = 1000, POOL_MAKERS = 3 };

/* pool_move alone changes it. RESETTING and CLOSING: the thread that moved it there works on it, without the lock. */
enum member_state { MEMBER_MAKING, MEMBER_IDLE, MEMBER_BUSY, MEMBER_RESETTING, MEMBER_CLOSING, MEMBER_STATES };

/* A place of the pool, taken before its connection is made. While it is BUSY, conn belongs to the borrower. */
struct member {
    struct pg_conn *conn; /* NULL while MAKING */
    void *canceller;      /* to cancel what a borrower runs without touching conn */
    enum member_state state;
    enum pool_closed why; /* it is over when dies_at passes */
    int64_t since;        /* when it came into its state; not for RESETTING and CLOSING */
    int64_t dies_at;
    int pins;             /* canceller is in use */
    bool told;            /* pool_close has cancelled what it runs */
    struct member *next;
    struct member *idle_next, *idle_prev;
};

/* A checkout in the queue; lives on its caller's stack. */
struct waiter {
    int fd; /* eventfd, readable once it is given something or failed */
    struct member *given;
    bool failed;
    struct err why;
    struct waiter *next;
};

/* What is done to a connection; tests put counters in the place of PostgreSQL. Never called under the lock. */
enum { POOL_CLEAN = 1, POOL_ROLLED_BACK = 2, POOL_WAS_RESET = 4 };
struct pool_ops {
    bool (*alive)(struct pg_conn *conn);                                   /* no round trip */
    int (*clean)(struct pg_conn *conn, enum pool_reset reset, int limit_ms); /* bits; without POOL_CLEAN it is of no more use */
    void *(*canceller)(struct pg_conn *conn);
    void (*cancel)(void *canceller, int limit_ms); /* any thread */
    void (*canceller_free)(void *canceller);
    void (*close)(struct pg_conn *conn);
};
extern const struct pool_ops pool_pg_ops;
struct pool *pool_open_over(const struct pool_options *o, const struct pool_ops *ops, struct err *e);

struct pool {
    struct pool_options o; /* with the defaults filled in */
    const struct pool_ops *ops;
    char *name;
    struct cancel stop;     /* interrupts the makers' connects */
    pthread_t makers[POOL_MAKERS];
    int n_makers;
    pthread_mutex_t lock;   /* around everything below */
    pthread_cond_t changed; /* work for the makers, or something that pool_wait and pool_close look for */
    bool makers_ended;
    struct member *members;
    int n[MEMBER_STATES];
    struct member *idle;     /* the one used last first */
    struct member *idle_end; /* … and the one that idles longest */
    struct waiter *waiters, **waiters_end;
    struct pool_stats stats; /* gauges are filled in by pool_stats */
    int waiting;
    struct err last_error;  /* of the last attempt to connect; no code: it went well */
    int failures;           /* in a row */
    int64_t failed_at, next_try;
};

/* ---- pool_queue.c; under the lock ---- */
void pool_move(struct pool *p, struct member *m, enum member_state to);
struct member *pool_new_member(struct pool *p);  /* MAKING */
void pool_drop(struct pool *p, struct member *m); /* out of the list; the caller frees it */
struct member *pool_take_idle(struct pool *p);   /* BUSY; NULL: none that is good */
struct member *pool_take_over(struct pool *p);   /* CLOSING: an idle one whose time is over; NULL: none */
void pool_put(struct pool *p, struct member *m, int64_t now); /* free: to the oldest waiter, or idle */
void pool_enqueue(struct pool *p, struct waiter *w, bool first);
bool pool_dequeue(struct pool *p, struct waiter *w); /* false: it was served or failed before */
void pool_fail_waiters(struct pool *p, const struct err *why);
int pool_places(const struct pool *p);           /* taken: all members */
void pool_record(struct pool_histogram *h, uint64_t us);

/* ---- pool_maker.c ---- */
void *pool_maker(void *pool);
/* Close a member that is CLOSING and count it. The lock is held on entry and exit, not in between. */
void pool_discard(struct pool *p, struct member *m, enum pool_closed why);
void pool_pause(struct pool *p, int64_t ms); /* on `changed`; under the lock */
void pool_look(struct pool *p);              /* the makers look at ages now; for tests that moved the clock */

/* ---- pool_reset.c: what a statement may leave in a session ---- */
enum {
    TOUCHED_SETTINGS = 1, TOUCHED_LISTEN = 2, TOUCHED_PREPARED = 4, TOUCHED_CURSORS = 8, TOUCHED_TEMP = 16, TOUCHED_LOCKS = 32,
    TOUCHED_ALL = 63
};
unsigned pool_touched_by_text(const char *sql);
unsigned pool_touched_by_tag(const char *tag);

#endif
