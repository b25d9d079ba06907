/* The last SQL result for Python (see last_result.h). What its values mean in Python is decided there. */
#include "magics/last_result.h"

#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"

static void copy_release(struct result_copy *c)
{
    for (size_t i = 0; i < c->n_columns; i++)
        free(c->names[i]);
    free(c->names);
    free(c->oids);
    buf_release(&c->values);
    *c = (struct result_copy){0};
}

void last_result_columns(struct last_result *l, const struct pg_column *columns, size_t n)
{
    struct result_copy *c = &l->reading;
    copy_release(c);
    buf_init(&c->values, LAST_RESULT_BYTES);
    c->names = xcalloc(n ? n : 1, sizeof *c->names);
    c->oids = xcalloc(n ? n : 1, sizeof *c->oids);
    c->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        c->names[i] = xstrdup(columns[i].name);
        c->oids[i] = columns[i].oid;
    }
}

void last_result_row(struct last_result *l, const struct pg_value *values)
{
    struct result_copy *c = &l->reading;
    size_t size = c->n_columns * sizeof(int);
    for (size_t i = 0; i < c->n_columns; i++)
        size += values[i].text ? values[i].len : 0;
    if (c->truncated || c->n_rows == LAST_RESULT_ROWS || size > LAST_RESULT_BYTES - c->values.len) {
        c->truncated = true;
        return;
    }
    for (size_t i = 0; i < c->n_columns; i++) {
        int len = values[i].text ? (int)values[i].len : -1;
        buf_add(&c->values, &len, sizeof len);
        if (len > 0)
            buf_add(&c->values, values[i].text, (size_t)len);
    }
    c->n_rows++;
}

void last_result_keep(struct last_result *l, bool more)
{
    copy_release(&l->kept);
    l->kept = l->reading;
    l->kept.truncated = l->kept.truncated || more;
    l->reading = (struct result_copy){0};
    l->serial++;
}

void last_result_table(struct last_result *l, const struct table *t)
{
    enum { OID_TEXT = 25, OID_NUMERIC = 1700 }; /* pg_type.dat */
    struct pg_column *columns = xcalloc(t->n_columns + 1, sizeof *columns);
    struct pg_value *values = xcalloc(t->n_columns + 1, sizeof *values);
    for (size_t i = 0; i < t->n_columns; i++)
        columns[i] = (struct pg_column){.name = t->columns[i].name, .mod = -1, .numeric = t->columns[i].align == TABLE_RIGHT,
                                        .oid = t->columns[i].align == TABLE_RIGHT ? OID_NUMERIC : OID_TEXT};
    last_result_columns(l, columns, t->n_columns);
    for (size_t row = 0; row < t->n_rows; row++) {
        for (size_t i = 0; i < t->n_columns; i++) {
            const struct table_cell *cell = table_cell_at(t, row, i);
            bool none = !cell->text || (columns[i].numeric && cell->len == 0);
            values[i] = (struct pg_value){none ? NULL : cell->text, none ? 0 : cell->len};
        }
        last_result_row(l, values);
    }
    last_result_keep(l, t->seen > t->n_rows);
    free(columns);
    free(values);
}

void last_result_release(struct last_result *l)
{
    copy_release(&l->kept);
    copy_release(&l->reading);
}

static const char *next_value(const char *at, struct buf *row, struct pg_value *v)
{
    int len;
    memcpy(&len, at, sizeof len);
    v->len = len > 0 ? (size_t)len : 0;
    v->text = len < 0 ? NULL : "";
    buf_add(row, at + sizeof len, v->len);
    buf_putc(row, '\0');
    return at + sizeof len + v->len;
}

void last_result_each(const struct last_result *l, const struct pg_rows *rows)
{
    const struct result_copy *c = &l->kept;
    struct pg_column *columns = xcalloc(c->n_columns + 1, sizeof *columns);
    struct pg_value *values = xcalloc(c->n_columns + 1, sizeof *values);
    const char *at = c->values.data;
    struct buf row;
    buf_init(&row, (size_t)LAST_RESULT_BYTES * 2);
    for (size_t i = 0; i < c->n_columns; i++)
        columns[i] = (struct pg_column){.name = c->names[i], .oid = c->oids[i]};
    if (l->serial > 0)
        rows->columns(rows->self, columns, c->n_columns);
    bool more = l->serial > 0;
    for (size_t r = 0; more && r < c->n_rows; r++) {
        buf_clear(&row);
        for (size_t i = 0; i < c->n_columns; i++)
            at = next_value(at, &row, &values[i]);
        const char *text = row.data; /* it no longer moves */
        for (size_t i = 0; i < c->n_columns; i++) {
            values[i].text = values[i].text ? text : NULL;
            text += values[i].len + 1;
        }
        more = rows->row(rows->self, values, c->n_columns);
    }
    buf_release(&row);
    free(columns);
    free(values);
}

json_t *last_result_json(const struct last_result *l)
{
    const struct result_copy *c = &l->kept;
    const char *at = c->values.data;
    json_t *names = json_array(), *oids = json_array(), *rows = json_array();
    for (size_t i = 0; i < c->n_columns; i++) {
        json_array_append_new(names, jx_str(c->names[i]));
        json_array_append_new(oids, json_integer((json_int_t)c->oids[i]));
    }
    for (size_t r = 0; r < c->n_rows; r++) {
        json_t *row = json_array();
        for (size_t i = 0; i < c->n_columns; i++) {
            int len;
            memcpy(&len, at, sizeof len);
            at += sizeof len;
            json_array_append_new(row, len < 0 ? json_null() : jx_text(at, (size_t)len));
            at += len > 0 ? len : 0;
        }
        json_array_append_new(rows, row);
    }
    return json_pack("{sososo sb}", "names", names, "oids", oids, "rows", rows, "truncated", c->truncated);
}
