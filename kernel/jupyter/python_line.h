/*
 * The line between the cell thread, where %%python runs, and the socket thread, which owns the sockets to its child:
 * one call at a time, answered once. Only this crosses the threads.
 */
#ifndef JUPYTER_PYTHON_LINE_H
#define JUPYTER_PYTHON_LINE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"
#include "jupyter/outbox.h"
#include "magics/python.h"

struct python_line {
    pthread_mutex_t lock; /* of everything below */
    const struct python_call *call; /* waits for its answer; the caller's */
    struct python_answer answer;
    struct err err;
    bool closed;
    int fd; /* eventfd, readable once it is answered */
};

bool python_line_init(struct python_line *l, struct err *e);
void python_line_release(struct python_line *l);

/* Cell thread: ask and wait. The call goes through the outbox, behind all that the cell has shown. There is no cancel
 * token here: the socket thread hears of an interrupt and sees to it that the call ends. */
bool python_line_call(struct python_line *l, struct outbox *out, const struct python_call *call,
                      struct python_answer *answer, struct err *e);

/* Socket thread: what is asked; NULL: nothing. Good until it is answered. */
const struct python_call *python_line_take(struct python_line *l);
/* why: NULL when it went well. The texts of the answer are taken. */
void python_line_answer(struct python_line *l, const struct python_answer *answer, const struct err *why);
/* No more answers: a call that waits, and each later one, ends with ERR_CANCELLED. */
void python_line_close(struct python_line *l);

#endif
