/*
 * The lakehouse engine: libduckdb behind our own types, and Delta tables as streams of typed columns. Lives in the worker
 * process only. Thread safe: every stream and session has a DuckDB connection of its own.
 *
 * Nobody outside lakehouse/ sees a DuckDB type.
 */
#ifndef LAKEHOUSE_LAKE_H
#define LAKEHOUSE_LAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/err.h"
#include "lakehouse/delta.h"

struct lake;

struct lake_options {
    const char *library;      /* path of libduckdb; NULL: the search order of lake_find_library */
    const char *root;         /* the folder of all tables: the only one that SQL may read */
    const char *temp_dir;     /* for spilling */
    size_t memory_limit;      /* bytes; 0: 512 MiB */
    int threads;              /* 0: all cores */
};
/* Load libduckdb, open an in-memory database, lock its configuration. ERR_CONFIG with what to install when it is missing. */
struct lake *lake_open(const struct lake_options *o, struct err *e);
void lake_close(struct lake *l);
const char *lake_library_version(const struct lake *l); /* "v1.5.6" */
/* The engine's file, open for reading and to be closed by the caller: for a process of another user, which takes it as
 * `library` "/proc/self/fd/N" and need not reach the folder. -1: ERR_CONFIG as in lake_open. */
int lake_open_library(struct err *e);

/* ---- streams ---- */
struct lake_column {
    char *name;
    enum delta_type type;
    int precision, scale;
    char *type_text;      /* "DECIMAL(12,2)", as Databricks SQL spells it */
    bool nullable;
};

/* A column of a batch, in DuckDB's memory layout; valid until the next call on the stream.
 *   boolean uint8 · byte int8 · short int16 · integer, date (days since 1970) int32 · long int64 · float · double
 *   timestamp, timestamp_ntz int64 microseconds since 1970 · decimal int16/32/64/128 by `width` bytes, unscaled
 *   string, binary, nested (JSON text): struct lake_string */
struct lake_vector {
    const void *data;
    const uint64_t *validity; /* bit set: not NULL; NULL pointer: no NULLs */
    int width;                /* bytes of one value */
};
struct lake_batch {
    size_t rows, columns;
    const struct lake_vector *vectors;
};
struct lake_string { /* 16 bytes; packed, as the pointer follows 8 bytes of length and prefix */
    uint32_t length;
    union {
        char inlined[12];
        struct __attribute__((packed)) { char prefix[4]; const char *ptr; } far;
    } value;
};
static inline const char *lake_string_text(const struct lake_string *s)
{
    return s->length <= 12 ? s->value.inlined : s->value.far.ptr;
}
static inline bool lake_is_null(const struct lake_vector *v, size_t row)
{
    return v->validity && !((v->validity[row / 64] >> (row % 64)) & 1);
}

struct lake_stream;
/* All rows of a Delta table at a version (-1: newest; *version_out, may be NULL, gets it). columns: NULL-terminated names, NULL: all in schema order.
 * Deletion vectors and partition values are applied. Nested columns come as JSON text. */
struct lake_stream *lake_scan(struct lake *l, const char *root, int64_t version, const char *const *columns,
                              int64_t *version_out, struct err *e);
/* The change data feed from..to (both included): the table's columns, then _change_type (string: insert,
 * update_preimage, update_postimage, delete), _commit_version (long), _commit_timestamp (timestamp); in the order of versions. */
struct lake_stream *lake_changes(struct lake *l, const char *root, int64_t from, int64_t to, struct err *e);
/* What is left of that feed for each key, a row each: the columns as the last change has them, then _sync_upsert (boolean: it is there,
 * else it went) and _sync_balance (long: rows that came less rows that went). Within a version rows go before they come. Rows with a
 * NULL in the key are all there. */
struct lake_stream *lake_changes_net(struct lake *l, const char *root, int64_t from, int64_t to, const char *const *key, size_t n_key,
                                     struct err *e);
const struct lake_column *lake_stream_columns(const struct lake_stream *s, size_t *count);
/* The next batch; *out has 0 rows at the end. ERR_CANCELLED within a moment of the token's firing. */
bool lake_next(struct lake_stream *s, struct lake_batch *out, struct cancel *cancel, struct err *e);
void lake_stream_close(struct lake_stream *s);

/* ---- SQL ---- */
/* What SQL names resolve to, and everything that is not the engine's: answered by Unity Catalog (the server). Each call
 * checks the session's principal. Every callback may block; NULL ones are refused with ERR_NOT_IMPLEMENTED. */
enum lake_object_kind { LAKE_DELTA = 1, LAKE_FOREIGN, LAKE_ROWS };
struct lake_object {
    enum lake_object_kind kind;
    char *full_name;  /* "main.shop.orders" */
    char *location;   /* LAKE_DELTA: the root folder */
    void *foreign;    /* LAKE_FOREIGN: handle for foreign_scan */
    void (*foreign_free)(void *foreign); /* NULL: nothing to free */
    struct lake_column *columns; /* LAKE_FOREIGN: all of them; heap */
    size_t n_columns;
    json_t *fields, *rows;       /* LAKE_ROWS (a view of the system's): [{name, type_text}] and [[text or null]] */
};
void lake_object_release(struct lake_object *o);

struct lake_catalog {
    void *self;
    /* parts: 3 names. write: MODIFY is wanted, else SELECT. */
    bool (*resolve)(void *self, const char *const parts[3], bool write, struct lake_object *out, struct err *e);
    /* Any other question or command to Unity Catalog, as in the table of workspace/worker.h: method and arguments → answer
     * (new reference). */
    bool (*call)(void *self, const char *method, const json_t *args, json_t **answer, struct err *e);
    /* Open a stream over a table of a registered PostgreSQL database: the n columns (places in lake_object.columns) that are
     * wanted; n 0: only rows count. Called on a thread of the engine, also after lake_execute returned, until the stream
     * is closed. */
    /* where: a condition in PostgreSQL's SQL that rows must fulfil; more rows do no harm. NULL: all. */
    struct lake_foreign *(*foreign_scan)(void *self, void *foreign, const size_t *columns, size_t n, const char *where, struct err *e);
};
/* A foreign table's rows, pulled by the engine. Filled by whoever implements foreign_scan (the worker, over pg/). */
struct lake_foreign {
    void *self;
    /* Text of the next row's values (NULL: SQL NULL), or *end. */
    bool (*next)(void *self, const char *const **values, const size_t **lengths, bool *end, struct err *e);
    void (*close)(void *self); /* frees the struct too */
};

struct lake_parameter {
    const char *name, *value, *type; /* value NULL: NULL; type NULL: "STRING" */
};
struct lake_statement {
    const char *sql;
    const char *catalog, *schema;  /* current ones */
    const char *principal;
    const struct lake_parameter *parameters;
    size_t n_parameters;
};
/* What a statement did, filled also when it returns rows. Rows of a statement that only reports (INSERT …) are its counts, as Databricks SQL
 * shows them: num_affected_rows, num_inserted_rows … */
struct lake_outcome {
    char *catalog, *schema;     /* after USE; else NULL */
    json_t *sources;            /* array of full names that were read: lineage */
    char *target;               /* full name written to, or NULL */
    bool committed;             /* what it wrote is there: a cancel comes too late, and must not say that nothing happened */
};
/* Run one Databricks SQL statement. Returns its rows (never NULL on success: a statement without rows gives a stream of no
 * columns). Errors: ERR_SQL with the error class in brackets first ("[TABLE_OR_VIEW_NOT_FOUND] …"), sqlstate, and
 * position (1-based code point in sql). */
struct lake_stream *lake_execute(struct lake *l, const struct lake_catalog *catalog, const struct lake_statement *s,
                                 struct lake_outcome *outcome, struct cancel *cancel, struct err *e);
void lake_outcome_release(struct lake_outcome *o);

#endif
