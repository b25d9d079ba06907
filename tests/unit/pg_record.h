/*
 * What the tests of pg/ share: one cluster for the program, statements whose whole course is written down as one text, and
 * a thread that fires a token later.
 */
#ifndef TESTS_PG_RECORD_H
#define TESTS_PG_RECORD_H

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "pg/exec.h"
#include "pg_cluster.h"

static struct pg_cluster cluster;
static const char *no_cluster;

#define NEED_CLUSTER()                                        \
    do {                                                      \
        if (no_cluster) {                                     \
            print_message("skipped: %s\n", no_cluster);       \
            skip();                                           \
        }                                                     \
    } while (0)

static inline struct pg_conn *open_as(const char *user)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = pg_cluster_connect(&cluster, user, &e);
    if (!conn)
        fail_msg("cannot connect: %s", e.text);
    return conn;
}

static inline struct pg_conn *open_one(void) { return open_as("learner"); }

/* Everything that happens, as one text. */
struct record {
    struct buf log;
    unsigned long long rows, stop_after;
    struct cancel *fire; /* fired at the first row */
    bool quiet;
};

static inline void on_columns(void *self, const struct pg_column *columns, size_t n)
{
    struct record *r = self;
    for (size_t i = 0; i < n; i++)
        buf_printf(&r->log, "%s%s:%u%s", i ? "," : "[", columns[i].name, columns[i].oid, columns[i].numeric ? "r" : "l");
    buf_puts(&r->log, n ? "]" : "[]");
}

static inline bool on_row(void *self, const struct pg_value *values, size_t n)
{
    struct record *r = self;
    r->rows++;
    buf_puts(&r->log, r->quiet ? "" : "(");
    for (size_t i = 0; i < n && !r->quiet; i++) {
        buf_puts(&r->log, i ? "|" : "");
        if (values[i].text)
            buf_add(&r->log, values[i].text, values[i].len);
        else
            buf_puts(&r->log, "null");
    }
    if (!r->quiet)
        buf_puts(&r->log, ")");
    if (r->fire)
        cancel_fire(r->fire);
    return r->stop_after == 0 || r->rows < r->stop_after;
}

static inline void on_done(void *self, const char *tag, bool has_rows)
{
    struct record *r = self;
    buf_printf(&r->log, "<%s%s>", tag, has_rows ? "*" : "");
}

static inline void on_notice(void *self, const char *severity, const char *text, const char *detail, const char *hint)
{
    struct record *r = self;
    buf_printf(&r->log, "{%s:%s%s%s%s%s}", severity, text, detail ? "/" : "", detail ? detail : "", hint ? "/" : "",
               hint ? hint : "");
}

static inline struct pg_rows rows_of(struct record *r)
{
    *r = (struct record){0};
    buf_init(&r->log, 1 << 20);
    return (struct pg_rows){.self = r, .columns = on_columns, .row = on_row, .done = on_done};
}

/* Run and compare the record. */
static inline void expect(struct pg_conn *conn, const char *sql, const char *want)
{
    struct record r;
    struct pg_rows rows = rows_of(&r);
    struct err e;
    err_init(&e);
    pg_on_notice(conn, on_notice, &r);
    if (!pg_exec(conn, sql, NULL, 0, &rows, NULL, &e))
        fail_msg("%s: %s %s", sql, e.sqlstate, e.text);
    assert_string_equal(buf_str(&r.log), want);
    pg_on_notice(conn, NULL, NULL);
    buf_release(&r.log);
}

static inline struct err failing(struct pg_conn *conn, const char *sql, struct cancel *c)
{
    struct err e;
    err_init(&e);
    if (pg_exec(conn, sql, NULL, 0, NULL, c, &e))
        fail_msg("%s did not fail", sql);
    return e;
}

static inline void usable(struct pg_conn *conn) { expect(conn, "SELECT 1 AS a", "[a:23r](1)<SELECT 1*>"); }

struct later {
    struct cancel *c;
    int us;
};

static inline void *fire_later(void *arg)
{
    struct later *l = arg;
    struct err e;
    err_init(&e);
    int64_t end = clock_mono_us() + l->us;
    while (clock_mono_us() < end)
        continue;
    cancel_fire(l->c);
    return NULL;
}

static inline int set_up_cluster(void **state)
{
    (void)state;
    no_cluster = pg_cluster_start(&cluster,
                                  "local all locked scram-sha-256\nlocal all barred reject\nlocal all all trust\n"
                                  "host all all 127.0.0.0/8 trust\n");
    return 0;
}

static inline int tear_down_cluster(void **state)
{
    (void)state;
    pg_cluster_stop(&cluster);
    return 0;
}

#endif
