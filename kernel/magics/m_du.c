/* \du: list roles, as psql does it. */
#include "magics/describe.h"
#include "magics/sql.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    static const struct listing list = {.title = "List of roles", .sql = sql_roles, .params = "na"};
    return describe_list(ctx, args, &list, e);
}

static const char *const aliases[] = {"du+", "duS", "duS+", "dg", NULL};

const struct magic magic_du = {
    .name = "du",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list roles",
    .examples = "\\du\n\\du learner*",
    .args = describe_rows,
    .run = run,
};
