/*
 * Frames between the server and its lakehouse worker (the protocol is in worker.h): 4 bytes length, big-endian, then one
 * JSON object. Both sides use this file. Knows no job.
 */
#ifndef WORKSPACE_WORKER_FRAME_H
#define WORKSPACE_WORKER_FRAME_H

#include <jansson.h>
#include <stdbool.h>

#include "base/cancel.h"
#include "base/err.h"

/* Write one frame; the caller keeps `frame`. Blocks until the other side has read enough (also on a non-blocking fd).
 * ERR_TOO_BIG over WORKER_FRAME_MAX (nothing was written), ERR_UNAVAILABLE when the other side is gone, ERR_CANCELLED.
 * After any failure but ERR_TOO_BIG close the connection. One writer at a time. */
bool worker_frame_write(int fd, const json_t *frame, struct cancel *cancel, struct err *e);
/* Read one frame (new reference). ERR_UNAVAILABLE at the end of the stream, ERR_TOO_BIG and ERR_MALFORMED for what
 * is no frame, ERR_CANCELLED while none has begun or within one: then the place in the stream is lost. One reader at a time. */
bool worker_frame_read(int fd, json_t **frame, struct cancel *cancel, struct err *e);

/* The "error" object of a frame: {code: "NOT_FOUND", message, sqlstate, position, detail, hint}. New reference. */
json_t *worker_error_json(const struct err *e);
/* The reverse; an unknown code becomes ERR_INTERNAL. Always returns false. */
bool worker_error_read(const json_t *error, struct err *e);

#endif
