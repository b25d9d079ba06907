/* INSERT INTO | OVERWRITE: the rows of a query, or VALUES, into new files. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/dml.h"

struct insert {
    struct front_name table;
    bool overwrite, by_name;
    size_t columns, columns_end; /* tokens of the list of columns */
    size_t query;                /* where the query begins */
    int64_t rows;
};

static bool parse(struct front *f, struct insert *in, struct err *e)
{
    f->at = 1;
    in->overwrite = front_take(f, "overwrite");
    if (!in->overwrite && !front_need(f, "into", e))
        return false;
    front_take(f, "table");
    if (!front_take_name(f, 3, &in->table, e))
        return false;
    const struct token *t = front_now(f);
    bool list = token_symbol(t, "(") && !token_is(&t[1], "select") && !token_is(&t[1], "with") && !token_is(&t[1], "values");
    if (list) {
        in->columns = f->at + 1;
        size_t after = front_after_bracket(f, f->at, e);
        if (!after)
            return false;
        in->columns_end = after - 1;
        f->at = after;
    } else {
        in->by_name = front_take(f, "by name");
    }
    in->query = f->at;
    t = front_now(f);
    if (token_is(t, "select") || token_is(t, "with") || token_is(t, "values") || token_is(t, "from") || token_symbol(t, "("))
        return front_find_tables(f, f->at, f->t.count, false, e);
    if (token_is(t, "table")) /* INSERT INTO t TABLE u */
        return front_error(f, t, "UNSUPPORTED_FEATURE", "0A000", e, "write SELECT * FROM the table instead of TABLE");
    return front_expected(f, "VALUES or a query", e);
}

/* Which column of the source fills each of the table's: its place from 1; 0: none. */
static bool match_list(struct front *f, struct insert *in, const struct delta_schema *schema, size_t *from, size_t *wanted,
                       struct err *e)
{
    *wanted = 0;
    f->at = in->columns;
    while (f->at < in->columns_end) {
        const struct token *t = front_now(f);
        const struct delta_column *c = token_names(t) ? delta_schema_find(schema, t->text) : NULL;
        if (!c)
            return front_error(f, t, "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703", e, "the table has no column '%s'", t->text);
        size_t at = (size_t)(c - schema->columns);
        if (from[at])
            return front_error(f, t, "COLUMN_ALREADY_EXISTS", "42711", e, "the column '%s' is named twice", t->text);
        from[at] = ++*wanted;
        f->at++;
        if (f->at < in->columns_end && !front_need_symbol(f, ",", e))
            return false;
    }
    return *wanted > 0 || front_expected(f, "a column", e);
}

static bool match_names(struct front *f, const struct insert *in, const struct delta_schema *schema, duckdb_statement source,
                        size_t *from, struct err *e)
{
    bool ok = true;
    for (idx_t i = 0; ok && i < duck->prepared_statement_column_count(source); i++) {
        const char *name = duck->prepared_statement_column_name(source, i);
        const struct delta_column *c = delta_schema_find(schema, name ? name : "");
        if (c)
            from[c - schema->columns] = i + 1;
        else
            ok = front_error(f, front_token(f, in->query), "INCOMPATIBLE_DATA_FOR_TABLE.EXTRA_COLUMNS", "KD000", e,
                             "the table has no column '%s'", name);
        duck->free((void *)(uintptr_t)name);
    }
    return ok;
}

static bool arity(struct front *f, const struct insert *in, size_t wanted, size_t given, struct err *e)
{
    if (wanted == given)
        return true;
    return front_error(f, front_token(f, in->query),
                       given < wanted ? "INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS"
                                      : "INSERT_COLUMN_ARITY_MISMATCH.TOO_MANY_DATA_COLUMNS",
                       "21S01", e, "%zu columns are to be filled, and the source gives %zu", wanted, given);
}

static bool match(struct front *f, struct insert *in, const struct delta_schema *schema, const char *source,
                  const struct front_map *map, size_t *from, struct err *e)
{
    duckdb_statement s = duck_prepare(f->conn, source, e);
    if (!s) {
        if (e->code == ERR_SQL)
            front_map_error(f, map, e);
        return false;
    }
    size_t given = duck->prepared_statement_column_count(s), wanted = schema->count;
    bool ok;
    if (in->columns_end) {
        ok = match_list(f, in, schema, from, &wanted, e) && arity(f, in, wanted, given, e);
    } else if (in->by_name) {
        ok = match_names(f, in, schema, s, from, e);
    } else {
        for (size_t i = 0; i < schema->count; i++)
            from[i] = i + 1;
        ok = arity(f, in, wanted, given, e);
    }
    duck->destroy_prepare(&s);
    return ok;
}

/* SELECT CAST(#1 AS …) AS "a", … FROM (source) */
static bool source_sql(struct dml *d, struct insert *in, struct buf *sql, struct front_map *map, struct err *e)
{
    struct front *f = d->f;
    const struct delta_schema *schema = d->shape.schema;
    struct buf source;
    struct front_map inner = {0};
    size_t *from = xcalloc(schema->count + 1, sizeof *from);
    buf_init(&source, LAKE_SQL_MAX);
    bool ok = front_rewrite(f, in->query, f->t.count, &source, &inner, e) && front_check(f, buf_str(&source), e) &&
              match(f, in, schema, buf_str(&source), &inner, from, e);
    buf_puts(sql, "SELECT ");
    for (size_t i = 0; i < schema->count; i++) {
        buf_puts(sql, i ? ", " : "");
        dml_cast_open(sql);
        if (from[i])
            buf_printf(sql, "#%zu", from[i]);
        else
            buf_puts(sql, "NULL");
        dml_cast_close(sql, &schema->columns[i]);
    }
    buf_puts(sql, " FROM (");
    for (size_t i = 0; i < inner.count; i++) /* places move with the text */
        inner.places[i].out += sql->len;
    *map = inner;
    buf_add(sql, buf_str(&source), source.len);
    buf_puts(sql, "\n)");
    buf_release(&source);
    free(from);
    return ok && buf_ok(sql, "the statement", e);
}

static bool attempt(struct front *f, void *self, struct err *e)
{
    struct insert *in = self;
    struct dml d;
    struct buf sql;
    struct front_map map = {0};
    bool *removed = NULL;
    buf_init(&sql, LAKE_SQL_MAX);
    bool ok = dml_begin(&d, f, &in->table, in->overwrite, e) && front_resolve_tables(f, e) &&
              source_sql(&d, in, &sql, &map, e) && dml_write(&d, buf_str(&sql), &map, false, &d.data, e);
    if (ok) {
        d.operation = "WRITE";
        json_object_set_new(d.parameters, "mode", json_string(in->overwrite ? "Overwrite" : "Append"));
        json_object_set_new(d.parameters, "statsOnLoad", json_string("false"));
        json_object_set_new(d.parameters, "partitionBy", json_string("[]"));
        removed = xcalloc(d.target->snapshot->n_files + 1, sizeof *removed);
        memset(removed, in->overwrite, d.target->snapshot->n_files);
        in->rows = d.data.rows;
        ok = dml_publish(&d, removed, e);
    }
    if (!ok)
        dml_files_discard(&d.data);
    free(removed);
    free(map.places);
    buf_release(&sql);
    dml_release(&d);
    return ok;
}

struct lake_stream *front_insert(struct front *f, struct err *e)
{
    static const char *const names[] = {"num_affected_rows", "num_inserted_rows"};
    struct insert in = {0};
    if (!parse(f, &in, e) || !dml_retry(f, attempt, &in, e))
        return NULL;
    return dml_counts(f, names, (const int64_t[]){in.rows, in.rows}, 2, e);
}
