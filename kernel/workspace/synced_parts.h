/* What synced.c (which updates run) and synced_run.c (one table of one update) share. */
#ifndef WORKSPACE_SYNCED_PARTS_H
#define WORKSPACE_SYNCED_PARTS_H

#include <pthread.h>

#include "base/cancel.h"
#include "workspace/synced.h"
#include "workspace/workspace.h"

/* One table of an update under way. */
struct synced_task {
    struct synced *all;
    struct synced_row row;
    const struct update_row *update;
    struct cancel *cancel;
    struct synced_progress live; /* under the lock of all */
    bool failed, continuous;
    char *message; /* what the row said before the sync had to wait; NULL: it does not wait */
    struct synced_task *next;
};

enum synced_end { SYNCED_DONE = 1, SYNCED_FAILED, SYNCED_CANCELED, SYNCED_CLOSING };

struct workspace *synced_workspace(struct synced *all);
bool synced_closing(struct synced *all);
/* Write the row's state and wake whoever waits. */
void synced_write(struct synced_task *t);
void synced_live(struct synced_task *t, const struct synced_progress *p);
void synced_event(struct synced *all, const struct update_row *u, const char *level, const char *type, const char *message,
                  const struct err *why);

/* The state that says that an update of the table is under way. */
void synced_begin(struct synced_task *t);
/* Bring the table to the end of its update. */
enum synced_end synced_run_table(struct synced_task *t);
/* The superuser's connection to the table's database; ERR_UNAVAILABLE unless its instance is AVAILABLE. */
struct pg_conn *synced_admin(struct workspace *ws, const struct synced_row *row, struct instance_row *instance, struct err *e);

#endif
