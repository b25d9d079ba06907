/*
 * Unity Catalog as the lakehouse worker asks it: every call of the table in worker.h, with the privileges of the job's
 * principal, and errors worded as Databricks SQL words them ("[TABLE_OR_VIEW_NOT_FOUND] …" with an SQLSTATE).
 */
#ifndef WORKSPACE_LAKE_CATALOG_H
#define WORKSPACE_LAKE_CATALOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct workspace;

/* A job's view. Zero it and set the first two; release it when the job has ended. One thread. */
struct lake_session {
    struct workspace *ws;
    const char *principal;  /* borrowed */
    char **allocated;       /* folders that no table has yet */
    size_t n_allocated;
};
/* As worker_job.call, with a struct lake_session as self. *answer: new reference. */
bool lake_catalog_call(void *session, const char *method, const json_t *args, json_t **answer, struct err *e);
/* Folders that were allocated and not published are removed. */
void lake_session_release(struct lake_session *s);

#endif
