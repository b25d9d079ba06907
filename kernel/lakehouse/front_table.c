/* Reading a table's definition (see front_table.h). */
#include "lakehouse/front_table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/xalloc.h"

void table_definition_release(struct table_definition *d)
{
    delta_schema_release(&d->schema);
    for (size_t i = 0; i < d->n_partitions; i++)
        free(d->partitions[i]);
    free(d->partitions);
    json_decref(d->primary_key);
    json_decref(d->properties);
    *d = (struct table_definition){0};
}

/* ---- properties ---- */
/* 'delta.enableChangeDataFeed' or delta.enableChangeDataFeed */
static bool property_key(struct front *f, const char **out, struct err *e)
{
    const struct token *t = front_now(f);
    if (t->kind == TOKEN_STRING)
        return front_take_string(f, out, e);
    *out = "";
    do {
        t = front_now(f);
        if (!token_names(t))
            return front_expected(f, "the name of a property", e);
        *out = arena_printf(&f->arena, "%s%s%s", *out, **out ? "." : "", t->text);
        f->at++;
    } while (front_take_symbol(f, "."));
    return true;
}

static bool property_value(struct front *f, const char **out, struct err *e)
{
    const struct token *t = front_now(f);
    const char *sign = front_take_symbol(f, "-") ? "-" : "";
    t = front_now(f);
    if (t->kind != TOKEN_STRING && t->kind != TOKEN_NUMBER && !token_is(t, "true") && !token_is(t, "false"))
        return front_expected(f, "the value of a property", e);
    *out = arena_printf(&f->arena, "%s%s", sign, t->text);
    f->at++;
    return true;
}

bool front_parse_properties(struct front *f, json_t *into, bool values, struct err *e)
{
    if (!front_need_symbol(f, "(", e))
        return false;
    do {
        const char *key, *value = "";
        const struct token *at = front_now(f);
        if (!property_key(f, &key, e))
            return false;
        if (values) {
            if (!front_take_symbol(f, "="))
                front_take_symbol(f, "==");
            if (!property_value(f, &value, e))
                return false;
        }
        if (json_object_get(into, key))
            return front_error(f, at, "DUPLICATE_KEY", "23505", e, "the property '%s' is set twice", key);
        json_object_set_new(into, key, jx_str(value));
    } while (front_take_symbol(f, ","));
    return front_need_symbol(f, ")", e);
}

/* ---- columns ---- */
static bool add_key_column(struct table_definition *d, const char *name)
{
    for (size_t i = 0; i < d->schema.count; i++)
        if (!strcasecmp(d->schema.columns[i].name, name)) {
            d->schema.columns[i].nullable = false; /* as the service: a key column is NOT NULL */
            json_array_append_new(d->primary_key, jx_str(d->schema.columns[i].name));
            return true;
        }
    return false;
}

static void skip_key_options(struct front *f)
{
    while (front_take(f, "rely") || front_take(f, "norely") || front_take(f, "not enforced") || front_take(f, "deferrable") ||
           front_take(f, "initially deferred"))
        ;
}

/* [CONSTRAINT name] PRIMARY KEY (a, b) [RELY] */
static bool parse_key(struct front *f, struct table_definition *d, struct err *e)
{
    if (front_take(f, "constraint")) {
        if (!token_names(front_now(f)))
            return front_expected(f, "the name of the constraint", e);
        d->key_name = front_now(f)->text;
        f->at++;
    }
    if (!front_take(f, "primary key"))
        return front_error(f, front_now(f), "UNSUPPORTED_FEATURE.CONSTRAINT", "0A000", e,
                           "of constraints, this workspace takes PRIMARY KEY and NOT NULL");
    if (d->primary_key)
        return front_error(f, front_now(f), "MULTIPLE_PRIMARY_KEYS", "42P16", e, "a table has one primary key");
    d->primary_key = json_array();
    if (!front_need_symbol(f, "(", e))
        return false;
    do {
        const struct token *t = front_now(f);
        if (!token_names(t))
            return front_expected(f, "a column", e);
        if (!add_key_column(d, t->text))
            return front_error(f, t, "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703", e, "the table has no column '%s'", t->text);
        f->at++;
        front_take(f, "timeseries");
    } while (front_take_symbol(f, ","));
    skip_key_options(f);
    if (!front_need_symbol(f, ")", e))
        return false;
    skip_key_options(f);
    return true;
}

/* NOT NULL, COMMENT '…', PRIMARY KEY after a column's type. */
static bool column_options(struct front *f, struct table_definition *d, const char **comment, bool *nullable, bool *key,
                           struct err *e)
{
    for (;;) {
        const struct token *t = front_now(f);
        if (front_take(f, "not null")) {
            *nullable = false;
        } else if (front_take(f, "null")) {
            ;
        } else if (front_take(f, "comment")) {
            if (!front_take_string(f, comment, e))
                return false;
        } else if (front_take(f, "primary key")) {
            *key = true;
            skip_key_options(f);
        } else if (token_is(t, "constraint") && token_names(&t[1])) {
            d->key_name = t[1].text;
            f->at += 2;
        } else if (token_is(t, "default") || token_is(t, "generated") || token_is(t, "collate") || token_is(t, "mask") ||
                   token_is(t, "references") || token_is(t, "foreign") || token_is(t, "check")) {
            return front_error(f, t, "UNSUPPORTED_FEATURE.COLUMN_OPTION", "0A000", e,
                               "%s is not supported for columns: NOT NULL, COMMENT and PRIMARY KEY are", t->text);
        } else {
            return true;
        }
    }
}

bool front_parse_column(struct front *f, struct table_definition *d, bool constraints, struct err *e)
{
    const struct token *name = front_now(f);
    const char *comment = NULL;
    bool nullable = true, key = false;
    struct buf spark, ignored;
    if (!token_names(name))
        return front_expected(f, "a column", e);
    f->at++;
    buf_init(&spark, 1 << 20);
    buf_init(&ignored, 1 << 20);
    bool ok = front_rewrite_type(f, &f->at, &ignored, &spark, e) && column_options(f, d, &comment, &nullable, &key, e);
    if (ok && key && !constraints)
        ok = front_error(f, name, "UNSUPPORTED_FEATURE.CONSTRAINT", "0A000", e, "a key cannot be added here");
    if (ok && delta_schema_find(&d->schema, name->text))
        ok = front_error(f, name, "COLUMN_ALREADY_EXISTS", "42711", e, "the column '%s' is there twice", name->text);
    if (ok && !delta_schema_add(&d->schema, name->text, buf_str(&spark), nullable, comment, e)) {
        char text[sizeof e->text];
        memcpy(text, e->text, sizeof text);
        e->code = ERR_NONE;
        ok = front_error(f, name, "UNSUPPORTED_DATATYPE", "0A000", e, "%s", text);
    }
    if (ok && key) {
        ok = !d->primary_key || front_error(f, name, "MULTIPLE_PRIMARY_KEYS", "42P16", e, "a table has one primary key");
        d->primary_key = d->primary_key ? d->primary_key : json_array();
        ok = ok && add_key_column(d, name->text);
    }
    buf_release(&spark);
    buf_release(&ignored);
    return ok;
}

bool front_parse_columns(struct front *f, struct table_definition *d, bool constraints, struct err *e)
{
    if (!front_need_symbol(f, "(", e))
        return false;
    do {
        const struct token *t = front_now(f);
        bool constraint = token_is(t, "constraint") || (token_is(t, "primary") && token_is(&t[1], "key")) ||
                          (token_is(t, "foreign") && token_is(&t[1], "key"));
        if (constraints && constraint ? !parse_key(f, d, e) : !front_parse_column(f, d, constraints, e))
            return false;
    } while (front_take_symbol(f, ","));
    return front_need_symbol(f, ")", e);
}

/* ---- options ---- */
static bool format(struct front *f, struct err *e)
{
    if (front_take(f, "delta"))
        return true;
    return front_error(f, front_now(f), "UNSUPPORTED_FEATURE.TABLE_FORMAT", "0A000", e,
                       "tables are Delta tables here: USING DELTA, not %.40s", front_now(f)->text);
}

bool front_parse_options(struct front *f, struct table_definition *d, size_t *partition_at, struct err *e)
{
    *partition_at = 0;
    d->properties = d->properties ? d->properties : json_object();
    for (;;) {
        bool ok = true;
        const struct token *t = front_now(f);
        if (front_take(f, "using")) {
            ok = format(f, e);
        } else if (front_take(f, "partitioned by")) {
            *partition_at = f->at;
            f->at = front_after_bracket(f, f->at, e);
            ok = f->at != 0;
        } else if (front_take(f, "comment")) {
            ok = front_take_string(f, &d->comment, e);
        } else if (front_take(f, "tblproperties")) {
            ok = front_parse_properties(f, d->properties, true, e);
        } else if (token_is(t, "location") || token_is(t, "cluster") || token_is(t, "like") || token_is(t, "options")) {
            ok = front_error(f, t, "UNSUPPORTED_FEATURE.TABLE_OPTION", "0A000", e,
                             "%s is not supported: USING DELTA, PARTITIONED BY, COMMENT and TBLPROPERTIES are", t->text);
        } else {
            return true;
        }
        if (!ok)
            return false;
    }
}

bool front_parse_partitions(struct front *f, struct table_definition *d, size_t at, struct err *e)
{
    size_t saved = f->at;
    f->at = at;
    if (!at)
        return f->at = saved, true;
    if (!front_need_symbol(f, "(", e))
        return false;
    do {
        const struct token *t = front_now(f);
        const struct delta_column *c = token_names(t) ? delta_schema_find(&d->schema, t->text) : NULL;
        if (!c && token_names(t) && t[1].kind == TOKEN_WORD) { /* PARTITIONED BY (day DATE): it is a column too */
            if (!front_parse_column(f, d, false, e))
                return false;
            c = &d->schema.columns[d->schema.count - 1];
        } else if (!c) {
            return front_error(f, t, "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703", e, "the table has no column '%s'", t->text);
        } else {
            f->at++;
        }
        d->partitions = xreallocarray(d->partitions, d->n_partitions + 1, sizeof *d->partitions);
        d->partitions[d->n_partitions++] = xstrdup(c->name);
    } while (front_take_symbol(f, ","));
    bool ok = front_need_symbol(f, ")", e);
    f->at = saved;
    return ok;
}

/* ---- for Unity Catalog ---- */
json_t *front_column_infos(const struct delta_schema *schema, char *const *partitions, size_t n_partitions)
{
    json_t *list = json_array();
    for (size_t i = 0; i < schema->count; i++) {
        const struct delta_column *c = &schema->columns[i];
        char *text = delta_type_text(c);
        json_t *one = json_pack("{s:o, s:s, s:s, s:I, s:b}", "name", jx_str(c->name), "type_text", text, "type_name",
                                delta_column_type_name(c), "position", (json_int_t)i, "nullable", c->nullable);
        free(text);
        json_t *type = json_pack("{s:o, s:O, s:b, s:O?}", "name", jx_str(c->name), "type", c->type_json, "nullable", c->nullable,
                                 "metadata", c->metadata);
        text = jx_dump(type);
        json_object_set_new(one, "type_json", jx_str(text));
        free(text);
        json_decref(type);
        if (c->type == DELTA_DECIMAL) {
            json_object_set_new(one, "type_precision", json_integer(c->precision));
            json_object_set_new(one, "type_scale", json_integer(c->scale));
        }
        const char *comment = jx_get_str(c->metadata, "comment", NULL);
        if (comment)
            json_object_set_new(one, "comment", jx_str(comment));
        for (size_t k = 0; k < n_partitions; k++)
            if (!strcasecmp(partitions[k], c->name))
                json_object_set_new(one, "partition_index", json_integer((json_int_t)k));
        json_array_append_new(list, one);
    }
    return list;
}

bool front_tell_catalog(struct front *f, const struct front_name *name, const struct delta_schema *schema, char *const *partitions,
                        size_t n_partitions, json_t *configuration, struct err *e)
{
    const char *const *p = name->parts;
    json_t *args = json_pack("{s:[sss], s:o, s:O}", "name", p[0], p[1], p[2], "columns",
                             front_column_infos(schema, partitions, n_partitions), "properties", configuration);
    json_t *answer = front_call(f, name->token, "update_table", args, e);
    json_decref(answer);
    return answer != NULL;
}
