/* Running what the front wrote: a last look at it, the stream, and small tables of our own. */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/front.h"

/* The walk over the tokens found every table; if the engine sees another one, or no SELECT, the walk was wrong. */
bool front_check(struct front *f, const char *sql, struct err *e)
{
    duckdb_value names = duck->get_table_names(f->conn->raw, sql, true);
    bool ok = true;
    if (!names)
        return true; /* it does not parse: preparing it says why */
    for (idx_t i = 0; ok && i < duck->get_list_size(names); i++) {
        duckdb_value item = duck->get_list_child(names, i);
        char *name = duck->get_varchar(item);
        ok = !strncmp(name, "__lake_", 7) ||
             front_error(f, front_token(f, 0), "UNSUPPORTED_FEATURE.TABLE_REFERENCE", "0A000", e,
                         "the table %s is named in a place where tables are not looked up", name);
        duck->free(name);
        duck->destroy_value(&item);
    }
    duck->destroy_value(&names);
    return ok;
}

struct lake_stream *front_stream(struct front *f, const char *sql, const struct front_map *map, struct err *e)
{
    struct duck_params params = {f->s->parameters, f->s->n_parameters};
    if (!front_check(f, sql, e))
        return NULL;
    struct duck_conn *c = f->conn;
    if (f->handles)
        lake_foreign_push(c, f->handles, sql, params);
    f->conn = NULL;
    struct lake_stream *s = lake_stream_new(c, sql, params, NULL, 0, f->cancel, e);
    if (!s && e->code == ERR_SQL)
        front_map_error(f, map, e);
    return s;
}

struct lake_stream *front_select(struct front *f, struct err *e)
{
    struct buf sql;
    struct front_map map = {0};
    struct lake_stream *stream = NULL;
    buf_init(&sql, LAKE_SQL_MAX);
    if (front_find_tables(f, 0, f->t.count, false, e) && front_resolve_tables(f, e) &&
        front_rewrite(f, 0, f->t.count, &sql, &map, e))
        stream = front_stream(f, buf_str(&sql), &map, e);
    buf_release(&sql);
    free(map.places);
    return stream;
}

/* ---- EXPLAIN ---- */
/* The engine's plan, and below it what PostgreSQL is asked for. */
static bool explain(struct front *f, const char *sql, struct buf *out, struct err *e)
{
    struct duck_params params = {f->s->parameters, f->s->n_parameters};
    char *text = xasprintf("EXPLAIN %s", sql);
    if (f->handles)
        lake_foreign_push(f->conn, f->handles, sql, params);
    struct duck_rows *r = front_check(f, sql, e) ? duck_query(f->conn, text, params, f->cancel, e) : NULL;
    bool ok = r && duck_next_row(r, f->cancel, e);
    char *plan = ok ? duck_strdup(r, 1) : NULL;
    buf_printf(out, "== Physical Plan ==\n%s", plan ? plan : "");
    lake_foreign_explain(f->handles, out);
    duck_rows_free(r);
    free(plan);
    free(text);
    return ok && buf_ok(out, "the plan", e);
}

struct lake_stream *front_explain(struct front *f, struct err *e)
{
    static const struct front_column columns[] = {{"plan", "STRING"}};
    struct buf sql, plan;
    struct front_map map = {0};
    struct lake_stream *stream = NULL;
    f->at = 1;
    const struct token *t = front_now(f);
    if (!token_is(t, "select") && !token_is(t, "with") && !token_is(t, "values") && !token_is(t, "from") && !token_symbol(t, "(")) {
        front_error(f, t, "UNSUPPORTED_STATEMENT", "0A000", e, "EXPLAIN is offered for queries: SELECT, WITH, VALUES");
        return NULL;
    }
    buf_init(&sql, LAKE_SQL_MAX);
    buf_init(&plan, LAKE_SQL_MAX);
    bool ok = front_find_tables(f, 1, f->t.count, false, e) && front_resolve_tables(f, e) && front_rewrite(f, 1, f->t.count, &sql, &map, e);
    if (ok && !explain(f, buf_str(&sql), &plan, e)) {
        ok = false;
        if (e->code == ERR_SQL)
            front_map_error(f, &map, e);
    }
    if (ok) {
        json_t *rows = json_pack("[[o]]", jx_str(buf_str(&plan)));
        stream = front_rows(f, columns, 1, rows, e);
        json_decref(rows);
    }
    buf_release(&plan);
    buf_release(&sql);
    free(map.places);
    return stream;
}

/* ---- small tables ---- */
static void add_row(struct buf *sql, const struct front_column *columns, size_t n, const json_t *row)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(row, i);
        bool json = !strncmp(columns[i].type, "JSON)", 5); /* text of a map or list: through JSON to the type */
        buf_puts(sql, i ? ", CAST(" : "CAST(");
        buf_puts(sql, json ? "CAST(" : "");
        if (json_is_string(value))
            lake_quote_text(sql, json_string_value(value));
        else if (json_is_integer(value))
            buf_printf(sql, "%lld", (long long)json_integer_value(value));
        else if (json_is_boolean(value))
            buf_puts(sql, json_is_true(value) ? "true" : "false");
        else
            buf_puts(sql, "NULL");
        buf_printf(sql, " AS %s)", columns[i].type);
    }
}

struct lake_stream *front_rows(struct front *f, const struct front_column *columns, size_t n, const json_t *rows, struct err *e)
{
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    buf_puts(&sql, "SELECT * FROM (VALUES ");
    for (size_t i = 0; i < json_array_size(rows) || i == 0; i++) {
        buf_puts(&sql, i ? "), (" : "(");
        add_row(&sql, columns, n, json_array_get(rows, i));
    }
    buf_puts(&sql, ")) AS t(");
    for (size_t i = 0; i < n; i++) {
        buf_puts(&sql, i ? ", " : "");
        lake_quote_name(&sql, columns[i].name);
    }
    buf_printf(&sql, ")%s", json_array_size(rows) ? "" : " WHERE false");
    struct lake_stream *stream = NULL;
    if (buf_ok(&sql, "the result", e)) {
        struct duck_conn *c = f->conn;
        f->conn = NULL;
        stream = lake_stream_new(c, buf_str(&sql), duck_no_params, NULL, 0, f->cancel, e);
    }
    buf_release(&sql);
    return stream;
}

struct lake_stream *front_nothing(struct front *f, struct err *e)
{
    struct duck_conn *c = f->conn;
    f->conn = NULL;
    return lake_stream_new(c, "SELECT 1 WHERE false", duck_no_params, xcalloc(1, sizeof(struct lake_column)), 0, f->cancel, e);
}
