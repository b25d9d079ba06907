/*
 * Writing Delta tables, copy on write: data files first (Parquet, by the engine), then one commit that names them. Rows that
 * change go to change files too when the table has the change feed. A conflict throws the files away and runs the whole
 * statement again. A crash leaves files that no commit names.
 */
#ifndef LAKEHOUSE_DML_H
#define LAKEHOUSE_DML_H

#include "lakehouse/front.h"

enum { DML_ATTEMPTS = 10 };

/* Files that a statement wrote and no commit names yet. */
struct dml_files {
    struct delta_file *list;
    size_t count, cap;
    int64_t rows, bytes;
};

/* A table that is written: of a snapshot, or one to be created. */
struct dml_shape {
    const char *root;
    const struct delta_schema *schema;
    char *const *partitions;
    size_t n_partitions;
};
struct dml {
    struct front *f;
    struct front_source *target; /* NULL while the table is being created */
    struct dml_shape shape;
    struct dml_files data, changes;
    bool feed;                   /* the table has the change feed */
    bool same_rows;              /* rows only move to other files: no change for anybody who follows the table */
    int64_t started;             /* monotonic ms */
    int64_t inserted, updated, deleted, copied;
    const char *operation;
    json_t *parameters;          /* operationParameters: object of strings */
    json_t *metrics;             /* operationMetrics: object of integers; times and files are added */
};

/* ---- dml_write.c ---- */
/* Write what `select` gives (the columns of the shape; with changes: also _change_type) into new files and add them to
 * `out`. NULL in a NOT NULL column is [DELTA_NOT_NULL_CONSTRAINT_VIOLATED]. map: where pieces of the user's text are in select. */
bool dml_write(struct dml *d, const char *select, const struct front_map *map, bool changes, struct dml_files *out,
               struct err *e);
void dml_files_release(struct dml_files *files);
/* Delete them from disk (best effort): nobody names them. */
void dml_files_discard(struct dml_files *files);

/* ---- dml_stats.c ---- */
/* One row of COPY … RETURN_STATS as a file: path, size, rows, partition values, statistics. */
bool dml_file_of(const struct dml_shape *shape, const struct duck_rows *row, struct delta_file *out, struct err *e);

/* ---- dml_commit.c ---- */
/* Open the target at its newest version; refuses tables with features that we do not write, by name. change: rows will be
 * removed (an append-only table refuses that). */
bool dml_begin(struct dml *d, struct front *f, const struct front_name *name, bool change, struct err *e);
/* delta_commit_publish, which waits while a writer that lost before has its turn. */
bool dml_publish_commit(struct dml *d, struct delta_commit *c, struct err *e);
/* Publish: the files of d are added, those of the snapshot that are chosen (NULL: none) removed. Nothing to do is no commit.
 * ERR_CONFLICT: somebody was faster. */
bool dml_publish(struct dml *d, const bool *removed, struct err *e);
/* For statements that build their commit themselves: parameters, metrics and user of d go into it. */
void dml_describe(struct dml *d, struct delta_commit *c);
void dml_release(struct dml *d);
/* After a conflict: forget what was read, a fresh connection. */
bool dml_again(struct front *f, struct err *e);
/* Run `attempt` until it succeeds, fails otherwise than by ERR_CONFLICT, or DML_ATTEMPTS is used up. */
bool dml_retry(struct front *f, bool (*attempt)(struct front *f, void *self, struct err *e), void *self, struct err *e);

/* ---- what handlers share (dml_rows.c) ---- */
/* "a", "b" of the schema, each with a prefix ("t."). */
void dml_columns(struct buf *out, const struct delta_schema *schema, const char *prefix);
/* CAST(…, the caller writes the middle, …AS BIGINT) AS "a" */
void dml_cast_open(struct buf *out);
void dml_cast_close(struct buf *out, const struct delta_column *c);
/* The temporary table __lake_hit says which rows of which files go (__lake_file, __lake_row; NULL: a new row) and which come
 * (the table's columns where __lake_new). Write new files for the touched ones, and change files; *touched (caller frees) says which of the
 * snapshot's files go. only_inserts: nothing goes, so no change files are wanted. */
bool dml_apply(struct dml *d, bool **touched, struct err *e);
/* One row of counts: names and values, at most eight. */
struct lake_stream *dml_counts(struct front *f, const char *const *names, const int64_t *values, size_t n, struct err *e);

#endif
