/* What pool.c (checkout, return) and pool_maker.c (making, ageing, opening and closing) share. */
#ifndef PG_POOL_PARTS_H
#define PG_POOL_PARTS_H

#include <pthread.h>

#include "pg/pool.h"

enum member_state { MEMBER_IDLE = 1, MEMBER_BUSY };

/* A connection of the pool. While it is BUSY, conn belongs to the borrower. */
struct member {
    struct pg_conn *conn;
    enum member_state state;
    int64_t idle_since, dies_at;
    struct member *next;
};

/* A checkout in the queue; lives on its caller's stack. */
struct waiter {
    int fd; /* eventfd, readable once it is given something or failed */
    struct member *given;
    struct err why;
    struct waiter *next;
};

struct pool {
    struct pool_options o; /* with the defaults filled in */
    char *name;
    int64_t (*now)(void);
    pthread_mutex_t lock; /* around everything below */
    pthread_cond_t changed;
    struct member *members;
    struct waiter *waiters, **waiters_end;
    struct pool_stats stats;
    struct err last_error;  /* of the last attempt to connect; no code: it went well */
    int failures;           /* in a row */
    int64_t next_try;       /* real time */
    struct cancel stop;     /* interrupts the maker's connect */
    pthread_t maker;
    bool has_maker;
};

/* Under the lock. */
void pool_put(struct pool *p, struct member *m); /* free: to the oldest waiter, or idle */
void pool_drop(struct pool *p, struct member *m); /* out of the list; caller closes and frees */
void pool_count_busy(struct pool *p, int change);
void pool_fail_waiters(struct pool *p, const struct err *why);

#endif
