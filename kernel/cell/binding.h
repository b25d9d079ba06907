/*
 * References to variables in a statement: :name (a bound value), :'name' (a literal) and :"name" (an identifier), as
 * psql writes them. Finds them, and knows what only looks like one; what a variable holds is not known here.
 */
#ifndef CELL_BINDING_H
#define CELL_BINDING_H

#include <stdbool.h>
#include <stddef.h>

enum sql_ref_kind { SQL_REF_VALUE = 1, SQL_REF_LITERAL, SQL_REF_IDENT };

struct sql_ref {
    enum sql_ref_kind kind;
    size_t at, len;            /* bytes of the whole reference, its colon and quotes too */
    size_t name_at, name_len;  /* the name in it */
};

/* Where a search stands. Begin with zeros. */
struct sql_refs {
    size_t at;       /* the next byte to look at */
    char frames[64]; /* the brackets that are open; deeper ones are counted, and taken for parentheses */
    size_t depth;
    char last;       /* the token before: a word 'w', another operand 'o', else its byte; 0: none */
    char word;       /* what a word before a bracket makes of it */
};

/* The next reference of the statement text[0..len); false: there is none left. Not references: what stands in quotes,
 * dollar quotes and comments; `::` and `:=`; the colon of a slice (`a[1:n]`, `a[:n]`; write `a[1:(:n)]` to bind there,
 * `ARRAY[:n]` is no slice); the colon between key and value in JSON_OBJECT and JSON_OBJECTAGG. */
bool sql_next_ref(const char *text, size_t len, struct sql_refs *state, struct sql_ref *out);

/* Does a statement of this kind take parameters? PostgreSQL binds them in SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES and
 * WITH, and where one of these stands inside EXPLAIN, DECLARE, CALL and CREATE TABLE … AS; nowhere else. */
bool sql_takes_parameters(const char *text, size_t len);

#endif
