/*
 * The sync engine: rows of a Delta table into a PostgreSQL table, exactly once. Knows neither HTTP nor states of the API:
 * workspace/worker_sync.c feeds it, workspace/synced_tables.c turns what it reports into the API's words.
 *
 * One row in databricks_sync.tables of the target database says what is applied; it changes in the transaction of the rows,
 * so a crash anywhere leaves either all of a step or nothing of it. Rules: facts of the Delta protocol ("Change data
 * feed") and of Databricks' synced tables.
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/err.h"
#include "lakehouse/lake.h"
#include "pg/conn.h"

enum sync_policy { SYNC_SNAPSHOT = 1, SYNC_TRIGGERED, SYNC_CONTINUOUS };

struct sync_spec {
    const char *id;            /* uuid of the synced table */
    const char *source_name;   /* "main.shop.events", for messages */
    const char *source_root;   /* folder of the Delta table */
    const char *schema, *table; /* in PostgreSQL */
    const char *const *key;    /* primary key columns */
    size_t n_key;
    const char *timeseries_key; /* newest row of a key wins; NULL: several rows of one key are an error */
    enum sync_policy policy;
    bool full_refresh;         /* copy everything anew, whatever the policy */
    const char *update_id;     /* a run with the update id of the last one has nothing to do (not CONTINUOUS, whose update goes on) */
    const char *creator;       /* role that may read the table and pass that right on */
};

/* How a run brought the target up to date. */
enum sync_method {
    SYNC_NOTHING = 1,  /* no commit since the last run */
    SYNC_LOAD,         /* a new table: COPY, key after */
    SYNC_SWAP,         /* a new heap beside the old one, exchanged at the end */
    SYNC_DIFF,         /* the old table, changed where it differs: small ones, and ones that views depend on */
    SYNC_INCREMENTAL   /* the change feed, reduced per key: deletes, then upserts */
};
const char *sync_method_name(enum sync_method m); /* "incremental" */

enum sync_phase { SYNC_COPYING = 1, SYNC_INDEXING, SYNC_APPLYING };
struct sync_progress {
    enum sync_phase phase;
    int64_t version;      /* being applied */
    int64_t rows, total;  /* copied so far; -1: unknown */
};

struct sync_result {
    enum sync_method method;
    int64_t version, timestamp;     /* of the source that the target now equals; ms since 1970 */
    int64_t upserted, deleted;      /* rows of the target that changed in this step */
    int64_t skipped;                /* source rows with a NULL in the key */
    int64_t rows;                   /* rows of the target now */
};

/* Called on the engine's thread. */
struct sync_watch {
    void *self;
    void (*progress)(void *self, const struct sync_progress *p); /* a few times a second at most */
    /* After each step that changed something, but for the last of sync_run. May be NULL. */
    void (*applied)(void *self, const struct sync_result *r);
    /* A new connection as the writer role; logins are short-lived, so it is asked each time. */
    struct pg_conn *(*connect)(void *self, struct cancel *c, struct err *e);
};

/*
 * Make ready what a sync needs in a database: the writer role databricks_writer_<oid of the database>, the state schema, the
 * guard against foreign writes; schema `schema` too when it is missing and `create` is true (owned by creator), else
 * ERR_NOT_FOUND. As a superuser; safe to repeat. *writer gets the role's name (caller frees).
 */
bool sync_prepare(struct pg_conn *admin, const char *schema, const char *creator, bool create, char **writer, struct err *e);
/* The end of a synced table, as a superuser: its state goes; the table is dropped (purge; ERR_BAD_REQUEST when something
 * depends on it) or becomes creator's ordinary table. Nothing there is success. */
bool sync_forget(struct pg_conn *admin, const char *id, const char *schema, const char *table, const char *creator,
                 bool purge, struct err *e);

/*
 * One update: SNAPSHOT copies the newest version, TRIGGERED and CONTINUOUS apply the changes up to it (and copy at
 * first); a long range of changes in several steps, each a transaction that ends at a commit of the source, *out is the last
 * one. Errors of the data are ERR_INVALID_STATE, text "[SYNCED_TABLE_USER_ERROR.<subclass>] …" with the remedy as hint;
 * the old rows are still there then. A lost connection is tried again a few times.
 */
bool sync_run(struct lake *lake, const struct sync_spec *spec, const struct sync_watch *watch, struct sync_result *out,
              struct cancel *cancel, struct err *e);
/* CONTINUOUS: apply what comes until cancelled (ERR_CANCELLED) or an error of the data. Wakes on the log folder (inotify) and
 * every few seconds. */
bool sync_follow(struct lake *lake, const struct sync_spec *spec, const struct sync_watch *watch, struct cancel *cancel,
                 struct err *e);


#endif
