/*
 * What psql's \d family shows: databases, schemas, relations, roles, and one relation with its columns, indexes and
 * constraints. The queries are in sql/; layout, titles and patterns are psql's, one layout for PostgreSQL 15 to 18.
 * How a table looks is not known here: rows go to callbacks.
 */
#ifndef PG_CATALOG_H
#define PG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"
#include "pg/conn.h"
#include "pg/exec.h"

/* Receives one or more tables: begin, rows.columns, rows.row…, end. No value is NULL: what is missing is "". */
struct pg_listing {
    void *self;
    void (*begin)(void *self, const char *title); /* "List of relations", "Table \"public.t\"" */
    struct pg_rows rows;                          /* its self is passed to its own callbacks; done is not called */
    /* footer: lines such as "Indexes:\n    …" without a newline at the end; NULL: the usual row count. */
    void (*end)(void *self, const char *footer);
};

/* Run a command, without its backslash: "d", "dt", "di", "ds", "dv", "dm", "dtv", "dn", "du", "dg", "l", "df", "dx",
 * "dp", "z", each also with "+", "S" (the system's objects too) or both. pattern: as in psql (*, ?, "quoted",
 * schema.name, lower-cased outside quotes); NULL or "": everything visible. "d" with a pattern describes each relation
 * that fits; ERR_NOT_FOUND when none does. A list that is empty is no error. ERR_USAGE: unknown command, or a pattern with too many dots. */
bool pg_describe(struct pg_conn *conn, const char *command, const char *pattern, const struct pg_listing *out,
                 struct cancel *c, struct err *e);

/* A psql name pattern as regular expressions ("^(…)$"); a part that matches everything or is not there: *part NULL.
 * Texts live in the arena. has_schema: there was a dot. ERR_USAGE for more than one dot. */
struct arena;
struct pg_pattern {
    const char *schema, *name;
    bool has_schema;
};
bool pg_pattern_parse(struct arena *a, const char *text, struct pg_pattern *out, struct err *e);

#endif
