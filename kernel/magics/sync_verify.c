/* The comparison of %sync verify (see sync_verify.h): one query for the counts, one for keys that differ. */
#include "magics/sync_verify.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "magics/remote.h"
#include "magics/statement.h"
#include "magics/warehouse.h"

enum { SQL_MAX = 1 << 20, EXAMPLES = 10 };

struct verify {
    struct magic_ctx *ctx;
    const struct synced_table *t;
    const char *version, *warehouse;
    struct table_info source;
    struct buf columns; /* `a`, `b` */
    struct buf left_out;
};

/* A name of up to three parts, each in backticks. */
static void put_name(struct buf *b, const char *name, bool parts)
{
    buf_putc(b, '`');
    for (const char *p = name; *p; p++) {
        if (*p == '.' && parts)
            buf_puts(b, "`.`");
        else if (*p == '`')
            buf_puts(b, "``");
        else
            buf_putc(b, *p);
    }
    buf_putc(b, '`');
}

static void put_keys(const struct verify *v, struct buf *b, const char *before, const char *between, const char *after)
{
    const struct model_list *keys = &v->t->spec->primary_key_columns;
    for (size_t i = 0; i < keys->count; i++) {
        buf_puts(b, i ? between : before);
        put_name(b, ((char *const *)keys->items)[i], false);
        buf_puts(b, after);
    }
}

static bool is_nested(const char *type)
{
    return strcmp(type, "ARRAY") == 0 || strcmp(type, "MAP") == 0 || strcmp(type, "STRUCT") == 0;
}

static void choose_columns(struct verify *v)
{
    const struct column_info *c = v->source.columns.items;
    for (size_t i = 0; i < v->source.columns.count; i++) {
        struct buf *to = is_nested(text_or_empty(c[i].type_name)) ? &v->left_out : &v->columns;
        buf_puts(to, to->len ? ", " : "");
        put_name(to, text_or_empty(c[i].name), false);
    }
}

/* WITH s AS (the source's rows that belong in the target), t AS (the target's) */
static void put_both(const struct verify *v, struct buf *b)
{
    buf_printf(b, "WITH s AS (SELECT %s FROM ", buf_str(&v->columns));
    put_name(b, v->t->spec->source_table_full_name, true);
    buf_printf(b, " VERSION AS OF %s", v->version);
    put_keys(v, b, " WHERE ", " AND ", " IS NOT NULL");
    if (v->t->spec->timeseries_key) {
        buf_puts(b, " QUALIFY row_number() OVER (PARTITION BY ");
        put_keys(v, b, "", ", ", "");
        buf_puts(b, " ORDER BY ");
        put_name(b, v->t->spec->timeseries_key, false);
        buf_puts(b, " DESC NULLS LAST) = 1");
    }
    buf_printf(b, "), t AS (SELECT %s FROM ", buf_str(&v->columns));
    put_name(b, v->t->name, true);
    buf_puts(b, ") ");
}

static bool query(struct verify *v, const struct buf *sql, json_t **rows, struct err *e)
{
    if (warehouse_query(v->ctx, v->warehouse, buf_str(sql), rows, e))
        return true;
    if (e->code == ERR_SQL)
        err_hint(e, "the table in PostgreSQL is read through its catalog, which must be a registered database");
    return false;
}

static const char *cell(const json_t *rows, size_t row, size_t column)
{
    const char *text = json_string_value(json_array_get(json_array_get(rows, row), column));
    return text ? text : "";
}

static bool show_examples(struct verify *v, struct err *e)
{
    struct buf sql;
    json_t *rows;
    buf_init(&sql, SQL_MAX);
    put_both(v, &sql);
    buf_puts(&sql, "SELECT DISTINCT ");
    put_keys(v, &sql, "", ", ", "");
    buf_puts(&sql, " FROM ((SELECT * FROM s EXCEPT SELECT * FROM t) UNION ALL (SELECT * FROM t EXCEPT SELECT * FROM s)) d ORDER BY ");
    put_keys(v, &sql, "", ", ", "");
    buf_printf(&sql, " LIMIT %d", EXAMPLES);
    bool ok = query(v, &sql, &rows, e);
    if (ok) {
        const struct model_list *keys = &v->t->spec->primary_key_columns;
        struct table out;
        table_init(&out);
        for (size_t i = 0; i < keys->count; i++)
            table_add_column(&out, ((char *const *)keys->items)[i], NULL, TABLE_LEFT);
        for (size_t r = 0; r < json_array_size(rows); r++) {
            const char *texts[TABLE_COLUMN_CAP];
            for (size_t i = 0; i < keys->count && i < TABLE_COLUMN_CAP; i++)
                texts[i] = cell(rows, r, i);
            table_add_texts(&out, texts);
        }
        table_set_title(&out, "keys that differ (the first ones)");
        statement_show(v->ctx, &out);
        table_release(&out);
    }
    json_decref(rows);
    buf_release(&sql);
    return ok;
}

static bool compare(struct verify *v, struct err *e)
{
    struct buf sql;
    json_t *rows;
    buf_init(&sql, SQL_MAX);
    put_both(v, &sql);
    buf_puts(&sql, "SELECT (SELECT count(*) FROM s), (SELECT count(*) FROM t), "
                   "(SELECT count(*) FROM (SELECT * FROM s EXCEPT SELECT * FROM t) a), "
                   "(SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM s) b)");
    bool ok = buf_ok(&sql, "the comparison", e) && query(v, &sql, &rows, e);
    buf_release(&sql);
    if (!ok)
        return false;
    bool same = strcmp(cell(rows, 0, 2), "0") == 0 && strcmp(cell(rows, 0, 3), "0") == 0 &&
                strcmp(cell(rows, 0, 0), cell(rows, 0, 1)) == 0;
    if (same) {
        sink_printf(v->ctx->out, "%s equals %s at version %s: %s rows.\n", v->t->name, v->t->spec->source_table_full_name,
                    v->version, cell(rows, 0, 0));
        if (v->left_out.len)
            sink_printf(v->ctx->out, "Not compared (nested): %s.\n", buf_str(&v->left_out));
    } else {
        err_set(e, ERR_CHECK, "%s differs from %s at version %s", v->t->name, v->t->spec->source_table_full_name, v->version);
        err_detail(e, "source %s rows, target %s; %s rows only in the source, %s only in the target", cell(rows, 0, 0),
                   cell(rows, 0, 1), cell(rows, 0, 2), cell(rows, 0, 3));
        err_hint(e, "%%sync run --full-refresh %s copies everything anew", v->t->name);
        struct err ignored = {0};
        show_examples(v, &ignored);
    }
    json_decref(rows);
    return same;
}

bool sync_verify(struct magic_ctx *ctx, const struct synced_table *t, const char *version, struct err *e)
{
    struct verify v = {.ctx = ctx, .t = t, .version = version};
    struct dbx_param params[] = {{"full_name", t->spec ? t->spec->source_table_full_name : ""}, {NULL, NULL}};
    v.warehouse = warehouse_find(ctx, NULL, e);
    if (!v.warehouse || !remote_call(ctx, DBX_get_table, params, NULL, &v.source, e))
        return false;
    buf_init(&v.columns, SQL_MAX / 4);
    buf_init(&v.left_out, SQL_MAX / 4);
    choose_columns(&v);
    bool ok = buf_ok(&v.columns, "the columns", e) && compare(&v, e);
    model_release(&model_table_info, &v.source);
    buf_release(&v.columns);
    buf_release(&v.left_out);
    return ok;
}
