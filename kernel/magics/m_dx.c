/* \dx: list the extensions that are installed in this database, as psql does it. */
#include "magics/describe.h"
#include "magics/sql.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    static const struct listing list = {.title = "List of installed extensions", .sql = sql_extensions, .params = "n"};
    return describe_list(ctx, args, &list, e);
}

static const char *const aliases[] = {"dx+", NULL};

const struct magic magic_dx = {
    .name = "dx",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list the extensions that are installed in this database",
    .examples = "\\dx",
    .args = describe_rows,
    .run = run,
};
