/* Relations in sight as JSON (see sidejson.h). */
#include "magics/sidejson.h"

#include <jansson.h>
#include <string.h>

#include "base/jx.h"

static void put(json_t *list, const char *schema, const char *name, const char *alias, bool joined)
{
    json_t *one = json_object();
    json_object_set_new(one, "schema", schema ? jx_str(schema) : json_null());
    json_object_set_new(one, "name", jx_str(name));
    json_object_set_new(one, "alias", alias ? jx_str(alias) : json_null());
    json_object_set_new(one, "joined", json_boolean(joined));
    json_array_append_new(list, one);
}

static char *dump(json_t *list)
{
    char *text = json_array_size(list) > 0 ? jx_dump(list) : NULL;
    json_decref(list);
    return text;
}

char *side_relations(const struct sql_scope *scope, const char *alias)
{
    json_t *list = json_array();
    for (size_t i = 0; i < scope->n_relations; i++) {
        const struct sql_relation *r = &scope->relations[i];
        const char *called = r->alias ? r->alias : r->name;
        if (r->name && (!alias || strcmp(called, alias) == 0))
            put(list, r->schema, r->name, r->alias, r->joined);
    }
    return dump(list);
}

char *side_relation(const char *schema, const char *name)
{
    json_t *list = json_array();
    put(list, schema, name, NULL, false);
    return dump(list);
}
