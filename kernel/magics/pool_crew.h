/* What the two ways of a load share: a thread for each client (pool_load.c) and one thread for all (pool_loop.c). */
#ifndef MAGICS_POOL_CREW_H
#define MAGICS_POOL_CREW_H

#include <pthread.h>
#include <stdatomic.h>

#include "magics/pool_load.h"

struct call {
    int64_t total_us, wait_us; /* total -1: it failed */
    int backend;
};

struct crew {
    const struct load *load;
    struct cancel *cancel;
    atomic_llong finished;   /* calls */
    atomic_int ended;        /* threads */
    atomic_llong end_us;     /* of the last call so far */
    pthread_mutex_t lock;    /* around out->failures */
    struct load_result *out;
};

struct client {
    struct crew *crew;
    struct call *calls;
    pthread_t thread;
};

/* Count a call that failed, by its code. Any thread. */
void load_failed(struct crew *c, const struct err *e);
/* This thread has made its last call. */
void load_ended(struct crew *c);
/* A thread's main: arg is the first client, whose calls are followed by those of the others. */
void *load_loop(void *client);

#endif
