/*
 * The life of synced tables: which update runs, in which states its tables pass, what is done again after a crash. The rows
 * are moved by the lakehouse worker (sync/sync.h); this part starts and watches it and writes states and events to the store.
 * Knows nothing of HTTP.
 *
 *   create → PROVISIONING_PIPELINE_RESOURCES → PROVISIONING_INITIAL_SNAPSHOT → ONLINE_NO_PENDING_UPDATE (SNAPSHOT, TRIGGERED)
 *                                                                            → ONLINE_CONTINUOUS_UPDATE  (CONTINUOUS)
 *   update → ONLINE_TRIGGERED_UPDATE → ONLINE_NO_PENDING_UPDATE, or ONLINE_PIPELINE_FAILED with the old rows still served
 *
 * An update has a thread, and one more for each further table of its pipeline. An update that is not over when the workspace
 * opens (it was killed) is run again: the state row in the target database knows what is applied, so nothing is doubled.
 */
#ifndef WORKSPACE_SYNCED_H
#define WORKSPACE_SYNCED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "workspace/store_synced.h"

struct synced;
struct workspace;

enum { SYNCED_PER_SOURCE = 20, SYNCED_HOLD_MS = 1000 };

/* Take up what is not over. */
struct synced *synced_open(struct workspace *ws, struct err *e);
/* From now on nothing waits; runs are interrupted and stay "not over". */
void synced_begin_close(struct synced *all);
void synced_close(struct synced *all);

/* What begins and ends on one pipeline comes one after the other: whoever is second sees what the first one left. */
/* Add the table, its pipeline (NULL: it is there) and its first update to the store, and run the update; errors as of store_add_synced. */
bool synced_create(struct synced *all, const struct synced_row *row, const struct pipeline_row *pipeline,
                   const struct update_row *update, struct err *e);
/* Add an update to the store and run it; ERR_CONFLICT while another one of the pipeline is not over. */
bool synced_start(struct synced *all, const struct update_row *update, struct err *e);
/* Interrupt what runs on the pipeline and wait for its end; the update is CANCELED. Nothing running is success. */
void synced_stop(struct synced *all, const char *pipeline_id);
bool synced_is_running(struct synced *all, const char *pipeline_id);

/* How far a run is; total -1: unknown. */
struct synced_progress {
    int phase;               /* enum sync_phase of sync/sync.h; 0: nothing yet */
    int64_t version, rows, total;
};
/* false: no run of that table is under way. */
bool synced_progress(struct synced *all, const char *table_id, struct synced_progress *out);
/* Wait until something changed since `seen` or SYNCED_HOLD_MS passed; returns what to pass next time. Waiters ask every
 * second, so an answer that is held until the change comes earlier, as with instances. */
unsigned synced_seen(struct synced *all);
void synced_hold(struct synced *all, unsigned seen);

/* The state passes by itself: a GET may be held. */
bool synced_passing(const char *state);

/* Remove the table: stop its pipeline if nothing else is on it, its state row and (purge) its PostgreSQL table; without
 * purge that table stays as an ordinary one of the creator. ERR_INVALID_STATE when purge needs an instance that does not run. */
bool synced_delete(struct synced *all, const struct synced_row *row, bool purge, struct err *e);
/* What PostgreSQL needs before the first run: the roles, the schema; ERR_ALREADY_EXISTS when a table of the name is there. */
bool synced_prepare(struct workspace *ws, const struct synced_row *row, bool create, struct err *e);

#endif
