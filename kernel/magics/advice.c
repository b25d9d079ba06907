/* Advice on failed statements and on commands of psql (see advice.h). Facts that hold for a whole SQLSTATE are in
 * pg/sqlstate.def. */
#include "magics/advice.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
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

/* COPY to and from files, and programs, of the server is for those who own its machine. */
static const char *file_of_server(const char *sql, size_t len, const struct err *e)
{
    struct sql_word w;
    if (strcmp(e->sqlstate, "42501") != 0 || sql_words(sql, len, &w, 1) < 1 || !sql_word_is(sql, &w, "COPY"))
        return NULL;
    return "\\copy TABLE to 'FILE', and from 'FILE', uses files beside this notebook";
}

static const struct {
    const char *words, *instead;
} habits[] = {
#define HABIT(words, instead) {words, instead},
#include "magics/habits.def"
#undef HABIT
};

/* Do the words of the statement begin with those of the row? */
static bool begins_with(const char *sql, const struct sql_word *w, size_t n, const char *words)
{
    size_t i = 0;
    for (const char *p = words; *p; i++) {
        char word[32];
        size_t len = strcspn(p, " ");
        snprintf(word, sizeof word, "%.*s", (int)len, p);
        if (i == n || !sql_word_is(sql, &w[i], word))
            return false;
        p += len + (p[len] == ' ');
    }
    return true;
}

/* Not SQL of PostgreSQL, but of somebody's habit. SHOW of an unknown setting is 42704, all else a syntax error. */
static const char *habit(const char *sql, size_t len, const struct err *e)
{
    struct sql_word w[2];
    if (strcmp(e->sqlstate, "42601") != 0 && strcmp(e->sqlstate, "42704") != 0)
        return NULL;
    if (len > 0 && *sql == '!')
        return "%%bash as the first line runs a cell as a script";
    size_t n = sql_words(sql, len, w, 2);
    for (size_t i = 0; i < ARRAY_LEN(habits); i++) {
        if (begins_with(sql, w, n, habits[i].words))
            return habits[i].instead;
    }
    return NULL;
}

/* relation "mixed" does not exist, and the statement says Mixed: PostgreSQL folds names that are not quoted. */
static const char *folded(struct arena *a, const char *sql, size_t len, const struct err *e)
{
    const char *from = strchr(e->text, '"'), *to = from ? strchr(from + 1, '"') : NULL;
    if ((strcmp(e->sqlstate, "42P01") != 0 && strcmp(e->sqlstate, "42703") != 0) || !to || e->position < 1)
        return NULL;
    /* The mark stands at the name, or before what qualifies it. */
    size_t n = (size_t)(to - from - 1), at = utf8_offset(sql, len, (size_t)e->position - 1);
    const char *dot = memrchr(from + 1, '.', n);
    size_t skip = dot ? (size_t)(dot - from) : 0;
    char *name = arena_strndup(a, from + 1 + skip, n - skip), *text = arena_strndup(a, sql + at, len - at);
    const char *p = strcasestr(text, name);
    n -= skip;
    if (!p || n == 0 || memcmp(p, name, n) == 0 || strcspn(text, " \t\r\n,;()\"") < (size_t)(p - text) + n)
        return NULL;
    return arena_printf(a, "%.*s without double quotes is read as %s; where the name has capitals, write \"%.*s\"; \\d "
                           "lists what is there", (int)n, p, name, (int)n, p);
}

const char *advice_on(struct arena *a, const struct connection *c, const char *sql, size_t len, const struct err *e)
{
    if (e->code != ERR_SQL)
        return NULL;
    const char *advice = swallowed_magic(a, sql, len);
    if (!advice)
        advice = role_of_instance(c, sql, len, e);
    if (!advice)
        advice = file_of_server(sql, len, e);
    if (!advice)
        advice = habit(sql, len, e);
    return advice ? advice : folded(a, sql, len, e);
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
