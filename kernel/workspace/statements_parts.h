/* What the files of the statements share. Private to statements*.c. */
#ifndef WORKSPACE_STATEMENTS_PARTS_H
#define WORKSPACE_STATEMENTS_PARTS_H

#include <jansson.h>
#include <pthread.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "workspace/statements.h"

enum statement_state { ST_PENDING = 1, ST_RUNNING, ST_SUCCEEDED, ST_FAILED, ST_CANCELED };

/* A part of a result: JSON text of rows, "[…],[…]" without the outer brackets. */
struct statement_chunk {
    struct buf text;
    int64_t row_offset, row_count;
};

struct statement {
    char id[37], caller[256];
    json_t *job;            /* of the thread that runs it; NULL afterwards */
    size_t sql_len;
    struct cancel cancel;
    /* Written by the running thread, read by others once the state says that it has ended. */
    char *columns;          /* JSON list of the event "columns" */
    struct statement_chunk *chunks;
    size_t n_chunks, bytes;
    int64_t rows;
    bool truncated;
    struct err error;
    char place[96];         /* what the message ends with: SQLSTATE, line, column */
    /* Under the lock of struct statements. */
    enum statement_state state;
    int refs;
    int64_t ended_s;        /* monotonic seconds */
    struct statement *next; /* newest first */
};

struct statements {
    struct workspace *ws;
    pthread_mutex_t lock; /* all below, and the fields of a statement that say so */
    pthread_cond_t changed;
    struct statement *list;
    int live, running;
    bool closing;
};

static inline bool statement_ended(const struct statement *st) { return st->state >= ST_SUCCEEDED; }

/* statements_run.c: run st->job in the worker, to its end: true, or false with st->error set. */
bool statement_run(struct workspace *ws, struct statement *st);
/* statements_view.c: fill from a statement that nobody changes meanwhile (a reference is held). */
bool statement_describe(const struct statement *st, enum statement_state state, struct statement_response *out,
                        struct err *e);
bool statement_put_chunk(const struct statement *st, size_t index, struct result_data *out, struct err *e);

#endif
