/* \d: describe a table, view, index or sequence; without a name, list them, as psql does it. */
#include "magics/describe.h"

static const char *const aliases[] = {"d+", "dS", "dS+", NULL};

const struct magic magic_d = {
    .name = "d",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "describe a table, view, index or sequence; without a name, list them",
    .help = "With + more is shown, with S also what belongs to the system.",
    .examples = "\\d\n\\d shop.orders\n\\d+ shop.orders",
    .args = describe_relations,
    .run = describe_run,
};
