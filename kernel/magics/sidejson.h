/* Relations in sight as the JSON that pg/names.h takes. */
#ifndef MAGICS_SIDEJSON_H
#define MAGICS_SIDEJSON_H

#include "cell/sqlscope.h"

/* Those with a name; only the one called `alias`, when that is given. NULL: none. The caller frees it. */
char *side_relations(const struct sql_scope *scope, const char *alias);
/* One; schema may be NULL. The caller frees it. */
char *side_relation(const char *schema, const char *name);

#endif
