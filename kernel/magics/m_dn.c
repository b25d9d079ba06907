/* \dn: list schemas, as psql does it. */
#include "magics/describe.h"
#include "magics/sql.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    static const struct listing list = {.title = "List of schemas",
                                        .sql = sql_schemas,
                                        .plus = sql_schemas_plus,
                                        .params = "na"};
    return describe_list(ctx, args, &list, e);
}

static const char *const aliases[] = {"dn+", "dnS", "dnS+", NULL};

const struct magic magic_dn = {
    .name = "dn",
    .aliases = aliases,
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "list schemas",
    .examples = "\\dn\n\\dn+ shop",
    .args = describe_rows,
    .run = run,
};
