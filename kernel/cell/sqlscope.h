/*
 * What could stand at a place in a statement, and which relations can be seen from there: for Tab and Shift-Tab. Found
 * from the tokens, also behind the place (SELECT | FROM t), with subqueries, WITH and half-written statements. Not a
 * parser: where it cannot know, it says SQL_WANT_KEYWORD.
 */
#ifndef CELL_SQLSCOPE_H
#define CELL_SQLSCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum sql_want {
    SQL_WANT_NOTHING = 1, /* in a string or a comment, or where a new name is given */
    SQL_WANT_START,       /* the first word of a statement */
    SQL_WANT_KEYWORD,
    SQL_WANT_EXPR,        /* columns and functions */
    SQL_WANT_JOIN,        /* the condition behind JOIN … ON */
    SQL_WANT_COLUMN,      /* a column's name alone: INSERT INTO t (|, SET | */
    SQL_WANT_RELATION,
    SQL_WANT_VIEW,
    SQL_WANT_INDEX,
    SQL_WANT_SEQUENCE,
    SQL_WANT_FUNCTION,
    SQL_WANT_TYPE,
    SQL_WANT_SCHEMA,
    SQL_WANT_DATABASE,
    SQL_WANT_ROLE,
    SQL_WANT_EXTENSION,
    SQL_WANT_SETTING,
    SQL_WANT_VALUE,       /* of the setting `subject` */
    SQL_WANT_VARIABLE     /* :| */
};

/* A row source of FROM, JOIN, INTO, UPDATE…; names as the server keeps them (folded, quotes gone). */
struct sql_relation {
    const char *schema;        /* NULL: not written */
    const char *name;          /* NULL: a subquery, or one of WITH: its columns are here */
    const char *alias;         /* how it is called in the statement; NULL: by its name */
    const char *const *columns; /* of a subquery, as far as they have names */
    size_t n_columns;
    bool joined;               /* the one that JOIN … ON| is about */
};

struct sql_scope {
    enum sql_want want;
    size_t start, end;         /* bytes of the word at the place, with its opening quote; start == end: no word yet */
    const char *word;          /* that word up to the place, folded, without the quote */
    bool quoted;               /* it began with a quote */
    const char *qualifier[2];  /* before it, "schema." or "alias." or "schema.table."; NULL: none. [1] is the nearer one */
    const char *subject;       /* for SQL_WANT_VALUE */
    const struct sql_relation *relations; /* innermost first */
    size_t n_relations;
    const char *const *ctes;   /* names that FROM may use */
    size_t n_ctes;
};

/* `text` is one statement; `at` is a byte in it (the cursor). whole: the word reaches past the cursor (inspection).
 * Everything lives in the arena. At most SQL_SCOPE_TOKENS tokens are looked at. Any thread. */
enum { SQL_SCOPE_TOKENS = 20000, SQL_SCOPE_RELATIONS = 200 };
void sql_scope_at(struct arena *a, const char *text, size_t len, size_t at, bool whole, struct sql_scope *out);

/* An identifier as the server keeps it: folded to lower case (ASCII), or without its quotes. */
const char *sql_fold(struct arena *a, const char *text, size_t len);

#endif
