/* Many clients at once: threads that borrow, run a statement and give back, and what that took. */
#ifndef MAGICS_POOL_LOAD_H
#define MAGICS_POOL_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "magics/bind.h"
#include "magics/magic.h"
#include "magics/pools.h"

enum { LOAD_CLIENTS_MAX = 200, LOAD_CALLS_MAX = 1000000, LOAD_KINDS_MAX = 16 };

struct load {
    struct notebook_pool *pool;
    bool connect_each;    /* a new connection for each call instead of the pool */
    bool loop;            /* one thread serves all clients, instead of one for each */
    bool prepare;         /* each session prepares the statement on its second call */
    const struct bound *bound; /* the statement, its variables bound */
    int clients, calls;   /* calls of each client */
    int timeout_ms;       /* of each checkout; -1: the pool's */
    int think_ms;         /* pause of a client between two calls */
};
struct load_failures {
    char code[32];        /* SQLSTATE and condition, or the error's name */
    char text[200];       /* of the first one */
    char help[200];       /* its hint, or the advice on its SQLSTATE; "" */
    int64_t count;
};
/* What this pool and psycopg_pool both count, in the same sense. */
struct load_counts {
    int64_t requests;           /* for a connection */
    int64_t waited;             /* of them in the queue, also in vain */
    int64_t unserved;           /* of them without a connection: timed out, refused */
    int64_t connects;           /* attempts */
    int64_t connect_failures;   /* of them */
};
/* Times in microseconds. */
struct load_result {
    int64_t done, failed, us;         /* us: from the first call to the last */
    int64_t p50, p95, p99, most;      /* a call, waiting included */
    int64_t wait_p95, wait_most;
    int64_t waited;                   /* checkouts that had to queue and were served */
    int most_waiting;                 /* at one moment; -1: not known */
    int backends;                     /* different server processes that were used */
    struct load_failures failures[LOAD_KINDS_MAX];
    size_t kinds;
    struct load_counts counts;        /* nothing for connect_each */
};

/* What the notebook keeps of a pool's last %%pool, for %pool verdict. */
struct pool_run {
    struct load load;                 /* without its text */
    struct load_result pooled, other; /* other: of what it was compared with */
    enum load_compared { COMPARED_NOT, COMPARED_CONNECT, COMPARED_PSYCOPG } compared;
};

/* Count n calls that failed alike, by SQLSTATE or (where that is "") by name. hint: "" for none. Not locked. */
void load_count_failed(struct load_result *out, const char *sqlstate, const char *name, const char *text, const char *hint, int64_t n);
/* Run it, with a progress display. An interrupt cancels what runs on the server: ERR_CANCELLED. */
bool load_run(struct magic_ctx *ctx, const struct load *l, struct load_result *out, struct err *e);

#endif
