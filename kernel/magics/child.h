/*
 * Child processes that never outlive this one: for %%bash, %%python, and to start the local workspace. No shell is
 * involved unless it is the program asked for.
 *
 * Beside each child stands a guard, a process of ours that does nothing but wait: when this process ends without
 * child_release, however it ends (kill -9 too), the guard sends SIGKILL to the child's process group and to whatever
 * else descends from it. Only what made a session of its own (setsid, as a daemon does) is left alone.
 */
#ifndef MAGICS_CHILD_H
#define MAGICS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cancel.h"
#include "base/err.h"

/* ---- a child that is served by its caller ---- */

enum { CHILD_FDS_MAX = 16 };

struct child_start {
    const char *const *argv; /* argv[0]: a path, or a name looked up in PATH */
    const char *const *env;  /* "NAME=value" …, NULL-terminated; NULL: ours without variables that hold secrets */
    /* fds[i] becomes the child's descriptor i; -1: /dev/null. Nothing else is open in it. Stay the caller's; should be
     * close-on-exec. */
    const int *fds;
    size_t n_fds;            /* at most CHILD_FDS_MAX */
};

struct child_process {
    pid_t pid;   /* it leads a process group of its own: kill(-pid, …) reaches what it started too */
    int pidfd;   /* becomes readable when it has ended */
    pid_t guard; /* private */
    int life;    /* private */
};

/* Start it: true when the program runs. Its signals are as usual (nothing blocked or ignored), its session is ours.
 * ERR_IO: "cannot run NAME: why". Any thread; *p need not be initialised. */
bool child_start(struct child_process *p, const struct child_start *how, struct err *e);
/* Wait for its end (at once when pidfd is readable) and give the guard up; *status as of waitpid. What it left running
 * in the background keeps running; to end that too, kill(-p->pid, SIGKILL) before. Call once. */
void child_release(struct child_process *p, int *status);

/* ---- a child that runs to its end ---- */

struct child {
    const char *const *argv; /* as in struct child_start */
    const char *input;       /* what it can read from file descriptor 3; NULL: nothing. Its standard input is empty */
    size_t input_len;
    void *self;
    /* Output as it comes, whole UTF-8 characters where the child writes such. */
    void (*output)(void *self, bool is_stderr, const char *text, size_t len);
    void (*tick)(void *self); /* called a few times a second while it runs; NULL: not needed */
};

/*
 * Run it without the variables that hold secrets; true when it ended, with its wait status. A fired token sends SIGINT
 * to the group, 2 s later SIGTERM, 2 s later SIGKILL, and the result is ERR_CANCELLED. Ends when the child ends; what
 * that left running in the background keeps running.
 */
bool child_run(const struct child *c, int *status, struct cancel *cancel, struct err *e);

/* Is this variable's value likely a secret? By name: TOKEN, SECRET, PASSWORD, … */
bool child_is_secret(const char *name, size_t len);

#endif
