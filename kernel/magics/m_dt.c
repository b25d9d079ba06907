/* \dt: list tables, as psql does it. */
#include "magics/describe.h"

static const char *const aliases[] = {"dt+", "dtS", "dtS+", NULL};

const struct magic magic_dt = {
    .name = "dt",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list tables",
    .help = "With + more is shown, with S also what belongs to the system.",
    .examples = "\\dt\n\\dt shop.*\n\\dt+ shop.orders",
    .args = describe_relations,
    .run = describe_run,
};
