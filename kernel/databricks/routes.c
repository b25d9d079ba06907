/* The route table (see routes.h). */
#include "databricks/routes.h"

static const struct dbx_route_info infos[DBX_ROUTE_COUNT] = {
#define ROUTE(op, method, path, query, request, response) \
    [DBX_##op] = {#op, DBX_##method, path, query, &model_##request, &model_##response},
#include "databricks/routes.def"
#undef ROUTE
};

const struct dbx_route_info *dbx_route_info(enum dbx_route route)
{
    if ((int)route < 0 || route >= DBX_ROUTE_COUNT)
        bug("route %d has no row", (int)route);
    return &infos[route];
}

const char *dbx_method_name(enum dbx_method method)
{
    static const char *const names[] = {
        [DBX_GET] = "GET", [DBX_POST] = "POST", [DBX_PATCH] = "PATCH", [DBX_PUT] = "PUT", [DBX_DELETE] = "DELETE",
    };
    return names[method];
}
