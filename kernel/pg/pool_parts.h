/* What the files of the pool share: pool.c (checkout, return), pool_async.c (checkout without waiting), pool_queue.c (members and waiters under the lock),
 * pool_maker.c (the pool's threads), pool_life.c (opening, closing), pool_control.c (what is done to an open pool),
 * pool_stats.c (what is known of it), pool_watch.c (what it notices), pool_reset.c (what is done to a connection). */
#ifndef PG_POOL_PARTS_H
#define PG_POOL_PARTS_H

#include <pthread.h>

#include "pg/pool.h"

enum { POOL_BELLS_KEPT = 32 };
enum { POOL_CANCEL_MS = 1000, POOL_GRACE_MS = 2000, POOL_FAIL_FAST_MS = 1000, POOL_MAKERS = 3, POOL_CANCEL_LOOK_MS = 20, POOL_CANCEL_AGAIN_MS = 250 };

/* pool_move alone changes it. RESETTING and CLOSING: the thread that moved it there works on it, without the lock. */
enum member_state { MEMBER_MAKING, MEMBER_IDLE, MEMBER_BUSY, MEMBER_RESETTING, MEMBER_CLOSING, MEMBER_STATES };

/* A place of the pool, taken before its connection is made. While it is BUSY, conn belongs to the borrower. */
struct member {
    struct pg_conn *conn; /* NULL while MAKING */
    void *canceller;      /* to cancel what a borrower runs without touching conn */
    enum member_state state;
    enum pool_closed why; /* it is over when dies_at passes */
    int64_t since;        /* when it came into its state; not for RESETTING and CLOSING */
    int64_t dies_at;      /* INT64_MIN: drained */
    int64_t lent_us;      /* BUSY: since when, for times that people see */
    int64_t idled_ms;     /* … and how long it had idled before */
    int number;           /* from 1, for people */
    unsigned checked;     /* the last round of pool_check_idle that it needs no more */
    bool leaked;
    int64_t idle_tx_us;   /* what pool_find_idle_tx counted last */
    char who[POOL_WHO_MAX + 1];
    int pins;             /* canceller is in use */
    bool told;            /* this round of pool_close has cancelled what it runs */
    struct member *next;
    struct member *idle_next, *idle_prev;
};

/* What a waiter sleeps on: a pipe. The kernel takes a write to one for a hand-over (the writer is about to sleep itself) and
 * wakes the reader where the writer runs; an eventfd's reader is woken on another processor, which has to start up for it. */
struct bell {
    int hear, ring;
};

/* A checkout in the queue; lives on its caller's stack. */
struct waiter {
    struct bell bell; /* `hear` is readable once it is given something or failed. Of a ticket: both are its owner's eventfd */
    bool rung;        /* … and it was, or is about to be: whoever did that has left the lock */
    bool heard;       /* … and its owner has taken that in; not used by tickets */
    struct member *given;
    bool failed;
    struct err why;   /* failed: this is set as a whole */
    int64_t since;
    const char *who;
    struct waiter *next;
};

/* What is done to a connection; tests put counters in the place of PostgreSQL. Never called under the lock, but tidy. */
enum { POOL_CLEAN = 1, POOL_ROLLED_BACK = 2, POOL_WAS_RESET = 4 };
struct pool_ops {
    bool (*alive)(struct pg_conn *conn);                                   /* no round trip */
    bool (*ping)(struct pg_conn *conn, int limit_ms);                      /* a round trip */
    bool (*tidy)(struct pg_conn *conn, enum pool_reset reset); /* it is clean already; a look at memory, also under the lock */
    int (*clean)(struct pg_conn *conn, enum pool_reset reset, int limit_ms); /* bits; without POOL_CLEAN it is of no more use */
    void *(*canceller)(struct pg_conn *conn);
    void (*cancel)(void *canceller, int limit_ms); /* any thread */
    void (*canceller_free)(void *canceller);
    void (*detach)(struct pg_conn *conn);
    void (*close)(struct pg_conn *conn);
    /* These two may be NULL: */
    enum pool_route (*route)(struct pg_conn *conn, enum pool_route known, const struct pool_options *o, struct cancel *stop); /* new ones */
    int64_t (*idle_tx)(struct pg_conn *conn); /* since when it sits in a transaction, in µs of the pool's clock; 0: it does not. A
                                                 look at memory, also while a borrower uses it, and under the lock */
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
    struct bell bells[POOL_BELLS_KEPT]; /* of waiters that have left: making one for each wait costs more than the hand-over */
    int n_bells;
    int to_ring;            /* the bell of the waiter that was served last, until the lock is left; -1: none */
    struct pool_stats stats; /* gauges are filled in by pool_stats */
    int waiting;
    bool paused;
    bool route_asked;       /* stats.route holds for the server of now */
    bool route_asking;      /* one of the makers finds out */
    int numbers;            /* of members so far */
    unsigned check_round;
    unsigned generation;    /* of the process; another one: this is a child's copy */
    struct pool_event *trace;
    size_t trace_cap, trace_n;
    struct err last_error;  /* of the last attempt to connect; no code: it went well */
    int failures;           /* in a row */
    int64_t failed_at, next_try;
};

/* ---- pool.c: the steps of a checkout, for pool_async.c too ---- */
/* An idle member, or NULL with *e set, or NULL and *queued. `first`: a dead connection cost this checkout its turn. */
struct member *pool_enter(struct pool *p, struct waiter *w, bool first, int timeout_ms, bool *queued, struct err *e);
/* The waiter has waited so long, and goes. `woken`: it was served or failed, else *why says why it goes. NULL with *e set; what
 * it was given too late goes to the next one. */
struct member *pool_leave(struct pool *p, struct waiter *w, bool woken, const struct err *why, uint64_t waited_us, int limit_ms, struct err *e);
/* May be lent: what the pool's check says, within the caller's limit (0: none). *end: when that is over, 0 until it is known. */
bool pool_is_good(struct pool *p, const struct member *m, int limit, int64_t *end);
void pool_replace_lost(struct pool *p, struct member *m);
void pool_bell_close(struct bell b);

/* ---- pool_queue.c: the lock ---- */
void pool_lock(struct pool *p);
void pool_unlock(struct pool *p); /* … and rings for whoever was served under it */
void pool_await_change(struct pool *p, int64_t until_ms); /* on `changed`, without the lock; -1: without a limit */

/* ---- pool_queue.c; under the lock ---- */
void pool_move(struct pool *p, struct member *m, enum member_state to);
struct member *pool_new_member(struct pool *p);  /* MAKING */
void pool_drop(struct pool *p, struct member *m); /* out of the list; the caller frees it */
struct member *pool_take_idle(struct pool *p);   /* BUSY; NULL: none that is good */
struct member *pool_take_over(struct pool *p);   /* CLOSING: an idle one whose time is over; NULL: none */
void pool_make_home(const struct member *m);     /* this thread gives it back */
void pool_name_borrower(struct member *m, const char *who);
void pool_put(struct pool *p, struct member *m, int64_t us); /* free and good: to the oldest waiter, or idle */
void pool_find_leaks(struct pool *p);
void pool_note(struct pool *p, enum pool_event_kind kind, const struct member *m, int64_t us);
bool pool_over_max(const struct pool *p);
void pool_serve(struct pool *p); /* idle ones to those who wait */
void pool_enqueue(struct pool *p, struct waiter *w, bool first);
bool pool_dequeue(struct pool *p, struct waiter *w); /* false: it was served or failed before */
void pool_fail_waiters(struct pool *p, const struct err *why);
int pool_places(const struct pool *p);           /* taken: all members */
void pool_record(struct pool_histogram *h, uint64_t us);

/* ---- pool_maker.c ---- */
void *pool_maker(void *pool);
/* Close a member that is CLOSING and count it. The lock is held on entry and exit, not in between. */
void pool_discard(struct pool *p, struct member *m, enum pool_closed why);
/* One that nobody uses any more: to those who wait, or idle (true); or out, when its time is over. As pool_discard for the
 * lock, and *m may be gone. */
bool pool_settle(struct pool *p, struct member *m, int64_t us);
void pool_sleep(struct pool *p, int64_t ms); /* on `changed`; under the lock */
void pool_look(struct pool *p);              /* the makers look at ages now; for tests that moved the clock */

/* ---- pool_watch.c ---- */
enum pool_route pool_pg_route(struct pg_conn *conn, enum pool_route known, const struct pool_options *o, struct cancel *stop);
void pool_ask_route(struct pool *p, struct pg_conn *conn); /* of a new connection; not under the lock */
int64_t pool_pg_idle_tx(struct pg_conn *conn);
void pool_find_idle_tx(struct pool *p);                              /* under the lock */
bool pool_sits_in_tx(const struct pool *p, const struct member *m);  /* … for longer than idle_in_tx_ms; under the lock */

static inline int64_t pool_now_ms(const struct pool *p) { return p->o.now_us() / 1000; }

/* ---- pool_life.c ---- */
bool pool_sizes_are_good(int min_size, int max_size, struct err *e);

/* ---- pool_control.c ---- */
unsigned pool_generation(void); /* one more in each child process */
/* false: this process is a child of the one that opened the pool; *e (NULL is fine) says so. */
bool pool_is_ours(const struct pool *p, struct err *e);

/* ---- pool_reset.c: what a statement may leave in a session ---- */
enum {
    TOUCHED_SETTINGS = 1, TOUCHED_LISTEN = 2, TOUCHED_PREPARED = 4, TOUCHED_CURSORS = 8, TOUCHED_TEMP = 16, TOUCHED_LOCKS = 32,
    TOUCHED_ALL = 63
};
unsigned pool_touched_by_text(const char *sql);
unsigned pool_touched_by_tag(const char *tag);

#endif
