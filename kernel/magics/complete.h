/* The parts of Tab: complete.c knows magics and their arguments, complete_sql.c knows SQL. Private to them. */
#ifndef MAGICS_COMPLETE_H
#define MAGICS_COMPLETE_H

#include "magics/interp.h"
#include "magics/place.h"

struct search {
    struct completions *out;
    const char *prefix; /* what a match begins with; not terminated */
    size_t len, cap;
};

/* Keep a match that need not begin with the prefix; the second of two equal ones is dropped. */
void search_take(struct search *s, const char *text, const char *type, const char *help);
/* Key words that begin with the prefix, in the case that the user writes in; none for an empty one. */
void search_keywords(struct search *s);

/* What SQL can have at the cursor: key words, and names from the side connection as far as they come in time. */
void complete_sql(struct search *s, const char *code, size_t len, size_t cursor, const struct place *p);
/* For an argument: objects of the database by provider ("relation", "schema", "role", "function", "database"). */
void complete_objects(struct search *s, const char *provider);

#endif
