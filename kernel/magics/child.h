/*
 * A child process whose output is shown while it runs: for %%bash, and to start the local workspace. No shell is
 * involved unless it is the program asked for.
 */
#ifndef MAGICS_CHILD_H
#define MAGICS_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cancel.h"
#include "base/err.h"

struct child {
    const char *const *argv; /* argv[0]: a path, or a name looked up in PATH */
    const char *input;       /* what it can read from file descriptor 3; NULL: nothing. Its standard input is empty */
    size_t input_len;
    bool keep_secrets;       /* the environment as it is; else without variables that hold secrets */
    void *self;
    /* Output as it comes, whole UTF-8 characters where the child writes such. */
    void (*output)(void *self, bool is_stderr, const char *text, size_t len);
};

/*
 * Run it in a process group of its own; true when it ended, with its wait status. A fired token sends SIGINT to
 * the group, 2 s later SIGTERM, 2 s later SIGKILL, and the result is ERR_CANCELLED. Ends when the child ends;
 * what that left running in the background keeps running.
 */
bool child_run(const struct child *c, int *status, struct cancel *cancel, struct err *e);

/* Is this variable's value likely a secret? By name: TOKEN, SECRET, PASSWORD, … */
bool child_is_secret(const char *name, size_t len);

#endif
