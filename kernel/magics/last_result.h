/*
 * The rows of the last SQL result, kept for Python (_sqldf): a flat copy with a cap, filled while the rows stream by. It
 * becomes JSON only when a cell of Python wants it.
 */
#ifndef MAGICS_LAST_RESULT_H
#define MAGICS_LAST_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "pg/exec.h"
#include "render/table.h"

enum { LAST_RESULT_ROWS = 10000, LAST_RESULT_BYTES = 8 << 20 };

struct result_copy {
    char **names;
    unsigned *oids;
    size_t n_columns, n_rows;
    struct buf values; /* of each value: its length as int, -1 for NULL, and its bytes */
    bool truncated;
};

struct last_result {
    struct result_copy kept, reading;
    long serial; /* one more with each result that is kept; 0: none yet */
};

/* While a statement runs: its columns, then each row; at its end, when it went well, keep. more: rows were left out by
 * the reader. A statement that fails leaves the result before. */
void last_result_columns(struct last_result *l, const struct pg_column *columns, size_t n);
void last_result_row(struct last_result *l, const struct pg_value *values);
void last_result_keep(struct last_result *l, bool more);
/* A table that a magic shows becomes the last result too: columns that are set to the right hold numbers, the others text. */
void last_result_table(struct last_result *l, const struct table *t);
void last_result_release(struct last_result *l);

/* Hand the kept result out as pg_exec would have: its columns, then each row until the callback has enough. Values end with a
 * NUL. Nothing when there is none yet (serial 0). */
void last_result_each(const struct last_result *l, const struct pg_rows *rows);

/* {"names": [...], "oids": [...], "rows": [[text or null, ...], ...], "truncated": bool}; the caller owns it. */
json_t *last_result_json(const struct last_result *l);

#endif
