/*
 * Starting the workspace as a process, and what both sides then say: `lakebase-workspace run` with the writing end of a pipe as
 * ready_fd, over which the starter hears that it serves, or why not.
 */
#ifndef WORKSPACE_LAUNCH_H
#define WORKSPACE_LAUNCH_H

#include <stdbool.h>

#include "base/err.h"

/* The state folder's log, opened for appending; a large one is put aside first. -1 on failure. */
int launch_log(const char *state_dir, struct err *e);
/* In a child: become `lakebase-workspace run` with nothing of the caller's but these. It ends with the other end of the pipe
 * owner (-1: it has none). */
_Noreturn void launch_become(const char *state_dir, int port, int log_fd, int ready, int owner);
/* The starter: wait for what the workspace says on the pipe's other end, at most two minutes. */
bool launch_hear(int fd, struct err *e);
/* The workspace: it serves (NULL), or what failed, with its hint. Closes ready_fd; -1: nobody listens. */
void launch_say(int ready_fd, const struct err *e);

#endif
