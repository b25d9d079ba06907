/* \d: describe a table, view, index or sequence; without a name, list them, as psql does it. */
#include "magics/describe.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *pattern = args_get(args, "pattern");
    return pattern ? describe_named(ctx, pattern, e) : describe_relations(ctx, args, "r,p,v,m,S,f", e);
}

static const char *const aliases[] = {"d+", "dS", "dS+", NULL};

const struct magic magic_d = {
    .name = "d",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "describe a table, view, index or sequence; without a name, list them",
    .examples = "\\d\n\\d shop.orders\n\\d+ shop.orders",
    .args = describe_rows,
    .run = run,
};
