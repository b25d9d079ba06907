/*
 * A statement with its variables bound: :name becomes $n and travels beside the text, :'name' and :"name" are put in,
 * quoted. A value never becomes part of what the server parses, but for those two, where it is one token.
 */
#ifndef MAGICS_BIND_H
#define MAGICS_BIND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "magics/variables.h"
#include "pg/exec.h"

enum { BIND_REFS_MAX = 10000 };

struct bind_place {
    size_t from, from_len; /* bytes of the reference in the statement as it was written */
    size_t to, to_len;     /* and of what stands for it in what is sent */
};

struct bound {
    const char *sql; /* what is sent */
    struct pg_param *params;
    size_t n_params;
    struct bind_place *places; /* in order */
    size_t n_places;
};

/* Bind the references of the statement text[0..len). In the arena. On failure e->position and e->width say which
 * reference it was: ERR_USAGE for an unknown variable, or for :name in a statement that takes no parameters. The values are
 * the session's: *out is good until a variable changes. */
bool bind_variables(struct arena *a, const struct variables *v, const char *text, size_t len, struct bound *out,
                    struct err *e);

/* An error of the server: its position in what was sent becomes the one in text, and what it says of parameters is said in
 * terms of variables. */
void bind_explain(const struct bound *b, const char *text, size_t len, struct err *e);

#endif
