/* The engine's life: libduckdb, one in-memory database, its macros, its locked configuration. */
#include "lakehouse/lake.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "lakehouse/lake_parts.h"

/* Once the macros are there nothing may be changed any more. */
static bool set_up(struct lake *l, struct err *e)
{
    struct duck_conn *c = duck_connect(l->db, e);
    bool ok = c && duck_run(c, "SET GLOBAL TimeZone = 'UTC'", duck_no_params, NULL, e) &&
              duck_run(c, "SET GLOBAL lock_configuration = true", duck_no_params, NULL, e);
    duck_disconnect(c);
    return ok;
}

struct lake *lake_open(const struct lake_options *o, struct err *e)
{
    if (!duck_load(o->library, e))
        return NULL;
    struct lake *l = xcalloc(1, sizeof *l);
    l->root = xstrdup(o->root);
    l->temp = xstrdup(o->temp_dir);
    l->db = duck_open(o, e);
    if (l->db && set_up(l, e))
        return l;
    lake_close(l);
    return NULL;
}

void lake_close(struct lake *l)
{
    if (!l)
        return;
    duck_close(l->db);
    free(l->root);
    free(l->temp);
    free(l);
}

const char *lake_library_version(const struct lake *l)
{
    (void)l;
    return duck->library_version();
}

void lake_object_release(struct lake_object *o)
{
    free(o->full_name);
    free(o->location);
    *o = (struct lake_object){0};
}

void lake_outcome_release(struct lake_outcome *o)
{
    free(o->catalog);
    free(o->schema);
    free(o->target);
    json_decref(o->sources);
    *o = (struct lake_outcome){0};
}
