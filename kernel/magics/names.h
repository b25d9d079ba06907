/*
 * The names that Tab offers: of instances, catalogs, open connections, pools and variables. The cell thread writes them down between
 * cells, completion reads them on another thread, also while a cell runs; so this is a store of its own with a lock,
 * one for the process.
 */
#ifndef MAGICS_NAMES_H
#define MAGICS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cancel.h"
#include "magics/session.h"

enum names_kind { NAMES_CONNECTION, NAMES_INSTANCE, NAMES_CATALOG, NAMES_VARIABLE, NAMES_POOL, NAMES_KINDS };

enum { NAMES_MAX = 1000 };

/* The kind of a completion provider ("instance", see struct arg_row); false: it is another provider. */
bool names_kind_of(const char *provider, enum names_kind *kind);
/* Replace what is known; at most NAMES_MAX are kept. Any thread. */
void names_put(enum names_kind kind, const char *const *names, size_t n);
/* Any thread; `add` must not call back. */
void names_each(enum names_kind kind, void (*add)(void *self, const char *name), void *self);

/* The open connections, the pools and the variables, after a cell; and what the workspace says is looked at again at the next refresh. Cell thread. */
void names_note_cell(struct session *s);
/* Ask the workspace, unless that was done a moment ago. Never starts the local one; what does not answer in time keeps
 * its old names. Cell thread. */
void names_refresh(struct session *s, struct cancel *cancel);
void names_forget_all(void);

#endif
