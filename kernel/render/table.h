/*
 * The neutral result table: columns, rows of text cells, a footer. Whatever produces rows (a query, a magic, an API
 * list) fills one of these; whatever shows them (render/text.h, render/html.h) reads one. Cells are copied into the
 * table's own arena; a NULL cell is distinct from an empty one. Kept small by caps: rows past row_cap are counted,
 * not kept, and long cells are cut; both is told.
 */
#ifndef RENDER_TABLE_H
#define RENDER_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum table_align { TABLE_LEFT = 0, TABLE_RIGHT };

struct table_column {
    const char *name;
    const char *type; /* type name shown on hover, or NULL */
    enum table_align align;
    bool whole; /* a page does not break its lines: drawings; set after table_add_column */
};

struct table_cell {
    const char *text; /* NULL: SQL NULL */
    size_t len;
    size_t cut; /* characters of the value that the table did not keep; set by the table */
};

struct table {
    struct arena arena;
    char *title;                  /* NULL: none */
    struct table_column *columns; /* n_columns of them */
    size_t n_columns, columns_cap;
    struct table_cell *cells; /* row-major, n_rows * n_columns */
    size_t n_rows, rows_alloc;
    size_t row_cap;          /* keep at most so many rows; default TABLE_ROW_CAP */
    size_t bytes;            /* of the cells kept */
    size_t byte_cap;         /* keep at most so many bytes of cells; default TABLE_BYTE_CAP */
    bool full;               /* a row was not kept because of byte_cap */
    unsigned long long seen; /* rows added, kept or not */
    bool more;               /* the producer stopped early: there are more rows than `seen` */
    bool expanded;           /* show one line a column, as psql's \x */
    char *footer;            /* replaces "(n rows)"; "" for none; NULL: derived */
};

enum { TABLE_ROW_CAP = 50, TABLE_BYTE_CAP = 4 << 20, TABLE_CELL_CAP = 64 << 10, TABLE_COLUMN_CAP = 1664 };

void table_init(struct table *t);
void table_release(struct table *t);
void table_set_title(struct table *t, const char *title);
void table_set_footer(struct table *t, const char *footer);
/* All columns come before the first row, at most TABLE_COLUMN_CAP (PostgreSQL's own limit). Texts are copied. */
void table_add_column(struct table *t, const char *name, const char *type, enum table_align align);
/* A row of n_columns cells, copied. Past a cap it is counted only; returns whether it was kept. Of a cell at most
 * TABLE_CELL_CAP bytes are kept, of the cells of a first row so many that it fits. */
bool table_add_row(struct table *t, const struct table_cell *cells);
/* The same from C strings (NULL: NULL cell), n_columns of them. */
bool table_add_texts(struct table *t, const char *const *texts);
const struct table_cell *table_cell_at(const struct table *t, size_t row, size_t column);
/* The footer to show: "(3 rows)", "(50 of 120 rows shown)", "(50 of more than 10000 rows shown)"; it says so when
 * byte_cap was the reason. In t's arena. */
const char *table_footer(struct table *t);

#endif
