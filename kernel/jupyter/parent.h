/*
 * Whether the process that started us still lives. A kernel whose front end was killed must not
 * stay behind. Source of the rule: ipykernel's parent poller as of 7.0 (JPY_PARENT_PID and
 * getppid). Beyond it: with a launcher in between, the front end itself is watched, so that its end
 * counts also where orphans go to a subreaper (systemd --user, tini -s) instead of process 1.
 */
#ifndef JUPYTER_PARENT_H
#define JUPYTER_PARENT_H

#include <stdbool.h>
#include <sys/types.h>

enum { PARENT_POLL_MS = 1000 };

struct parent {
    pid_t first;  /* getppid() at the start */
    bool watched; /* false: nobody is waited for */
    bool exact;   /* it is the process that set JPY_PARENT_PID */
    bool above;   /* that process, said, is not it but an ancestor: its end counts */
    pid_t said;
    int fd; /* pidfd, readable when it ended; -1 where there is none: ask every PARENT_POLL_MS */
};

/* variable: value of JPY_PARENT_PID or NULL. */
void parent_init(struct parent *p, const char *variable);
void parent_release(struct parent *p);
bool parent_gone(const struct parent *p);

#endif
