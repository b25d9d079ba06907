/* The pool's members and its queue (see pool_parts.h): plain bookkeeping, everything under the lock, no call that blocks.
 * The rule that it keeps: all members together, those being made and closed too, are never more than max_size. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "pg/pool_parts.h"

/* ---- members ---- */

int pool_places(const struct pool *p)
{
    int sum = 0;
    for (int i = 0; i < MEMBER_STATES; i++)
        sum += p->n[i];
    return sum;
}

static void link_idle(struct pool *p, struct member *m)
{
    m->idle_prev = NULL;
    m->idle_next = p->idle;
    if (p->idle)
        p->idle->idle_prev = m;
    else
        p->idle_end = m;
    p->idle = m;
}

static void unlink_idle(struct pool *p, struct member *m)
{
    *(m->idle_prev ? &m->idle_prev->idle_next : &p->idle) = m->idle_next;
    *(m->idle_next ? &m->idle_next->idle_prev : &p->idle_end) = m->idle_prev;
}

void pool_move(struct pool *p, struct member *m, enum member_state to)
{
    if (m->state == MEMBER_IDLE)
        unlink_idle(p, m);
    p->n[m->state]--;
    p->n[to]++;
    m->state = to;
    if (to == MEMBER_IDLE)
        link_idle(p, m);
    if (p->n[MEMBER_BUSY] > p->stats.most_busy)
        p->stats.most_busy = p->n[MEMBER_BUSY];
    if (p->n[MEMBER_BUSY] > p->stats.recent_most_busy)
        p->stats.recent_most_busy = p->n[MEMBER_BUSY];
}

struct member *pool_new_member(struct pool *p)
{
    struct member *m = xcalloc(1, sizeof *m);
    m->next = p->members;
    m->since = p->o.now_ms();
    p->members = m;
    p->n[MEMBER_MAKING]++;
    if (pool_places(p) > p->o.max_size)
        bug("pool '%s' has more than its %d members", p->name, p->o.max_size);
    return m;
}

void pool_drop(struct pool *p, struct member *m)
{
    for (struct member **at = &p->members; *at; at = &(*at)->next) {
        if (*at == m) {
            *at = m->next;
            break;
        }
    }
    p->n[m->state]--;
    pthread_cond_broadcast(&p->changed);
}

/* The one used last: its caches are warm, and the others may grow old and go. */
struct member *pool_take_idle(struct pool *p)
{
    int64_t now = p->o.now_ms();
    for (struct member *m = p->idle; m; m = m->idle_next) {
        if (now >= m->dies_at) {
            pthread_cond_broadcast(&p->changed); /* the maker closes it */
            continue;
        }
        pool_move(p, m, MEMBER_BUSY);
        m->since = now;
        p->stats.checkouts++;
        return m;
    }
    return NULL;
}

struct member *pool_take_over(struct pool *p)
{
    int64_t now = p->o.now_ms();
    bool above_min = pool_places(p) - p->n[MEMBER_CLOSING] > p->o.min_size;
    for (struct member *m = p->idle_end; m; m = m->idle_prev) {
        if (p->stats.closing) {
            m->why = POOL_CLOSED_END;
        } else if (now < m->dies_at) {
            if (now - m->since < p->o.max_idle_ms || !above_min)
                continue;
            m->why = POOL_CLOSED_IDLE;
        }
        pool_move(p, m, MEMBER_CLOSING);
        return m;
    }
    return NULL;
}

/* ---- the queue ---- */

static void wake(struct waiter *w)
{
    uint64_t one = 1;
    while (write(w->fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void pool_enqueue(struct pool *p, struct waiter *w, bool first)
{
    struct waiter **at = first ? &p->waiters : p->waiters_end;
    w->given = NULL;
    w->next = *at;
    *at = w;
    if (!w->next)
        p->waiters_end = &w->next;
    if (++p->waiting > p->stats.most_waiting)
        p->stats.most_waiting = p->waiting;
    if (p->waiting > p->stats.recent_most_waiting)
        p->stats.recent_most_waiting = p->waiting;
    if (pool_places(p) < p->o.max_size) /* else the maker can do nothing, and need not wake for each of them */
        pthread_cond_broadcast(&p->changed);
}

bool pool_dequeue(struct pool *p, struct waiter *w)
{
    for (struct waiter **at = &p->waiters; *at; at = &(*at)->next) {
        if (*at != w)
            continue;
        *at = w->next;
        if (p->waiters_end == &w->next)
            p->waiters_end = at;
        p->waiting--;
        return true;
    }
    return false;
}

void pool_fail_waiters(struct pool *p, const struct err *why)
{
    for (struct waiter *w; (w = p->waiters);) {
        pool_dequeue(p, w);
        w->failed = true;
        w->why = *why;
        wake(w);
    }
}

void pool_put(struct pool *p, struct member *m, int64_t now)
{
    struct waiter *w = p->waiters;
    m->since = now;
    if (!w) {
        pool_move(p, m, MEMBER_IDLE);
        if (p->stats.closing)
            pthread_cond_broadcast(&p->changed);
        return;
    }
    pool_dequeue(p, w);
    pool_move(p, m, MEMBER_BUSY);
    p->stats.checkouts++;
    w->given = m;
    wake(w);
}

/* ---- numbers ---- */

void pool_record(struct pool_histogram *h, uint64_t us)
{
    int bucket = us ? 63 - __builtin_clzll(us) : 0;
    h->buckets[bucket < POOL_BUCKETS ? bucket : POOL_BUCKETS - 1]++;
    h->count++;
    h->total_us += us;
    if (us > h->most_us)
        h->most_us = us;
}

uint64_t pool_percentile(const struct pool_histogram *h, int percent)
{
    uint64_t rank = (h->count * (uint64_t)percent + 99) / 100, seen = 0;
    if (h->count == 0)
        return 0;
    for (int i = 0; i < POOL_BUCKETS - 1; i++) {
        uint64_t end = ((uint64_t)2 << i) - 1;
        seen += h->buckets[i];
        if (seen >= rank)
            return end < h->most_us ? end : h->most_us;
    }
    return h->most_us;
}

void pool_stats(struct pool *p, struct pool_stats *out)
{
    pthread_mutex_lock(&p->lock);
    *out = p->stats;
    out->min_size = p->o.min_size;
    out->max_size = p->o.max_size;
    out->idle = p->n[MEMBER_IDLE];
    out->busy = p->n[MEMBER_BUSY];
    out->cleaning = p->n[MEMBER_RESETTING] + p->n[MEMBER_CLOSING];
    out->making = p->n[MEMBER_MAKING];
    out->size = out->idle + out->busy + out->cleaning;
    out->waiting = p->waiting;
    int64_t now = p->o.now_ms();
    for (const struct member *m = p->members; m; m = m->next) {
        if (m->state == MEMBER_BUSY && now - m->since > out->longest_lent_ms)
            out->longest_lent_ms = now - m->since;
    }
    pthread_mutex_unlock(&p->lock);
}

void pool_mark(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stats.recent_most_busy = p->n[MEMBER_BUSY];
    p->stats.recent_most_waiting = p->waiting;
    pthread_mutex_unlock(&p->lock);
}

const char *pool_closed_name(enum pool_closed why)
{
    static const char *const names[] = {
        [POOL_CLOSED_LIFETIME] = "too old",        [POOL_CLOSED_IDLE] = "idle too long",
        [POOL_CLOSED_LOST] = "found dead",         [POOL_CLOSED_BROKEN] = "came back broken",
        [POOL_CLOSED_DRAIN] = "drained",           [POOL_CLOSED_END] = "at the end"};
    return names[why];
}
