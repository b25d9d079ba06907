/* OAuth client credentials (M2M): discovery, token, and its renewal. Private to databricks/. */
#ifndef DATABRICKS_OAUTH_H
#define DATABRICKS_OAUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/err.h"
#include "databricks/config.h"
#include "databricks/http.h"

struct oauth {
    char *token;          /* NULL: none yet */
    int64_t renew_at;     /* clock_mono_ms from which a new one is fetched: 40 s before the end, as the SDKs do */
    char *token_endpoint; /* from discovery, kept */
};

/* A token that is good for 40 s at least: the kept one or a new one. Borrowed until the next call; NULL on failure. */
const char *oauth_token(struct oauth *o, const struct dbx_config *c, struct http *h, struct cancel *cancel, struct err *e);
void oauth_release(struct oauth *o);

#endif
