/*
 * What a cell of %%python finds in its environment: the current connection and the workspace's profile as variables,
 * passwords and tokens only in a private file.
 */
#ifndef MAGICS_PYTHON_ENV_H
#define MAGICS_PYTHON_ENV_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "magics/magic.h"
#include "magics/python.h"

/* What the notebook's Python was told; in the session. */
struct python_link {
    long generation;   /* of the child that was told */
    char *env;         /* the variables as JSON text */
    char *pass_for;    /* the login that its password file holds */
    int64_t expires_s; /* when that stops to work; 0: never */
    bool uses_result;  /* a cell has named _sqldf */
    long result;       /* serial of the SQL result it has */
};
void python_link_forget(struct python_link *l);

/* {"environ": {NAME: text or null}, "instance": text or null} for the child (jupyter/py/lakebase.py); null: as the
 * child found it when it began. Writes the password file, with a fresh token when the last one is old. What cannot be
 * had is told on stderr, so that a cell that needs none of it runs; NULL only with ERR_CANCELLED. */
json_t *python_env(struct magic_ctx *ctx, const struct python_answer *python, struct err *e);

#endif
