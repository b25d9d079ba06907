/* What the files of sync/ share: one run of one synced table. */
#ifndef SYNC_INTERNAL_H
#define SYNC_INTERNAL_H

#include "base/buf.h"
#include "sync/sync.h"

enum { SYNC_SQL_MAX = 4 << 20, SYNC_SMALL_ROWS = 50000, SYNC_REBUILD_SHARE = 10, SYNC_IDENT_MAX = 63 };

/* The state row, as read under its lock. */
struct sync_state {
    bool exists;
    char *source_id, *columns, *update_id; /* columns: JSON [[name, type], …] */
    int64_t version, timestamp, epoch, rows;
};
void state_release(struct sync_state *s);

/* One column of the target. */
struct sync_column {
    const char *name;
    char *type;        /* PostgreSQL's, "numeric(12,2)" */
    bool key;
    enum delta_type delta;
    int scale;
};

struct follow;

struct sync_job {
    struct lake *lake;
    const struct sync_spec *spec;
    const struct sync_watch *watch;
    struct cancel *cancel;
    struct pg_conn *pg;
    char *target;      /* "schema"."table" */
    struct sync_state state;
    struct delta_snapshot *source; /* the version this step goes to */
    int64_t goal;      /* the version the run goes to, once it goes there in several steps; -1: the newest */
    bool last;         /* this step ends the run */
    struct sync_column *columns;
    size_t n_columns;
    struct sync_result result;
    int64_t sent;      /* rows of the last stream that had a key */
    int64_t told_ms;   /* when progress was reported last */
};

/* run.c: j->source and the columns, at a version; -1: the newest. */
bool source_open(struct sync_job *j, int64_t version, struct err *e);

/* ---- target.c: names, types, DDL, the state row ---- */
bool target_columns(struct sync_job *j, struct err *e);
char *target_columns_json(const struct sync_job *j);
/* Append "a", "b", …; prefix "" or "t." */
void target_list(struct buf *b, const struct sync_job *j, const char *prefix, bool key_only);
/* The rows of the table `from` (quoted, one for each key) into the target t: new ones, and those that differ. Ends in a WHERE that may go on. */
void target_upsert(struct buf *sql, const struct sync_job *j, const char *from);
/* Append "x"."k1" = "y"."k1" AND … */
void target_key_match(struct buf *b, const struct sync_job *j, const char *left, const char *right);
/* Run what the buffer holds (and empty it). */
bool target_run(struct sync_job *j, struct buf *sql, struct err *e);
/* The same; *rows gets the count of the last statement's tag. */
bool target_count(struct sync_job *j, struct buf *sql, int64_t *rows, struct err *e);
bool target_create(struct sync_job *j, const char *table, bool temp, struct err *e);
/* Primary key, after removing older rows of a key when there is a timeseries key. */
bool target_key(struct sync_job *j, const char *table, const char *constraint, struct err *e);
/* Guard trigger and the creator's right to read. */
bool target_protect(struct sync_job *j, const char *table, struct err *e);
bool state_read(struct sync_job *j, struct err *e);
/* In the transaction of the rows. ERR_CONFLICT when another run came first. */
bool state_write(struct sync_job *j, struct err *e);
/* Dress an error of the data in the service's words: "[SYNCED_TABLE_USER_ERROR.X] …". Returns false. */
bool user_error(struct err *e, const char *subclass, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Turn SQLSTATEs that the data caused into user errors. Returns false. */
bool explain(struct sync_job *j, struct err *e);

/* ---- encode.c: batches as rows of COPY … (FORMAT binary) ---- */
struct encoder;
struct encoder *encoder_new(const struct lake_column *columns, size_t n, const struct sync_spec *spec);
void encoder_free(struct encoder *en);
void encoder_begin(struct encoder *en);
/* Append row `row`; rows with a NULL key are left out and counted. ERR_INVALID_STATE names the column of a value that
 * PostgreSQL cannot hold. */
bool encoder_row(struct encoder *en, const struct lake_batch *b, size_t row, struct err *e);
void encoder_end(struct encoder *en);
/* The bytes so far; encoder_drop empties. */
const char *encoder_data(const struct encoder *en, size_t *len);
void encoder_drop(struct encoder *en);
int64_t encoder_skipped(const struct encoder *en);

/* ---- load.c: streams into tables ---- */
/* All rows of the source at its version into `table`. */
bool load_snapshot(struct sync_job *j, const char *table, bool freeze, struct err *e);
/* The feed from..to into `table`, which has _change_type, _commit_version besides the columns. */
bool load_changes(struct sync_job *j, const char *table, int64_t from, int64_t to, struct err *e);
/* What the feed from..to leaves of each key, into `table`, which has _sync_upsert and _sync_balance besides the columns. */
bool load_net_changes(struct sync_job *j, const char *table, int64_t from, int64_t to, struct err *e);

/* ---- the methods; each inside the transaction that run.c began ---- */
bool snapshot_load(struct sync_job *j, struct err *e);
bool snapshot_refresh(struct sync_job *j, struct err *e); /* chooses SWAP or DIFF */
/* Something depends on the target, so that it cannot be swapped. */
bool snapshot_dependants(struct sync_job *j, bool *out, struct err *e);
/* The target under an exclusive lock until COMMIT, without making a queue of readers behind us: short waits, many tries. */
bool snapshot_lock(struct sync_job *j, struct err *e);
bool incremental_apply(struct sync_job *j, struct err *e);
/* … of a target with a timeseries key. `columns`: what adds new columns. */
bool incremental_newest(struct sync_job *j, struct buf *sql, struct buf *columns, struct err *e);
/* Late, when everything is loaded: from here to the commit nobody reads the table. */
bool incremental_add_columns(struct sync_job *j, struct buf *columns, struct err *e);
/* When the feed does not say what is left: a snapshot of the newest version. */
bool incremental_read_again(struct sync_job *j, struct buf *columns, struct err *e);

/* load.c */
void job_progress(struct sync_job *j, enum sync_phase phase, int64_t rows, bool now);

/* ---- follow.c: waiting for the next commit ---- */
struct follow *follow_open(const char *root, struct err *e);
/* Until something happens in the log, or a few seconds have passed. */
bool follow_wait(struct follow *f, struct cancel *cancel, struct err *e);
void follow_close(struct follow *f);

#endif
