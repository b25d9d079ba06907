/* Passwords that end (see credentials.h). */
#include "pg/credentials.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"

enum { AHEAD_MOST_MS = 120000, FRESH_MOST_MS = 30000, AGAIN_MOST_MS = 5000, CANCEL_LOOK_MS = 20 };

struct credentials {
    struct credentials_options o;
    pthread_mutex_t lock;   /* around all below; a fetch runs without it */
    pthread_cond_t fetched; /* `fetching` ended */
    bool fetching;
    char *token;
    int64_t got_ms, ends_ms, renew_ms;
    struct err why;         /* of the last fetch; no code: it went well */
    struct credentials_stats stats;
};

struct credentials *credentials_new(const struct credentials_options *o)
{
    struct credentials *c = xcalloc(1, sizeof *c);
    c->o = *o;
    if (!c->o.now_ms)
        c->o.now_ms = clock_mono_ms;
    err_init(&c->why);
    pthread_mutex_init(&c->lock, NULL);
    clock_cond_init(&c->fetched);
    return c;
}

void credentials_free(struct credentials *c)
{
    if (!c)
        return;
    xfree_secret(c->token);
    pthread_cond_destroy(&c->fetched);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* A quarter of what it lives; the fetches so far spread it by up to a tenth. */
static int64_t ahead(const struct credentials *c, int64_t life_ms)
{
    int64_t ms = life_ms / 4 < AHEAD_MOST_MS ? life_ms / 4 : AHEAD_MOST_MS;
    return ms + ms / 10 * (int64_t)(c->stats.fetched * 7 % 11) / 10;
}

/* The lock is held on entry and exit, not in between. */
static bool renew(struct credentials *c, struct cancel *cancel)
{
    struct err why;
    char *token = NULL;
    int64_t life_s = 0, before = c->o.now_ms(); /* it began to live before the answer came */
    err_init(&why);
    c->fetching = true;
    pthread_mutex_unlock(&c->lock);
    bool ok = c->o.fetch(c->o.self, &token, &life_s, cancel, &why);
    pthread_mutex_lock(&c->lock);
    c->fetching = false;
    c->why = why;
    pthread_cond_broadcast(&c->fetched);
    if (!ok) {
        int64_t now = c->o.now_ms(), pause = (c->ends_ms - now) / 8;
        c->stats.failed++;
        c->renew_ms = now + (pause < AGAIN_MOST_MS ? pause : AGAIN_MOST_MS); /* the old one holds: no hurry */
        return false;
    }
    xfree_secret(c->token);
    c->token = token;
    c->got_ms = before;
    c->ends_ms = before + (life_s > 0 ? life_s * 1000 : 0);
    c->stats.fetched++;
    c->renew_ms = c->ends_ms - ahead(c, c->ends_ms - before);
    return true;
}

static bool holds(const struct credentials *c) { return c->token && c->o.now_ms() < c->ends_ms; }

/* A server that refused one wants a newer one, unless it is new itself. */
static bool is_good(const struct credentials *c, bool refused)
{
    int64_t now = c->o.now_ms(), life = c->ends_ms - c->got_ms;
    int64_t fresh = life / 4 < FRESH_MOST_MS ? life / 4 : FRESH_MOST_MS;
    return holds(c) && (refused ? now - c->got_ms < fresh : now < c->renew_ms);
}

/* For the fetch of another thread; its outcome is everybody's, but that it was cancelled is its own. false: *e is set. */
static bool wait_for_fetch(struct credentials *c, struct cancel *cancel, struct err *e)
{
    while (c->fetching && cancel_check(cancel, e))
        clock_cond_until(&c->fetched, &c->lock, clock_mono_ms() + CANCEL_LOOK_MS); /* the token has no way to wake it */
    if (!e->code && c->why.code && c->why.code != ERR_CANCELLED)
        *e = c->why;
    return !e->code;
}

char *credentials_get(struct credentials *c, bool refused, struct cancel *cancel, struct err *e)
{
    struct err why;
    bool asked = false, ok = true;
    err_init(&why);
    pthread_mutex_lock(&c->lock);
    while (ok && !asked && !is_good(c, refused)) {
        if (!c->fetching) {
            asked = true; /* also one that ends at once is lent once */
            ok = renew(c, cancel);
            why = c->why;
        } else if (!refused && holds(c)) {
            break;
        } else {
            ok = wait_for_fetch(c, cancel, &why);
        }
    }
    /* What failed may work the next time, and the old one still opens doors; but not when a door has just stayed shut. */
    if (!ok && !refused && why.code != ERR_CANCELLED && holds(c))
        ok = true;
    char *copy = ok ? xstrdup(c->token) : NULL;
    pthread_mutex_unlock(&c->lock);
    if (!ok)
        *e = why;
    return copy;
}

void credentials_stats(struct credentials *c, struct credentials_stats *out)
{
    pthread_mutex_lock(&c->lock);
    *out = c->stats;
    int64_t left = c->ends_ms - c->o.now_ms();
    out->left_s = c->token && left > 0 ? left / 1000 : 0;
    pthread_mutex_unlock(&c->lock);
}
