/*
 * The process of an ipykernel that belongs to this kernel: which interpreter, its private folder, its start and its
 * end. What is said to it over the wire is python.c's part. Socket thread only.
 */
#ifndef JUPYTER_PYTHON_CHILD_H
#define JUPYTER_PYTHON_CHILD_H

#include <stdbool.h>

#include "base/err.h"
#include "magics/child.h"
#include "wire/connfile.h"

enum { PYTHON_TAIL = 4096 };

struct python_child {
    struct child_process process;
    char *program;          /* the interpreter, as it was found */
    char *folder;           /* 0700, ours alone; gone with python_child_release */
    int lock_fd;            /* held as long as the folder is in use; -1: none */
    struct connfile conn;   /* where it listens: Unix sockets in the folder */
    bool env_profile;       /* folder/databrickscfg was written */
    int said_fd;            /* what it writes past Jupyter, when it starts badly or dies; -1: closed */
    char tail[PYTHON_TAIL + 1]; /* the end of that */
    size_t tail_len;
};

/* The interpreter: $LAKEBASE_PYTHON; else $VIRTUAL_ENV/bin/python; else .venv/bin/python of the source tree that this
 * program was built in; else python3 in PATH. The caller frees it. */
char *python_program(void);

/* Start one; *c need not be initialised. It is not ready yet when this returns. On failure nothing is left. Folders that a
 * killed kernel of this user has left behind are removed first. */
bool python_child_start(struct python_child *c, struct err *e);
/*
 * SIGINT to it and to what it runs. Python looks at it between two steps of its main thread: when it comes just before that
 * thread sleeps in a system call, or another thread takes it, the sleep goes on. So some calls of _wake come behind: a
 * signal to the main thread that lakebase.py handles by doing nothing, and the sleep ends.
 */
void python_child_interrupt(const struct python_child *c);
void python_child_wake(const struct python_child *c);
/* Take what it wrote; does not block. */
void python_child_listen(struct python_child *c);
/* The last line that it wrote, "" when there is none. In c->tail, until the next call. */
const char *python_child_last_line(struct python_child *c);
/* End it if it has not ended, with all that it started; then remove the folder. *status as of waitpid. */
void python_child_release(struct python_child *c, int *status);

#endif
