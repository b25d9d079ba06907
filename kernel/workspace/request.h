/*
 * One API call as the handlers see it: who calls, with which parameters. No HTTP library behind it, so handlers can be
 * driven by tests directly.
 */
#ifndef WORKSPACE_REQUEST_H
#define WORKSPACE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "databricks/routes.h"
#include "workspace/store.h"

struct workspace;

struct request_param {
    const char *name, *value;
};

enum { REQUEST_MAX_PARAMS = 64 };

struct request {
    struct workspace *ws;
    struct principal caller;  /* empty on the public routes */
    const char *method, *path; /* path as it came, still percent-encoded, without the query */
    struct request_param params[REQUEST_MAX_PARAMS]; /* of the path first, then of the query; decoded */
    int n_params;
    struct arena arena; /* gone after the answer */
};

/* A handler: `in` is the decoded request model, `out` the zeroed response model (released by the caller, also after an
 * error). Runs on the connection's thread; may block for a second or two. */
typedef bool api_fn(struct request *r, const void *in, void *out, struct err *e);
#define ROUTE(op, method, path, query, request, response) api_fn api_##op;
#include "databricks/routes.def"
#undef ROUTE

/* Parameter of path or query; NULL: not given. */
const char *request_param(const struct request *r, const char *name);
/* "true"/"false"; `otherwise` when not given; ERR_INVALID_PARAMETER for another text. */
bool request_bool(const struct request *r, const char *name, bool otherwise, bool *out, struct err *e);

/*
 * Pages. size_param is page_size or max_results; absent or 0: `most`. Larger values are cut to it. page_token is opaque
 * for clients: the last name of the page before. ERR_INVALID_PARAMETER for a token that is none of ours.
 */
struct page {
    size_t limit;
    const char *after; /* "" for the first page; in the request's arena */
};
bool request_page(struct request *r, const char *size_param, size_t most, struct page *page, struct err *e);
/* The token of the page that follows `last`; caller frees. */
char *page_token_after(const char *last);

#endif
