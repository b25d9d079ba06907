/* Lookups in the SQLSTATE table (see sqlstate.def). */
#include "pg/sqlstate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/exec.h"

static const struct pg_state states[] = {
#define PG_STATE(code, condition, advice) {code, condition, advice},
#include "pg/sqlstate.def"
#undef PG_STATE
};

const struct pg_state *pg_states(size_t *count)
{
    *count = ARRAY_LEN(states);
    return states;
}

static int by_code(const void *key, const void *row)
{
    return strcmp(key, ((const struct pg_state *)row)->code);
}

static const struct pg_state *find(const char *code)
{
    return bsearch(code, states, ARRAY_LEN(states), sizeof *states, by_code);
}

static const struct pg_state *class_of(const char *code)
{
    char class_code[6];
    if (!code || strlen(code) != 5)
        return NULL;
    snprintf(class_code, sizeof class_code, "%.2s000", code);
    return find(class_code);
}

const char *pg_condition(const char *sqlstate)
{
    const struct pg_state *s = sqlstate ? find(sqlstate) : NULL;
    if (!s)
        s = class_of(sqlstate);
    return s ? s->condition : NULL;
}

const char *pg_advice(const char *sqlstate)
{
    const struct pg_state *s = sqlstate ? find(sqlstate) : NULL;
    if (!s || !s->advice)
        s = class_of(sqlstate);
    return s ? s->advice : NULL;
}
