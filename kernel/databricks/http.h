/*
 * One HTTP exchange over libcurl: cancellable, capped, timed. Knows nothing of Databricks or JSON. Private to databricks/.
 */
#ifndef DATABRICKS_HTTP_H
#define DATABRICKS_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"

enum { HTTP_MAX_BODY = 64 << 20, HTTP_TIMEOUT_MS = 60000, RETRY_AFTER_MOST_S = 86400 };

struct http; /* a reused easy handle: connections stay open between calls */

struct http_request {
    const char *method, *url;
    const char *bearer;                  /* token, or NULL */
    const char *basic_user, *basic_pass; /* or NULL */
    const char *body;                    /* NULL: none */
    size_t body_len;
    const char *content_type;
    bool fresh; /* on a connection of its own, so that libcurl never sends it twice */
};

struct http_answer {
    int status;
    struct buf body;
    int retry_after; /* seconds; -1: the server did not say */
    bool sent;       /* bytes of the request left this machine */
};

/* NULL: libcurl does not load. */
struct http *http_new(struct err *e);
bool http_library(struct err *e); /* base/lazy.h */
void http_free(struct http *h);
/* true: an answer with any status. false: none came (ERR_CONNECT, ERR_TIMEOUT, ERR_TOO_BIG, ERR_CANCELLED; answer->sent
 * is set then too). The caller releases answer->body either way. Secrets do not appear in errors. */
bool http_perform(struct http *h, const struct http_request *r, struct http_answer *answer, struct cancel *cancel,
                  struct err *e);
/* Percent-encode everything but unreserved characters, append. */
void http_escape(struct buf *out, const char *text);

#endif
