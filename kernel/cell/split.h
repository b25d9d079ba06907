/*
 * The notebook cell as a list of things to run: SQL statements, line magics (%name …), psql commands (\d …), or one
 * cell magic (%%name … and the body). Also answers is_complete. Positions are bytes and 1-based lines of the cell.
 */
#ifndef CELL_SPLIT_H
#define CELL_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

enum cell_kind { CELL_SQL = 1, CELL_LINE_MAGIC, CELL_BACKSLASH, CELL_CELL_MAGIC };

/* The lines below COPY … FROM STDIN. */
struct cell_data {
    bool wanted;      /* it is such a statement */
    const char *text; /* NULL: there are no lines; not terminated */
    size_t len;
};

struct cell_item {
    enum cell_kind kind;
    const char *name;  /* magic without % or backslash ("sql", "dt+"); NULL for SQL; in the arena */
    const char *args;  /* rest of the magic's line (not terminated by NUL), or the statement */
    size_t args_len;
    int line, column;  /* of args[0] */
    int name_column;   /* of the % or backslash; 0 for SQL */
    struct cell_data data; /* CELL_SQL */
    const char *body;  /* CELL_CELL_MAGIC: what follows the first line; else NULL */
    size_t body_len;
    int body_line;
};

struct cell_items {
    struct cell_item *items; /* in the arena */
    size_t count;
};

enum { CELL_MAX_BYTES = 16 << 20, CELL_MAX_ITEMS = 10000 };

/* ERR_TOO_BIG past a cap; ERR_SYNTAX with the place for an open quote, comment or dollar quote. Lines that start
 * with "#NBVAL_" or "# NBVAL_" at the top of a cell are skipped. text must outlive the items. */
bool cell_split(struct arena *a, const char *text, size_t len, struct cell_items *out, struct err *e);

enum cell_state { CELL_COMPLETE = 1, CELL_INCOMPLETE, CELL_INVALID };
/* For is_complete_request. Plain SQL without a final semicolon is incomplete; magics are complete. */
enum cell_state cell_is_complete(const char *text, size_t len);
/* The data of a statement that sql_next found in `text`. */
struct sql_span;
struct cell_data cell_data_of(const char *text, const struct sql_span *span);
/* Place in the cell for byte offset `at` (1-based line, column in code points). */
void cell_place(const char *text, size_t len, size_t at, int *line, int *column);

#endif
