/* \ds: list sequences, as psql does it. */
#include "magics/describe.h"

static const char *const aliases[] = {"ds+", "dsS", "dsS+", NULL};

const struct magic magic_ds = {
    .name = "ds",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list sequences",
    .help = "With + more is shown, with S also what belongs to the system.",
    .examples = "\\ds\n\\ds shop.*",
    .args = describe_sequences,
    .run = describe_run,
};
