/*
 * SQL statements of the warehouse: queued, run in the lakehouse worker, kept with their result for a while. Knows the API's
 * response but no HTTP. Any thread.
 *
 * Bounds: RUNNING_MAX run at once, the next ones wait (PENDING) up to LIVE_MAX; a result has at most INLINE_MAX bytes; finished
 * statements are kept for an hour, as long as all their results together are below KEPT_BYTES.
 */
#ifndef WORKSPACE_STATEMENTS_H
#define WORKSPACE_STATEMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "databricks/model.h"

struct workspace;
struct statements;

enum {
    STATEMENTS_RUNNING_MAX = 8,
    STATEMENTS_LIVE_MAX = 64,
    STATEMENTS_KEPT_MAX = 256,
    STATEMENTS_INLINE_MAX = 25 << 20,
    STATEMENTS_KEPT_BYTES = 128 << 20,
    STATEMENTS_KEPT_S = 3600,
};

struct statements *statements_new(struct workspace *ws);
/* Cancel all, let everybody who waits go; new ones are refused. */
void statements_begin_close(struct statements *s);
/* Wait for the last one. NULL is fine. */
void statements_free(struct statements *s);

/* Take a checked request as `caller`; id gets the statement's. ERR_RATE_LIMIT when too many are under way. */
bool statements_submit(struct statements *s, const struct statement_request *request, const char *caller, char id[37],
                       struct err *e);
/* Wait until it has ended, up to wait_ms, and describe it (a new statement_response). ERR_RESOURCE_NOT_FOUND for one that is
 * not there, or is another's. */
bool statements_view(struct statements *s, const char *id, const char *caller, int wait_ms,
                     struct statement_response *out, struct err *e);
/* A part of the result. */
bool statements_chunk(struct statements *s, const char *id, const char *caller, int64_t index, struct result_data *out,
                      struct err *e);
/* Ask it to stop; its end shows as CANCELED. One that has ended stays as it is. */
bool statements_cancel(struct statements *s, const char *id, const char *caller, struct err *e);
/* How many have not ended. */
int statements_active(struct statements *s);
/* Cancel whatever runs, and wait for it. */
void statements_cancel_all(struct statements *s);

#endif
