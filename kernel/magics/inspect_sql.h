/* Shift-Tab on what SQL names: relations with their definition, columns, functions, settings, types, schemas, roles. */
#ifndef MAGICS_INSPECT_SQL_H
#define MAGICS_INSPECT_SQL_H

#include <jansson.h>
#include <stddef.h>

#include "magics/place.h"

/* {"text/plain": …, "text/markdown": …} for the word at the cursor, from the side connection; NULL: nothing is known, or not
 * in time. The caller owns it. Any thread. */
json_t *inspect_sql(const char *code, size_t len, size_t cursor, const struct place *p);
/* The same for an argument that names an object: [SCHEMA.]NAME. */
json_t *inspect_object(const char *word, size_t len);

#endif
