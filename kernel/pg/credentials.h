/*
 * Passwords that end: a token is fetched when it is first needed, lent until shortly before its end, and fetched again. For
 * many threads that connect at once: one asks, the others wait for its answer, good or bad; or go on with the old token while
 * it holds.
 *
 * The rules: a token is renewed ahead of its end, by a quarter of its life and at most two minutes, a little earlier or
 * later each time, so that many pools do not ask at once. When that fails or takes long, the old one is used while it holds,
 * and the question is put again after an eighth of what it still has, at most five seconds.
 * A login that was refused gets a new token once, but not when the token is new itself: a server that says no does not
 * change its mind. Open sessions go on when their token ends (Databricks: checked at login only).
 */
#ifndef PG_CREDENTIALS_H
#define PG_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/err.h"

struct credentials;

struct credentials_options {
    /* A token (malloc'd, becomes the callee's) and how many seconds it holds. Called by one thread at a time. */
    bool (*fetch)(void *self, char **token, int64_t *life_s, struct cancel *c, struct err *e);
    void *self;
    int64_t (*now_ms)(void); /* monotonic; NULL: clock_mono_ms */
};

struct credentials *credentials_new(const struct credentials_options *o);
void credentials_free(struct credentials *c); /* NULL is fine; tokens are wiped */

/* A copy of a token that holds for a while; the caller ends it with xfree_secret. refused: a server did not take the one
 * before. NULL with the error of fetch. Any thread. */
char *credentials_get(struct credentials *c, bool refused, struct cancel *cancel, struct err *e);

struct credentials_stats {
    uint64_t fetched, failed;
    int64_t left_s; /* until the token ends; 0: there is none, or it has ended */
};
void credentials_stats(struct credentials *c, struct credentials_stats *out);

#endif
