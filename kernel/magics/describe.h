/* psql's \d family in a notebook: what pg/catalog.h finds, as tables of the cell. */
#ifndef MAGICS_DESCRIBE_H
#define MAGICS_DESCRIBE_H

#include <stdbool.h>

#include "base/err.h"
#include "magics/magic.h"

/* The one argument of the family, by what Tab offers for it. */
extern const struct arg_row describe_relations[], describe_indexes[], describe_views[], describe_sequences[], describe_schemas[],
    describe_roles[], describe_functions[], describe_databases[], describe_extensions[];

/* Run the command as it was written (ctx->name: "dt+") on the current connection. */
magic_run_fn describe_run;

#endif
