/* Does a synced table equal its source? Asked in Databricks SQL, so a real workspace answers the same question. */
#ifndef MAGICS_SYNC_VERIFY_H
#define MAGICS_SYNC_VERIFY_H

#include <stdbool.h>

#include "base/err.h"
#include "databricks/model.h"
#include "magics/magic.h"

/* Compare the source at `version` with the table in PostgreSQL, read through its registered catalog, and show the counts and
 * some keys that differ. Nested columns are left out, and named. ERR_CHECK when they differ. */
bool sync_verify(struct magic_ctx *ctx, const struct synced_table *t, const char *version, struct err *e);

#endif
