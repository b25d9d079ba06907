/* Lineage (see lineage.h). */
#include "workspace/lineage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "workspace/grants.h"
#include "workspace/store_lake.h"
#include "workspace/unity.h"
#include "workspace/workspace.h"

bool lineage_record(struct workspace *ws, const char *source, const char *target, const char *by, struct err *e)
{
    struct lineage_row row = {.source = (char *)(uintptr_t)source, .target = (char *)(uintptr_t)target,
                              .by = (char *)(uintptr_t)by, .at_ms = clock_wall_ms()};
    /* UPDATE t … FROM t reads what it writes: no neighbour. */
    return strcmp(source, target) == 0 || store_put_lineage(ws->store, &row, e);
}

/* "2026-01-02 03:04:05.0", as the service writes it. */
static char *stamp(int64_t ms)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    char text[32];
    gmtime_r(&s, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S.0", &tm);
    return xstrdup(text);
}

static void put(struct workspace *ws, const char *full_name, int64_t at_ms, struct model_list *out)
{
    const char *schema = strchr(full_name, '.'), *name = schema ? strchr(schema + 1, '.') : NULL;
    if (!name)
        return;
    struct lineage_neighbour *n = model_list_add(&model_lineage_neighbour, out);
    struct catalog_row catalog;
    struct err none = {0};
    n->table_info = xcalloc(1, sizeof *n->table_info);
    n->table_info->catalog_name = xstrndup(full_name, (size_t)(schema - full_name));
    n->table_info->schema_name = xstrndup(schema + 1, (size_t)(name - schema - 1));
    n->table_info->name = xstrdup(name + 1);
    n->table_info->lineage_timestamp = stamp(at_ms);
    bool registered = unity_catalog(ws, n->table_info->catalog_name, &catalog, &none) && catalog.uid[0];
    n->table_info->table_type = xstrdup(registered ? "FOREIGN" : "TABLE");
}

bool lineage_of(struct workspace *ws, const char *caller, const char *table, struct table_lineage *out, struct err *e)
{
    for (int upstream = 0; upstream <= 1; upstream++) {
        struct lineage_rows rows;
        if (!store_lineage(ws->store, table, upstream, &rows, e))
            return false;
        for (size_t i = 0; i < rows.count; i++) {
            const char *other = upstream ? rows.rows[i].source : rows.rows[i].target;
            if (grants_sees(ws, caller, SECURABLE_TABLE, other))
                put(ws, other, rows.rows[i].at_ms, upstream ? &out->upstreams : &out->downstreams);
        }
        lineage_rows_release(&rows);
    }
    return true;
}
