/*
 * The life of instances: which state comes after which, and who does the work. Rows of the store are the truth of intent;
 * one worker thread per instance under way makes it so with the functions of workspace/cluster.h. After a crash at any
 * moment, opening again finds rows in STARTING, UPDATING or DELETING and completes them.
 *
 *   create → STARTING → AVAILABLE ⇄ UPDATING (capacity: restart; stop: → STOPPED) ; STOPPED → STARTING ; any → DELETING → gone
 *
 * Knows nothing of HTTP. Any thread.
 */
#ifndef WORKSPACE_INSTANCES_H
#define WORKSPACE_INSTANCES_H

#include <stdbool.h>

#include "base/err.h"
#include "workspace/store.h"

struct clusters;
struct instances;

enum { INSTANCES_MAX = 10, INSTANCES_HOLD_MS = 1000 };

/*
 * Reconcile: remove clusters without a row, complete what was under way, start again what should run and does not,
 * leave alone what runs. The work itself goes on in the background.
 */
struct instances *instances_open(struct store *store, struct clusters *clusters, struct err *e);
/* From now on nothing waits: ends held answers and interrupts work under way. */
void instances_begin_close(struct instances *all);
void instances_close(struct instances *all); /* PostgreSQL servers go on */

/* Add the row (state STARTING) and start the work. */
bool instances_create(struct instances *all, const struct instance_row *row, struct err *e);

/* What an update changes. */
struct instance_update {
    bool set_capacity, set_stopped, set_retention, set_policy, set_tags;
    char capacity[8];
    bool stopped;
    int retention_days;
    const char *usage_policy_id, *custom_tags;
};
/* ERR_CONFLICT while another operation is under way. *out: the row as it is now. */
bool instances_update(struct instances *all, const char *name, const struct instance_update *u,
                      struct instance_row *out, struct err *e);
/* ERR_BAD_REQUEST while catalogs are registered over it. */
bool instances_delete(struct instances *all, const char *name, struct err *e);

/*
 * The row, for a GET. In a state that passes (STARTING, UPDATING, DELETING) the answer is held until the state changes
 * or INSTANCES_HOLD_MS passed: waiters of the SDKs ask again only after a second or more, so without holding, an
 * instance that starts in 300 ms would cost its user two seconds. A server found dead is started again (STARTING).
 * ERR_NOT_FOUND; ERR_INTERNAL with the reason when the last operation failed, as the API has no failed state.
 */
bool instances_get(struct instances *all, const char *name, struct instance_row *out, struct err *e);
/* Stop the PostgreSQL servers of all instances, keeping the rows as they are: the next open starts them again. */
bool instances_stop_servers(struct store *store, struct clusters *clusters, struct err *e);

#endif
