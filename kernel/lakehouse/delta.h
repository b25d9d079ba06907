/*
 * The Delta log: a table as its commits say, and the next commit. Knows the log's JSON, its paths and its rules; reads no
 * data file and knows no SQL. Source: the Delta Lake protocol (PROTOCOL.md of delta-io/delta).
 *
 * A snapshot is an immutable value; any thread may read one. Functions take the table's root folder, an absolute path.
 */
#ifndef LAKEHOUSE_DELTA_H
#define LAKEHOUSE_DELTA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The type of a column. DELTA_NESTED: array, map or struct; its shape is in type_json. */
enum delta_type {
    DELTA_BOOLEAN = 1, DELTA_BYTE, DELTA_SHORT, DELTA_INTEGER, DELTA_LONG, DELTA_FLOAT, DELTA_DOUBLE, DELTA_DECIMAL,
    DELTA_STRING, DELTA_BINARY, DELTA_DATE, DELTA_TIMESTAMP, DELTA_TIMESTAMP_NTZ, DELTA_VOID, DELTA_NESTED
};

struct delta_column {
    char *name;
    enum delta_type type;
    int precision, scale; /* DELTA_DECIMAL */
    bool nullable;
    json_t *type_json;    /* as in the log: "long", "decimal(12,2)", or an object for DELTA_NESTED */
    json_t *metadata;     /* object; "comment" is the column's comment */
};
struct delta_schema {
    struct delta_column *columns;
    size_t count;
};

/* From and to `schemaString`. Refuses by name what we cannot keep exactly. */
bool delta_schema_parse(const char *json, struct delta_schema *out, struct err *e);
char *delta_schema_format(const struct delta_schema *s); /* caller frees */
void delta_schema_copy(struct delta_schema *to, const struct delta_schema *from);
void delta_schema_release(struct delta_schema *s);
/* Append a column; type_text as Databricks SQL spells it: "BIGINT", "DECIMAL(12,2)", "ARRAY<STRING>". */
bool delta_schema_add(struct delta_schema *s, const char *name, const char *type_text, bool nullable,
                      const char *comment, struct err *e);
/* Case-insensitive; NULL: none. */
const struct delta_column *delta_schema_find(const struct delta_schema *s, const char *name);
/* "BIGINT", "DECIMAL(12,2)", "ARRAY<STRING>": as Databricks SQL spells it, and the API's type_name ("LONG"). Caller frees
 * the text. */
char *delta_type_text(const struct delta_column *c);
const char *delta_type_name(enum delta_type type);      /* "STRUCT" for every DELTA_NESTED */
const char *delta_column_type_name(const struct delta_column *c); /* "ARRAY", "MAP" or "STRUCT" where it is nested */

/* A data file: live in a snapshot, or added or removed in a commit. */
struct delta_file {
    char *uri;                /* as in the log, percent-encoded */
    char *path;               /* absolute, decoded once */
    int64_t size, modification_time; /* bytes; milliseconds since 1970 */
    int64_t rows;             /* numRecords; -1: the log does not say */
    json_t *partition_values; /* object name → string or null */
    char *stats;              /* JSON text or NULL */
    json_t *deletion_vector;  /* descriptor or NULL */
    bool data_change;         /* of the action; true in a snapshot */
};

/* The rows that the file's deletion vector masks: places in the file from 0, ascending; heap, *count 0 without a vector. root: the
 * table's. ERR_MALFORMED says how it is broken (length, checksum, cardinality, a row that is not there). */
bool delta_vector_rows(const char *root, const struct delta_file *f, uint64_t **rows, size_t *count, struct err *e);

struct delta_snapshot {
    char *root;
    int64_t version, timestamp; /* of its last commit; milliseconds since 1970 */
    char *id, *name, *description;
    int64_t created_time;
    struct delta_schema schema;
    char **partition_columns;
    size_t n_partition_columns;
    json_t *configuration;      /* object of strings: table properties */
    int min_reader, min_writer;
    json_t *reader_features, *writer_features; /* arrays or NULL */
    struct delta_file *files;
    size_t n_files;
    json_t *transactions;       /* object: appId → newest version of its `txn` actions */
    json_t *domains;            /* object: domain → configuration text of its `domainMetadata` */
};

/* The table at a version; -1: the newest. ERR_NOT_FOUND: no table, or no such version; ERR_NOT_IMPLEMENTED names a
 * feature that we do not read (before any data is read). */
struct delta_snapshot *delta_open(const char *root, int64_t version, struct err *e);
void delta_close(struct delta_snapshot *s);
/* A property of the table, e.g. "delta.enableChangeDataFeed"; NULL: not set. */
const char *delta_property(const struct delta_snapshot *s, const char *name);
/* The newest version without reading more than names; -1 with *e set. */
int64_t delta_newest(const char *root, struct err *e);
/* The newest version whose commit is not younger than ms since 1970. */
bool delta_version_at(const char *root, int64_t ms, int64_t *version, struct err *e);

/* Every file below the root that is still wanted, as keys (absolute paths) of an object: data files of the newest version and of
 * versions that ended since `since` (ms since 1970), with their deletion vectors. NULL with *e. */
json_t *delta_files_wanted(const char *root, int64_t since, struct err *e);
/* A time as properties spell it ("interval 7 days", "168 hours"), in milliseconds; months and years have no length. */
bool delta_interval(const char *text, int64_t *ms);
/* How long removed files are kept (delta.deletedFileRetentionDuration, else a week); -1: the property makes no sense. */
int64_t delta_retention(const json_t *configuration);

/* ---- history ---- */
/* The commits newest first, at most limit (0: all), as a JSON array of objects with version, timestamp (ms), operation,
 * operationParameters, operationMetrics, userName, readVersion, isBlindAppend: what the commits say, null where silent. */
json_t *delta_history(const char *root, size_t limit, struct err *e);

/* ---- change data feed ---- */
enum delta_change { DELTA_CHANGE_CDC = 1, DELTA_CHANGE_INSERT, DELTA_CHANGE_DELETE };
struct delta_change_file {
    int64_t version, timestamp;
    enum delta_change kind; /* CDC: the file has _change_type itself; else all its rows are inserts or deletes */
    struct delta_file file; /* rows that its deletion vector masks do not count */
    bool only_rows;         /* rows were masked or unmasked: only these changed, whatever file.deletion_vector (never NULL here) says */
    uint64_t *rows;         /* places in the file from 0, ascending */
    size_t n_rows;
};
struct delta_changes {
    struct delta_change_file *files; /* by version */
    size_t count;
    struct delta_schema schema;      /* at `to` */
    int64_t from, to, to_timestamp;
};
/* What changed from version `from` to `to` (-1: the newest), both included. ERR_INVALID_STATE: the feed was off, was cleaned away, the schema
 * changed in a way that is not additive, or another table lies at the path: the text says which and at what version. */
bool delta_changes_load(const char *root, int64_t from, int64_t to, struct delta_changes *out, struct err *e);
void delta_changes_release(struct delta_changes *c);
/* How much of a range is taken at once. */
struct delta_slice {
    int64_t versions, rows, bytes; /* of change files, as they lie on disk */
};
/* Where to cut from..to: *cut gets the last version of a first part that is about as big as `most` says; at least one version, however big it is.
 * Errors as of delta_changes_load for the part looked at. */
bool delta_changes_cut(const char *root, int64_t from, int64_t to, const struct delta_slice *most, int64_t *cut, struct err *e);

/* ---- checkpoints ---- */
/* Checkpoints are Parquet, which only the engine reads and writes: it registers how. Without, a log is read from its commits
 * (refused by name where they were cleaned away), and no checkpoint is written. Every function may be called by any thread. */
struct delta_parquet {
    void *self;
    /* Call row with each row of the file as a JSON object, of the named top-level columns that it has; stop when row fails. */
    bool (*read)(void *self, const char *path, const char *const *columns,
                 bool (*row)(void *arg, const char *text, size_t len, struct err *e), void *arg, struct err *e);
    /* Make a new Parquet file at `path` of the JSON lines in the file `lines`. columns: name and type ("BIGINT",
     * "STRUCT(path VARCHAR)", "MAP(VARCHAR, VARCHAR)") of each, ended by NULL. */
    bool (*write)(void *self, const char *lines, const char *const (*columns)[2], const char *path, struct err *e);
};
/* For the whole process; *p must stay until it is taken back with NULL. */
void delta_use_parquet(const struct delta_parquet *p);

/* ---- commit ---- */
/* One commit being built. The caller writes data files first, then publishes; a crash in between leaves files that no
 * commit names, which are harmless. */
struct delta_commit;
/* read_version: the version the commit is based on; -1: it creates the table. Copies what it is given, as all below. */
struct delta_commit *delta_commit_new(const char *root, int64_t read_version, const char *operation);
void delta_commit_free(struct delta_commit *c);
void delta_commit_parameter(struct delta_commit *c, const char *name, const char *value);
void delta_commit_metric(struct delta_commit *c, const char *name, int64_t value);
void delta_commit_user(struct delta_commit *c, const char *user);
/* The schema, properties (object of strings) and partition columns from now on; needed when the table is created. */
void delta_commit_metadata(struct delta_commit *c, const char *id, const char *name, const char *description,
                           const struct delta_schema *schema, char *const *partition_columns, size_t n,
                           json_t *configuration);
/* The commit appends rows without having read the table (`isBlindAppend`). */
void delta_commit_blind_append(struct delta_commit *c);
/* An application notes how far it is: `txn`, kept by the table under that name until the same name comes again. */
void delta_commit_transaction(struct delta_commit *c, const char *app, int64_t version);
/* f->path must lie under the root; uri is made from it. data_change: false only where rows are moved, not changed
 * (OPTIMIZE). size, modification_time 0: as the file says. stats NULL and rows >= 0: only numRecords is written. */
void delta_commit_add(struct delta_commit *c, const struct delta_file *f);
/* f: a file of the snapshot at read_version (its uri and deletion vector name it). */
void delta_commit_remove(struct delta_commit *c, const struct delta_file *f);
/* A change file; must lie in _change_data/ under the root. */
void delta_commit_cdc(struct delta_commit *c, const struct delta_file *f);
/* Sync the data files, write, sync and publish read_version + 1 without ever replacing a file (link(2)). A new table's folder may be
 * there or not. What is needed of the protocol is added by itself; in-commit timestamps are on in tables we create.
 *   ERR_CONFLICT: somebody published that version first: load it and do the work again.
 *   ERR_NOT_IMPLEMENTED names the feature of the table (or the property asked for) that we do not write.
 *   ERR_INVALID_STATE: delta.appendOnly forbids it. ERR_INVALID_PARAMETER: schema, properties or files break a rule. */
bool delta_commit_publish(struct delta_commit *c, int64_t *version, struct err *e);

#endif
