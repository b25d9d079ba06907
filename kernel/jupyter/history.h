/*
 * The input history: what was typed, across sessions, in a SQLite file that all kernels of a user
 * share. Opened at the first need, never on the way to a reply. Where no file can be had it lives
 * in memory. Outputs are kept for the running session only, never in the file. Source: Jupyter
 * messaging protocol, "History". Socket thread only.
 */
#ifndef JUPYTER_HISTORY_H
#define JUPYTER_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct history;

enum {
    HISTORY_MAX_INPUT = 1 << 20,   /* a larger cell is not kept */
    HISTORY_MAX_OUTPUT = 64 << 10, /* a longer result is not kept */
    HISTORY_MAX_ENTRIES = 20000,   /* older ones are removed when a session begins */
    HISTORY_MAX_REPLY = 10000,     /* entries in one answer */
    HISTORY_MAX_REPLY_BYTES = 16 << 20 /* of text in it; the newest entries that fit */
};

/* path: of the file, copied; NULL: in memory. Opens nothing. */
struct history *history_new(const char *path);
/* Writes what is pending. */
void history_free(struct history *h);

/* Remember a cell; kept in memory until history_flush. The caller has taken secrets out
 * (interp_redact). */
void history_add(struct history *h, int64_t line, const char *code, size_t len);
/* The result of that cell; copied. */
void history_output(struct history *h, int64_t line, const char *text);
bool history_pending(const struct history *h);
void history_flush(struct history *h);

/* A history_request's content -> [[session, line, input], …] or, with "output", [session, line,
 * [input, output]]. NULL: ERR_INVALID_PARAMETER names the field at fault. Caller owns. */
json_t *history_answer(struct history *h, const json_t *request, struct err *e);

#endif
