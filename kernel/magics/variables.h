/*
 * The variables of a notebook: %set NAME = LITERAL and %%sql --into NAME fill them, :name in SQL binds them. A variable
 * holds a value as PostgreSQL reads it and the type it is sent with. Owned by the session; cell thread.
 */
#ifndef MAGICS_VARIABLES_H
#define MAGICS_VARIABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "magics/last_result.h"

enum { VARIABLES_MAX = 1000, VARIABLE_NAME_MAX = 63, VARIABLE_BYTES_MAX = 8 << 20 };

struct variable {
    char *name;
    char *text;    /* NULL: SQL NULL */
    unsigned type; /* oid it is bound with; 0: the statement decides */
    struct variable *next;
};

struct variables {
    struct variable *first; /* sorted by name */
    size_t count;
};

/* NULL: there is none. */
const struct variable *variables_find(const struct variables *v, const char *name, size_t len);
/* An error for a name that is not set, with the nearest one that is. Returns false. */
bool variables_unknown(const struct variables *v, const char *name, size_t len, struct err *e);
/* text may be NULL; both are copied. ERR_USAGE for a bad name, ERR_TOO_BIG past a cap; then nothing has changed. */
bool variables_put(struct variables *v, const char *name, const char *text, unsigned type, struct err *e);
/* A literal as Python writes it: 42, 4.2, 'text', True, None, a list of these, {…} (JSON). *at: byte of the literal where
 * it went wrong. 42 becomes int4, int8 or numeric, by its size, as in SQL; 4.2 is numeric; a text has no type of its own, so
 * '2026-01-31' is a date where one is wanted; a list is an array. */
bool variables_put_literal(struct variables *v, const char *name, const char *text, size_t len, size_t *at,
                           struct err *e);
/* What a result holds: one value, or an array of a row or of a column. ERR_INVALID_STATE when it is none of these. */
bool variables_put_result(struct variables *v, const char *name, const struct result_copy *r, struct err *e);
/* The type of an array of such values. */
unsigned variables_array_of(unsigned type);
/* Names of the types that a variable can have, for display. */
const char *variables_type_name(unsigned type);
void variables_release(struct variables *v);

/* Is text[0..len) a variable's name? A letter or _, then also digits; at most VARIABLE_NAME_MAX bytes. */
bool variables_name_ok(const char *text, size_t len);

#endif
