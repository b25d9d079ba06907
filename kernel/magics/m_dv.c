/* \dv: list views, as psql does it. */
#include "magics/describe.h"

static const char *const aliases[] = {"dv+", "dvS", "dvS+", NULL};

const struct magic magic_dv = {
    .name = "dv",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list views",
    .help = "With + more is shown, with S also what belongs to the system.",
    .examples = "\\dv\n\\dv shop.*",
    .args = describe_views,
    .run = describe_run,
};
