/* Rows as CSV, JSON or Markdown, one at a time: memory stays flat. */
#ifndef MAGICS_EXPORT_H
#define MAGICS_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "pg/exec.h"

enum export_format {
    EXPORT_CSV = 1, /* RFC 4180 with LF; NULL is nothing, an empty text is "" (as COPY writes it) */
    EXPORT_JSON,    /* an array of objects; numbers and booleans as such, json as it is, the rest as text */
    EXPORT_MARKDOWN /* a table of GitHub's kind */
};

/* The bytes for the file are appended to `out`; whoever calls takes them from there and clears it. */
struct exporter {
    enum export_format format;
    struct buf *out;
    struct pg_column *columns; /* names are owned */
    size_t n_columns;
    unsigned long long rows;
};

void export_begin(struct exporter *x, enum export_format format, struct buf *out, const struct pg_column *columns, size_t n);
void export_row(struct exporter *x, const struct pg_value *values);
void export_end(struct exporter *x); /* the bytes behind the last row */
void export_release(struct exporter *x);

#endif
