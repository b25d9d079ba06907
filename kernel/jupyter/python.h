/*
 * %%python: a real ipykernel as a child of this kernel. Its messages go out as ours: our session, the cell's parent
 * header and execution count. Here are its life, its sockets and the relay; what a cell of Python gets (environment,
 * tokens) is magics/m_python.c. Everything belongs to the socket thread; the cell thread asks through the line.
 *
 * The request of the cell goes down with its own header, so all that the child says about it, late output of threads
 * too, names the cell as its parent.
 */
#ifndef JUPYTER_PYTHON_H
#define JUPYTER_PYTHON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "jupyter/python_child.h"
#include "jupyter/python_line.h"
#include "wire/msg.h"
#include "wire/sign.h"
#include "wire/sockets.h"

struct kernel;

enum {
    PYTHON_ITEMS = 6,          /* pollable things at most */
    PYTHON_START_MS = 60000,   /* until it answers for the first time */
    PYTHON_RETRY_MS = 200,     /* between two questions whether it is there */
    PYTHON_END_MS = 1000,      /* for a polite end */
    PYTHON_DRAIN_MS = 50,      /* for what is still on the way when it has died */
    PYTHON_REPLY_MS = 1000,    /* between a cell's idle and a reply that is missing */
    PYTHON_ASK_MS = 5000,      /* for a completion or an inspection */
    PYTHON_ASKS_MAX = 64,
    PYTHON_WAKE_MS = 25,       /* from an interrupt to the first wake-up; twice as long to each next one */
    PYTHON_WAKES = 8,
    PYTHON_TURN = 200,         /* messages of one channel in one round */
    PYTHON_STREAM_CAP = 64 << 20 /* text that one cell may print */
};

enum python_state { PYTHON_GONE, PYTHON_STARTING, PYTHON_READY, PYTHON_ENDING };

/* The cell that runs in Python. */
struct python_run {
    bool active;
    bool started;                      /* its code runs: an interrupt would reach it */
    bool interrupt_due, interrupted, asking;
    int64_t idle_ms;                   /* when its idle came; 0: not yet */
    json_t *reply;                     /* content of its execute_reply */
    json_t *error;                     /* content of the last error message, held back: it may be the cell's end */
    size_t streamed;
    int wakes;                         /* sent since the last interrupt */
    int64_t wake_ms;                   /* when the next one is due; 0: none */
};

struct python {
    enum python_state state;
    struct python_child child;
    struct sockets sockets;
    struct signer *signer;
    struct author author;
    struct python_line line;
    struct python_run run;
    struct python_ask *asks;   /* completions and the like that wait for an answer */
    long generation;
    bool answered, heard;      /* while starting: on shell, on iopub */
    int64_t retry_ms, limit_ms;
    int64_t dead_ms;           /* its process has ended; what is on the way is waited for until then; 0: it lives */
    char version[32];
    char subshell[64];         /* answers asks while a cell runs; "": it has none */
    char lost[200];            /* how the last one ended by itself; "" otherwise */
};

bool python_init(struct python *p, struct err *e);
/* A call of the cell thread is there. */
void python_begin(struct kernel *k);
/* What to poll on (at most PYTHON_ITEMS; returns how many), and for how long at most (-1: no limit). */
size_t python_items(struct kernel *k, zmq_pollitem_t *items);
int64_t python_wait_ms(const struct kernel *k);
/* Everything that is there now, and all that is due. */
void python_serve(struct kernel *k);
/* The user wants the cell to stop. */
void python_interrupt(struct kernel *k);
/* The kernel ends: no more calls, the child ends within a second. */
void python_close(struct kernel *k);

/* Is this about the text of a %%python cell, and can the child be asked? Then m is taken, and answered later. */
bool python_takes(struct kernel *k, struct msg *m);
/* An answer to input() of the running cell; false: that did not ask. */
bool python_input(struct kernel *k, const char *value);

/* ---- between the files of python*.c ---- */

/* header: JSON text, NULL: a new one. content: taken. metadata: borrowed or NULL. */
void python_send(struct python *p, enum channel ch, const char *type, const char *header,
                 const json_t *metadata, json_t *content);
/* Answer the call; why NULL: it went well. error: taken, JSON text or NULL. */
void python_answer(struct kernel *k, const struct err *why, char *error);
/* python_relay.c */
void python_run_begin(struct kernel *k, const struct python_call *call);
void python_run_check(struct kernel *k); /* has it ended? */
void python_run_interrupt(struct kernel *k);
void python_run_died(struct kernel *k, const char *how);
void python_on_iopub(struct kernel *k, struct msg *m);
void python_on_reply(struct kernel *k, struct msg *m); /* an execute_reply */
void python_on_stdin(struct kernel *k, struct msg *m);
/* python_ask.c */
bool python_ask_answer(struct kernel *k, const struct msg *m); /* is it the answer to one? */
void python_ask_expire(struct kernel *k, int64_t now);         /* INT64_MAX: all */
int64_t python_ask_deadline(const struct kernel *k);           /* -1: none waits */

#endif
