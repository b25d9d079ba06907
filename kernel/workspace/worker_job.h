/*
 * A job inside the lakehouse worker: its connection to the server, its cancel token, the engine. What jobs there are:
 * the table in worker_main.c. Protocol: worker.h.
 */
#ifndef WORKSPACE_WORKER_JOB_H
#define WORKSPACE_WORKER_JOB_H

#include <jansson.h>
#include <stdbool.h>

#include "base/cancel.h"
#include "base/err.h"
#include "lakehouse/lake.h"

struct worker_ctx;

/* *done gets a new reference on success. */
typedef bool worker_job_fn(struct worker_ctx *x, const json_t *job, json_t **done, struct err *e);
worker_job_fn worker_statement; /* worker_statement.c */
worker_job_fn worker_sync;      /* worker_sync.c */
worker_job_fn worker_sample;    /* worker_sample.c */

struct lake *worker_lake(struct worker_ctx *x);
/* Fires when the server asks to stop, or is gone. */
struct cancel *worker_cancel(struct worker_ctx *x);
/* Ask the server and wait for its answer (new reference). args is taken over. Any thread. */
bool worker_ask(struct worker_ctx *x, const char *method, json_t *args, json_t **answer, struct err *e);
/* Send {"event": name, …}; `event` (an object) is taken over. Any thread. A failure fires the token. */
void worker_tell(struct worker_ctx *x, const char *name, json_t *event);

#endif
