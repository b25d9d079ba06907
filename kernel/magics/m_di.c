/* \di: list indexes, as psql does it. */
#include "magics/describe.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    return describe_relations(ctx, args, "i,I", e);
}

static const char *const aliases[] = {"di+", "diS", "diS+", NULL};

const struct magic magic_di = {
    .name = "di",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list indexes",
    .examples = "\\di\n\\di shop.*",
    .args = describe_rows,
    .run = run,
};
