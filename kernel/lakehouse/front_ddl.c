/* CREATE and DROP of catalogs and schemas, DROP TABLE: Unity Catalog's own affairs, put into calls. */
#include "base/jx.h"
#include "lakehouse/front_table.h"

static struct lake_stream *ask(struct front *f, const struct token *at, const char *method, json_t *args, struct err *e)
{
    json_t *answer = front_call(f, at, method, args, e);
    json_decref(answer);
    return answer ? front_nothing(f, e) : NULL;
}

/* ---- CREATE ---- */
static struct lake_stream *create_container(struct front *f, const char *method, size_t parts, struct err *e)
{
    struct front_name name;
    const char *comment = NULL;
    bool if_not_exists = front_take(f, "if not exists");
    if (!front_take_name(f, parts, &name, e))
        return NULL;
    if (front_take(f, "comment") && !front_take_string(f, &comment, e))
        return NULL;
    const struct token *t = front_now(f);
    if (token_is(t, "managed") || token_is(t, "location") || token_is(t, "with") || token_is(t, "options")) {
        front_error(f, t, "UNSUPPORTED_FEATURE", "0A000", e, "%s is not supported here: the workspace chooses the place", t->text);
        return NULL;
    }
    if (!front_need_end(f, e))
        return NULL;
    json_t *args = json_pack("{s:o, s:b}", "name", front_name_json(&name), "if_not_exists", if_not_exists);
    if (comment)
        json_object_set_new(args, "comment", jx_str(comment));
    return ask(f, name.token, method, args, e);
}

struct lake_stream *front_create(struct front *f, struct err *e)
{
    f->at = 1;
    bool replace = front_take(f, "or replace");
    if (front_take(f, "table"))
        return front_create_table(f, replace, e);
    if (!replace && front_take(f, "catalog"))
        return create_container(f, "create_catalog", 1, e);
    if (!replace && (front_take(f, "schema") || front_take(f, "database")))
        return create_container(f, "create_schema", 2, e);
    if (!replace && front_take(f, "volume"))
        return front_create_volume(f, e);
    bool external = token_is(front_now(f), "external") && token_is(front_token(f, f->at + 1), "volume");
    front_error(f, front_now(f), "UNSUPPORTED_STATEMENT", "0A000", e,
                external ? "CREATE %.40s VOLUME is not supported: a volume's place is chosen by the workspace"
                         : "CREATE %.40s is not supported: CREATE CATALOG, SCHEMA, TABLE and VOLUME are", front_now(f)->text);
    return NULL;
}

/* ---- DROP ---- */
struct lake_stream *front_drop(struct front *f, struct err *e)
{
    static const struct {
        const char *word, *method;
        size_t parts;
    } kinds[] = {{"catalog", "drop_catalog", 1}, {"schema", "drop_schema", 2}, {"database", "drop_schema", 2},
                 {"table", "drop_table", 3}};
    f->at = 1;
    if (front_take(f, "volume"))
        return front_drop_volume(f, e);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct front_name name;
        if (!front_take(f, kinds[i].word))
            continue;
        bool if_exists = front_take(f, "if exists");
        if (!front_take_name(f, kinds[i].parts, &name, e))
            return NULL;
        bool cascade = kinds[i].parts < 3 && front_take(f, "cascade");
        if (!cascade && kinds[i].parts < 3)
            front_take(f, "restrict");
        if (!front_need_end(f, e))
            return NULL;
        json_t *args = json_pack("{s:o, s:b, s:b}", "name", front_name_json(&name), "if_exists", if_exists, "cascade", cascade);
        return ask(f, name.token, kinds[i].method, args, e);
    }
    front_error(f, front_now(f), "UNSUPPORTED_STATEMENT", "0A000", e,
                "DROP %.40s is not supported: DROP CATALOG, SCHEMA, TABLE and VOLUME are", front_now(f)->text);
    return NULL;
}
