/*
 * What a magic is: one file m_<name>.c that exports one const descriptor, and one line in list.def. Help, usage,
 * completion, inspection, argument errors and the reference in README.md are derived from the descriptor.
 *
 * A handler turns arguments into a call of pg/ or databricks/ and the answer into a table; it does not print, log,
 * build HTML or read the environment.
 */
#ifndef MAGICS_MAGIC_H
#define MAGICS_MAGIC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"
#include "cell/args.h"
#include "magics/python.h"
#include "render/sink.h"

struct session;

/* What only the kernel can do; a callback that is NULL is not offered (ERR_NOT_IMPLEMENTED). */
struct host {
    void *self;
    /* Ask the user for a line; secret: not echoed. Appends to out. ERR_INVALID_STATE when the front end cannot be
     * asked (allow_stdin false), ERR_CANCELLED on interrupt or closed dialog. */
    bool (*input)(void *self, const char *prompt, bool secret, struct buf *out, struct err *e);
    /* One step of the notebook's Python (magics/python.h). ERR_CANCELLED on interrupt; ERR_CHILD when it has ended by
     * itself, ERR_CONFIG when there is none to start. Release the answer also after an error. */
    bool (*python)(void *self, const struct python_call *call, struct python_answer *answer, struct err *e);
};

/* What a handler gets; lives for one cell. */
struct magic_ctx {
    struct session *session;
    const char *name;          /* as it was written, without % or backslash: "dt+"; NULL: plain SQL */
    bool last;                 /* nothing of the cell runs after this: a result table is the cell's result */
    struct sink *out;
    struct cancel *cancel;
    const struct host *host;
    struct arena *arena;       /* gone after the cell */
    const char *cell;          /* the whole cell */
    size_t cell_len;
    const char *body;          /* text under a cell magic; NULL for a line magic */
    size_t body_len;
    int body_line;             /* line of the cell where body starts */
    const char *args;          /* the raw arguments; part of the cell, not terminated */
    size_t args_len;
    int line, column;          /* place of the magic's arguments, for errors */
    const char *advice;        /* set by who fails and knows more than the SQLSTATE: its line of advice; NULL */
    json_t *bundle;            /* set by a handler that failed with an error of another kernel: it is shown as it is. Taken */
};

typedef bool magic_run_fn(struct magic_ctx *ctx, const struct args *args, struct err *e);

enum magic_kind { MAGIC_LINE = 1, MAGIC_CELL = 2, MAGIC_BACKSLASH = 4 };

struct magic_sub {
    const char *name;            /* "create" */
    const struct arg_row *args;
    const char *summary;         /* one line, lower-case start, no full stop */
    magic_run_fn *run;
};

struct magic {
    const char *name;            /* without % or backslash */
    const char *const *aliases;  /* NULL-terminated or NULL */
    unsigned kinds;              /* bits of magic_kind */
    const char *group;           /* heading in help: "SQL", "connections", "instances", "catalog", "workshop" … */
    const char *summary;
    const char *help;            /* more, or NULL */
    const char *examples;        /* lines, each one parses (tested) */
    const struct arg_row *args;  /* either rows and run … */
    magic_run_fn *run;
    const struct magic_sub *subs; /* … or sub-commands, ended by a NULL name; the first may have the name "" as default */
};

/* The registry (list.def), sorted by name. Two may share a name when their kinds differ: %pool and %%pool. */
const struct magic *const *magic_all(size_t *count);
/* By name or alias and kind; NULL: none. */
const struct magic *magic_find(const char *name, size_t len, unsigned kind);

#endif
