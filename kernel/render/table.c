/* The neutral result table (see table.h): storage and caps only; nothing here knows how a table looks. */
#include "render/table.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"

void table_init(struct table *t)
{
    *t = (struct table){.row_cap = TABLE_ROW_CAP, .byte_cap = TABLE_BYTE_CAP};
    arena_init(&t->arena);
}

void table_release(struct table *t)
{
    arena_release(&t->arena);
    *t = (struct table){0};
}

void table_set_title(struct table *t, const char *title) { t->title = arena_strdup(&t->arena, title); }

void table_set_footer(struct table *t, const char *footer) { t->footer = arena_strdup(&t->arena, footer); }

/* A larger copy in the arena; sizes double, so what stays behind is no more than what is in use. */
static void *grow(struct table *t, const void *old, size_t used, size_t size)
{
    void *p = arena_alloc(&t->arena, size);
    if (used)
        memcpy(p, old, used);
    return p;
}

void table_add_column(struct table *t, const char *name, const char *type, enum table_align align)
{
    if (t->seen > 0)
        bug("column '%s' comes after a row", name);
    if (t->n_columns == TABLE_COLUMN_CAP)
        bug("more than %d columns", TABLE_COLUMN_CAP);
    if (t->n_columns == t->columns_cap) {
        size_t cap = t->columns_cap ? t->columns_cap * 2 : 8;
        t->columns = grow(t, t->columns, t->n_columns * sizeof *t->columns, cap * sizeof *t->columns);
        t->columns_cap = cap;
    }
    t->columns[t->n_columns++] = (struct table_column){
        .name = arena_strdup(&t->arena, name), .type = arena_strdup(&t->arena, type), .align = align};
}

/* How many bytes of a cell are kept. A first row is always shown: its cells share what there is. */
static size_t cell_cap(const struct table *t)
{
    size_t share = t->n_columns ? t->byte_cap / t->n_columns : 0;
    share = share > sizeof(struct table_cell) ? share - sizeof(struct table_cell) : 0;
    return t->n_rows == 0 && share < TABLE_CELL_CAP ? share : TABLE_CELL_CAP;
}

static size_t kept_len(const struct table_cell *cell, size_t cap)
{
    return cell->len > cap ? utf8_floor(cell->text, cell->len, cap) : cell->len;
}

static bool fits(struct table *t, const struct table_cell *cells, size_t cap)
{
    size_t bytes = t->bytes;
    for (size_t i = 0; i < t->n_columns && bytes <= t->byte_cap; i++)
        bytes += sizeof *cells + kept_len(&cells[i], cap);
    if (t->n_rows < t->row_cap && bytes > t->byte_cap)
        t->full = true;
    return t->n_rows < t->row_cap && bytes <= t->byte_cap;
}

static struct table_cell keep(struct table *t, const struct table_cell *cell, size_t cap)
{
    if (!cell->text)
        return (struct table_cell){0};
    size_t len = kept_len(cell, cap);
    return (struct table_cell){arena_strndup(&t->arena, cell->text, len), len,
                               len < cell->len ? utf8_count(cell->text + len, cell->len - len) : 0};
}

bool table_add_row(struct table *t, const struct table_cell *cells)
{
    t->seen++;
    /* Rows are shown from the first one without gaps: once one did not fit, no later one is kept. */
    size_t cap = cell_cap(t);
    if (t->n_rows + 1 != t->seen || !fits(t, cells, cap))
        return false;
    if (t->n_rows == t->rows_alloc) {
        size_t rows = t->rows_alloc ? t->rows_alloc * 2 : 16, row = t->n_columns * sizeof *cells;
        t->cells = grow(t, t->cells, t->n_rows * row, rows * row);
        t->rows_alloc = rows;
    }
    struct table_cell *to = t->cells + t->n_rows * t->n_columns;
    for (size_t i = 0; i < t->n_columns; i++) {
        to[i] = keep(t, &cells[i], cap);
        t->bytes += sizeof *cells + to[i].len;
    }
    t->n_rows++;
    return true;
}

bool table_add_texts(struct table *t, const char *const *texts)
{
    struct table_cell few[32], *cells = few;
    if (t->n_columns > sizeof few / sizeof *few)
        cells = arena_alloc(&t->arena, t->n_columns * sizeof *cells);
    for (size_t i = 0; i < t->n_columns; i++)
        cells[i] = (struct table_cell){texts[i], texts[i] ? strlen(texts[i]) : 0, 0};
    return table_add_row(t, cells);
}

const struct table_cell *table_cell_at(const struct table *t, size_t row, size_t column)
{
    if (row >= t->n_rows || column >= t->n_columns)
        bug("cell %zu, %zu of a table of %zu rows and %zu columns", row, column, t->n_rows, t->n_columns);
    return &t->cells[row * t->n_columns + column];
}

const char *table_footer(struct table *t)
{
    if (t->footer)
        return t->footer;
    const char *why = t->full ? arena_printf(&t->arena, ": more than %zu KiB are not shown", t->byte_cap >> 10) : "";
    if (t->more)
        return arena_printf(&t->arena, "(%zu of more than %llu rows shown%s)", t->n_rows, t->seen, why);
    if (t->n_rows < t->seen)
        return arena_printf(&t->arena, "(%zu of %llu rows shown%s)", t->n_rows, t->seen, why);
    return arena_printf(&t->arena, "(%zu row%s)", t->n_rows, t->n_rows == 1 ? "" : "s");
}
