/* ALTER TABLE: properties and new columns, each a commit of metadata alone. */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/dml.h"
#include "lakehouse/front_table.h"

enum alter_kind { ALTER_SET = 1, ALTER_UNSET, ALTER_ADD };
struct alter {
    struct front_name name;
    enum alter_kind kind;
    struct table_definition d; /* properties, or columns to add */
    bool if_exists;
};

static bool parse(struct front *f, struct alter *a, struct err *e)
{
    f->at = 1;
    if (!front_need(f, "table", e) || !front_take_name(f, 3, &a->name, e))
        return false;
    a->d.properties = json_object();
    if (front_take(f, "set tblproperties")) {
        a->kind = ALTER_SET;
        return front_parse_properties(f, a->d.properties, true, e) && front_need_end(f, e);
    }
    if (front_take(f, "unset tblproperties")) {
        a->kind = ALTER_UNSET;
        a->if_exists = front_take(f, "if exists");
        return front_parse_properties(f, a->d.properties, false, e) && front_need_end(f, e);
    }
    a->kind = ALTER_ADD;
    if (front_take(f, "add columns") || front_take(f, "add column"))
        return (token_symbol(front_now(f), "(") ? front_parse_columns(f, &a->d, false, e)
                                                : front_parse_column(f, &a->d, false, e)) &&
               front_need_end(f, e);
    return front_error(f, front_now(f), "UNSUPPORTED_STATEMENT", "0A000", e,
                       "of ALTER TABLE, this workspace has SET and UNSET TBLPROPERTIES and ADD COLUMN");
}

/* ---- what changes ---- */
static bool add_columns(struct front *f, const struct alter *a, struct delta_schema *schema, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; ok && i < a->d.schema.count; i++) {
        const struct delta_column *c = &a->d.schema.columns[i];
        char *type = delta_type_text(c);
        if (delta_schema_find(schema, c->name))
            ok = front_error(f, a->name.token, "FIELD_ALREADY_EXISTS", "42710", e, "the table has a column '%s'", c->name);
        else if (!c->nullable)
            ok = front_error(f, a->name.token, "DELTA_ADDING_NOT_NULL_COLUMN", "42000", e,
                             "a new column is NULL in the rows that are there, so '%s' cannot be NOT NULL", c->name);
        ok = ok && delta_schema_add(schema, c->name, type, true, jx_get_str(c->metadata, "comment", NULL), e);
        free(type);
    }
    return ok;
}

static bool change_properties(struct front *f, const struct alter *a, json_t *configuration, struct err *e)
{
    const char *key;
    json_t *value;
    json_object_foreach(a->d.properties, key, value) {
        if (a->kind == ALTER_SET)
            json_object_set(configuration, key, value);
        else if (json_object_del(configuration, key) && !a->if_exists)
            return front_error(f, a->name.token, "UNSET_NONEXISTENT_PROPERTIES", "42K0J", e, "the property '%s' is not set", key);
    }
    return true;
}

static bool commit(struct dml *d, const struct alter *a, const struct delta_schema *schema, const json_t *configuration,
                   struct err *e)
{
    static const char *const operations[] = {"SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "ADD COLUMNS"};
    const struct delta_snapshot *s = d->target->snapshot;
    struct delta_commit *c = delta_commit_new(s->root, s->version, operations[a->kind - 1]);
    delta_commit_metadata(c, s->id, s->name, s->description, schema, s->partition_columns, s->n_partition_columns,
                          (json_t *)(uintptr_t)configuration);
    json_t *said = a->kind == ALTER_ADD ? front_column_infos(&a->d.schema, NULL, 0) : json_incref(a->d.properties);
    char *text = jx_dump(said);
    delta_commit_parameter(c, a->kind == ALTER_ADD ? "columns" : "properties", text);
    free(text);
    json_decref(said);
    if (d->f->s->principal)
        delta_commit_user(c, d->f->s->principal);
    bool ok = dml_publish_commit(d, c, e);
    delta_commit_free(c);
    return ok;
}

static bool attempt(struct front *f, void *self, struct err *e)
{
    struct alter *a = self;
    struct dml d;
    struct delta_schema schema = {0};
    json_t *configuration = NULL;
    bool ok = dml_begin(&d, f, &a->name, false, e);
    if (ok) {
        delta_schema_copy(&schema, &d.target->snapshot->schema);
        configuration = json_deep_copy(d.target->snapshot->configuration);
        ok = add_columns(f, a, &schema, e) && change_properties(f, a, configuration, e);
    }
    if (ok && !commit(&d, a, &schema, configuration, e)) {
        ok = false;
        if (e->code == ERR_INVALID_PARAMETER || e->code == ERR_NOT_IMPLEMENTED) {
            char text[sizeof e->text];
            memcpy(text, e->text, sizeof text);
            e->code = ERR_NONE;
            front_error(f, a->name.token, "DELTA_INVALID_TABLE_DEFINITION", "42000", e, "%s", text);
        }
    }
    ok = ok && front_tell_catalog(f, &a->name, &schema, d.shape.partitions, d.shape.n_partitions, configuration, e);
    free(f->outcome->target); /* no rows were written: no lineage */
    f->outcome->target = NULL;
    delta_schema_release(&schema);
    json_decref(configuration);
    dml_release(&d);
    return ok;
}

struct lake_stream *front_alter(struct front *f, struct err *e)
{
    struct alter a = {0};
    bool ok = parse(f, &a, e) && dml_retry(f, attempt, &a, e);
    table_definition_release(&a.d);
    return ok ? front_nothing(f, e) : NULL;
}
