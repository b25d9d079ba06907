/* Who calls: the bearer token of a request → a principal. */
#ifndef WORKSPACE_AUTH_H
#define WORKSPACE_AUTH_H

#include <stdbool.h>

#include "base/err.h"
#include "workspace/store.h"
#include "workspace/tokens.h"

/* header: value of Authorization, or NULL. A personal access token (its SHA-256 is compared) or an OAuth access token of a
 * service principal. ERR_UNAUTHENTICATED. Any thread. */
bool auth_check(struct store *store, const struct tokens *tokens, const char *header, struct principal *out,
                struct err *e);
/* Client credentials of a service principal (OAuth token endpoint). ERR_UNAUTHENTICATED. */
bool auth_client(struct store *store, const char *client_id, const char *client_secret, struct principal *out,
                 struct err *e);
/* The Host header names this machine's loopback ("127.0.0.1:41234", "localhost", "[::1]:80"). A page in a browser whose
 * name was pointed at 127.0.0.1 (DNS rebinding) does not. */
bool auth_host_ok(const char *host);

#endif
