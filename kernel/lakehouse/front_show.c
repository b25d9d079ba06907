/* SHOW CATALOGS, SCHEMAS, TABLES, VOLUMES, COLUMNS, TBLPROPERTIES, GRANTS. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/front.h"

/* [LIKE] 'pattern' */
static bool take_like(struct front *f, const char **like, struct err *e)
{
    *like = NULL;
    if (!front_take(f, "like") && front_now(f)->kind != TOKEN_STRING)
        return true;
    return front_take_string(f, like, e);
}

/* Names that Unity Catalog lists. in: taken over. */
static json_t *list(struct front *f, const struct token *at, const char *what, json_t *in, const char *like, struct err *e)
{
    json_t *args = json_pack("{s:s, s:o}", "what", what, "in", in);
    if (like)
        json_object_set_new(args, "like", jx_str(like));
    return front_call(f, at, "list", args, e);
}

static struct lake_stream *one_column(struct front *f, const char *column, json_t *answer, struct err *e)
{
    const struct front_column columns[] = {{column, "VARCHAR"}};
    json_t *rows = json_array(), *item;
    size_t i;
    if (!answer)
        return json_decref(rows), NULL;
    json_array_foreach(json_object_get(answer, "items"), i, item)
        json_array_append_new(rows, json_pack("[o]", jx_str(jx_get_str(item, "name", ""))));
    json_decref(answer);
    struct lake_stream *s = front_rows(f, columns, 1, rows, e);
    json_decref(rows);
    return s;
}

static struct lake_stream *show_catalogs(struct front *f, struct err *e)
{
    const char *like;
    const struct token *at = front_now(f);
    if (!take_like(f, &like, e) || !front_need_end(f, e))
        return NULL;
    return one_column(f, "catalog", list(f, at, "catalogs", json_array(), like, e), e);
}

/* [IN|FROM name] of that many parts, else the current one. */
static bool take_in(struct front *f, size_t parts, struct front_name *name, struct err *e)
{
    if (front_take(f, "in") || front_take(f, "from"))
        return front_take_name(f, parts, name, e);
    *name = (struct front_name){.n = parts, .parts = {f->s->catalog, f->s->schema}, .token = front_now(f)};
    for (size_t i = 0; i < parts; i++)
        if (!name->parts[i] || !*name->parts[i])
            return front_error(f, front_now(f), "MISSING_CATALOG_OR_SCHEMA", "42602", e, "there is no current %s: add IN name",
                               i ? "schema" : "catalog");
    return true;
}

static struct lake_stream *show_schemas(struct front *f, struct err *e)
{
    struct front_name in;
    const char *like;
    if (!take_in(f, 1, &in, e) || !take_like(f, &like, e) || !front_need_end(f, e))
        return NULL;
    return one_column(f, "databaseName", list(f, in.token, "schemas", front_name_json(&in), like, e), e);
}

static struct lake_stream *show_tables(struct front *f, struct err *e)
{
    static const struct front_column columns[] = {{"database", "VARCHAR"}, {"tableName", "VARCHAR"}, {"isTemporary", "BOOLEAN"}};
    struct front_name in;
    const char *like;
    if (!take_in(f, 2, &in, e) || !take_like(f, &like, e) || !front_need_end(f, e))
        return NULL;
    json_t *answer = list(f, in.token, "tables", front_name_json(&in), like, e), *rows = json_array(), *item;
    size_t i;
    json_array_foreach(json_object_get(answer, "items"), i, item)
        json_array_append_new(rows, json_pack("[o, o, b]", jx_str(in.parts[1]), jx_str(jx_get_str(item, "name", "")), 0));
    struct lake_stream *s = answer ? front_rows(f, columns, ARRAY_LEN(columns), rows, e) : NULL;
    json_decref(rows);
    json_decref(answer);
    return s;
}

static struct lake_stream *show_volumes(struct front *f, struct err *e)
{
    struct front_name in;
    const char *like;
    return take_in(f, 2, &in, e) && take_like(f, &like, e) && front_need_end(f, e) ? front_show_volumes(f, &in, like, e) : NULL;
}

static json_t *describe(struct front *f, const struct front_name *name, struct err *e)
{
    return front_call(f, name->token, "describe", json_pack("{s:o}", "name", front_name_json(name)), e);
}

/* SHOW COLUMNS IN table [IN schema] */
static struct lake_stream *show_columns(struct front *f, struct err *e)
{
    struct front_name name, schema;
    if (!front_take(f, "in") && !front_need(f, "from", e))
        return NULL;
    if (!front_take_name(f, 3, &name, e))
        return NULL;
    if (front_take(f, "in") || front_take(f, "from")) {
        if (!front_take_name(f, 2, &schema, e))
            return NULL;
        name.parts[0] = schema.parts[0];
        name.parts[1] = schema.parts[1];
    }
    json_t *info = front_need_end(f, e) ? describe(f, &name, e) : NULL;
    if (!info)
        return NULL;
    json_t *answer = json_pack("{s:O?}", "items", json_object_get(info, "columns"));
    json_decref(info);
    return one_column(f, "col_name", answer, e);
}

/* SHOW TBLPROPERTIES table [('key')] */
static struct lake_stream *show_properties(struct front *f, struct err *e)
{
    static const struct front_column columns[] = {{"key", "VARCHAR"}, {"value", "VARCHAR"}};
    struct front_name name;
    const char *wanted = NULL, *key;
    if (!front_take_name(f, 3, &name, e))
        return NULL;
    if (front_take_symbol(f, "(") && (!front_take_string(f, &wanted, e) || !front_need_symbol(f, ")", e)))
        return NULL;
    json_t *info = front_need_end(f, e) ? describe(f, &name, e) : NULL, *rows = json_array(), *value;
    json_object_foreach(json_object_get(info, "properties"), key, value)
        if (!wanted || !strcmp(wanted, key))
            json_array_append_new(rows, json_pack("[o, O]", jx_str(key), value));
    if (info && wanted && !json_array_size(rows)) {
        char *text = xasprintf("Table %s does not have property: %s", front_full_name(f, &name), wanted);
        json_array_append_new(rows, json_pack("[o, o]", jx_str(wanted), jx_str(text)));
        free(text);
    }
    struct lake_stream *s = info ? front_rows(f, columns, ARRAY_LEN(columns), rows, e) : NULL;
    json_decref(rows);
    json_decref(info);
    return s;
}

/* SHOW GRANTS [principal] ON [type] name */
static struct lake_stream *show_grants(struct front *f, struct err *e)
{
    static const struct front_column columns[] = {
        {"Principal", "VARCHAR"}, {"ActionType", "VARCHAR"}, {"ObjectType", "VARCHAR"}, {"ObjectKey", "VARCHAR"}};
    struct front_securable on;
    const char *principal = NULL;
    const struct token *t = front_now(f);
    if (!token_is(t, "on")) {
        if (!token_names(t) && t->kind != TOKEN_STRING)
            return front_expected(f, "ON", e), NULL;
        principal = t->text;
        f->at++;
    }
    if (!front_need(f, "on", e) || !front_take_securable(f, &on, e) || !front_need_end(f, e))
        return NULL;
    json_t *args = json_pack("{s:s, s:o}", "securable_type", on.type, "name", front_name_json(&on.name));
    if (principal)
        json_object_set_new(args, "principal", jx_str(principal));
    json_t *answer = front_call(f, on.name.token, "show_grants", args, e), *rows = json_array(), *item;
    size_t i;
    json_array_foreach(json_object_get(answer, "items"), i, item)
        json_array_append_new(rows, json_pack("[o, o, o, o]", jx_str(jx_get_str(item, "principal", "")),
                                              jx_str(jx_get_str(item, "action_type", "")),
                                              jx_str(jx_get_str(item, "object_type", "")),
                                              jx_str(jx_get_str(item, "object_key", ""))));
    struct lake_stream *s = answer ? front_rows(f, columns, ARRAY_LEN(columns), rows, e) : NULL;
    json_decref(rows);
    json_decref(answer);
    return s;
}

struct lake_stream *front_show(struct front *f, struct err *e)
{
    static const struct {
        const char *word;
        front_handler *run;
    } kinds[] = {{"catalogs", show_catalogs}, {"schemas", show_schemas}, {"databases", show_schemas}, {"tables", show_tables}, {"volumes", show_volumes},
                 {"columns", show_columns}, {"tblproperties", show_properties}, {"grants", show_grants}, {"grant", show_grants}};
    f->at = 1;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (front_take(f, kinds[i].word))
            return kinds[i].run(f, e);
    front_error(f, front_now(f), "UNSUPPORTED_STATEMENT", "0A000", e,
                "of SHOW, this workspace has CATALOGS, SCHEMAS, TABLES, VOLUMES, COLUMNS, TBLPROPERTIES and GRANTS");
    return NULL;
}
