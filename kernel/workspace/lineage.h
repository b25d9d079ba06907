/*
 * Lineage: which table was written from which, recorded from what really ran: warehouse statements and synced tables.
 * Names are full names ("main.shop.orders", "shop_catalog.public.orders"). Source of the answer's shape: the REST answers
 * of /api/2.0/lineage-tracking.
 */
#ifndef WORKSPACE_LINEAGE_H
#define WORKSPACE_LINEAGE_H

#include <stdbool.h>

#include "base/err.h"
#include "databricks/model.h"

struct workspace;

/* `target` was written from `source`, by that principal, now. The same pair again moves its time. Any thread. */
bool lineage_record(struct workspace *ws, const char *source, const char *target, const char *by, struct err *e);
/* Direct neighbours of a table, those that the caller may see. */
bool lineage_of(struct workspace *ws, const char *caller, const char *table, struct table_lineage *out, struct err *e);

#endif
