/* Literals as Python writes them, turned into the text and the type that PostgreSQL takes as a parameter. */
#ifndef MAGICS_LITERAL_H
#define MAGICS_LITERAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct literal {
    bool null;
    struct buf text;
    unsigned type; /* oid; 0: a text, whose type the statement decides */
};

enum { LITERAL_MAX_BYTES = 8 << 20, LITERAL_MAX_DEPTH = 6 }; /* 6: as arrays in PostgreSQL */

/* Read text[0..len) as one literal; blanks around it do not matter. Release *out when it went well. On failure
 * (ERR_USAGE, ERR_TOO_BIG) *at is the byte where it went wrong. */
bool literal_read(const char *text, size_t len, struct literal *out, size_t *at, struct err *e);
void literal_release(struct literal *l);
/* Append one element of an array's text form; value NULL: SQL NULL. */
void literal_array_element(struct buf *out, const char *value, size_t len);

#endif
