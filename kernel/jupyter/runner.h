/*
 * The cell thread: runs one cell at a time, handed over by the socket thread, and owns the session
 * (connections, client of the workspace). Everything it shows goes through the outbox; it never
 * touches a socket.
 */
#ifndef JUPYTER_RUNNER_H
#define JUPYTER_RUNNER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"
#include "jupyter/outbox.h"
#include "jupyter/python_line.h"

struct job {
    char *code; /* owned */
    size_t len;
    bool silent;      /* nothing is shown */
    bool allow_stdin; /* the front end can be asked, and draws updates */
};

enum answer { ANSWER_NONE, ANSWER_AWAITED, ANSWER_GIVEN, ANSWER_CLOSED };

enum { RUNNER_STREAM_CAP = 64 << 20, RUNNER_ANSWER_CAP = 1 << 20 };

struct runner {
    pthread_t thread;
    pthread_mutex_t lock; /* of job, refresh, stop, ended, answer, value */
    pthread_cond_t changed;
    struct outbox *out;
    struct python_line *python;
    struct cancel cancel; /* of the running cell */
    struct job *job;      /* handed over, not taken yet */
    bool refresh;         /* Tab's names are wanted, or being asked for */
    struct cancel refresh_cancel;
    bool stop, ended;
    enum answer answer; /* to input() */
    struct buf value;
    int answer_fd;
    /* cell thread only */
    const struct job *now;
    size_t streamed;
};

bool runner_init(struct runner *r, struct outbox *out, struct python_line *python, struct err *e);
/* All of these: socket thread. The job is taken; an OUT_DONE entry of the outbox ends it. Only when
 * none is running. */
void runner_submit(struct runner *r, struct job *job);
/* Have Tab's names brought up to date, and wait for it, at most ms. Only when no cell runs. */
void runner_refresh(struct runner *r, int ms);
/* Fire the cancel token of the cell that runs. */
void runner_interrupt(struct runner *r);
/* Is a cell waiting for a line of input? */
bool runner_asks(struct runner *r);
/* What the user typed; NULL: the prompt was closed. Dropped when nobody waits. */
void runner_answer(struct runner *r, const char *value, size_t len);
/* Close the session and end the thread; false: not within ms, and its memory must stay. */
bool runner_stop(struct runner *r, int ms);

#endif
