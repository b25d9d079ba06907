/* CREATE, DROP, SHOW and DESCRIBE of volumes: Unity Catalog's own affairs, put into calls. Their files: front_list.c, front_files.c. */
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/front.h"

static struct lake_stream *ask(struct front *f, const struct token *at, const char *method, json_t *args, struct err *e)
{
    json_t *answer = front_call(f, at, method, args, e);
    json_decref(answer);
    return answer ? front_nothing(f, e) : NULL;
}

struct lake_stream *front_create_volume(struct front *f, struct err *e)
{
    struct front_name name;
    const char *comment = NULL;
    bool if_not_exists = front_take(f, "if not exists");
    if (!front_take_name(f, 3, &name, e))
        return NULL;
    if (token_is(front_now(f), "location")) {
        front_error(f, front_now(f), "UNSUPPORTED_FEATURE", "0A000", e, "LOCATION is not supported here: the workspace chooses the place of a volume");
        return NULL;
    }
    if ((front_take(f, "comment") && !front_take_string(f, &comment, e)) || !front_need_end(f, e))
        return NULL;
    json_t *args = json_pack("{s:o, s:b}", "name", front_name_json(&name), "if_not_exists", if_not_exists);
    if (comment)
        json_object_set_new(args, "comment", jx_str(comment));
    return ask(f, name.token, "create_volume", args, e);
}

struct lake_stream *front_drop_volume(struct front *f, struct err *e)
{
    struct front_name name;
    bool if_exists = front_take(f, "if exists");
    if (!front_take_name(f, 3, &name, e) || !front_need_end(f, e))
        return NULL;
    return ask(f, name.token, "drop_volume", json_pack("{s:o, s:b}", "name", front_name_json(&name), "if_exists", if_exists), e);
}

/* SHOW VOLUMES; f->at stands behind [IN schema] [LIKE 'pattern']. */
struct lake_stream *front_show_volumes(struct front *f, const struct front_name *in, const char *like, struct err *e)
{
    static const struct front_column columns[] = {{"database", "VARCHAR"}, {"volume_name", "VARCHAR"}};
    json_t *args = json_pack("{s:o}", "in", front_name_json(in)), *rows = json_array(), *item;
    size_t i;
    if (like)
        json_object_set_new(args, "like", jx_str(like));
    json_t *answer = front_call(f, in->token, "list_volumes", args, e);
    json_array_foreach(json_object_get(answer, "items"), i, item)
        json_array_append_new(rows, json_pack("[o, o]", jx_str(in->parts[1]), jx_str(jx_get_str(item, "name", ""))));
    struct lake_stream *s = answer ? front_rows(f, columns, ARRAY_LEN(columns), rows, e) : NULL;
    json_decref(rows);
    json_decref(answer);
    return s;
}

struct lake_stream *front_describe_volume(struct front *f, struct err *e)
{
    static const char *const names[] = {"name", "catalog_name", "schema_name", "owner", "storage_location", "volume_type", "comment"};
    static const struct front_column columns[] = {{"name", "VARCHAR"}, {"catalog", "VARCHAR"}, {"database", "VARCHAR"}, {"owner", "VARCHAR"},
                                                  {"storageLocation", "VARCHAR"}, {"volumeType", "VARCHAR"}, {"comment", "VARCHAR"}};
    struct front_name name;
    if (!front_take_name(f, 3, &name, e) || !front_need_end(f, e))
        return NULL;
    json_t *info = front_call(f, name.token, "describe_volume", json_pack("{s:o}", "name", front_name_json(&name)), e), *row = json_array();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *text = jx_get_str(info, names[i], NULL);
        json_array_append_new(row, text ? jx_str(text) : json_null());
    }
    json_t *rows = json_pack("[o]", row);
    struct lake_stream *s = info ? front_rows(f, columns, ARRAY_LEN(columns), rows, e) : NULL;
    json_decref(rows);
    json_decref(info);
    return s;
}
