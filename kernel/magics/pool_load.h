/* Many clients at once: threads that borrow, run a statement and give back, and what that took. */
#ifndef MAGICS_POOL_LOAD_H
#define MAGICS_POOL_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "magics/magic.h"
#include "magics/pools.h"

enum { LOAD_CLIENTS_MAX = 200, LOAD_CALLS_MAX = 1000000, LOAD_KINDS_MAX = 16 };

struct load {
    struct notebook_pool *pool;
    bool connect_each;    /* a new connection for each call instead of the pool */
    const char *sql;
    int clients, calls;   /* calls of each client */
    int timeout_ms;       /* of each checkout; -1: the pool's */
};
struct load_failures {
    char code[32];        /* SQLSTATE and condition, or the error's name */
    char text[200];       /* of the first one */
    char help[200];       /* its hint, or the advice on its SQLSTATE; "" */
    int64_t count;
};
/* Times in microseconds. */
struct load_result {
    int64_t done, failed, us;         /* us: from the first call to the last */
    int64_t p50, p95, p99, most;      /* a call, waiting included */
    int64_t wait_p95, wait_most;
    int64_t waited;                   /* checkouts that had to queue and were served */
    int most_waiting;                 /* at one moment */
    int backends;                     /* different server processes that were used */
    struct load_failures failures[LOAD_KINDS_MAX];
    size_t kinds;
};

/* What the notebook keeps of a pool's last %%pool, for %pool verdict. */
struct pool_run {
    struct load load;                 /* without its text */
    struct load_result pooled, each;
    bool compared;                    /* each was run too */
};

/* Run it, with a progress display. An interrupt cancels what runs on the server: ERR_CANCELLED. */
bool load_run(struct magic_ctx *ctx, const struct load *l, struct load_result *out, struct err *e);

#endif
