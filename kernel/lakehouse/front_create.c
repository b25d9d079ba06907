/* CREATE TABLE [AS SELECT]: a folder from Unity Catalog, version 0 on disk, then the name. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/dml.h"
#include "lakehouse/front_table.h"

struct create {
    struct front_name name;
    struct table_definition d;
    bool replace, if_not_exists, listed;
    size_t partition_at, query; /* tokens; 0: none */
    int64_t rows;
};

static bool parse(struct front *f, struct create *c, struct err *e)
{
    c->if_not_exists = front_take(f, "if not exists");
    if (!front_take_name(f, 3, &c->name, e))
        return false;
    if (token_symbol(front_now(f), "(")) {
        c->listed = true;
        if (!front_parse_columns(f, &c->d, true, e))
            return false;
    }
    if (!front_parse_options(f, &c->d, &c->partition_at, e))
        return false;
    front_take(f, "as");
    const struct token *t = front_now(f);
    if (t->kind == TOKEN_END)
        return c->listed || front_expected(f, "the columns, or AS and a query,", e);
    if (c->listed)
        return front_error(f, t, "UNSUPPORTED_FEATURE", "0A000", e,
                           "columns and a query cannot be given together: cast in the query");
    if (!token_is(t, "select") && !token_is(t, "with") && !token_is(t, "values") && !token_is(t, "from") &&
        !token_symbol(t, "("))
        return front_expected(f, "a query", e);
    c->query = f->at;
    return front_find_tables(f, f->at, f->t.count, false, e);
}

/* ---- AS SELECT ---- */
/* The table's columns are the query's. */
static bool columns_of(struct front *f, struct create *c, const char *sql, const struct front_map *map, struct err *e)
{
    duckdb_statement s = duck_prepare(f->conn, sql, e);
    if (!s) {
        if (e->code == ERR_SQL)
            front_map_error(f, map, e);
        return false;
    }
    bool ok = true;
    for (idx_t i = 0; ok && i < duck->prepared_statement_column_count(s); i++) {
        struct lake_column column = {0};
        const char *convert, *name = duck->prepared_statement_column_name(s, i);
        duckdb_type_ref type = duck->prepared_statement_column_logical_type(s, i);
        lake_column_of(type, &column, &convert);
        if (delta_schema_find(&c->d.schema, name))
            ok = front_error(f, front_token(f, c->query), "COLUMN_ALREADY_EXISTS", "42711", e,
                             "the query gives two columns named '%s'", name);
        ok = ok && delta_schema_add(&c->d.schema, name, column.type_text, true, NULL, e);
        lake_column_release(&column);
        duck->destroy_logical_type(&type);
        duck->free((void *)(uintptr_t)name);
    }
    duck->destroy_prepare(&s);
    return ok;
}

static bool write_rows(struct dml *d, struct create *c, const char *query, const struct front_map *map, struct err *e)
{
    struct front_map moved = {.places = xcalloc(map->count + 1, sizeof *moved.places)};
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    buf_puts(&sql, "SELECT ");
    for (size_t i = 0; i < c->d.schema.count; i++) {
        buf_puts(&sql, i ? ", " : "");
        dml_cast_open(&sql);
        buf_printf(&sql, "#%zu", i + 1);
        dml_cast_close(&sql, &c->d.schema.columns[i]);
    }
    buf_puts(&sql, " FROM (");
    for (; moved.count < map->count; moved.count++)
        moved.places[moved.count] = (struct front_place){map->places[moved.count].out + sql.len,
                                                         map->places[moved.count].in};
    buf_printf(&sql, "%s\n)", query);
    bool ok = buf_ok(&sql, "the statement", e) && dml_write(d, buf_str(&sql), &moved, false, &d->data, e);
    buf_release(&sql);
    free(moved.places);
    return ok;
}

static bool fill(struct dml *d, struct create *c, struct err *e)
{
    struct front *f = d->f;
    struct front_map map = {0};
    struct buf query;
    bool ok = true;
    buf_init(&query, LAKE_SQL_MAX);
    if (c->query) {
        ok = front_resolve_tables(f, e) && front_rewrite(f, c->query, f->t.count, &query, &map, e) &&
             front_check(f, buf_str(&query), e) && columns_of(f, c, buf_str(&query), &map, e);
    }
    ok = ok && front_parse_partitions(f, &c->d, c->partition_at, e);
    d->shape.schema = &c->d.schema;
    d->shape.partitions = c->d.partitions;
    d->shape.n_partitions = c->d.n_partitions;
    if (ok && c->query)
        ok = write_rows(d, c, buf_str(&query), &map, e);
    c->rows = d->data.rows;
    buf_release(&query);
    free(map.places);
    return ok;
}

/* ---- the commit ---- */
static void describe(struct delta_commit *c, const struct create *in, const struct dml *d, size_t removed)
{
    json_t *partitions = json_array();
    for (size_t i = 0; i < in->d.n_partitions; i++)
        json_array_append_new(partitions, jx_str(in->d.partitions[i]));
    char *by = jx_dump(partitions), *properties = jx_dump(in->d.properties);
    delta_commit_parameter(c, "partitionBy", by);
    delta_commit_parameter(c, "properties", properties);
    delta_commit_parameter(c, "description", in->d.comment);
    delta_commit_parameter(c, "isManaged", "true");
    free(by);
    free(properties);
    json_decref(partitions);
    if (in->query) {
        delta_commit_metric(c, "numFiles", (int64_t)d->data.count);
        delta_commit_metric(c, "numOutputRows", d->data.rows);
        delta_commit_metric(c, "numOutputBytes", d->data.bytes);
        if (removed)
            delta_commit_metric(c, "numRemovedFiles", (int64_t)removed);
    }
    if (d->f->s->principal)
        delta_commit_user(c, d->f->s->principal);
}

/* base: the table that is replaced, or NULL. */
static bool publish(struct dml *d, const struct create *in, const struct delta_snapshot *base, const char *id, struct err *e)
{
    const char *operation = in->replace ? (in->query ? "CREATE OR REPLACE TABLE AS SELECT" : "CREATE OR REPLACE TABLE")
                                        : (in->query ? "CREATE TABLE AS SELECT" : "CREATE TABLE");
    struct delta_commit *c = delta_commit_new(d->shape.root, base ? base->version : -1, operation);
    delta_commit_metadata(c, id, NULL, in->d.comment, &in->d.schema, in->d.partitions, in->d.n_partitions, in->d.properties);
    for (size_t i = 0; base && i < base->n_files; i++) {
        struct delta_file file = base->files[i];
        file.data_change = true;
        delta_commit_remove(c, &file);
    }
    for (size_t i = 0; i < d->data.count; i++)
        delta_commit_add(c, &d->data.list[i]);
    describe(c, in, d, base ? base->n_files : 0);
    bool ok = dml_publish_commit(d, c, e);
    delta_commit_free(c);
    return ok;
}

/* Rules of the log that a user's definition broke, in SQL's terms. */
static bool in_sql_terms(struct front *f, const struct front_name *name, struct err *e)
{
    if (e->code != ERR_INVALID_PARAMETER && e->code != ERR_NOT_IMPLEMENTED)
        return false;
    char text[sizeof e->text];
    memcpy(text, e->text, sizeof text);
    e->code = ERR_NONE;
    return front_error(f, name->token, "DELTA_INVALID_TABLE_DEFINITION", "42000", e, "%s", text);
}

static json_t *definition_args(const struct create *in)
{
    json_t *args = json_pack("{s:o, s:o, s:O}", "name", front_name_json(&in->name), "columns",
                             front_column_infos(&in->d.schema, in->d.partitions, in->d.n_partitions), "properties",
                             in->d.properties);
    if (in->d.comment)
        json_object_set_new(args, "comment", jx_str(in->d.comment));
    if (in->d.primary_key) {
        json_t *name = in->d.key_name ? jx_str(in->d.key_name) : json_sprintf("%s_pk", in->name.parts[2]);
        json_object_set_new(args, "table_constraints",
                            json_pack("[{s:{s:o, s:O}}]", "primary_key_constraint", "name", name, "child_columns",
                                      in->d.primary_key));
    }
    return args;
}

static bool create_new(struct front *f, struct create *in, struct err *e)
{
    struct dml d = {.f = f, .started = clock_mono_ms()};
    json_t *place = front_call(f, in->name.token, "allocate_table", json_pack("{s:o}", "name", front_name_json(&in->name)), e);
    if (!place)
        return false;
    d.shape.root = jx_get_str(place, "location", "");
    bool ok = (fill(&d, in, e) && publish(&d, in, NULL, jx_get_str(place, "table_id", NULL), e)) ||
              in_sql_terms(f, &in->name, e);
    bool told = false;
    if (ok) {
        json_t *args = definition_args(in);
        json_object_set(args, "location", json_object_get(place, "location"));
        json_object_set(args, "table_id", json_object_get(place, "table_id"));
        json_t *answer = front_call(f, in->name.token, "publish_table", args, e);
        ok = answer != NULL;
        json_decref(answer);
        told = true;
    }
    /* When the answer is lost the catalog may know the table: its start takes away the folders that it does not know. */
    if (!ok && !(told && e->code == ERR_UNAVAILABLE)) {
        struct err ignored;
        err_init(&ignored);
        fs_remove_tree(d.shape.root, &ignored); /* nobody knows of it */
    }
    dml_release(&d);
    json_decref(place);
    return ok;
}

static bool replace_old(struct front *f, struct create *in, struct err *e)
{
    struct dml d;
    bool ok = dml_begin(&d, f, &in->name, true, e);
    const struct delta_snapshot *base = ok ? d.target->snapshot : NULL;
    ok = ok && ((fill(&d, in, e) && publish(&d, in, base, base->id, e)) || in_sql_terms(f, &in->name, e));
    if (ok) {
        json_t *answer = front_call(f, in->name.token, "update_table", definition_args(in), e);
        ok = answer != NULL;
        json_decref(answer);
    } else {
        dml_files_discard(&d.data);
    }
    dml_release(&d);
    return ok;
}

static bool exists(struct front *f, const struct front_name *name, struct err *e)
{
    json_t *info = front_call(f, name->token, "describe", json_pack("{s:o}", "name", front_name_json(name)), e);
    json_decref(info);
    if (!info && strstr(e->text, "TABLE_OR_VIEW_NOT_FOUND"))
        err_init(e);
    return info != NULL;
}

static void forget_columns(struct create *c)
{
    if (c->query) {
        delta_schema_release(&c->d.schema);
        c->d.schema = (struct delta_schema){0};
    }
    for (size_t i = 0; i < c->d.n_partitions; i++)
        free(c->d.partitions[i]);
    free(c->d.partitions);
    c->d.partitions = NULL;
    c->d.n_partitions = 0;
}

static bool attempt(struct front *f, void *self, struct err *e)
{
    struct create *c = self;
    forget_columns(c);
    bool there = (c->replace || c->if_not_exists) && exists(f, &c->name, e);
    if (e->code != ERR_NONE || (there && !c->replace))
        return e->code == ERR_NONE;
    bool ok = there ? replace_old(f, c, e) : create_new(f, c, e);
    if (ok) {
        free(f->outcome->target);
        f->outcome->target = xstrdup(front_full_name(f, &c->name));
    }
    return ok;
}

struct lake_stream *front_create_table(struct front *f, bool replace, struct err *e)
{
    static const char *const names[] = {"num_affected_rows", "num_inserted_rows"};
    struct create c = {.replace = replace};
    struct lake_stream *s = NULL;
    if (parse(f, &c, e) && dml_retry(f, attempt, &c, e))
        s = c.query ? dml_counts(f, names, (const int64_t[]){c.rows, c.rows}, 2, e) : front_nothing(f, e);
    table_definition_release(&c.d);
    return s;
}
