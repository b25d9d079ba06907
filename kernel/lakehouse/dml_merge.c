/*
 * MERGE: one join of source and target decides for every pair which clause applies and what the row becomes; the result is
 * the table __lake_hit of dml_rows.c. A target row that two source rows want to change is an error, as in Delta.
 */
#include <stdlib.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/dml_merge.h"

struct work {
    struct dml d;
    struct merge *m;
    struct buf sql;
    struct front_map map;
    char **source_columns;
    size_t n_source_columns;
};

static bool has(const struct merge *m, enum merge_when when)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->clauses[i].when == when)
            return true;
    return false;
}

/* ---- the source ---- */
static bool add_source(struct work *w, struct buf *out, struct front_map *map, struct err *e)
{
    if (!front_rewrite(w->d.f, w->m->source_from, w->m->source_to, out, map, e))
        return false;
    buf_puts(out, w->m->source_unnamed ? " AS __lake_source" : "");
    return true;
}

/* Names of its columns, for the stars. */
static bool describe_source(struct work *w, struct err *e)
{
    struct buf sql;
    struct front_map map = {0};
    buf_init(&sql, LAKE_SQL_MAX);
    buf_puts(&sql, "SELECT * FROM ");
    duckdb_statement s = NULL;
    if (add_source(w, &sql, &map, e) && front_check(w->d.f, buf_str(&sql), e)) {
        s = duck_prepare(w->d.f->conn, buf_str(&sql), e);
        if (!s && e->code == ERR_SQL)
            front_map_error(w->d.f, &map, e);
    }
    if (s) {
        w->n_source_columns = duck->prepared_statement_column_count(s);
        w->source_columns = xcalloc(w->n_source_columns + 1, sizeof *w->source_columns);
        for (size_t i = 0; i < w->n_source_columns; i++) {
            const char *name = duck->prepared_statement_column_name(s, i);
            w->source_columns[i] = xstrdup(name ? name : "");
            duck->free((void *)(uintptr_t)name);
        }
        duck->destroy_prepare(&s);
    }
    free(map.places);
    buf_release(&sql);
    return e->code == ERR_NONE;
}

/* The source's column of that name; NULL: none. */
static const char *source_column(const struct work *w, const char *name)
{
    for (size_t i = 0; i < w->n_source_columns; i++) {
        struct delta_column one = {.name = w->source_columns[i]};
        const struct delta_schema schema = {&one, 1};
        if (delta_schema_find(&schema, name))
            return w->source_columns[i];
    }
    return NULL;
}

/* ---- values ---- */
static void add_member(struct buf *out, const char *alias, const char *column)
{
    lake_quote_name(out, alias);
    buf_putc(out, '.');
    lake_quote_name(out, column);
}

static bool check_sets(struct work *w, const struct merge_clause *c, struct err *e)
{
    const struct delta_schema *schema = w->d.shape.schema;
    for (size_t i = 0; i < c->n_sets; i++) {
        const struct delta_column *own = delta_schema_find(schema, c->sets[i].column->text);
        if (!own)
            return front_error(w->d.f, c->sets[i].column, "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703", e,
                               "%s has no column '%s'", w->d.target->object.full_name, c->sets[i].column->text);
        for (size_t k = 0; k < i; k++)
            if (delta_schema_find(schema, c->sets[k].column->text) == own)
                return front_error(w->d.f, c->sets[i].column, "DUPLICATED_FIELD_NAME_IN_MERGE", "42701", e,
                                   "the column '%s' is set twice", own->name);
    }
    for (size_t i = 0; c->star && i < schema->count; i++)
        if (!source_column(w, schema->columns[i].name))
            return front_error(w->d.f, front_token(w->d.f, w->m->source_from), "DELTA_MERGE_UNRESOLVED_EXPRESSION", "42601", e,
                               "the source has no column '%s', which %s * sets", schema->columns[i].name,
                               c->action == MERGE_INSERT ? "INSERT" : "UPDATE SET");
    return true;
}

/* What column `own` becomes by clause c. */
static bool add_value(struct work *w, const struct merge_clause *c, const struct delta_column *own, struct err *e)
{
    struct buf *sql = &w->sql;
    if (c->star) {
        add_member(sql, w->m->source, source_column(w, own->name));
        return true;
    }
    for (size_t i = 0; i < c->n_sets; i++)
        if (delta_schema_find(w->d.shape.schema, c->sets[i].column->text) == own) {
            buf_putc(sql, '(');
            bool ok = front_rewrite(w->d.f, c->sets[i].from, c->sets[i].to, sql, &w->map, e);
            buf_puts(sql, "\n)");
            return ok;
        }
    if (c->action == MERGE_UPDATE)
        add_member(sql, w->m->target, own->name);
    else
        buf_puts(sql, "NULL");
    return true;
}

static bool add_column(struct work *w, size_t column, struct err *e)
{
    const struct delta_column *own = &w->d.shape.schema->columns[column];
    bool ok = true;
    buf_puts(&w->sql, ", CASE __lake_clause");
    for (size_t i = 0; ok && i < w->m->n; i++) {
        if (w->m->clauses[i].action == MERGE_DELETE)
            continue;
        buf_printf(&w->sql, " WHEN %zu THEN CAST(", i + 1);
        ok = add_value(w, &w->m->clauses[i], own, e);
        buf_puts(&w->sql, " AS ");
        lake_duck_type(&w->sql, own->type_json);
        buf_putc(&w->sql, ')');
    }
    buf_puts(&w->sql, " WHEN 0 THEN CAST(NULL AS ");
    lake_duck_type(&w->sql, own->type_json);
    buf_puts(&w->sql, ") END AS ");
    lake_quote_name(&w->sql, own->name);
    return ok;
}

/* ---- which clause ---- */
/* The first clause of the kind whose condition holds. */
static bool add_choice(struct work *w, enum merge_when when, struct err *e)
{
    bool any = false;
    for (size_t i = 0; i < w->m->n; i++) {
        const struct merge_clause *c = &w->m->clauses[i];
        if (c->when != when)
            continue;
        buf_puts(&w->sql, any ? " WHEN " : "CASE WHEN ");
        any = true;
        if (c->condition < c->condition_end) {
            buf_putc(&w->sql, '(');
            if (!front_rewrite(w->d.f, c->condition, c->condition_end, &w->sql, &w->map, e))
                return false;
            buf_puts(&w->sql, "\n)");
        } else {
            buf_puts(&w->sql, "true");
        }
        buf_printf(&w->sql, " THEN %zu", i + 1);
    }
    buf_puts(&w->sql, any ? " END" : "NULL");
    return true;
}

static bool add_clause(struct work *w, struct err *e)
{
    const char *target = w->m->target;
    buf_puts(&w->sql, ", CASE WHEN ");
    add_member(&w->sql, target, "__lake_file");
    buf_puts(&w->sql, " IS NULL THEN ");
    bool ok = add_choice(w, MERGE_NOT_MATCHED, e);
    buf_puts(&w->sql, " WHEN ");
    add_member(&w->sql, w->m->source, "__lake_there");
    buf_puts(&w->sql, " IS NULL THEN ");
    ok = ok && add_choice(w, MERGE_NOT_BY_SOURCE, e);
    buf_puts(&w->sql, " ELSE ");
    ok = ok && add_choice(w, MERGE_MATCHED, e);
    buf_puts(&w->sql, " END AS __lake_clause");
    return ok;
}

static void add_is_new(struct work *w)
{
    buf_puts(&w->sql, ", __lake_clause IN (0");
    for (size_t i = 0; i < w->m->n; i++)
        if (w->m->clauses[i].action != MERGE_DELETE)
            buf_printf(&w->sql, ", %zu", i + 1);
    buf_puts(&w->sql, ") AS __lake_new");
}

static bool add_join(struct work *w, struct err *e)
{
    struct lake_files_options o = {.hidden = true};
    const struct merge *m = w->m;
    buf_puts(&w->sql, " FROM (SELECT *, true AS __lake_there FROM ");
    if (!add_source(w, &w->sql, &w->map, e))
        return false;
    buf_puts(&w->sql, "\n) AS ");
    lake_quote_name(&w->sql, m->source);
    buf_puts(&w->sql, has(m, MERGE_NOT_BY_SOURCE) ? " FULL JOIN (" : has(m, MERGE_NOT_MATCHED) ? " LEFT JOIN (" : " JOIN (");
    if (!lake_snapshot_sql(w->d.f->conn, w->d.target->snapshot, &o, NULL, &w->sql, e))
        return false;
    buf_puts(&w->sql, ") AS ");
    lake_quote_name(&w->sql, m->target);
    buf_puts(&w->sql, " ON (");
    bool ok = front_rewrite(w->d.f, m->on, m->on_end, &w->sql, &w->map, e);
    buf_puts(&w->sql, "\n)");
    return ok;
}

/* One unconditional DELETE: it does not matter how often a row is matched. */
static bool deletes_only(const struct merge *m)
{
    return m->n == 1 && m->clauses[0].action == MERGE_DELETE && m->clauses[0].condition == m->clauses[0].condition_end;
}

static bool build(struct work *w, size_t *select, struct err *e)
{
    const struct delta_schema *schema = w->d.shape.schema;
    bool ok = true;
    for (size_t i = 0; ok && i < w->m->n; i++)
        ok = check_sets(w, &w->m->clauses[i], e);
    buf_puts(&w->sql, "CREATE TEMP TABLE __lake_hit AS ");
    *select = w->sql.len;
    buf_puts(&w->sql, deletes_only(w->m) ? "SELECT DISTINCT" : "SELECT");
    buf_puts(&w->sql, " __lake_file, __lake_row, __lake_new, ");
    dml_columns(&w->sql, schema, "");
    buf_puts(&w->sql, " FROM (SELECT ");
    add_member(&w->sql, w->m->target, "__lake_file");
    buf_puts(&w->sql, ", ");
    add_member(&w->sql, w->m->target, "__lake_row");
    ok = ok && add_clause(w, e);
    add_is_new(w);
    for (size_t i = 0; ok && i < schema->count; i++)
        ok = add_column(w, i, e);
    ok = ok && add_join(w, e);
    buf_puts(&w->sql, ") WHERE __lake_clause IS NOT NULL");
    return ok && buf_ok(&w->sql, "the statement", e);
}

static bool check_once(struct work *w, struct err *e)
{
    struct front *f = w->d.f;
    struct duck_rows *r = duck_query(f->conn,
                                     "SELECT count(*) FROM (SELECT 1 FROM __lake_hit WHERE __lake_file IS NOT NULL GROUP BY "
                                     "__lake_file, __lake_row HAVING count(*) > 1)",
                                     duck_no_params, f->cancel, e);
    bool ok = r && duck_next_row(r, f->cancel, e);
    int64_t twice = ok ? duck_int(r, 0) : 0;
    duck_rows_free(r);
    if (twice)
        return front_error(f, front_token(f, w->m->on), "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE", "21506", e,
                           "%lld rows of the target are matched by more than one row of the source, so the result would "
                           "depend on chance", (long long)twice);
    return ok;
}

static bool find_rows(struct work *w, struct err *e)
{
    struct front *f = w->d.f;
    size_t select;
    if (!describe_source(w, e) || !build(w, &select, e) || !front_check(f, buf_str(&w->sql) + select, e))
        return false;
    if (!duck_run(f->conn, buf_str(&w->sql), (struct duck_params){f->s->parameters, f->s->n_parameters}, f->cancel, e)) {
        if (e->code == ERR_SQL)
            front_map_error(f, &w->map, e);
        return false;
    }
    return check_once(w, e);
}

static json_t *user_text(const struct front *f, size_t from, size_t to)
{
    size_t begin = f->t.list[from].start, end = f->t.list[to - 1].end;
    return jx_text(f->s->sql + begin, end - begin);
}

/* operationParameters as Delta has them: the condition, and a JSON list of clauses of each kind. */
static void add_parameters(struct work *w)
{
    static const char *const kinds[] = {"matchedPredicates", "notMatchedPredicates", "notMatchedBySourcePredicates"};
    static const char *const actions[] = {"update", "delete", "insert"};
    struct front *f = w->d.f;
    json_object_set_new(w->d.parameters, "predicate", user_text(f, w->m->on, w->m->on_end));
    for (int kind = MERGE_MATCHED; kind <= MERGE_NOT_BY_SOURCE; kind++) {
        json_t *list = json_array();
        for (size_t i = 0; i < w->m->n; i++) {
            const struct merge_clause *c = &w->m->clauses[i];
            if ((int)c->when != kind)
                continue;
            json_t *one = json_pack("{s:s}", "actionType", actions[c->action - 1]);
            if (c->condition < c->condition_end)
                json_object_set_new(one, "predicate", user_text(f, c->condition, c->condition_end));
            json_array_append_new(list, one);
        }
        char *text = jx_dump(list);
        json_object_set_new(w->d.parameters, kinds[kind - 1], jx_str(text));
        free(text);
        json_decref(list);
    }
}

static void add_metrics(struct dml *d)
{
    const struct { const char *name; int64_t value; } metrics[] = {
        {"numTargetRowsInserted", d->inserted}, {"numTargetRowsUpdated", d->updated}, {"numTargetRowsDeleted", d->deleted},
        {"numTargetRowsCopied", d->copied}, {"numOutputRows", d->data.rows},
    };
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
        json_object_set_new(d->metrics, metrics[i].name, json_integer(metrics[i].value));
}

static void work_release(struct work *w)
{
    for (size_t i = 0; i < w->n_source_columns; i++)
        free(w->source_columns[i]);
    free(w->source_columns);
    free(w->map.places);
    buf_release(&w->sql);
    dml_release(&w->d);
}

static bool attempt(struct front *f, void *self, struct err *e)
{
    struct work w = {.m = self};
    bool *touched = NULL;
    buf_init(&w.sql, LAKE_SQL_MAX);
    bool ok = dml_begin(&w.d, f, &w.m->table, w.m->n > 1 || w.m->clauses[0].when != MERGE_NOT_MATCHED, e) &&
              front_resolve_tables(f, e) && find_rows(&w, e) && dml_apply(&w.d, &touched, e);
    if (ok) {
        w.d.operation = "MERGE";
        add_parameters(&w);
        add_metrics(&w.d);
        w.m->inserted = w.d.inserted;
        w.m->updated = w.d.updated;
        w.m->deleted = w.d.deleted;
        ok = dml_publish(&w.d, touched, e);
    }
    if (!ok) {
        dml_files_discard(&w.d.data);
        dml_files_discard(&w.d.changes);
    }
    free(touched);
    work_release(&w);
    return ok;
}

struct lake_stream *front_merge(struct front *f, struct err *e)
{
    static const char *const names[] = {"num_affected_rows", "num_updated_rows", "num_deleted_rows", "num_inserted_rows"};
    struct merge *m = arena_alloc(&f->arena, sizeof *m);
    if (!merge_parse(f, m, e) || !dml_retry(f, attempt, m, e))
        return NULL;
    return dml_counts(f, names, (const int64_t[]){m->updated + m->deleted + m->inserted, m->updated, m->deleted, m->inserted},
                      4, e);
}
