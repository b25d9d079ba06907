/* Statements that are prepared by themselves (see prepared.h). */
#include "pg/prepared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ids.h"
#include "base/xalloc.h"
#include "pg/internal.h"

enum { NAME_SIZE = 64, MISSED_MAX = 4 };

/* One text with one set of types. */
struct pg_prepared {
    char *sql;
    unsigned *types;
    size_t n_types;
    unsigned number;   /* its name is made of it, and given to no other text */
    bool ready;        /* the server has it; else it was run once */
    bool never;        /* it cannot be prepared */
    unsigned runs, missed; /* as prepared; those of them where the server did not have it */
    unsigned long used; /* the connection's count of runs, at its last one */
};

static void name_of(const struct pg_conn *conn, const struct pg_prepared *p, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "lakebase_%s_%u", conn->prepared_prefix, p->number);
}

static void entry_release(struct pg_prepared *p)
{
    free(p->sql);
    free(p->types);
}

void pg_prepared_forget(struct pg_conn *conn)
{
    for (size_t i = 0; i < conn->n_prepared; i++)
        entry_release(&conn->prepared[i]);
    free(conn->prepared);
    conn->prepared = NULL;
    conn->n_prepared = 0;
}

void pg_prepared_tag(struct pg_conn *conn, const char *tag)
{
    if (conn->n_prepared > 0 && (strncmp(tag, "DEALLOCATE", 10) == 0 || strncmp(tag, "DISCARD ALL", 11) == 0))
        pg_prepared_forget(conn);
}

size_t pg_prepared_count(const struct pg_conn *conn)
{
    size_t n = 0;
    for (size_t i = 0; i < conn->n_prepared; i++)
        n += conn->prepared[i].ready;
    return n;
}

static struct pg_prepared *find(struct pg_conn *conn, const char *sql, const unsigned *types, size_t n)
{
    for (size_t i = 0; i < conn->n_prepared; i++) {
        struct pg_prepared *p = &conn->prepared[i];
        if (p->n_types == n && strcmp(p->sql, sql) == 0 && (n == 0 || memcmp(p->types, types, n * sizeof *types) == 0))
            return p;
    }
    return NULL;
}

/* The place of the one used longest ago. A protocol message would close it on the server without a word of SQL, but libpq has it
 * from 17 on only. */
static struct pg_prepared *evict(struct pg_conn *conn, struct cancel *c, struct err *e)
{
    struct pg_prepared *oldest = conn->prepared;
    char name[NAME_SIZE], sql[NAME_SIZE + 16];
    for (size_t i = 1; i < conn->n_prepared; i++) {
        if (conn->prepared[i].used < oldest->used)
            oldest = &conn->prepared[i];
    }
    struct pg_prepared gone = *oldest;
    if (gone.ready) {
        struct pg_prepared *all = conn->prepared;
        size_t n = conn->n_prepared;
        name_of(conn, &gone, name);
        snprintf(sql, sizeof sql, "DEALLOCATE %s", name);
        conn->n_prepared = 0; /* this tag is not news */
        struct err why;
        err_init(&why);
        bool ok = pg_exec(conn, sql, NULL, 0, NULL, c, &why) || (pg_tx_state(conn) == PG_TX_IDLE && strcmp(why.sqlstate, "26000") == 0);
        conn->prepared = all;
        conn->n_prepared = n;
        if (!ok) {
            *e = why;
            return NULL;
        }
    }
    entry_release(&gone);
    *oldest = (struct pg_prepared){0};
    return oldest;
}

static struct pg_prepared *add(struct pg_conn *conn, const char *sql, const unsigned *types, size_t n, struct cancel *c, struct err *e)
{
    if (!conn->prepared_numbers)
        ids_hex(conn->prepared_prefix, sizeof conn->prepared_prefix / 2);
    if (!conn->prepared)
        conn->prepared = xcalloc(PREPARED_MAX, sizeof *conn->prepared);
    struct pg_prepared *p = conn->n_prepared < PREPARED_MAX ? &conn->prepared[conn->n_prepared] : evict(conn, c, e);
    if (!p)
        return NULL;
    conn->n_prepared += conn->n_prepared < PREPARED_MAX;
    *p = (struct pg_prepared){.sql = xstrdup(sql), .types = xreallocarray(NULL, n + 1, sizeof *types), .n_types = n,
                              .number = ++conn->prepared_numbers};
    if (n > 0)
        memcpy(p->types, types, n * sizeof *types);
    return p;
}

/* Whether anything of the statement has been handed out. */
struct watched {
    const struct pg_rows *rows;
    bool seen;
};

static void on_columns(void *self, const struct pg_column *columns, size_t n)
{
    struct watched *w = self;
    w->seen = true;
    if (w->rows->columns)
        w->rows->columns(w->rows->self, columns, n);
}

static bool on_row(void *self, const struct pg_value *values, size_t n)
{
    struct watched *w = self;
    return !w->rows->row || w->rows->row(w->rows->self, values, n);
}

static void on_done(void *self, const char *tag, bool has_rows)
{
    struct watched *w = self;
    w->seen = true;
    if (w->rows->done)
        w->rows->done(w->rows->self, tag, has_rows);
}

static void on_tick(void *self)
{
    struct watched *w = self;
    if (w->rows->tick)
        w->rows->tick(w->rows->self);
}

/* 26000 and 42P05 are about this statement; a statement may raise them about another one, when half of it has run. */
static bool is_about(const struct err *e, const char *state, const char *name)
{
    return strcmp(e->sqlstate, state) == 0 && strstr(e->text, name);
}

/* Utility statements that take no parameters are prepared too, so an error here is one that the statement has itself. Outside of
 * a transaction it is run as it is, and says so in its own words. That the name is there already is fine: what it means never changes. */
static bool prepare(struct pg_conn *conn, struct pg_prepared *p, struct pg_request *q, struct cancel *c, struct err *e)
{
    char name[NAME_SIZE];
    struct err why;
    bool inside = pg_tx_state(conn) != PG_TX_IDLE;
    name_of(conn, p, name);
    q->prepared = name;
    q->prepare = true;
    err_init(&why);
    p->ready = pg_exec_request(conn, q, NULL, -1, c, &why) || (!inside && is_about(&why, "42P05", name));
    q->prepared = NULL;
    q->prepare = false;
    p->never = !p->ready && why.code == ERR_SQL;
    if (p->ready || (p->never && !inside))
        return true;
    *e = why;
    return false;
}

/* Behind a pooler that moves on all the time, preparing would cost more than it gains. */
static void missed(struct pg_prepared *p)
{
    p->ready = false;
    p->missed++;
    p->never = p->missed >= MISSED_MAX && 2 * p->missed > p->runs;
}

/* The server does not have it any more, or not in a shape that it can run: nothing of it was run. Both are raised before it begins. */
static bool was_not_run(struct pg_conn *conn, struct pg_prepared *p, const char *name, struct err *e)
{
    if (is_about(e, "26000", name)) {
        conn->shared = true;
        if (p)
            missed(p);
        err_hint(e, "the server's session behind the connection is another one than before (a pooler?): roll back, then run the "
                    "transaction again");
        return true;
    }
    if (strcmp(e->sqlstate, "0A000") != 0 || strcmp(conn->failed_in, "RevalidateCachedQuery") != 0)
        return false;
    if (p) {
        missed(p);
        p->number = ++conn->prepared_numbers; /* the old name keeps its old meaning */
    }
    return true;
}

static bool run(struct pg_conn *conn, struct pg_request *q, const struct pg_rows *rows, struct cancel *c, struct err *e)
{
    static const struct pg_rows none;
    char name[NAME_SIZE];
    struct watched w = {.rows = rows ? rows : &none};
    const struct pg_rows watching = {.self = &w, .columns = on_columns, .row = on_row, .done = on_done, .tick = rows && rows->tick ? on_tick : NULL};
    struct pg_prepared *p = find(conn, q->sql, q->types, q->n);
    if (!p && !add(conn, q->sql, q->types, q->n, c, e))
        return false;
    if (p)
        p->used = ++conn->prepared_runs;
    if (p && !p->never && !p->ready && !prepare(conn, p, q, c, e))
        return false;
    if (!p || p->never)
        return pg_exec_request(conn, q, rows, -1, c, e);
    bool idle = pg_tx_state(conn) == PG_TX_IDLE;
    p->runs++;
    name_of(conn, p, name);
    q->prepared = name;
    bool ok = pg_exec_request(conn, q, &watching, -1, c, e);
    q->prepared = NULL;
    if (ok || !was_not_run(conn, find(conn, q->sql, q->types, q->n), name, e) || w.seen || !idle)
        return ok;
    err_init(e);
    return pg_exec_request(conn, q, rows, -1, c, e); /* as text: it works in every session, whichever the next one is */
}

/* Where statements end is cell/'s knowledge; a semicolon in a literal only costs the gain. */
static bool may_be_several(const char *sql)
{
    const char *at = strchr(sql, ';');
    return at && at[strspn(at, "; \t\r\n")] != '\0';
}

bool pg_exec_prepared(struct pg_conn *conn, const char *sql, const struct pg_param *params, size_t n_params, const struct pg_rows *rows,
                      struct cancel *c, struct err *e)
{
    struct pg_values v;
    pg_values_of(params, n_params, &v);
    struct pg_request q = {.sql = sql, .values = v.texts, .types = v.types, .n = n_params};
    /* In a transaction a statement that is not there, or is there already, could not be healed. */
    bool moves = conn->shared && pg_tx_state(conn) != PG_TX_IDLE;
    bool simple = moves || strlen(sql) > PREPARED_SQL_MAX || may_be_several(sql) || pg_tx_state(conn) == PG_TX_FAILED || (rows && (rows->copy_in || rows->copy_out));
    bool ok = simple ? pg_exec_request(conn, &q, rows, -1, c, e) : run(conn, &q, rows, c, e);
    pg_values_release(&v);
    return ok;
}
