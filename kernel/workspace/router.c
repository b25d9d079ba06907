/* The router (see router.h): the table of routes.def, walked from top to bottom. */
#include "workspace/router.h"

#include <string.h>

#include "base/xalloc.h"

static api_fn *const handlers[DBX_ROUTE_COUNT] = {
#define ROUTE(op, method, path, query, request, response) [DBX_##op] = api_##op,
#include "databricks/routes.def"
#undef ROUTE
};

/* Routes of the service that clients know and this workspace does not serve yet: said by name. */
static const struct {
    const char *prefix, *what;
} later[] = {
    {"/api/2.0/database/tables", "Database tables are"},
    {"/api/2.0/database/instances/{}/failover", "Failover is"},
    {"/api/2.0/database/instances/{}/upgrade", "The upgrade to autoscaling is"},
    {"/api/2.0/postgres", "Of the autoscaling API (/api/2.0/postgres), more than reading projects, branches and endpoints is"},
    {"/api/2.0/sql/warehouses", "Making, editing and deleting SQL warehouses (there is one) is"},
    {"/api/2.0/sql/sessions", "SQL sessions are"},
    {"/api/2.0/sql", "This part of the SQL API is"},
    {"/api/2.0/pipelines", "Pipelines that are not of a synced table, and their changes, are"},
    {"/api/2.0/permissions", "Permissions on other objects than database instances are"},
    {"/api/2.0/lineage-tracking/column-lineage", "Column lineage is"},
    {"/api/2.0/lineage-tracking", "External lineage is"},
    {"/api/2.1/unity-catalog/privilege-assignments", "Privilege assignments (see permissions) are"},
    {"/api/2.1/unity-catalog/effective-privilege-assignments", "Privilege assignments (see effective-permissions) are"},
    {"/api/2.1/unity-catalog/table-summaries", "Table summaries are"},
    {"/api/2.1/unity-catalog/functions", "Functions are"},
};

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *router_decode(struct arena *arena, const char *text, size_t len)
{
    char *out = arena_alloc(arena, len + 1), *p = out;
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)text[i];
        if (c == '%') {
            int high = i + 2 < len ? hex(text[i + 1]) : -1, low = high >= 0 ? hex(text[i + 2]) : -1;
            if (low < 0)
                return NULL;
            c = high * 16 + low;
            i += 2;
        }
        if (c == 0)
            return NULL;
        *p++ = (char)c;
    }
    *p = '\0';
    return out;
}

/* Compare segment by segment. values: where the path's text for each {x} starts. prefix: the path may go on. */
struct span {
    const char *text;
    size_t len;
};
static int match(const char *path, size_t path_len, const char *pattern, struct span *values, bool prefix)
{
    const char *end = path + path_len;
    int n = 0;
    while (*pattern && path < end) {
        if (*pattern == '{') {
            size_t len = 0;
            while (path + len < end && path[len] != '/')
                len++;
            if (len == 0)
                return -1;
            values[n++] = (struct span){path, len};
            path += len;
            pattern += strcspn(pattern, "}") + 1;
        } else if (*pattern++ != *path++) {
            return -1;
        }
    }
    if (*pattern)
        return -1;
    return path == end || (prefix && *path == '/') ? n : -1;
}

static bool take_params(struct request *r, const char *pattern, const struct span *values, int n, struct err *e)
{
    for (int i = 0; i < n; i++) {
        pattern = strchr(pattern, '{') + 1;
        size_t len = strcspn(pattern, "}");
        char *value = router_decode(&r->arena, values[i].text, values[i].len);
        if (!value)
            return err_set(e, ERR_INVALID_PARAMETER, "Path parameter '%.*s' is not properly percent-encoded", (int)len,
                           pattern);
        r->params[r->n_params++] = (struct request_param){arena_strndup(&r->arena, pattern, len), value};
    }
    return true;
}

bool router_find(struct request *r, struct api_route *out, struct err *e)
{
    struct span values[4];
    size_t len = strlen(r->path);
    /* Some clients put a slash at the end. */
    if (len > 1 && r->path[len - 1] == '/')
        len--;
    for (int i = 0; i < DBX_ROUTE_COUNT; i++) {
        const struct dbx_route_info *info = dbx_route_info((enum dbx_route)i);
        int n = strcmp(r->method, dbx_method_name(info->method)) == 0 ? match(r->path, len, info->path, values, false) : -1;
        if (n < 0)
            continue;
        *out = (struct api_route){info, handlers[i]};
        return take_params(r, info->path, values, n, e);
    }
    for (size_t i = 0; i < ARRAY_LEN(later); i++) {
        if (match(r->path, len, later[i].prefix, values, true) >= 0)
            return err_set(e, ERR_NOT_IMPLEMENTED, "%s not offered by this local workspace yet", later[i].what);
    }
    return err_set(e, ERR_ENDPOINT_NOT_FOUND, "No API found for '%s %.300s'", r->method, r->path);
}
