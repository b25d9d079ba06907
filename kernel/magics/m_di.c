/* \di: list indexes, as psql does it. */
#include "magics/describe.h"

static const char *const aliases[] = {"di+", "diS", "diS+", NULL};

const struct magic magic_di = {
    .name = "di",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list indexes",
    .help = "With + more is shown, with S also what belongs to the system.",
    .examples = "\\di\n\\di shop.*",
    .args = describe_indexes,
    .run = describe_run,
};
