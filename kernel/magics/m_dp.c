/* \dp: list the privileges on tables, views and sequences, as psql does it. */
#include "magics/describe.h"

static const char *const aliases[] = {"dpS", "z", "zS", NULL};

const struct magic magic_dp = {
    .name = "dp",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list the privileges on tables, views and sequences",
    .help = "With S also what belongs to the system.",
    .examples = "\\dp shop.*",
    .args = describe_relations,
    .run = describe_run,
};
