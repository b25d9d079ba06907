/*
 * The heartbeat: echoes whatever arrives, on a thread and a ZeroMQ context of its own, so that a
 * front end never takes a busy kernel for a dead one. Source: Jupyter messaging protocol,
 * "Heartbeat for kernels".
 */
#ifndef WIRE_HEARTBEAT_H
#define WIRE_HEARTBEAT_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"
#include "wire/connfile.h"

struct heartbeat {
    void *context, *socket;
    pthread_t thread;
};

/* Bind (filling in a port that is 0) and start the thread. */
bool heartbeat_open(struct heartbeat *h, struct connfile *c, struct err *e);
void heartbeat_close(struct heartbeat *h);

#endif
