/*
 * Names of a database for Tab, and what one of them is for Shift-Tab. Short queries with a cap on their rows; what search_path
 * finds is what counts. The queries are in sql/names_*.sql and sql/about_*.sql.
 */
#ifndef PG_NAMES_H
#define PG_NAMES_H

#include <stdbool.h>

#include "base/cancel.h"
#include "base/err.h"
#include "pg/conn.h"

enum pg_names {
    PG_NAMES_RELATIONS = 1, /* all that FROM takes */
    PG_NAMES_VIEWS,
    PG_NAMES_INDEXES,
    PG_NAMES_SEQUENCES,
    PG_NAMES_FUNCTIONS,
    PG_NAMES_TYPES,
    PG_NAMES_SCHEMAS,
    PG_NAMES_DATABASES,
    PG_NAMES_ROLES,
    PG_NAMES_EXTENSIONS,
    PG_NAMES_SETTINGS,
    PG_NAMES_VALUES,        /* `schema` is the setting */
    PG_NAMES_COLUMNS,       /* `schema` is relations as JSON: [{"schema":…,"name":…,"alias":…}] */
    PG_NAMES_JOINS          /* the same, with "joined": conditions made of foreign keys; the prefix does not count */
};

/* text: quoted where SQL needs it; type: "table", "column", "function"…; help: one line, may be "". Valid during the call. */
typedef void pg_name_fn(void *self, const char *text, const char *type, const char *help);

/* The names that begin with `prefix` (not quoted, case does not matter). schema NULL: what search_path finds. */
bool pg_names(struct pg_conn *conn, enum pg_names kind, const char *schema, const char *prefix, pg_name_fn *fn, void *self,
              struct cancel *c, struct err *e);

/* What `name` is: a column of `relations` (JSON as above), a relation, a function, a setting, a type, a schema, a role;
 * the first of these that there is. fn gets a line about it, its comment, and its definition in SQL ("": none), once for
 * each form of a function. Nothing found: true, and no call. */
typedef void pg_about_fn(void *self, const char *line, const char *comment, const char *definition);
bool pg_about(struct pg_conn *conn, const char *schema, const char *name, const char *relations, bool relation_first,
              pg_about_fn *fn, void *self, struct cancel *c, struct err *e);

/* What the session of backend `pid` is doing for so long, as seen from another one: that it waits for a lock, and who holds
 * it, or how far an index, VACUUM, ANALYZE, CLUSTER or COPY has come; total 0: unknown. *text NULL: there is nothing to tell;
 * else the caller frees it. */
bool pg_progress(struct pg_conn *conn, int pid, char **text, long long *done, long long *total, struct cancel *c, struct err *e);

#endif
