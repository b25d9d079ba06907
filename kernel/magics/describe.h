/* psql's \d family: lists and descriptions of what is in the database, from the catalog queries in sql/. */
#ifndef MAGICS_DESCRIBE_H
#define MAGICS_DESCRIBE_H

#include <stdbool.h>

#include "base/err.h"
#include "magics/magic.h"

/* Which objects a list shows. */
struct listing {
    const char *title;  /* "List of relations" */
    const char *what;   /* "relation", for "Did not find any relation …" */
    const char *sql;
    const char *plus;   /* of the form with '+'; NULL: there is none, it shows the same */
    const char *params; /* in the order of $1…: s schema pattern, n name pattern, k kinds, a system objects too */
    const char *kinds;  /* comma-separated relkinds for k */
};

/* The one argument of the family. */
extern const struct arg_row describe_rows[];

/* Show the list; '+' and 'S' at the end of the name as written (ctx->name) work as in psql. */
bool describe_list(struct magic_ctx *ctx, const struct args *args, const struct listing *l, struct err *e);
/* \dt and its brothers: relations of these kinds. */
bool describe_relations(struct magic_ctx *ctx, const struct args *args, const char *kinds, struct err *e);
/* \d NAME: each relation that matches, in full. */
bool describe_named(struct magic_ctx *ctx, const char *pattern, struct err *e);

/* A psql pattern as regular expressions for schema and name (NULL: any), in the arena: * and ? are wildcards, quotes
 * protect, the rest is literal and folded to lower case. Source: processSQLNamePattern of psql. ERR_USAGE. */
bool describe_pattern(struct arena *a, const char *pattern, const char **schema, const char **name, struct err *e);

#endif
