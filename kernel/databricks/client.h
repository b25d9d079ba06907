/*
 * The REST client: libcurl, unified auth, retries as the SDKs do, waiters. One client belongs to one thread at a time.
 */
#ifndef DATABRICKS_CLIENT_H
#define DATABRICKS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cancel.h"
#include "base/err.h"
#include "databricks/routes.h"

struct dbx_client;

struct dbx_options {
    const char *profile;     /* profile name to insist on; NULL: environment first, then the file's default */
    const char *config_file; /* NULL: $DATABRICKS_CONFIG_FILE, else ~/.databrickscfg */
};

/* Resolve host and credentials (arguments, environment, profile; errors worded as the SDKs do). No call is made yet.
 * NULL with ERR_CONFIG. Sources: Databricks unified authentication; PAT and OAuth client credentials (M2M). */
struct dbx_client *dbx_open(const struct dbx_options *o, struct err *e);
void dbx_close(struct dbx_client *c);
const char *dbx_host(const struct dbx_client *c);      /* "http://127.0.0.1:41234" */
const char *dbx_auth_type(const struct dbx_client *c); /* "pat" or "oauth-m2m" */
const char *dbx_profile(const struct dbx_client *c);   /* "" when none was used */
/* The host is a loopback address: a local workspace. */
bool dbx_is_local(const struct dbx_client *c);

/* A path or query parameter; a list of them ends with a NULL name. Values are escaped here. NULL value: left out. */
struct dbx_param {
    const char *name, *value;
};

/* One call. request: struct of the route's request model, NULL: none. response: receives the response model (zeroed first;
 * release with model_release); NULL: ignored. Errors carry the remote's error_code as err.code, its HTTP status, and its
 * message. 429, 503 and lost connections are tried again within 5 minutes (Retry-After honoured), never after a cancel. */
bool dbx_call(struct dbx_client *c, enum dbx_route route, const struct dbx_param *params, const void *request, void *response,
              struct cancel *cancel, struct err *e);

/* Poll GET instance until its state is `want` ("AVAILABLE", "STOPPED"; "" : until it is gone). progress (may be NULL) is
 * called with each state seen and the milliseconds passed. Stops with ERR_INVALID_STATE on a state from which `want` is
 * not reached. Times out after 20 minutes. *out (may be NULL) gets the last instance. */
typedef void dbx_progress_fn(void *self, const char *state, long long ms);
bool dbx_wait_instance(struct dbx_client *c, const char *name, const char *want, dbx_progress_fn *progress, void *self,
                       struct database_instance *out, struct cancel *cancel, struct err *e);

#endif
