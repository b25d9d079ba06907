/* What is known of a pool (see pool.h): counts, loans, the trace, and the same as Prometheus text. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "pg/pool_parts.h"

/* 0 to 3 as they are; above, the highest bit and the two below it. */
static int bucket_of(uint64_t us)
{
    if (us < 4)
        return (int)us;
    int high = 63 - __builtin_clzll(us);
    return (high - 1) * 4 + (int)(us >> (high - 2) & 3);
}

uint64_t pool_bucket_end(int bucket)
{
    if (bucket < 4)
        return (uint64_t)bucket;
    return ((uint64_t)(5 + bucket % 4) << (bucket / 4 - 1)) - 1;
}

void pool_record(struct pool_histogram *h, uint64_t us)
{
    int bucket = bucket_of(us);
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
        uint64_t end = pool_bucket_end(i);
        seen += h->buckets[i];
        if (seen >= rank)
            return end < h->most_us ? end : h->most_us;
    }
    return h->most_us;
}

void pool_stats(struct pool *p, struct pool_stats *out)
{
    if (!pool_is_ours(p, NULL)) {
        *out = (struct pool_stats){.closing = true};
        return;
    }
    pool_lock(p);
    *out = p->stats;
    out->min_size = p->o.min_size;
    out->max_size = p->o.max_size;
    out->idle = p->n[MEMBER_IDLE];
    out->busy = p->n[MEMBER_BUSY];
    out->cleaning = p->n[MEMBER_RESETTING] + p->n[MEMBER_CLOSING];
    out->making = p->n[MEMBER_MAKING];
    out->size = out->idle + out->busy + out->cleaning;
    out->waiting = p->waiting;
    out->paused = p->paused;
    int64_t us = p->o.now_us(), now = us / 1000;
    out->longest_wait_ms = p->waiters ? (us - p->waiters->since) / 1000 : 0;
    for (const struct member *m = p->members; m; m = m->next) {
        if (m->state != MEMBER_BUSY)
            continue;
        out->leaked += m->leaked;
        out->sitting_in_tx += pool_sits_in_tx(p, m);
        if (now - m->since > out->longest_lent_ms)
            out->longest_lent_ms = now - m->since;
    }
    pool_unlock(p);
}

void pool_mark(struct pool *p)
{
    if (!pool_is_ours(p, NULL))
        return;
    pool_lock(p);
    p->stats.recent_most_busy = p->n[MEMBER_BUSY];
    p->stats.recent_most_waiting = p->waiting;
    pool_unlock(p);
}

const char *pool_closed_name(enum pool_closed why)
{
    static const char *const names[] = {
        [POOL_CLOSED_LIFETIME] = "too old",        [POOL_CLOSED_IDLE] = "idle too long",
        [POOL_CLOSED_LOST] = "found dead",         [POOL_CLOSED_BROKEN] = "came back broken",
        [POOL_CLOSED_DRAIN] = "drained",           [POOL_CLOSED_SURPLUS] = "more than max",
        [POOL_CLOSED_END] = "at the end"};
    return names[why];
}

/* ---- loans ---- */

static int by_age(const void *a, const void *b)
{
    const struct pool_loan *x = a, *y = b;
    return (x->us < y->us) - (x->us > y->us);
}

size_t pool_loans(struct pool *p, struct pool_loan *out, size_t max)
{
    size_t n = 0, kept;
    if (!pool_is_ours(p, NULL))
        return 0;
    pool_lock(p);
    struct pool_loan *all = xcalloc((size_t)p->n[MEMBER_BUSY] + 1, sizeof *all);
    int64_t now = p->o.now_us();
    for (const struct member *m = p->members; m; m = m->next) {
        if (m->state != MEMBER_BUSY)
            continue;
        all[n] = (struct pool_loan){.us = now - m->lent_us, .connection = m->number, .leaked = m->leaked,
                                       .idle_in_tx = pool_sits_in_tx(p, m)};
        memcpy(all[n++].who, m->who, sizeof m->who);
    }
    pool_unlock(p);
    qsort(all, n, sizeof *all, by_age);
    kept = n < max ? n : max;
    memcpy(out, all, kept * sizeof *out);
    free(all);
    return kept;
}

/* ---- the trace ---- */

void pool_trace(struct pool *p, size_t n)
{
    if (!pool_is_ours(p, NULL))
        return;
    n = n < POOL_TRACE_MAX ? n : POOL_TRACE_MAX;
    struct pool_event *fresh = n ? xcalloc(n, sizeof *fresh) : NULL;
    pool_lock(p);
    struct pool_event *old = p->trace;
    p->trace = fresh;
    p->trace_cap = n;
    p->trace_n = 0;
    pool_unlock(p);
    free(old);
}

size_t pool_trace_read(struct pool *p, struct pool_event *out, size_t max)
{
    if (!pool_is_ours(p, NULL))
        return 0;
    pool_lock(p);
    size_t there = p->trace_n < p->trace_cap ? p->trace_n : p->trace_cap, n = p->trace_n;
    if (there > 0)
        memcpy(out, p->trace, (there < max ? there : max) * sizeof *out);
    pool_unlock(p);
    return n;
}

/* ---- Prometheus ---- */

static void put_name(const char *name, struct buf *out)
{
    for (; *name; name++) {
        if (*name == '\n')
            buf_puts(out, "\\n");
        else
            buf_printf(out, "%s%c", *name == '"' || *name == '\\' ? "\\" : "", *name);
    }
}

struct metric {
    const char *name, *help;
    bool counter;
    long long value;
};

static void put_metric(const struct pool *p, const struct metric *m, struct buf *out)
{
    const char *total = m->counter ? "_total" : "";
    buf_printf(out, "# HELP lakebase_pool_%s%s %s\n# TYPE lakebase_pool_%s%s %s\nlakebase_pool_%s%s{pool=\"", m->name, total, m->help,
               m->name, total, m->counter ? "counter" : "gauge", m->name, total);
    put_name(p->name, out);
    buf_printf(out, "\"} %lld\n", m->value);
}

static void put_histogram(const struct pool *p, const char *name, const char *help, const struct pool_histogram *h, struct buf *out)
{
    uint64_t sum = 0;
    buf_printf(out, "# HELP lakebase_pool_%s_seconds %s\n# TYPE lakebase_pool_%s_seconds histogram\n", name, help, name);
    for (int i = 0; i < POOL_BUCKETS; i++) {
        sum += h->buckets[i];
        if (i % 4 != 3) /* powers of two are enough for a scraper */
            continue;
        buf_printf(out, "lakebase_pool_%s_seconds_bucket{pool=\"", name);
        put_name(p->name, out);
        if (i < POOL_BUCKETS - 1)
            buf_printf(out, "\",le=\"%.6f\"} %llu\n", (double)(pool_bucket_end(i) + 1) / 1e6, (unsigned long long)sum);
        else
            buf_printf(out, "\",le=\"+Inf\"} %llu\n", (unsigned long long)sum);
    }
    buf_printf(out, "lakebase_pool_%s_seconds_sum{pool=\"", name);
    put_name(p->name, out);
    buf_printf(out, "\"} %.6f\nlakebase_pool_%s_seconds_count{pool=\"", (double)h->total_us / 1e6, name);
    put_name(p->name, out);
    buf_printf(out, "\"} %llu\n", (unsigned long long)h->count);
}

void pool_metrics(struct pool *p, struct buf *out)
{
    struct pool_stats s;
    pool_stats(p, &s);
    uint64_t closed = 0;
    for (size_t i = 0; i < POOL_CLOSED_REASONS; i++)
        closed += s.closed[i];
    const struct metric metrics[] = {
        {"min_size", "Connections that are kept.", false, s.min_size},
        {"max_size", "Connections at most.", false, s.max_size},
        {"size", "Connections that are open.", false, s.size},
        {"idle", "Connections ready to be lent.", false, s.idle},
        {"busy", "Connections that are lent.", false, s.busy},
        {"making", "Connections that are being opened.", false, s.making},
        {"waiting", "Checkouts in the queue.", false, s.waiting},
        {"leaked", "Connections that are lent for longer than leak_after.", false, s.leaked},
        {"sitting_in_transaction", "Connections that are lent and do nothing in an open transaction.", false, s.sitting_in_tx},
        {"shared_sessions", "1: behind a pooler in transaction mode.", false, s.route == POOL_ROUTE_SHARED},
        {"checkouts", "Connections lent.", true, (long long)s.checkouts},
        {"waited", "Checkouts that were served after a wait.", true, (long long)s.waited},
        {"timeouts", "Checkouts whose time was over.", true, (long long)s.timeouts},
        {"refused", "Checkouts that found the queue full.", true, (long long)s.refused},
        {"cancelled", "Checkouts that were given up.", true, (long long)s.cancelled},
        {"failed", "Checkouts that found no server, or a closed pool.", true, (long long)s.failed},
        {"connects", "Connections opened.", true, (long long)s.connects},
        {"connect_failures", "Attempts to connect that failed.", true, (long long)s.connect_failures},
        {"closed", "Connections closed.", true, (long long)closed},
        {"rollbacks", "Transactions that a borrower left open.", true, (long long)s.rollbacks},
        {"resets", "Sessions that were reset when they came back.", true, (long long)s.resets},
        {"pings", "Connections that were asked before they were lent.", true, (long long)s.pings},
        {"pings_failed", "Those that did not answer.", true, (long long)s.pings_failed},
        {"leaks", "Connections that were not given back in time.", true, (long long)s.leaks},
        {"idle_in_transaction", "Transactions that their borrowers left waiting for longer than idle_in_tx.", true, (long long)s.idle_in_tx},
    };
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        put_metric(p, &metrics[i], out);
    put_histogram(p, "wait", "Time in the queue.", &s.wait, out);
    put_histogram(p, "connect", "Time to open a connection.", &s.connect, out);
    put_histogram(p, "hold", "Time from checkout to return.", &s.hold, out);
    put_histogram(p, "reset", "Time to reset a session.", &s.reset, out);
}
