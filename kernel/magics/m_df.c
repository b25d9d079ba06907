/* \df: list functions, as psql does it. */
#include "magics/describe.h"
#include "magics/sql.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    static const struct listing list = {.title = "List of functions", .sql = sql_functions, .params = "sna"};
    return describe_list(ctx, args, &list, e);
}

static const char *const aliases[] = {"df+", "dfS", "dfS+", NULL};

const struct magic magic_df = {
    .name = "df",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list functions",
    .examples = "\\df shop.*\n\\df *similarity*",
    .args = describe_rows,
    .run = run,
};
