/*
 * The savepoints of a transaction. The server does not list them, so they are followed by the statements that worked: a
 * savepoint cannot be set in any other way (functions and procedures may not). After the rules of PostgreSQL's SAVEPOINT,
 * RELEASE SAVEPOINT and ROLLBACK TO SAVEPOINT pages: an equal name hides an older one; a release takes the later ones along.
 */
#ifndef MAGICS_SAVEPOINTS_H
#define MAGICS_SAVEPOINTS_H

#include <stddef.h>

#include "base/arena.h"

enum { SAVEPOINTS_MAX = 10000, SAVEPOINT_NAME_MAX = 63 };

/* Zero: none. */
struct savepoints {
    char (*names)[SAVEPOINT_NAME_MAX + 1]; /* oldest first */
    size_t n, cap, beyond; /* beyond: set after SAVEPOINTS_MAX, not followed */
};

/* A statement that worked. */
void savepoints_follow(struct savepoints *s, const char *sql, size_t len);
/* The transaction ended; also frees. */
void savepoints_forget(struct savepoints *s);
/* The newest as SQL writes it; NULL: there is none, or it is not known. In the arena. */
const char *savepoints_newest(const struct savepoints *s, struct arena *a);
/* "a, b", oldest first, the last 20 of them; "" for none. */
const char *savepoints_list(const struct savepoints *s, struct arena *a);

#endif
