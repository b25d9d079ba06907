/* What instances.c and instances_work.c share. Private to the two. */
#ifndef WORKSPACE_INSTANCES_PARTS_H
#define WORKSPACE_INSTANCES_PARTS_H

#include <pthread.h>

#include "base/cancel.h"
#include "workspace/instances.h"

struct work;

struct instances {
    struct store *store;
    struct clusters *clusters;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a row changed, a worker ended, or closing */
    struct work *workers;
    struct cancel closing; /* fired once: ends the watch and waits */
    pthread_t watch;
    bool watching;
};

/* Make sure that a worker looks at the row. interrupt: what it does now has lost its purpose. */
bool instances_kick(struct instances *all, const char *uid, bool interrupt, struct err *e);
/* At the end: what is under way stops, and is waited for. */
void instances_interrupt(struct instances *all);
void instances_join(struct instances *all);

#endif
