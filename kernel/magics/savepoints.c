/* The savepoints of a transaction (see savepoints.h). */
#include "magics/savepoints.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cell/sqlscope.h"
#include "cell/sqlword.h"
#include "pg/exec.h"

enum { LISTED = 20 };

static void add(struct savepoints *s, const char *name)
{
    if (s->n == SAVEPOINTS_MAX) {
        s->beyond++;
        return;
    }
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 8;
        s->names = xreallocarray(s->names, s->cap, sizeof *s->names);
    }
    memcpy(s->names[s->n++], name, strlen(name) + 1);
}

/* How many there were before the newest of that name. One that is not among those followed is among those beyond. */
static size_t older_than(const struct savepoints *s, const char *name)
{
    size_t at = s->n;
    while (at > 0 && strcmp(s->names[at - 1], name) != 0)
        at--;
    return at > 0 ? at - 1 : s->n;
}

void savepoints_follow(struct savepoints *s, const char *sql, size_t len)
{
    struct sql_word w;
    struct arena a;
    enum sql_savepoint kind = sql_savepoint(sql, len, &w);
    if (kind == SQL_SAVEPOINT_NONE) {
        if (sql_transaction(sql, len) != SQL_TX_NONE && s->n > 0)
            savepoints_forget(s); /* also COMMIT AND CHAIN, after which another one is open */
        return;
    }
    arena_init(&a);
    char *name = arena_strdup(&a, sql_fold(&a, sql + w.at, w.len));
    name[utf8_floor(name, strlen(name), SAVEPOINT_NAME_MAX)] = '\0'; /* as the server cuts it */
    if (kind == SQL_SAVEPOINT_SET) {
        add(s, name);
    } else {
        size_t older = older_than(s, name);
        s->beyond = older < s->n ? 0 : s->beyond;
        s->n = kind == SQL_SAVEPOINT_BACK && older < s->n ? older + 1 : older;
    }
    arena_release(&a);
}

void savepoints_forget(struct savepoints *s)
{
    free(s->names);
    *s = (struct savepoints){0};
}

/* With quotes where it would read as another name without. */
static const char *as_sql(const char *name, struct arena *a)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz_0123456789$";
    bool first = *name && strchr(plain, *name) && strchr(plain, *name) <= strchr(plain, '_');
    if (first && name[strspn(name, plain)] == '\0')
        return name;
    struct buf b;
    buf_init(&b, 4 * SAVEPOINT_NAME_MAX);
    pg_quote_ident(&b, name);
    const char *text = arena_strdup(a, buf_str(&b));
    buf_release(&b);
    return text;
}

const char *savepoints_newest(const struct savepoints *s, struct arena *a)
{
    return s->n == 0 || s->beyond ? NULL : as_sql(s->names[s->n - 1], a);
}

const char *savepoints_list(const struct savepoints *s, struct arena *a)
{
    size_t first = s->n > LISTED ? s->n - LISTED : 0;
    const char *list = first ? arena_printf(a, "… (%zu more)", first) : "";
    for (size_t i = first; i < s->n; i++)
        list = arena_printf(a, "%s%s%s", list, *list ? ", " : "", as_sql(s->names[i], a));
    return s->beyond ? arena_printf(a, "%s, … (%zu more)", list, s->beyond) : list;
}
