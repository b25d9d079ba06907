/* \dx: list the extensions that are installed in this database, as psql does it. */
#include "magics/describe.h"

static const char *const aliases[] = {"dx+", NULL};

const struct magic magic_dx = {
    .name = "dx",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list the extensions that are installed in this database",
    .help = "A name or a pattern limits the list.",
    .examples = "\\dx",
    .args = describe_extensions,
    .run = describe_run,
};
