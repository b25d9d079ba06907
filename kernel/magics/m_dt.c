/* \dt: list tables, as psql does it. */
#include "magics/describe.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    return describe_relations(ctx, args, "r,p", e);
}

static const char *const aliases[] = {"dt+", "dtS", "dtS+", NULL};

const struct magic magic_dt = {
    .name = "dt",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list tables",
    .examples = "\\dt\n\\dt shop.*\n\\dt+ shop.orders",
    .args = describe_rows,
    .run = run,
};
