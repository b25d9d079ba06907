/* \du: list roles, as psql does it. */
#include "magics/describe.h"

static const char *const aliases[] = {"du+", "duS", "duS+", "dg", "dg+", NULL};

const struct magic magic_du = {
    .name = "du",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list roles",
    .help = "With + more is shown, with S also what belongs to the system.",
    .examples = "\\du\n\\du learner*",
    .args = describe_roles,
    .run = describe_run,
};
