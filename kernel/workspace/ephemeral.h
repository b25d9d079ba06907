/*
 * A workspace for one run of somebody's tests: a state folder of its own under $TMPDIR, free addresses, and nothing left at its end,
 * however that comes. The process that is started only watches: the workspace is its child and hears of its death by a pipe.
 * What a watcher that was killed with SIGKILL leaves (files; its workspace ends by itself) the next one removes.
 */
#ifndef WORKSPACE_EPHEMERAL_H
#define WORKSPACE_EPHEMERAL_H

#include <stdbool.h>

#include "base/err.h"

struct ephemeral_options {
    int port;         /* 0: any free one */
    bool json;        /* the readiness line is an object with the names of `env --json` and LAKEBASE_STATE_DIR */
    bool with_parent; /* end when the process that started this one ends */
    char **command;   /* NULL, or a program and its arguments to run beside it, in its environment: all ends with that */
};
/* Until the command ends or, without one, SIGTERM, SIGINT, SIGHUP or the parent's end; a command gets these signals first.
 * *status: the exit status for the shell, that of the command if there is one (128 + N when signal N ended it, 127 when it cannot be run).
 * ERR_UNAVAILABLE when the workspace ends by itself. */
bool ephemeral_run(const struct ephemeral_options *o, int *status, struct err *e);

#endif
