/* UPDATE and DELETE: the rows that the condition meets, found once, by file and row number. */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/dml.h"

enum { ASSIGNMENTS_MAX = 2000 };

struct change {
    struct front_name table;
    const char *alias;
    bool update, truncate;
    size_t where, end;   /* tokens of the condition; where 0: none */
    size_t n;
    struct { const struct token *column; size_t from, to; } *set;
    int64_t rows;
};

/* ---- parsing ---- */
/* The first token at bracket depth 0 in [from, …) that is one of the words, or the end. */
static size_t until(const struct front *f, size_t from, const char *const *words)
{
    int depth = 0;
    for (size_t i = from; i < f->t.count; i++) {
        const struct token *t = &f->t.list[i];
        for (size_t k = 0; depth == 0 && words[k]; k++)
            if (token_is(t, words[k]) || token_symbol(t, words[k]))
                return i;
        depth += token_symbol(t, "(") || token_symbol(t, "[");
        depth -= token_symbol(t, ")") || token_symbol(t, "]");
    }
    return f->t.count;
}

static bool parse_set(struct front *f, struct change *c, struct err *e)
{
    static const char *const ends[] = {",", "where", NULL};
    c->set = arena_alloc(&f->arena, ASSIGNMENTS_MAX * sizeof *c->set);
    if (!front_need(f, "set", e))
        return false;
    do {
        if (c->n == ASSIGNMENTS_MAX)
            return err_set(e, ERR_TOO_BIG, "UPDATE sets more than %d columns", ASSIGNMENTS_MAX);
        const struct token *column = front_now(f);
        while (token_names(front_now(f)) && token_symbol(&front_now(f)[1], ".")) /* alias.column */
            f->at += 2;
        column = front_now(f);
        if (!token_names(column))
            return front_expected(f, "a column", e);
        f->at++;
        if (!token_symbol(front_now(f), "==") && !token_symbol(front_now(f), "="))
            return front_expected(f, "'='", e);
        f->at++;
        size_t from = f->at, to = until(f, from, ends);
        if (to == from)
            return front_expected(f, "a value", e);
        c->set[c->n].column = column;
        c->set[c->n].from = from;
        c->set[c->n++].to = to;
        f->at = to;
    } while (front_take_symbol(f, ","));
    return front_find_tables(f, c->set[0].from, f->at, false, e);
}

static bool parse(struct front *f, struct change *c, struct err *e)
{
    f->at = 1;
    if (!c->update && !front_need(f, "from", e))
        return false;
    if (!front_take_name(f, 3, &c->table, e))
        return false;
    bool as = front_take(f, "as");
    c->alias = c->table.parts[2];
    if (as || (!front_ends_table(front_now(f)) && front_now(f)->kind != TOKEN_END)) {
        if (!token_names(front_now(f)))
            return front_expected(f, "an alias", e);
        c->alias = front_now(f)->text;
        f->at++;
    }
    if (c->update && !parse_set(f, c, e))
        return false;
    if (front_take(f, "where")) {
        c->where = f->at;
        if (c->where == f->t.count)
            return front_expected(f, "a condition", e);
        f->at = f->t.count;
        return front_find_tables(f, c->where, f->t.count, false, e);
    }
    return front_need_end(f, e);
}

/* ---- running ---- */
static bool add_value(struct dml *d, struct change *c, size_t column, struct buf *sql, struct front_map *map, struct err *e)
{
    const struct delta_column *own = &d->shape.schema->columns[column];
    dml_cast_open(sql);
    size_t found = c->n;
    for (size_t i = 0; i < c->n; i++)
        if (delta_schema_find(d->shape.schema, c->set[i].column->text) == own)
            found = i;
    if (found < c->n) {
        buf_puts(sql, "(");
        if (!front_rewrite(d->f, c->set[found].from, c->set[found].to, sql, map, e))
            return false;
        buf_puts(sql, "\n)");
    } else {
        lake_quote_name(sql, c->alias);
        buf_putc(sql, '.');
        lake_quote_name(sql, own->name);
    }
    dml_cast_close(sql, own);
    return true;
}

static bool check_columns(struct dml *d, const struct change *c, struct err *e)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct delta_column *own = delta_schema_find(d->shape.schema, c->set[i].column->text);
        if (!own)
            return front_error(d->f, c->set[i].column, "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703", e,
                               "%s has no column '%s'", d->target->object.full_name, c->set[i].column->text);
        for (size_t k = 0; k < i; k++)
            if (delta_schema_find(d->shape.schema, c->set[k].column->text) == own)
                return front_error(d->f, c->set[i].column, "DUPLICATED_FIELD_NAME_IN_UPDATE", "42701", e,
                                   "the column '%s' is set twice", own->name);
    }
    return true;
}

/* The rows that go and, for UPDATE, what comes for them. */
static bool find_rows(struct dml *d, struct change *c, struct err *e)
{
    struct front *f = d->f;
    struct lake_files_options o = {.hidden = true};
    struct front_map map = {0};
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    buf_printf(&sql, "CREATE TEMP TABLE __lake_hit AS ");
    size_t select = sql.len;
    buf_puts(&sql, "SELECT __lake_file, __lake_row, ");
    buf_puts(&sql, c->update ? "true AS __lake_new" : "false AS __lake_new");
    bool ok = true;
    for (size_t i = 0; ok && i < d->shape.schema->count; i++) {
        buf_puts(&sql, ", ");
        if (c->update) {
            ok = add_value(d, c, i, &sql, &map, e);
        } else {
            buf_puts(&sql, "CAST(NULL");
            dml_cast_close(&sql, &d->shape.schema->columns[i]);
        }
    }
    buf_puts(&sql, " FROM (");
    ok = ok && lake_snapshot_sql(f->conn, d->target->snapshot, &o, NULL, &sql, e);
    buf_puts(&sql, ") AS ");
    lake_quote_name(&sql, c->alias);
    if (ok && c->where) {
        buf_puts(&sql, " WHERE (");
        ok = front_rewrite(f, c->where, f->t.count, &sql, &map, e);
        buf_puts(&sql, "\n)");
    }
    ok = ok && buf_ok(&sql, "the statement", e) && front_check(f, buf_str(&sql) + select, e);
    if (ok && !duck_run(f->conn, buf_str(&sql), (struct duck_params){f->s->parameters, f->s->n_parameters}, f->cancel, e)) {
        ok = false;
        if (e->code == ERR_SQL)
            front_map_error(f, &map, e);
    }
    buf_release(&sql);
    free(map.places);
    return ok;
}

/* The condition as the user wrote it, for operationParameters. */
static void add_predicate(struct dml *d, const struct change *c)
{
    const char *sql = d->f->s->sql;
    size_t from = c->where ? d->f->t.list[c->where].start : 0, to = c->where ? d->f->t.list[d->f->t.count - 1].end : 0;
    json_t *list = json_array();
    if (c->where)
        json_array_append_new(list, jx_text(sql + from, to - from));
    char *text = jx_dump(list);
    json_object_set_new(d->parameters, "predicate", jx_str(text));
    free(text);
    json_decref(list);
}

static void add_metrics(struct dml *d, const struct change *c)
{
    json_object_set_new(d->metrics, c->update ? "numUpdatedRows" : "numDeletedRows",
                        json_integer(c->update ? d->updated : d->deleted));
    json_object_set_new(d->metrics, "numCopiedRows", json_integer(d->copied));
}

/* DELETE without a condition removes whole files: nothing is written, and the feed follows from that. */
static bool remove_all(struct dml *d, bool **touched)
{
    const struct delta_snapshot *s = d->target->snapshot;
    for (size_t i = 0; i < s->n_files; i++) {
        if (s->files[i].rows < 0 || s->files[i].deletion_vector) /* how many there are is not written anywhere */
            return false;
        d->deleted += s->files[i].rows;
    }
    *touched = xcalloc(s->n_files + 1, sizeof **touched);
    memset(*touched, true, s->n_files);
    return true;
}

static bool attempt(struct front *f, void *self, struct err *e)
{
    struct change *c = self;
    struct dml d;
    bool *touched = NULL;
    bool ok = dml_begin(&d, f, &c->table, true, e) && check_columns(&d, c, e) && front_resolve_tables(f, e);
    if (ok && !(!c->update && !c->where && remove_all(&d, &touched))) {
        d.deleted = 0;
        ok = find_rows(&d, c, e) && dml_apply(&d, &touched, e);
    }
    if (ok) {
        d.operation = c->update ? "UPDATE" : c->truncate ? "TRUNCATE" : "DELETE";
        if (!c->truncate)
            add_predicate(&d, c);
        add_metrics(&d, c);
        c->rows = d.updated + d.deleted;
        ok = dml_publish(&d, touched, e);
    }
    if (!ok) {
        dml_files_discard(&d.data);
        dml_files_discard(&d.changes);
    }
    free(touched);
    dml_release(&d);
    return ok;
}

struct lake_stream *front_truncate(struct front *f, struct err *e)
{
    struct change c = {.truncate = true};
    f->at = 1;
    if (!front_need(f, "table", e) || !front_take_name(f, 3, &c.table, e) || !front_need_end(f, e))
        return NULL;
    c.alias = c.table.parts[2];
    return dml_retry(f, attempt, &c, e) ? front_nothing(f, e) : NULL;
}

static struct lake_stream *run(struct front *f, struct change *c, struct err *e)
{
    static const char *const names[] = {"num_affected_rows"};
    if (!parse(f, c, e) || !dml_retry(f, attempt, c, e))
        return NULL;
    return dml_counts(f, names, &c->rows, 1, e);
}

struct lake_stream *front_update(struct front *f, struct err *e)
{
    struct change c = {.update = true};
    return run(f, &c, e);
}

struct lake_stream *front_delete(struct front *f, struct err *e)
{
    struct change c = {0};
    return run(f, &c, e);
}
