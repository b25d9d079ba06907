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
    struct lake_registry *foreign; /* lake_foreign.c */
    struct delta_parquet parquet;  /* lake_checkpoint.c */
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

/* ---- files as SQL (lake_files.c) ---- */
/* A data file in a scan; files with equal partition values, and of one kind of change, are read together. */
struct lake_file {
    const struct delta_file *file;
    size_t id; /* what __lake_file says for it */
    const struct delta_change_file *change; /* of a change feed; when it has only_rows, those and no others. NULL: of a snapshot */
};
struct lake_files_options {
    const char *root;          /* the table's, for its deletion vectors */
    bool hidden;               /* also __lake_file (id) and __lake_row (row in that file, from 0), both BIGINT */
    bool text;                 /* nested columns as JSON text */
    const char *const *columns; /* NULL-terminated; NULL: all */
    char *const *partitions;   /* the table's partition columns */
    size_t n_partitions;
    bool changes;              /* of a change feed: also _change_type, _commit_version, _commit_timestamp */
};
/* Append a SELECT over the files with the columns of `schema`. Sorts files so that those read together are side by side
 * (groups in order of first appearance). Masked rows go into a temporary table of the connection, which the text names. */
bool lake_files_sql(struct duck_conn *c, const struct delta_schema *schema, struct lake_file *files, size_t n,
                    const struct lake_files_options *o, struct buf *out, struct err *e);
/* The same for a snapshot; __lake_file is a place in its files. chosen (NULL: all): only those of them. */
bool lake_snapshot_sql(struct duck_conn *c, const struct delta_snapshot *s, const struct lake_files_options *o,
                       const bool *chosen, struct buf *out, struct err *e);
/* The change feed from..to; columns as lake_changes says. */
bool lake_changes_sql(struct duck_conn *c, const char *root, int64_t from, int64_t to, bool text,
                      struct delta_schema *schema, struct buf *out, struct err *e);

/* ---- checkpoints (lake_checkpoint.c) ---- */
/* From now on the Delta log reads and writes its checkpoints through this engine; off: through none. */
void lake_checkpoints(struct lake *l, bool on);

/* ---- foreign tables (lake_foreign.c) ---- */
enum { LAKE_WHERE_MAX = 64 << 10 };
#define LAKE_FOREIGN_COLUMN "f%lld_%zu" /* id, place: the engine's name of a foreign table's column */
/* The table function through which the engine pulls rows of foreign tables; once a database. */
bool lake_foreign_register(struct lake *l, struct err *e);
/* Tables in use by a statement; freed with its stream. */
struct lake_handles;
struct lake_handles *lake_handles_new(struct lake *l, const struct lake_catalog *catalog);
void lake_handles_free(void *handles);
/* Take the object over, under a number from lake_handles_next: what __lake_foreign(id) is called with. */
int64_t lake_handles_next(struct lake_handles *h);
void lake_handles_add(struct lake_handles *h, struct lake_object *object, int64_t id);

/* What the engine would filter right behind its foreign tables is asked of PostgreSQL instead. Called before `sql` runs on the same
 * connection; a plan that cannot be read only costs the gain. */
void lake_foreign_push(struct duck_conn *c, struct lake_handles *h, const char *sql, struct duck_params params);
/* One line for each foreign table of the statement: what is asked of PostgreSQL. */
void lake_foreign_explain(const struct lake_handles *h, struct buf *out);
/* The condition that the engine's text `filter` puts on columns f<id>_<n> of the table, in PostgreSQL's SQL; parts that cannot be
 * said there with the same meaning are left out (lake_foreign_where.c). Nothing is appended when nothing is left. */
void lake_foreign_where(const struct lake_object *table, int64_t id, const char *filter, struct buf *out);

/* ---- streams (lake_stream.c) ---- */
/* A stream over what `sql` gives, in our layouts. Takes the connection over, also on failure. columns (taken over too): what
 * they are; NULL: as DuckDB says, converted where need be. */
struct lake_stream *lake_stream_new(struct duck_conn *conn, const char *sql, struct duck_params params,
                                    struct lake_column *columns, size_t n, struct cancel *cancel, struct err *e);
/* Folders of ours under the names that users know them by: put into the texts of errors. */
struct lake_aliases {
    struct lake_aliases *next;
    char *folder, *shown;
};
void lake_aliases_add(struct lake_aliases **list, const char *folder, const char *shown);
void lake_aliases_apply(const struct lake_aliases *list, struct err *e);
void lake_aliases_free(struct lake_aliases *list);
/* The stream's errors are changed by them from now on; takes the list over. */
void lake_stream_aliases(struct lake_stream *s, struct lake_aliases *list);
/* What to free with the stream, e.g. handles of foreign tables. */
void lake_stream_on_close(struct lake_stream *s, void (*fn)(void *), void *arg);

#endif
