/*
 * The workspace that the magics talk to: the local one (started when it does not run), or one of Databricks by
 * profile. Opened on first need. What a magic does with it is its own business.
 */
#ifndef MAGICS_REMOTE_H
#define MAGICS_REMOTE_H

#include <stdbool.h>

#include "base/err.h"
#include "databricks/client.h"
#include "magics/magic.h"

/* The client, ready for calls; borrowed, good until the cell ends. Local: `lakebase-workspace start` is run once
 * in a cell, so a workspace that died is back. The program: $LAKEBASE_WORKSPACE_PROGRAM, else beside this one.
 * NULL on failure. */
struct dbx_client *remote_client(struct magic_ctx *ctx, struct err *e);
/* The client without a cell: NULL when the local workspace was never started. Nothing is started or called. */
struct dbx_client *remote_peek(struct session *s);
/* dbx_call on it. */
bool remote_call(struct magic_ctx *ctx, enum dbx_route route, const struct dbx_param *params, const void *request,
                 void *response, struct err *e);
/* Which workspace from now on: "local", "env", or a profile. Connections stay open. */
void remote_choose(struct session *s, const char *target);
/* The local workspace was chosen. */
bool remote_is_embedded(const struct session *s);
/* The caller's user name: e-mail or application id. Borrowed; NULL on failure. */
const char *remote_me(struct magic_ctx *ctx, struct err *e);
/* Who signs for the workspace's instances (sslrootcert): the CA file of the local one, in the cell's arena, else what this
 * system trusts. NULL on failure. */
const char *remote_ca(struct magic_ctx *ctx, struct err *e);

/*
 * May `what` ("create instance 'x'") be done? always: ask also on a local workspace, because it destroys. yes:
 * the user said so on the command line. Asks on the front end; ERR_INVALID_STATE with a hint at --yes when that
 * cannot be asked, ERR_CANCELLED when the answer is no.
 */
bool remote_consent(struct magic_ctx *ctx, const char *what, bool always, bool yes, struct err *e);

/* A token for one instance: its text and expiry, both owned by *out. */
bool remote_credential(struct magic_ctx *ctx, const char *instance, struct database_credential *out, struct err *e);
/* ERR_NOT_FOUND gets a hint that lists names near `name`. */
bool remote_instance(struct magic_ctx *ctx, const char *name, struct database_instance *out, struct err *e);
/* Wait with a progress display until the instance is in the state ("": gone). */
bool remote_wait(struct magic_ctx *ctx, const char *name, const char *want, const char *label,
                 struct database_instance *out, struct err *e);

/* Walk a list route: `page` is called with each page (the route's response model); false ends the walk. At most
 * 1000 pages. */
typedef bool remote_page_fn(void *self, const void *page, const char **next_token);
bool remote_pages(struct magic_ctx *ctx, enum dbx_route route, const struct dbx_param *params, remote_page_fn *page,
                  void *self, struct err *e);

/* "" instead of NULL. */
static inline const char *text_or_empty(const char *text) { return text ? text : ""; }

#endif
