/* psql's \d family in a notebook: what pg/catalog.h finds, as tables of the cell. */
#ifndef MAGICS_DESCRIBE_H
#define MAGICS_DESCRIBE_H

#include <stdbool.h>

#include "base/err.h"
#include "magics/magic.h"

/* The one argument of the family. */
extern const struct arg_row describe_rows[];

/* Run the command as it was written (ctx->name: "dt+") on the current connection. */
magic_run_fn describe_run;

#endif
