/* \df: list functions, as psql does it. */
#include "magics/describe.h"

static const char *const aliases[] = {"df+", "dfS", "dfS+", NULL};

const struct magic magic_df = {
    .name = "df",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list functions",
    .help = "With + more is shown, with S also what belongs to the system.",
    .examples = "\\df shop.*\n\\df *similarity*",
    .args = describe_functions,
    .run = describe_run,
};
