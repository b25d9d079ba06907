/* \l: list databases, as psql does it. */
#include "magics/describe.h"
#include "magics/sql.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    static const struct listing list = {.title = "List of databases", .sql = sql_databases, .params = "n"};
    return describe_list(ctx, args, &list, e);
}

static const char *const aliases[] = {"l+", "list", NULL};

const struct magic magic_l = {
    .name = "l",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list databases",
    .examples = "\\l",
    .args = describe_rows,
    .run = run,
};
