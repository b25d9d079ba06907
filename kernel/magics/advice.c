/* Advice on failed statements and on commands of psql (see advice.h). Facts that hold for a whole SQLSTATE are in
 * pg/sqlstate.def. */
#include "magics/advice.h"

#include <string.h>

#include "base/xalloc.h"
#include "cell/sqlword.h"
#include "magics/magic.h"

/* A line of the statement that is a magic of ours: then a semicolon is missing before it. (In SQL a '%' between values
 * is the remainder, so the statement may also fail for an unknown column.) */
static const char *swallowed_magic(struct arena *a, const char *sql, size_t len)
{
    for (const char *nl = sql, *end = sql + len; (nl = memchr(nl, '\n', (size_t)(end - nl)));) {
        const char *at = nl + 1, *name;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        nl = nl + 1;
        if (at == end || *at != '%')
            continue;
        name = at + 1;
        const char *stop = name;
        while (stop < end && !memchr(" \t\r\n", *stop, 4))
            stop++;
        size_t n = (size_t)(stop - name);
        if (magic_find(name, n, MAGIC_LINE))
            return arena_printf(a, "%.*s was read as a part of the statement above it: end that one with a semicolon",
                                (int)(stop - at), at);
        if (n > 1 && *name == '%' && magic_find(name + 1, n - 1, MAGIC_CELL))
            return arena_printf(a, "%.*s must be the first line of a cell of its own", (int)(stop - at), at);
    }
    return NULL;
}

/* The owner of an instance makes roles through an extension, where PostgreSQL's own CREATEROLE would be too much. */
static const char *role_of_instance(const struct connection *c, const char *sql, size_t len, const struct err *e)
{
    struct sql_word w[2];
    if (!c->instance || strcmp(e->sqlstate, "42501") != 0 || sql_words(sql, len, w, 2) < 2 ||
        !(sql_word_is(sql, &w[1], "ROLE") || sql_word_is(sql, &w[1], "USER") || sql_word_is(sql, &w[1], "GROUP")))
        return NULL;
    if (sql_word_is(sql, &w[0], "CREATE"))
        return "roles of an instance are made with CREATE EXTENSION IF NOT EXISTS databricks_auth; then SELECT "
               "databricks_create_role('NAME', 'USER') for a person, or 'PG_ONLY' for a role without a login";
    if (sql_word_is(sql, &w[0], "DROP"))
        return "roles that databricks_create_role made are dropped with SELECT databricks_drop_role('NAME')";
    return NULL;
}

const char *advice_on(struct arena *a, const struct connection *c, const char *sql, size_t len, const struct err *e)
{
    if (e->code != ERR_SQL)
        return NULL;
    const char *advice = swallowed_magic(a, sql, len);
    return advice ? advice : role_of_instance(c, sql, len, e);
}

static const struct {
    const char *name, *instead;
} psql[] = {
#define PSQL(name, instead) {name, instead},
#include "magics/psql.def"
#undef PSQL
};

const char *advice_on_psql(const char *name, size_t len)
{
    if (len > 1 && *name == '!')
        len = 1;
    for (size_t i = 0; i < ARRAY_LEN(psql); i++) {
        if (strlen(psql[i].name) == len && memcmp(psql[i].name, name, len) == 0)
            return psql[i].instead;
    }
    return NULL;
}
