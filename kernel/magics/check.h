/*
 * A lab check as data: the file's format is described in notebooks/checks/README.md; here it is found, read and
 * validated. What the state of the world is, check_run.c finds out.
 */
#ifndef MAGICS_CHECK_H
#define MAGICS_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "magics/magic.h"

enum { CHECK_FILE_MAX = 256 << 10, CHECKS_MAX = 50, HINTS_MAX = 10, CHECK_TIMEOUT_S = 30 };

/* The folder of the checks: $LAKEBASE_NOTEBOOKS/checks, else found from the working directory upwards. NULL: none. The
 * caller frees it. Any thread. */
char *check_folder(void);

/* Names (ids) of all checks that can be found, in order of name. Any thread; nothing when there is no folder. */
void check_names(void (*add)(void *self, const char *id), void *self);

/* Append where checks are looked for, in words: "in /x/notebooks/checks". */
void check_place(struct buf *out);

/* Read and validate NAME.json. ERR_NOT_FOUND lists near names, ERR_MALFORMED names the place. The caller owns
 * the result. */
json_t *check_load(const char *name, struct err *e);

/* Run the checks of a loaded file in order, show what holds. ERR_CHECK with the message of the first that does
 * not. */
bool check_run(struct magic_ctx *ctx, const json_t *file, struct err *e);

#endif
