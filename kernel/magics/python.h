/*
 * What %%python asks of the kernel: a Python of its own (an ipykernel) that lives as long as the notebook. The kernel
 * does it (jupyter/python.h); this is only the question and the answer.
 */
#ifndef MAGICS_PYTHON_H
#define MAGICS_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum python_step {
    PYTHON_LOOK = 1, /* how is it? */
    PYTHON_START,    /* be ready for PYTHON_RUN; nothing to do when it is */
    PYTHON_RUN,      /* run code; what it shows goes out as it comes, as output of this cell */
    PYTHON_STOP      /* end it, with all its variables */
};

struct python_call {
    enum python_step step;
    /* PYTHON_RUN */
    const char *code;     /* UTF-8, with a NUL at its end */
    const char *metadata; /* a JSON object for the child's side (jupyter/py/lakebase.py) */
    /* Called while the call waits, about four times a second; NULL: not. */
    void (*tick)(void *self);
    void *self;
};

/* Release with python_answer_release. Texts are NULL where there is nothing to say. */
struct python_answer {
    bool running;
    pid_t pid;
    long generation; /* one more with each start; 0: never started */
    bool env_profile; /* the folder's databrickscfg has the profile "env", made of DATABRICKS_* of our environment */
    char *program;   /* the interpreter */
    char *version;   /* "3.11.2" */
    char *folder;    /* private to the user, gone after the end: for files with secrets */
    char *lost;      /* PYTHON_START: how the one before ended, when it did so by itself */
    char *error;     /* PYTHON_RUN failed with an error of Python: {"ename","evalue","traceback"} as JSON */
};

void python_answer_release(struct python_answer *a);

#endif
