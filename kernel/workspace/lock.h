/*
 * The lock of a state folder. A POSIX record lock, because the system names its holder, frees it at the holder's end
 * however that comes, and does not pass it to children (PostgreSQL servers outlive the workspace). It is lost when the
 * process closes any descriptor of the file, so nothing else opens it.
 */
#ifndef WORKSPACE_LOCK_H
#define WORKSPACE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* *fd: the lock; -1: somebody else holds it. Release by closing. */
bool lock_take(const char *state_dir, int *fd, struct err *e);
/* The holder removes the file, last of all: from then on another one may take the lock. */
bool lock_remove(const char *state_dir, struct err *e);
/* The process that holds it; 0: nobody. ERR_CONFLICT when it is none of this system's (a container, another machine). Not
 * for the holder itself. */
bool lock_holder(const char *state_dir, pid_t *pid, struct err *e);

#endif
