/* %catalog for catalogs that Unity Catalog manages itself: those of Delta tables. */
#ifndef MAGICS_CATALOG_MANAGED_H
#define MAGICS_CATALOG_MANAGED_H

#include "magics/magic.h"

bool catalog_managed_create(struct magic_ctx *ctx, const struct args *args, struct err *e);
/* Drop one that shows no database; --force with all its schemas and tables. ERR_CATALOG_NOT_FOUND when there is none. */
bool catalog_managed_drop(struct magic_ctx *ctx, const char *name, bool force, bool yes, struct err *e);

#endif
