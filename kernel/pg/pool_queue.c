/* The pool's members and its queue (see pool_parts.h): plain bookkeeping, everything under the lock, no call that blocks.
 * The rule that it keeps: all members together, those being made and closed too, are never more than max_size. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
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
    m->since = pool_now_ms(p);
    m->checked = p->check_round; /* no need to ask one that is new */
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

static void lend(struct pool *p, struct member *m, int64_t us, int64_t idled_ms)
{
    pool_move(p, m, MEMBER_BUSY);
    m->since = us / 1000;
    m->lent_us = us;
    m->idled_ms = idled_ms;
    p->stats.checkouts++;
    pool_note(p, POOL_LENT, m, us);
}

/* A thread that comes back at once gets what it gave back: the scheduler has put it beside that backend, and threads that swap
 * connections lose a tenth of their calls to wake-ups across processors. After that time the order of use matters more. */
enum { HOME_MS = 1 };
static _Thread_local int home; /* number of the member that this thread gave back last, in whatever pool */

void pool_make_home(const struct member *m) { home = m->number; }

static struct member *home_of(const struct pool *p, int64_t now)
{
    struct member *m = p->paused ? NULL : p->idle;
    while (m && m->number != home && now - m->since <= HOME_MS)
        m = m->idle_next;
    return m && m->number == home && now - m->since <= HOME_MS && now < m->dies_at ? m : NULL;
}

/* Else the one used last: its caches are warm, and the others may grow old and go. */
struct member *pool_take_idle(struct pool *p)
{
    int64_t us = p->o.now_us(), now = us / 1000;
    struct member *mine = home_of(p, now);
    if (mine) {
        lend(p, mine, us, now - mine->since);
        return mine;
    }
    for (struct member *m = p->paused ? NULL : p->idle; m; m = m->idle_next) {
        if (now >= m->dies_at) {
            pthread_cond_broadcast(&p->changed); /* the maker closes it */
            continue;
        }
        lend(p, m, us, now - m->since);
        return m;
    }
    return NULL;
}

/* Closing ones are on their way out already. */
bool pool_over_max(const struct pool *p) { return pool_places(p) - p->n[MEMBER_CLOSING] > p->o.max_size; }

struct member *pool_take_over(struct pool *p)
{
    int64_t now = pool_now_ms(p);
    bool above_min = pool_places(p) - p->n[MEMBER_CLOSING] > p->o.min_size;
    for (struct member *m = p->idle_end; m; m = m->idle_prev) {
        if (p->stats.closing) {
            m->why = POOL_CLOSED_END;
        } else if (pool_over_max(p)) {
            m->why = POOL_CLOSED_SURPLUS;
        } else if (now < m->dies_at) {
            if (now - m->since < p->o.max_idle_ms || !above_min || p->n[MEMBER_IDLE] <= p->o.min_idle)
                continue;
            m->why = POOL_CLOSED_IDLE;
        }
        pool_move(p, m, MEMBER_CLOSING);
        return m;
    }
    return NULL;
}

/* ---- the queue ---- */

static void ring(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

static void ring_rest(struct pool *p)
{
    if (p->to_ring >= 0)
        ring(p->to_ring);
    p->to_ring = -1;
}

static void wake(struct pool *p, struct waiter *w)
{
    w->rung = true;
    ring_rest(p);
    if (w->bell.ring == w->bell.hear) /* a ticket's owner may close its event as soon as the lock is free */
        ring(w->bell.ring);
    else
        p->to_ring = w->bell.ring;
}

void pool_lock(struct pool *p) { pthread_mutex_lock(&p->lock); }

/* Who is woken wants the lock first of all, so that it is free before. */
void pool_unlock(struct pool *p)
{
    int fd = p->to_ring;
    p->to_ring = -1;
    pthread_mutex_unlock(&p->lock);
    if (fd >= 0)
        ring(fd);
}

void pool_await_change(struct pool *p, int64_t until_ms)
{
    ring_rest(p);
    if (until_ms < 0)
        pthread_cond_wait(&p->changed, &p->lock);
    else
        clock_cond_until(&p->changed, &p->lock, until_ms);
}

void pool_enqueue(struct pool *p, struct waiter *w, bool first)
{
    struct waiter **at = first ? &p->waiters : p->waiters_end;
    w->given = NULL;
    w->since = p->o.now_us();
    w->next = *at;
    *at = w;
    if (!w->next)
        p->waiters_end = &w->next;
    if (++p->waiting > p->stats.most_waiting)
        p->stats.most_waiting = p->waiting;
    if (p->waiting > p->stats.recent_most_waiting)
        p->stats.recent_most_waiting = p->waiting;
    pool_note(p, POOL_QUEUED, NULL, w->since);
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
        wake(p, w);
    }
}

void pool_name_borrower(struct member *m, const char *who)
{
    m->leaked = false;
    m->who[0] = '\0';
    if (who)
        err_copy(m->who, sizeof m->who, who, strlen(who));
}

static void give(struct pool *p, struct member *m)
{
    struct waiter *w = p->waiters;
    pool_dequeue(p, w);
    pool_name_borrower(m, w->who);
    w->given = m;
    wake(p, w);
}

void pool_put(struct pool *p, struct member *m, int64_t us)
{
    m->since = us / 1000;
    if (p->waiters && !p->paused) {
        lend(p, m, us, 0);
        give(p, m);
        return;
    }
    pool_move(p, m, MEMBER_IDLE);
    if (p->stats.closing || p->paused)
        pthread_cond_broadcast(&p->changed);
}

void pool_serve(struct pool *p)
{
    struct member *m;
    while (p->waiters && (m = pool_take_idle(p)))
        give(p, m);
}

void pool_find_leaks(struct pool *p)
{
    if (!p->o.leak_after_ms)
        return;
    int64_t now = pool_now_ms(p);
    for (struct member *m = p->members; m; m = m->next) {
        if (m->state == MEMBER_BUSY && !m->leaked && now - m->since >= p->o.leak_after_ms) {
            m->leaked = true;
            p->stats.leaks++;
        }
    }
}

void pool_note(struct pool *p, enum pool_event_kind kind, const struct member *m, int64_t us)
{
    if (!p->trace_cap)
        return;
    if (p->trace_n < p->trace_cap)
        p->trace[p->trace_n] = (struct pool_event){us, kind, m ? m->number : 0, p->n[MEMBER_BUSY], p->waiting};
    p->trace_n++;
}
