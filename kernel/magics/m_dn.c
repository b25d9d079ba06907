/* \dn: list schemas, as psql does it. */
#include "magics/describe.h"

static const char *const aliases[] = {"dn+", "dnS", "dnS+", NULL};

const struct magic magic_dn = {
    .name = "dn",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list schemas",
    .help = "With + more is shown, with S also what belongs to the system.",
    .examples = "\\dn\n\\dn+ shop",
    .args = describe_schemas,
    .run = describe_run,
};
