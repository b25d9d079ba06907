/* The routes that need no bearer token: discovery, the OAuth token endpoint, health. */
#ifndef WORKSPACE_PUBLIC_H
#define WORKSPACE_PUBLIC_H

#include <stddef.h>

#include "workspace/answer.h"
#include "workspace/request.h"

struct public_call {
    struct request *r;
    const char *host;          /* Host header, checked: loopback */
    const char *authorization; /* header or NULL */
    const char *body;
    size_t len;
};

typedef void public_fn(const struct public_call *call, struct answer *a);
/* NULL: the path is none of them. */
public_fn *public_find(const char *method, const char *path);

#endif
