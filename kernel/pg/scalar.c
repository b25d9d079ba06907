/* Our own small queries (see exec.h): no rows, or one value. */
#include "pg/exec.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "pg/internal.h"

bool pg_run(struct pg_conn *conn, const char *sql, struct cancel *c, struct err *e)
{
    return pg_exec(conn, sql, NULL, 0, NULL, c, e);
}

bool pg_run_within(struct pg_conn *conn, const char *sql, int silence_ms, struct err *e)
{
    return pg_exec_within(conn, sql, NULL, 0, NULL, silence_ms, NULL, e);
}

struct scalar {
    bool got;
    char *text;
};

static bool take_scalar(void *self, const struct pg_value *values, size_t n)
{
    struct scalar *s = self;
    if (!s->got && n > 0 && values[0].text)
        s->text = xstrndup(values[0].text, values[0].len);
    s->got = true;
    return true;
}

static bool scalar(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params, int silence_ms,
                   char **out, struct cancel *c, struct err *e)
{
    struct scalar s = {0};
    struct pg_rows rows = {.self = &s, .row = take_scalar};
    *out = NULL;
    bool ok = pg_exec_within(conn, sql, params, n_params, &rows, silence_ms, c, e);
    if (ok && !s.got)
        ok = err_set(e, ERR_NOT_FOUND, "the query gave no row");
    if (ok)
        *out = s.text;
    else
        free(s.text);
    return ok;
}

bool pg_scalar(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params, char **out,
               struct cancel *c, struct err *e)
{
    return scalar(conn, sql, params, n_params, -1, out, c, e);
}

bool pg_scalar_within(struct pg_conn *conn, const char *sql, const char *const *params, size_t n_params, int silence_ms,
                      char **out, struct err *e)
{
    return scalar(conn, sql, params, n_params, silence_ms, out, NULL, e);
}
