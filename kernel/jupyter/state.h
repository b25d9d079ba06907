/*
 * What the parts of jupyter/ share: the state of the kernel, and how its messages are sent.
 * Everything here belongs to the socket thread. Not for other folders.
 */
#ifndef JUPYTER_STATE_H
#define JUPYTER_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "jupyter/history.h"
#include "jupyter/outbox.h"
#include "jupyter/parent.h"
#include "jupyter/python.h"
#include "jupyter/runner.h"
#include "wire/connfile.h"
#include "wire/heartbeat.h"
#include "wire/msg.h"
#include "wire/sign.h"
#include "wire/sockets.h"

/* After a failed cell the queue is watched so long for the cells that were sent together with it
 * ("Run All"), before the reply goes out: whatever comes until then was sent by somebody who could
 * not know of the failure. */
enum { SETTLE_QUIET_MS = 10, SETTLE_MOST_MS = 100 };

/* What may wait to be run, in cells and in bytes; a cell alone may be as big as a message can be. */
enum { QUEUE_MAX = 10000, QUEUE_MAX_BYTES = 64 << 20 };

/* A prompt is offered again so often, and so long, to a client whose stdin is not connected. */
enum { PROMPT_AGAIN_MS = 20, PROMPT_MOST_MS = 10000 };

struct cell {
    struct msg *request; /* NULL: no cell runs */
    int64_t count;       /* its execution count */
    bool silent, stored, stop_on_error, allow_stdin;
    char started[40];
    char input_id[64]; /* msg_id of the input_request that waits; "" for none */
    char *prompt;      /* content of an input_request that could not be sent yet, NULL: none */
    int64_t prompt_ms, prompt_end_ms; /* when to try again, when to give up */
    json_t *payload, *expressions; /* of a cell of Python, for its reply; else NULL */
    json_t *error; /* it ended with this and settles until settle_ms, at most until settle_end_ms */
    int64_t settle_ms, settle_end_ms;
};

/* What was published before anybody subscribed; the oldest go when it grows over a cap. */
enum { BACKLOG_MESSAGES = 256, BACKLOG_BYTES = 1 << 20 };
struct backlog {
    struct kept *head, *tail;
    size_t count, bytes;
    bool over; /* the first subscriber came: nothing is kept any more */
};

struct kernel {
    struct connfile conn;
    struct signer *signer;
    struct author author;
    struct sockets sockets;
    struct heartbeat heartbeat;
    struct outbox outbox;
    struct runner runner;
    struct python python;
    struct history *history;
    struct parent parent;
    struct backlog backlog;
    int signal_fd;
    int64_t count; /* execution counter */
    struct cell cell;
    struct msg *queue, *queue_last; /* execute requests that wait */
    size_t queued, queued_bytes;
    int64_t stop_ms; /* 0: serving; else when to give up waiting for the cell */
};

/* ---- send.c ---- */
/* content: taken. */
void kernel_publish(struct kernel *k, const char *type, const struct msg *parent, json_t *content);
void kernel_publish_text(struct kernel *k, const char *type, const struct msg *parent,
                         char *content);
void kernel_status(struct kernel *k, const struct msg *parent, const char *state);
/* The reply to m on its channel: content (taken) with "status": "ok" unless it has a status.
 * metadata: borrowed or NULL. */
void kernel_reply(struct kernel *k, const struct msg *m, json_t *content, const json_t *metadata);
void kernel_reply_err(struct kernel *k, const struct msg *m, const struct err *e);
void kernel_welcome(struct kernel *k);
void backlog_release(struct backlog *b);

/* ---- dispatch.c ---- */
/* Work on one message; m is taken. */
void kernel_dispatch(struct kernel *k, struct msg *m);
/* Everything that waits on a ROUTER channel now. */
void kernel_drain(struct kernel *k, enum channel ch);

/* ---- kernel.c ---- */
/* End soon: stop the cell, answer what waits, leave. */
void kernel_stop(struct kernel *k);

/* ---- execute.c ---- */
void execute_queue(struct kernel *k, struct msg *m); /* m is taken */
/* What the cell thread has shown since; *wait_ms: when to look again or -1. */
void execute_outputs(struct kernel *k, int *wait_ms);
void execute_input_reply(struct kernel *k, const struct msg *m);
/* Ask the front end on behalf of the running cell; content: of an input_request, taken. */
void execute_prompt(struct kernel *k, char *content);
/* The user wants the running cell to stop. */
void execute_interrupt(struct kernel *k);
/* Answer all waiting requests with "aborted". */
void execute_abort_queue(struct kernel *k);
/* At the end: the request of the cell that did not stop, too. */
void execute_abort_all(struct kernel *k);

/* ---- requests.c: one handler a message type; each sends its reply ---- */
typedef void handler_fn(struct kernel *k, const struct msg *m);
handler_fn handle_kernel_info, handle_complete, handle_inspect, handle_is_complete, handle_history,
    handle_comm_info, handle_comm_open, handle_connect, handle_interrupt, handle_shutdown,
    handle_ignored;

#endif
