/* \l: list databases, as psql does it. */
#include "magics/describe.h"

static const char *const aliases[] = {"l+", NULL};

const struct magic magic_l = {
    .name = "l",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list databases",
    .help = "With + more is shown.",
    .examples = "\\l",
    .args = describe_databases,
    .run = describe_run,
};
