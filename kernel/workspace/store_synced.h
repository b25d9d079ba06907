/*
 * The store's synced tables, pipelines, their updates and events. Rows say what is wanted and how far it came; what is
 * applied says the target database itself (sync/sync.h). Any thread.
 */
#ifndef WORKSPACE_STORE_SYNCED_H
#define WORKSPACE_STORE_SYNCED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "workspace/store.h"

/* Texts are owned, never NULL after reading; "" for what is not there. */
struct synced_row {
    char *id, *name;          /* uuid; "catalog.schema.table", lower case */
    char *instance_uid, *database, *schema, *table; /* the PostgreSQL table */
    char *spec;               /* JSON of SyncedTableSpec, as given */
    char *source;             /* full name, lower case */
    char *pipeline_id, *creator;
    char *state, *message;    /* detailed_state */
    int64_t created_ms;
    int64_t version, commit_ms; /* last applied; version -1: never loaded */
    int64_t start_ms, end_ms; /* of the last sync; 0: none */
};
struct synced_rows {
    struct synced_row *rows;
    size_t count;
};
void synced_row_release(struct synced_row *row);
void synced_rows_release(struct synced_rows *rows);

struct pipeline_row {
    char *id, *name, *catalog, *schema, *creator;
    bool continuous;
    int64_t created_ms;
};
void pipeline_row_release(struct pipeline_row *row);

struct update_row {
    char *id, *pipeline_id, *state, *cause;
    bool full_refresh;
    int64_t created_ms;
};
struct update_rows {
    struct update_row *rows;
    size_t count;
};
void update_row_release(struct update_row *row);
void update_rows_release(struct update_rows *rows);

/* The table, its pipeline (when it is a new one) and its first update, in one transaction. ERR_ALREADY_EXISTS for a taken
 * name or a PostgreSQL table that another synced table has; ERR_QUOTA beyond max_per_source. */
bool store_add_synced(struct store *s, const struct synced_row *row, const struct pipeline_row *pipeline,
                      const struct update_row *update, int max_per_source, struct err *e);
/* ERR_RESOURCE_NOT_FOUND. */
bool store_synced(struct store *s, const char *name, struct synced_row *out, struct err *e);
/* Of an instance or of a pipeline (the other NULL; both NULL: all), by name, after `after` (NULL: from the start), at most
 * limit (0: all). */
bool store_synced_list(struct store *s, const char *instance_uid, const char *pipeline_id, const char *after, size_t limit,
                       struct synced_rows *out, struct err *e);
/* State, message, version, times, written together. A row that is gone is no error. */
bool store_synced_progress(struct store *s, const struct synced_row *row, struct err *e);
/* With its pipeline, when no other table is on it. left: its database cannot be reached, and is to be told later. */
bool store_remove_synced(struct store *s, const char *id, bool left, struct err *e);

/* What is left of deleted tables in the databases of an instance: id, database, schema, table and creator are set. */
bool store_synced_left(struct store *s, const char *instance_uid, struct synced_rows *out, struct err *e);
bool store_synced_forgotten(struct store *s, const char *id, struct err *e);

/* ERR_RESOURCE_NOT_FOUND "The specified pipeline X was not found." */
bool store_pipeline(struct store *s, const char *id, struct pipeline_row *out, struct err *e);
/* Add an update in state QUEUED; ERR_CONFLICT while another one of the pipeline is not over. */
bool store_add_update(struct store *s, const struct update_row *row, struct err *e);
bool store_update_state(struct store *s, const char *update_id, const char *state, struct err *e);
/* Newest first, at most limit; pipeline_id NULL: those of all pipelines that are not over. */
bool store_updates(struct store *s, const char *pipeline_id, size_t limit, struct update_rows *out, struct err *e);

struct event_row {
    char *id, *pipeline_id, *update_id, *level, *type, *message, *error;
    int64_t at_ms;
};
struct event_rows {
    struct event_row *rows;
    size_t count;
};
void event_rows_release(struct event_rows *rows);
/* The oldest of a pipeline go when there are more than 1,000. */
bool store_add_event(struct store *s, const struct event_row *row, struct err *e);
/* Newest first. */
bool store_events(struct store *s, const char *pipeline_id, size_t limit, struct event_rows *out, struct err *e);

/* States of an update that is over. */
#define UPDATE_OVER "('COMPLETED', 'FAILED', 'CANCELED')"
/* What the store must have: the next version of its schema, after the ones before it. */
#define STORE_SYNCED_SCHEMA                                                                                            \
    "CREATE TABLE pipeline (id TEXT PRIMARY KEY, name TEXT NOT NULL, catalog TEXT NOT NULL, schema TEXT NOT NULL,"      \
    "  creator TEXT NOT NULL, continuous INTEGER NOT NULL, created_ms INTEGER NOT NULL) STRICT;"                       \
    "CREATE TABLE synced_table (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"                                       \
    "  instance_uid TEXT NOT NULL REFERENCES instance (uid), database TEXT NOT NULL, schema TEXT NOT NULL,"            \
    "  tab TEXT NOT NULL, spec TEXT NOT NULL, source TEXT NOT NULL,"                                                   \
    "  pipeline_id TEXT NOT NULL REFERENCES pipeline (id), creator TEXT NOT NULL, state TEXT NOT NULL,"                \
    "  message TEXT NOT NULL, created_ms INTEGER NOT NULL, version INTEGER NOT NULL, commit_ms INTEGER NOT NULL,"      \
    "  start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, UNIQUE (instance_uid, database, schema, tab)) STRICT;"      \
    "CREATE TABLE pipeline_update (id TEXT PRIMARY KEY, pipeline_id TEXT NOT NULL REFERENCES pipeline (id)"            \
    "  ON DELETE CASCADE, state TEXT NOT NULL, cause TEXT NOT NULL, full_refresh INTEGER NOT NULL,"                    \
    "  created_ms INTEGER NOT NULL) STRICT;"                                                                           \
    "CREATE INDEX pipeline_update_of ON pipeline_update (pipeline_id, created_ms);"                                    \
    "CREATE TABLE pipeline_event (id TEXT PRIMARY KEY, pipeline_id TEXT NOT NULL REFERENCES pipeline (id)"             \
    "  ON DELETE CASCADE, update_id TEXT NOT NULL, at_ms INTEGER NOT NULL, level TEXT NOT NULL, type TEXT NOT NULL,"   \
    "  message TEXT NOT NULL, error TEXT NOT NULL) STRICT;"                                                            \
    "CREATE INDEX pipeline_event_of ON pipeline_event (pipeline_id, at_ms);"                                           \
    "PRAGMA user_version = 3;"
#define STORE_SYNCED_LEFT_SCHEMA                                                                                       \
    "CREATE TABLE synced_left (id TEXT PRIMARY KEY, instance_uid TEXT NOT NULL REFERENCES instance (uid)"              \
    "  ON DELETE CASCADE, database TEXT NOT NULL, schema TEXT NOT NULL, tab TEXT NOT NULL, creator TEXT NOT NULL)"     \
    "  STRICT;"                                                                                                        \
    "PRAGMA user_version = 5;"

#endif
