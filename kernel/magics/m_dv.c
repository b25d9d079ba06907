/* \dv: list views, as psql does it. */
#include "magics/describe.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    return describe_relations(ctx, args, "v", e);
}

static const char *const aliases[] = {"dv+", "dvS", "dvS+", NULL};

const struct magic magic_dv = {
    .name = "dv",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list views",
    .examples = "\\dv\n\\dv shop.*",
    .args = describe_rows,
    .run = run,
};
