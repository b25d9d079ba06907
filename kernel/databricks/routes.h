/* The routes of routes.def as an enum and a table; shared by client and server. */
#ifndef DATABRICKS_ROUTES_H
#define DATABRICKS_ROUTES_H

#include <stddef.h>

#include "databricks/model.h"

enum dbx_route {
#define ROUTE(op, method, path, query, request, response) DBX_##op,
#include "databricks/routes.def"
#undef ROUTE
    DBX_ROUTE_COUNT
};

enum dbx_method { DBX_GET = 1, DBX_POST, DBX_PATCH, DBX_PUT, DBX_DELETE };

struct dbx_route_info {
    const char *operation; /* "create_database_instance" */
    enum dbx_method method;
    const char *path;      /* template with {x} */
    const char *query;     /* allowed parameters, comma-separated */
    const struct model *request, *response;
};

const struct dbx_route_info *dbx_route_info(enum dbx_route route);
const char *dbx_method_name(enum dbx_method method); /* "GET" */

#endif
