/*
 * The cancel token: one flag that any thread (or a signal handler) may set and a blocked call can poll on.
 * Every call that can block takes one (NULL: cannot be cancelled) and returns ERR_CANCELLED soon after it fires.
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"

struct cancel {
    atomic_bool fired;
    int fd; /* eventfd, readable once fired; for poll() */
};

bool cancel_init(struct cancel *c, struct err *e);
void cancel_release(struct cancel *c);
/* Fire. Async-signal-safe; any thread; firing twice is fine. */
void cancel_fire(struct cancel *c);
/* Ready for the next cell. Owner only. */
void cancel_reset(struct cancel *c);
static inline bool cancel_fired(struct cancel *c) { return c && atomic_load(&c->fired); }
/* true, or false with ERR_CANCELLED "interrupted". */
bool cancel_check(struct cancel *c, struct err *e);
/* Wait until fd has `events` (poll(2) bits), the token fires (ERR_CANCELLED) or ms passed (ERR_TIMEOUT).
 * fd -1: only sleep, and then the end of the time is success. ms -1: no limit. */
bool cancel_poll(struct cancel *c, int fd, short events, int ms, struct err *e);

#endif
