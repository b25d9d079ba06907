/* The transaction that a session is in (see transaction.h). */
#include "pg/transaction.h"

#include <stdio.h>
#include <stdlib.h>

#include "pg/exec.h"
#include "pg/sql.h"

struct reader {
    struct arena *arena;
    struct pg_transaction *out;
};

static bool take(void *self, const struct pg_value *v, size_t n)
{
    struct reader *r = self;
    const char **fields[] = {&r->out->xid, &r->out->isolation, &r->out->access, &r->out->changed, &r->out->locks};
    for (size_t i = 0; i < n && i < sizeof fields / sizeof *fields; i++)
        *fields[i] = v[i].text ? arena_strndup(r->arena, v[i].text, v[i].len) : NULL;
    return true;
}

bool pg_transaction(struct pg_conn *conn, struct arena *a, struct pg_transaction *out, struct cancel *c, struct err *e)
{
    struct reader r = {a, out};
    struct pg_rows rows = {.self = &r, .row = take};
    return pg_exec(conn, sql_transaction, NULL, 0, &rows, c, e);
}

struct blockers {
    int *out;
    size_t max, n;
};

static bool take_blocker(void *self, const struct pg_value *v, size_t n)
{
    struct blockers *b = self;
    if (n > 0 && v[0].text && b->n < b->max)
        b->out[b->n++] = (int)strtol(v[0].text, NULL, 10);
    return true;
}

bool pg_blockers(struct pg_conn *conn, int pid, int *out, size_t max, size_t *n, struct cancel *c, struct err *e)
{
    char number[16];
    const char *params[] = {number};
    struct blockers b = {out, max, 0};
    struct pg_rows rows = {.self = &b, .row = take_blocker};
    snprintf(number, sizeof number, "%d", pid);
    bool ok = pg_exec(conn, sql_blockers, params, 1, &rows, c, e);
    *n = b.n;
    return ok;
}
