/*
 * The catalog `samples`: read-only, of the system's, for every principal. Its rows are in the store from the start; the tables' files
 * are made by the worker when a table is first used (lakehouse/samples.h).
 */
#ifndef WORKSPACE_SAMPLES_H
#define WORKSPACE_SAMPLES_H

#include <stdbool.h>

#include "base/err.h"
#include "workspace/store_lake.h"

struct workspace;

#define SAMPLES_CATALOG "samples"
#define SAMPLES_OWNER "System user" /* nobody can log in by that name */

/* The catalog is there. One that somebody made by that name before stays theirs. */
bool samples_open(struct workspace *ws, struct err *e);
/* Is it this catalog, or in it? full_name: of anything. */
bool samples_has(struct workspace *ws, const char *full_name);
/* When it is a table of it, its files are there afterwards: the worker makes them at the first use. Waits; any thread. */
bool samples_ready(struct workspace *ws, const char *full_name, const char *location, struct err *e);
/* ERR_PERMISSION when it is: nothing there is changed. */
bool samples_refuse(struct workspace *ws, const char *full_name, struct err *e);

#endif
