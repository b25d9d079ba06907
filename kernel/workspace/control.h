/*
 * Starting, finding and ending the one workspace of a state folder. Two starts at once end with one server: the server
 * holds a lock on <state>/workspace.lock for its life, and the kernel says who holds it. When it serves, it writes
 * <state>/workspace.json (pid, url, CA).
 */
#ifndef WORKSPACE_CONTROL_H
#define WORKSPACE_CONTROL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct buf;

struct running {
    pid_t pid;      /* 0: no workspace runs */
    bool ready;     /* it answers; url and ca are filled */
    char url[64];
    char ca[4096];  /* path of the CA's certificate */
};

/* The state folder, made when it is not there, as an absolute path without links. Caller frees; NULL on failure. */
char *control_state_dir(struct err *e);
bool control_find(const char *state_dir, struct running *out, struct err *e);

/* Make sure that a workspace runs and answers; starts one in the background. port 0: the remembered one; another one than
 * a workspace runs on is ERR_CONFLICT. */
bool control_start(const char *state_dir, int port, bool *started, struct running *out, struct err *e);
/*
 * Be the workspace, until SIGTERM or SIGINT (PostgreSQL servers are stopped too) or SIGUSR1 (they go on).
 * ready_fd: see launch.h; -1: foreground, the address is printed. owner_fd: a pipe whose other end closes when it shall end too, or -1.
 * ERR_CONFLICT when another one runs.
 */
bool control_run(const char *state_dir, int port, int ready_fd, int owner_fd, struct err *e);
/* End the workspace, and (unless keep_servers) the PostgreSQL servers, also those of a workspace that was killed. */
bool control_stop(const char *state_dir, bool keep_servers, bool *was_running, struct err *e);
/* Stop, then delete all instances and all state. What others keep in the folder stays; its names go to `left`, with
 * commas. */
bool control_reset(const char *state_dir, struct buf *left, struct err *e);

#endif
