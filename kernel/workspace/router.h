/* From method and path to a route of routes.def, with its path parameters. Knows no HTTP library. */
#ifndef WORKSPACE_ROUTER_H
#define WORKSPACE_ROUTER_H

#include <stdbool.h>

#include "workspace/request.h"

struct api_route {
    const struct dbx_route_info *info;
    api_fn *run;
};

/* Match r->method and r->path; path parameters go to r->params, decoded segment by segment after the split, so that an
 * encoded slash stays inside its segment. ERR_ENDPOINT_NOT_FOUND "No API found for 'POST /x'" as on the service;
 * ERR_NOT_IMPLEMENTED for known routes of the service that this workspace does not offer yet; ERR_INVALID_PARAMETER for
 * an encoding that is none. */
bool router_find(struct request *r, struct api_route *out, struct err *e);
/* Percent-decoding of one segment or value into the arena; NULL: a NUL byte or a broken escape. */
char *router_decode(struct arena *arena, const char *text, size_t len);

#endif
