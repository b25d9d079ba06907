/*
 * What an error about a catalog says beside the workspace's own words: which catalog is in the way, which name was meant,
 * and the magic or option that helps. Each function adds to a set error, asks the workspace where it must, and leaves the
 * error as it is when that fails.
 */
#ifndef MAGICS_CATALOG_ERROR_H
#define MAGICS_CATALOG_ERROR_H

#include "base/err.h"
#include "databricks/model.h"
#include "magics/magic.h"

/* %catalog register failed: the name or the database is taken, or the database or the instance is not there. */
void catalog_error_register(struct magic_ctx *ctx, const struct database_catalog *wanted, struct err *e);
/* A catalog that was named is not there: near names. */
void catalog_error_unknown(struct magic_ctx *ctx, const char *name, struct err *e);
/* %instance delete was refused: the catalogs that show its databases go first. */
void catalog_error_instance(struct magic_ctx *ctx, const char *instance, struct err *e);

#endif
