/* The inside of the Delta log: shared by delta_*.c and their tests. Nobody else includes it. */
#ifndef LAKEHOUSE_DELTA_LOG_H
#define LAKEHOUSE_DELTA_LOG_H

#include "base/buf.h"
#include "lakehouse/delta.h"

/* Caps on what a log may ask of us. */
enum {
    DELTA_LINE_MAX = 64 << 20,      /* bytes of one action */
    DELTA_COMMIT_MAX = 512 << 20,   /* bytes of one commit */
    DELTA_NAMES_MAX = 1 << 20,      /* entries of the log's folder */
    DELTA_FILES_MAX = 1 << 20,      /* files of a table or of a range of changes */
    DELTA_SCHEMA_MAX = 16 << 20,    /* bytes of schemaString */
    DELTA_COLUMNS_MAX = 10000,
    DELTA_TYPE_DEPTH_MAX = 64,      /* ARRAY<ARRAY<... */
    DELTA_VECTOR_MAX = 64 << 20,    /* bytes of a deletion vector */
    DELTA_VECTOR_ROWS_MAX = 16 << 20, /* rows that it masks */
};

/* ---- paths (delta_path.c) ---- */
/* The absolute path of an action's `path`, percent-decoded once. ERR_NOT_IMPLEMENTED: it lies outside the root or in a
 * store that is no folder. Caller frees; NULL on failure. */
char *delta_path_decode(const char *root, const char *uri, struct err *e);
/* The `path` of a file below the root. NULL with ERR_INVALID_PARAMETER: it is not below. */
char *delta_path_encode(const char *root, const char *path, struct err *e);
/* "<root>/_delta_log/00000000000000000007.json" */
char *delta_path_commit(const char *root, int64_t version);

/* ---- the folder (delta_list.c) ---- */
struct delta_checkpoint {
    int64_t version;
    int part, parts;  /* 1 of 1 unless it is in parts */
    bool json;        /* a v2 checkpoint in JSON */
    char *name;       /* in _delta_log */
};
struct delta_list {
    int64_t *commits; /* ascending */
    size_t n_commits;
    struct delta_checkpoint *checkpoints; /* ascending by version, then part */
    size_t n_checkpoints;
};
/* ERR_NOT_FOUND: there is no log at the root, or it is empty. */
bool delta_list_load(const char *root, struct delta_list *out, struct err *e);
void delta_list_release(struct delta_list *l);
/* The newest version; a list that was loaded has one. */
int64_t delta_list_newest(const struct delta_list *l);
bool delta_list_has(const struct delta_list *l, int64_t version);

/* ---- one commit (delta_action.c) ---- */
/* Called for each action: kind "add", its body. false stops the reading with *e. */
typedef bool delta_action_fn(void *self, const char *kind, json_t *body, struct err *e);
/* Read the actions of a commit. kinds: NULL-terminated names of those wanted; NULL: all (a line that names none of them is not
 * even parsed). ERR_NOT_FOUND: no such commit. ERR_MALFORMED says file and line. */
bool delta_commit_read(const char *root, int64_t version, const char *const *kinds, delta_action_fn *fn, void *self,
                       struct err *e);
/* The same for text from elsewhere: one line, or many (*line: where it stopped). A text without any action is refused. */
bool delta_line_read(const char *text, size_t len, const char *const *kinds, delta_action_fn *fn, void *self, struct err *e);
bool delta_lines_read(const char *text, size_t len, const char *const *kinds, delta_action_fn *fn, void *self, int *line,
                      struct err *e);
/* Fill from the body of an add, remove or cdc action. */
bool delta_file_parse(const char *root, const json_t *body, struct delta_file *out, struct err *e);
void delta_file_release(struct delta_file *f);
void delta_file_copy(struct delta_file *to, const struct delta_file *from);
/* Append what identifies a file: decoded path, line feed, id of its deletion vector ("" without). */
bool delta_file_key(const char *root, const json_t *body, struct buf *out, struct err *e);
/* storageType + pathOrInlineDv [+ "@" + offset]; "" for NULL. */
void delta_vector_id(const json_t *descriptor, struct buf *out);
/* When a commit was made: its inCommitTimestamp, else the time of its file. */
bool delta_commit_time(const char *root, int64_t version, const json_t *commit_info, int64_t *ms, struct err *e);

/* ---- deletion vectors (delta_vector.c, delta_vector_compare.c) ---- */
/* The file that a descriptor names by an id; heap. NULL: it names none (no vector, or one that is in the log itself). */
char *delta_vector_path(const char *root, const json_t *descriptor);
/* Have two actions on one file the same vector, or both none? */
bool delta_vector_same(const json_t *a, const json_t *b);
struct delta_vector_difference {
    uint64_t *masked, *unmasked; /* heap; ascending: only in the second vector, only in the first */
    size_t n_masked, n_unmasked;
};
bool delta_vector_compare(const char *root, const json_t *before, const json_t *after, struct delta_vector_difference *out,
                          struct err *e);

/* ---- rules of the protocol (delta_protocol.c, delta_property.c, delta_schema.c) ---- */
/* May we read what this protocol and these properties describe? ERR_NOT_IMPLEMENTED names each feature that we may not. */
bool delta_may_read(const json_t *protocol, const json_t *metadata, struct err *e);
/* May we write to the table? The schema tells which features are in use. */
bool delta_may_write(const struct delta_snapshot *s, struct err *e);
/* The protocol for a table of this schema and these properties, and what `now` (NULL: a new table) says already. NULL: `now`
 * is enough. */
json_t *delta_protocol_needed(const struct delta_schema *schema, const json_t *configuration,
                              const struct delta_snapshot *now);
/* Known properties with values we keep to; ERR_INVALID_PARAMETER or ERR_NOT_IMPLEMENTED says which is not. What is as in `before`
 * (may be NULL) stays unasked: the write gate judges a table that is there. */
bool delta_properties_check(const json_t *configuration, const json_t *before, struct err *e);
bool delta_flag(const json_t *configuration, const char *name);
/* TRUE and False as true and false, where a property is one of the two. */
void delta_properties_tidy(json_t *configuration);
/* Names, reserved names and partition columns of a schema that is to be written. */
bool delta_schema_check(const struct delta_schema *s, char *const *partition_columns, size_t n, const json_t *configuration,
                        struct err *e);

/* ---- replay (delta_replay.c) ---- */
struct delta_replay {
    const char *root;
    json_t *live;         /* object: key of delta_file_key → body of the add */
    json_t *removed;      /* the same for removes: tombstones */
    json_t *protocol, *metadata, *commit_info;
    json_t *transactions, *domains;
    json_t *adds;         /* of the commit being read: array of [key, body] */
};
void delta_replay_init(struct delta_replay *r, const char *root);
void delta_replay_release(struct delta_replay *r);
/* All up to `version`, from the log's start or a checkpoint. */
bool delta_replay_to(struct delta_replay *r, const struct delta_list *list, int64_t version, struct err *e);
/* Take in one action; delta_replay_end closes its commit. Either fails at a cap or on what is no action. */
delta_action_fn delta_replay_action;
bool delta_replay_end(struct delta_replay *r, struct err *e);

/* ---- checkpoints (delta_checkpoint.c, delta_checkpoint_write.c) ---- */
enum { DELTA_CHECKPOINT_GAIN = 64 }; /* a checkpoint is read where it saves that many commits, or there is no other way */
/* The newest complete checkpoint that is not newer than `version` and that we can read: its place in list->checkpoints, of its
 * first part; else -1. */
ptrdiff_t delta_checkpoint_find(const struct delta_list *list, int64_t version);
/* Replay the checkpoint at that place. */
bool delta_checkpoint_read(struct delta_replay *r, const struct delta_list *list, ptrdiff_t at, struct err *e);
const struct delta_parquet *delta_parquet(void); /* NULL: none */
/* Write one at `version` if its turn is up (every delta.checkpointInterval commits, else 10). It is only a shortcut: a failure
 * is logged. */
void delta_checkpoint_turn(const char *root, int64_t version, const json_t *properties);
/* Remove the log folder's temporary files ".<version>.<kind>.<uuid>.tmp" of that version and before. */
void delta_sweep(const char *log, const char *kind, int64_t version);

/* ---- snapshot (delta_snapshot.c) ---- */
/* Make a value of what was replayed, after the gate let it through. s has root and version; delta_close frees what a failure
 * leaves. */
bool delta_snapshot_fill(struct delta_snapshot *s, struct delta_replay *r, struct err *e);

#endif
