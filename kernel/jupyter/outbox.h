/*
 * What a running cell shows, on its way from the cell thread to the thread that owns the sockets.
 * Neighbouring texts of one stream are joined and held back for a moment, so that a cell that
 * prints ten thousand lines sends a handful of messages; order is kept, and anything but a stream
 * goes out at once with all that stands before it.
 */
#ifndef JUPYTER_OUTBOX_H
#define JUPYTER_OUTBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"

enum out_kind { OUT_STREAM = 1, OUT_MESSAGE, OUT_INPUT, OUT_PYTHON, OUT_DONE };

struct out {
    enum out_kind kind;
    const char *type; /* OUT_STREAM: "stdout" or "stderr"; OUT_MESSAGE: message type; static */
    struct buf
        text; /* OUT_STREAM: bytes; else JSON text (OUT_DONE: the error bundle, empty for none) */
    char *plain; /* text/plain of an execute_result, for the history; or NULL */
    int64_t born_ms;
    struct out *next;
};

/* Streams are sent after so long, or when so much is there. The writer waits while more than
 * OUTBOX_FULL is queued. */
enum { OUTBOX_DELAY_MS = 80, OUTBOX_CHUNK = 64 << 10, OUTBOX_FULL = 8 << 20 };

struct outbox {
    pthread_mutex_t lock;
    pthread_cond_t drained;
    struct out *head, *tail;
    size_t bytes;
    bool closed;
    int fd; /* eventfd, readable when the reader should look */
};

bool outbox_init(struct outbox *b, struct err *e);
void outbox_release(struct outbox *b);

/* Cell thread. Waits while the outbox is full; what is added after outbox_close is dropped. */
void outbox_stream(struct outbox *b, bool to_stderr, const char *text, size_t len);
/* text: JSON, taken (NULL: empty). plain: taken. */
void outbox_add(struct outbox *b, enum out_kind kind, const char *type, char *text, char *plain);

/* Socket thread. The list of what is due, for the caller to free with out_free; NULL: nothing.
 * *wait_ms: when to look again, -1 when there is nothing to wait for. */
struct out *outbox_take(struct outbox *b, int *wait_ms);
/* The reader goes away: writers no longer wait. */
void outbox_close(struct outbox *b);
void out_free(struct out *o);

#endif
