/* The inside of the engine: shared by lake*.c, front*.c and dml*.c. Nobody outside lakehouse/ includes it. */
#ifndef LAKEHOUSE_LAKE_PARTS_H
#define LAKEHOUSE_LAKE_PARTS_H

#include "base/buf.h"
#include "lakehouse/duck.h"
#include "lakehouse/lake.h"

enum { LAKE_SQL_MAX = 256 << 20 };

struct lake {
    struct duck_db *db;
    char *root, *temp;
};

/* ---- types (lake_types.c) ---- */
/* The type of a result column in our terms. *convert: SQL around the column ("CAST(%s AS BIGINT)") that makes it one of
 * our layouts, or NULL when it is one. Fills all but the name. */
void lake_column_of(duckdb_type_ref t, struct lake_column *out, const char **convert);
void lake_column_release(struct lake_column *c);
/* The column as the table's schema says; nested ones as JSON text. */
void lake_column_of_delta(const struct delta_column *from, struct lake_column *out);
/* The DuckDB type of a Delta type: "STRUCT(\"a\" BIGINT)". */
void lake_duck_type(struct buf *out, const json_t *type);
/* Append "name" or 'text', quoted as SQL wants it. */
void lake_quote_name(struct buf *out, const char *name);
void lake_quote_text(struct buf *out, const char *text);

/* ---- streams (lake_stream.c) ---- */
/* A stream over what `sql` gives, in our layouts. Takes the connection over, also on failure. columns (taken over too): what
 * they are; NULL: as DuckDB says, converted where need be. */
struct lake_stream *lake_stream_new(struct duck_conn *conn, const char *sql, struct duck_params params,
                                    struct lake_column *columns, size_t n, struct cancel *cancel, struct err *e);
/* What to free with the stream, e.g. handles of foreign tables. */
void lake_stream_on_close(struct lake_stream *s, void (*fn)(void *), void *arg);

#endif
