/* A table's columns: from and to `schemaString`, and the rules for names. Types are in delta_type.c. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_type.h"

/* ---- from and to JSON ---- */
static bool parse_column(const json_t *field, struct delta_column *c, struct err *e)
{
    const char *name = jx_get_str(field, "name", NULL);
    const json_t *metadata = json_object_get(field, "metadata");
    struct delta_type_facts t;
    if (!name || !*name)
        return err_set(e, ERR_MALFORMED, "a column has no name");
    if (!delta_type_parse(json_object_get(field, "type"), 0, &t, e))
        return err_wrap(e, "column '%s'", name);
    *c = (struct delta_column){.name = xstrdup(name), .type = t.type, .precision = t.precision, .scale = t.scale,
                               .nullable = jx_get_bool(field, "nullable", true),
                               .type_json = json_deep_copy(json_object_get(field, "type")),
                               .metadata = json_is_object(metadata) ? json_deep_copy(metadata) : json_object()};
    return true;
}

static bool parse_fields(const json_t *fields, struct delta_schema *out, struct err *e)
{
    size_t n = json_array_size(fields);
    if (!json_is_array(fields))
        return err_set(e, ERR_MALFORMED, "the schema has no 'fields'");
    if (n > DELTA_COLUMNS_MAX)
        return err_set(e, ERR_TOO_BIG, "the table has %zu columns, more than %d", n, DELTA_COLUMNS_MAX);
    out->columns = xcalloc(n + 1, sizeof *out->columns);
    for (size_t i = 0; i < n; i++) {
        if (!parse_column(json_array_get(fields, i), &out->columns[i], e))
            return false;
        out->count++;
    }
    return true;
}

bool delta_schema_parse(const char *json, struct delta_schema *out, struct err *e)
{
    *out = (struct delta_schema){0};
    json_t *all = jx_parse(json, strlen(json), DELTA_SCHEMA_MAX, e);
    bool ok = all && parse_fields(json_object_get(all, "fields"), out, e);
    json_decref(all);
    if (!ok)
        delta_schema_release(out);
    return ok || err_wrap(e, "the table's schema");
}

char *delta_schema_format(const struct delta_schema *s)
{
    json_t *fields = json_array();
    for (size_t i = 0; i < s->count; i++) {
        const struct delta_column *c = &s->columns[i];
        json_array_append_new(fields, json_pack("{ss sO sb sO}", "name", c->name, "type", c->type_json, "nullable",
                                                (int)c->nullable, "metadata", c->metadata));
    }
    json_t *all = json_pack("{ss so}", "type", "struct", "fields", fields);
    char *text = jx_dump(all);
    json_decref(all);
    return text;
}

/* ---- value ---- */
void delta_schema_copy(struct delta_schema *to, const struct delta_schema *from)
{
    to->columns = xcalloc(from->count + 1, sizeof *to->columns);
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        to->columns[i] = from->columns[i];
        to->columns[i].name = xstrdup(from->columns[i].name);
        to->columns[i].type_json = json_deep_copy(from->columns[i].type_json);
        to->columns[i].metadata = json_deep_copy(from->columns[i].metadata);
    }
}

void delta_schema_release(struct delta_schema *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->columns[i].name);
        json_decref(s->columns[i].type_json);
        json_decref(s->columns[i].metadata);
    }
    free(s->columns);
    *s = (struct delta_schema){0};
}

const struct delta_column *delta_schema_find(const struct delta_schema *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (!strcasecmp(s->columns[i].name, name))
            return &s->columns[i];
    return NULL;
}

bool delta_schema_add(struct delta_schema *s, const char *name, const char *type_text, bool nullable, const char *comment,
                      struct err *e)
{
    struct delta_type_facts t;
    if (!*name)
        return err_set(e, ERR_INVALID_PARAMETER, "a column has no name");
    if (delta_schema_find(s, name))
        return err_set(e, ERR_INVALID_PARAMETER, "column '%s' is there already (upper and lower case are the same)", name);
    if (s->count >= DELTA_COLUMNS_MAX)
        return err_set(e, ERR_TOO_BIG, "the table has more than %d columns", DELTA_COLUMNS_MAX);
    json_t *type = delta_type_from_sql(type_text, e);
    if (!type || !delta_type_parse(type, 0, &t, e)) {
        json_decref(type);
        return err_wrap(e, "column '%s'", name);
    }
    json_t *metadata = json_object();
    if (comment)
        json_object_set_new(metadata, "comment", jx_str(comment));
    s->columns = xreallocarray(s->columns, s->count + 1, sizeof *s->columns);
    s->columns[s->count++] = (struct delta_column){xstrdup(name), t.type, t.precision, t.scale, nullable, type, metadata};
    return true;
}

/* ---- rules for what we write ---- */
static bool check_name(const struct delta_column *c, bool feed, struct err *e)
{
    static const char *const reserved[] = {"_change_type", "_commit_version", "_commit_timestamp"};
    if (c->name[strcspn(c->name, " ,;{}()\n\t=")])
        return err_set(e, ERR_INVALID_PARAMETER, "the column name '%s' has a blank or one of ,;{}()=, which a Delta table allows "
                                                 "only with column mapping (not offered here)", c->name);
    for (size_t i = 0; feed && i < ARRAY_LEN(reserved); i++)
        if (!strcasecmp(c->name, reserved[i]))
            return err_set(e, ERR_INVALID_PARAMETER, "the column name '%s' is the change data feed's own", c->name);
    return true;
}

static bool check_partition(const struct delta_schema *s, const char *name, size_t n, struct err *e)
{
    const struct delta_column *c = delta_schema_find(s, name);
    if (!c)
        return err_set(e, ERR_INVALID_PARAMETER, "the partition column '%s' is no column of the table", name);
    if (c->type == DELTA_NESTED || c->type == DELTA_BINARY || c->type == DELTA_VOID)
        return err_set(e, ERR_INVALID_PARAMETER, "the column '%s' has a type that cannot partition a table", name);
    return n < s->count || err_set(e, ERR_INVALID_PARAMETER, "a table needs a column that does not partition it");
}

bool delta_schema_check(const struct delta_schema *s, char *const *partition_columns, size_t n, const json_t *configuration,
                        struct err *e)
{
    bool feed = delta_flag(configuration, "delta.enableChangeDataFeed");
    for (size_t i = 0; i < s->count; i++) {
        if (delta_schema_find(s, s->columns[i].name) != &s->columns[i])
            return err_set(e, ERR_INVALID_PARAMETER, "two columns are called '%s' (upper and lower case are the same)",
                           s->columns[i].name);
        if (!check_name(&s->columns[i], feed, e))
            return false;
    }
    for (size_t i = 0; i < n; i++)
        if (!check_partition(s, partition_columns[i], n, e))
            return false;
    return true;
}
