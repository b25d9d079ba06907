/*
 * What the pool does to a PostgreSQL connection: is it alive, make it clean for the next borrower, cancel, close. And what
 * a statement may leave in a session, so that a clean session costs no round trip.
 *
 * The commands are the parts of DISCARD ALL, which itself is refused beside others (src/backend/commands/discard.c).
 */
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/exec.h"
#include "pg/internal.h"
#include "pg/pool_parts.h"

static const struct {
    const char *tag, *text; /* the command's tag; a word in the statement's text (functions have no tag) */
    unsigned touched;
} touches[] = {
    {"SET", "set_config", TOUCHED_SETTINGS},
    {"LISTEN", NULL, TOUCHED_LISTEN},
    {"PREPARE", NULL, TOUCHED_PREPARED},
    {"DECLARE CURSOR", NULL, TOUCHED_CURSORS},
    {NULL, "temp", TOUCHED_TEMP}, /* CREATE TEMP TABLE, SELECT INTO TEMPORARY, pg_temp */
    {NULL, "advisory", TOUCHED_LOCKS},
    {"DO", NULL, TOUCHED_ALL},
    {"CALL", NULL, TOUCHED_ALL},
};

static const struct {
    unsigned touched;
    const char *sql;
} resets[] = {
    {TOUCHED_CURSORS, "CLOSE ALL"},
    {TOUCHED_SETTINGS, "SET SESSION AUTHORIZATION DEFAULT; RESET ALL"},
    {TOUCHED_PREPARED, "DEALLOCATE ALL"},
    {TOUCHED_LISTEN, "UNLISTEN *"},
    {TOUCHED_LOCKS, "SELECT pg_advisory_unlock_all()"},
    {TOUCHED_TEMP, "DISCARD TEMP"},
};

unsigned pool_touched_by_text(const char *sql)
{
    unsigned touched = 0;
    for (size_t i = 0; i < ARRAY_LEN(touches); i++) {
        if (touches[i].text && strcasestr(sql, touches[i].text))
            touched |= touches[i].touched;
    }
    return touched;
}

unsigned pool_touched_by_tag(const char *tag)
{
    unsigned touched = 0;
    for (size_t i = 0; i < ARRAY_LEN(touches); i++) {
        if (touches[i].tag && strcmp(tag, touches[i].tag) == 0)
            touched |= touches[i].touched;
    }
    return touched;
}

/* ---- a connection ---- */

static bool alive(struct pg_conn *conn) { return pg_alive(conn); }

/* One message: the rollback and the resets that are needed. "" when there is nothing to do. */
static void reset_sql(bool rollback, unsigned touched, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "%s", rollback ? "ROLLBACK; " : "");
    for (size_t i = 0; i < ARRAY_LEN(resets); i++) {
        if (touched & resets[i].touched)
            used += (size_t)snprintf(out + used, size - used, "%s; ", resets[i].sql);
    }
}

static bool tidy(struct pg_conn *conn, enum pool_reset reset)
{
    pg_on_notice(conn, NULL, NULL);
    bool left = reset == POOL_RESET_DISCARD || (reset == POOL_RESET_SMART && conn->touched);
    if (!left)
        conn->touched = 0;
    return !left && pg_tx_state(conn) == PG_TX_IDLE;
}

static int clean(struct pg_conn *conn, enum pool_reset reset, int limit_ms)
{
    char sql[400];
    struct err e;
    enum pg_tx tx = pg_tx_state(conn);
    bool rollback = tx == PG_TX_IN_BLOCK || tx == PG_TX_FAILED;
    unsigned touched = reset == POOL_RESET_SMART ? conn->touched : 0;
    err_init(&e);
    pg_on_notice(conn, NULL, NULL);
    if (!rollback && tx != PG_TX_IDLE)
        return 0;
    reset_sql(rollback, touched, sql, sizeof sql);
    bool ok = !*sql || pg_run_within(conn, sql, limit_ms, &e);
    if (ok && reset == POOL_RESET_DISCARD)
        ok = pg_run_within(conn, "DISCARD ALL", limit_ms, &e);
    if (ok && conn->bare && (touched & TOUCHED_SETTINGS || reset == POOL_RESET_DISCARD)) /* RESET did not go back to them */
        ok = pg_run_within(conn, pg_bare_sql, limit_ms, &e);
    conn->touched = 0;
    return (ok && pg_tx_state(conn) == PG_TX_IDLE ? POOL_CLEAN : 0) | (rollback ? POOL_ROLLED_BACK : 0) |
           (touched || reset == POOL_RESET_DISCARD ? POOL_WAS_RESET : 0);
}

/* An empty query: nothing is parsed, nothing is seen in statistics. */
static bool ping(struct pg_conn *conn, int limit_ms)
{
    struct err e;
    err_init(&e);
    return pg_run_within(conn, "", limit_ms, &e);
}

static void detach(struct pg_conn *conn) { conn->pooled = false; }

static void *canceller(struct pg_conn *conn)
{
    conn->pooled = true;
    return pg_canceller_new(conn);
}

static void send_cancel(void *c, int limit_ms)
{
    if (c)
        pg_canceller_send(c, limit_ms);
}

static void free_canceller(void *c) { pg_canceller_free(c); }

const struct pool_ops pool_pg_ops = {.alive = alive, .ping = ping, .tidy = tidy, .clean = clean, .detach = detach, .canceller = canceller, .cancel = send_cancel,
                                     .canceller_free = free_canceller, .close = pg_close,
                                     .route = pool_pg_route, .idle_tx = pool_pg_idle_tx};
