/* A cancel token that also fires after a time: for a statement with a time limit. The user's token still works
 * through it. */
#ifndef MAGICS_DEADLINE_H
#define MAGICS_DEADLINE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/cancel.h"
#include "base/err.h"

struct deadline {
    struct cancel token;  /* hand this to the call */
    struct cancel *outer; /* the user's; NULL: none */
    struct cancel stop;
    long long ms;
    pthread_t thread;
    bool passed; /* of the thread until deadline_end */
};

/* Start the clock. On failure nothing is left to end. */
bool deadline_begin(struct deadline *d, long long ms, struct cancel *outer, struct err *e);
/* Stop it; whether the time had passed. Always after a successful begin. */
bool deadline_end(struct deadline *d);

#endif
