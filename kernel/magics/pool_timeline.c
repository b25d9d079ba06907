/* The timeline of a pool (see pool_timeline.h). */
#include "magics/pool_timeline.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/jx.h"
#include "base/xalloc.h"

/* What a page draws without trouble; and the width of the text. */
enum { BARS_MAX = 3000, COLUMNS = 60, LINES_MAX = 40 };

struct line {
    int connection;
    size_t loans;
    int64_t lent_at;  /* -1: not lent now */
    int64_t busy_us;
    float share[COLUMNS]; /* how much of each column it was lent */
};

struct drawing {
    const struct pool_event *events;
    size_t n;
    int64_t from, until;
    struct line lines[LINES_MAX];
    size_t n_lines;
    int waiting[COLUMNS]; /* the most of each column */
    json_t *bars, *queue;
};

static struct line *line_of(struct drawing *d, int connection)
{
    for (size_t i = 0; i < d->n_lines; i++) {
        if (d->lines[i].connection == connection)
            return &d->lines[i];
    }
    if (d->n_lines == LINES_MAX)
        return NULL;
    struct line *l = &d->lines[d->n_lines++];
    *l = (struct line){.connection = connection, .lent_at = -1};
    return l;
}

static double column_of(const struct drawing *d, int64_t us)
{
    /* Two threads may note their events in another order than they looked at the clock. */
    us = us < d->from ? d->from : us > d->until ? d->until : us;
    return (double)(us - d->from) * COLUMNS / (double)(d->until - d->from + 1);
}

static double milliseconds(const struct drawing *d, int64_t us) { return (double)(us - d->from) / 1000; }

static void add_loan(struct drawing *d, struct line *l, int64_t until)
{
    until = until < l->lent_at ? l->lent_at : until;
    double a = column_of(d, l->lent_at), b = column_of(d, until);
    for (int i = (int)a; i < COLUMNS && i < b; i++) {
        double from = a > i ? a : i, to = b < i + 1 ? b : i + 1;
        l->share[i] += (float)(to - from);
    }
    l->loans++;
    l->busy_us += until - l->lent_at;
    if (json_array_size(d->bars) < BARS_MAX)
        json_array_append_new(d->bars, json_pack("{s:i,s:f,s:f}", "connection", l->connection, "from", milliseconds(d, l->lent_at),
                                                 "until", milliseconds(d, until)));
    l->lent_at = -1;
}

static void read_events(struct drawing *d)
{
    int queue = -1, column = 0;
    for (size_t i = 0; i < d->n; i++) {
        const struct pool_event *ev = &d->events[i];
        struct line *l = ev->connection ? line_of(d, ev->connection) : NULL;
        if (l && ev->kind == POOL_LENT)
            l->lent_at = ev->us;
        else if (l && l->lent_at >= 0 && (ev->kind == POOL_RETURNED || ev->kind == POOL_CLOSED))
            add_loan(d, l, ev->us);
        int now = (int)column_of(d, ev->us);
        for (; column < now; column++) /* what was waits on */
            d->waiting[column + 1] = queue > 0 ? queue : 0;
        if (ev->waiting > d->waiting[column])
            d->waiting[column] = ev->waiting;
        if (ev->waiting != queue && json_array_size(d->queue) < BARS_MAX)
            json_array_append_new(d->queue, json_pack("{s:f,s:i}", "at", milliseconds(d, ev->us), "waiting", ev->waiting));
        queue = ev->waiting;
    }
    for (size_t i = 0; i < d->n_lines; i++) {
        if (d->lines[i].lent_at >= 0)
            add_loan(d, &d->lines[i], d->until);
    }
}

/* "connection 1 |█▓░  | 12 loans, 80 % of the time" */
static void write_text(const struct drawing *d, const char *pool, bool not_all, struct buf *out)
{
    static const char *const shades[] = {" ", "░", "▒", "▓", "█"};
    static const char *const levels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    int most = 0;
    buf_printf(out, "Pool %s, %.1f ms%s\n", pool, milliseconds(d, d->until), not_all ? " (the beginning)" : "");
    for (size_t i = 0; i < d->n_lines; i++) {
        const struct line *l = &d->lines[i];
        buf_printf(out, "connection %-3d ", l->connection);
        for (int c = 0; c < COLUMNS; c++) {
            int shade = l->share[c] <= 0 ? 0 : 1 + (int)(l->share[c] * 3.99F);
            buf_puts(out, shades[shade > 4 ? 4 : shade]);
        }
        buf_printf(out, " %zu loan%s, lent %.0f %%\n", l->loans, l->loans == 1 ? "" : "s",
                   100.0 * (double)l->busy_us / (double)(d->until - d->from + 1));
    }
    for (int c = 0; c < COLUMNS; c++)
        most = d->waiting[c] > most ? d->waiting[c] : most;
    buf_puts(out, "waiting        ");
    for (int c = 0; c < COLUMNS; c++)
        buf_puts(out, levels[most ? (d->waiting[c] * 8 + most - 1) / most : 0]);
    buf_printf(out, " %d at most\n", most);
}

static json_t *axis(const char *field, const char *type, const char *title)
{
    return json_pack("{s:s,s:s,s:s}", "field", field, "type", type, "title", title);
}

static json_t *chart(const char *mark, json_t *values, json_t *encoding, int height)
{
    json_t *type = strcmp(mark, "line") == 0 ? json_pack("{s:s,s:s,s:b}", "type", mark, "interpolate", "step-after", "tooltip", 1)
                                              : json_pack("{s:s,s:b}", "type", mark, "tooltip", 1);
    return json_pack("{s:o,s:{s:O},s:o,s:i,s:i}", "mark", type, "data", "values", values, "encoding", encoding, "width", 480, "height",
                     height);
}

static json_t *specification(const struct drawing *d, const char *pool)
{
    json_t *time = json_pack("{s:[f,f]}", "domain", 0.0, milliseconds(d, d->until));
    json_t *from = axis("from", "quantitative", "ms"), *at = axis("at", "quantitative", "ms");
    json_object_set(from, "scale", time);
    json_object_set_new(at, "scale", time);
    json_t *loans = json_pack("{s:o,s:{s:s},s:o}", "x", from, "x2", "field", "until", "y", axis("connection", "ordinal", "connection"));
    json_t *queue = json_pack("{s:o,s:o}", "x", at, "y", axis("waiting", "quantitative", "clients waiting"));
    int height = 20 * (int)d->n_lines;
    return json_pack("{s:s,s:o,s:[o,o]}", "$schema", "https://vega.github.io/schema/vega-lite/v5.json", "title", jx_str(pool), "vconcat",
                     chart("bar", d->bars, loans, height < 60 ? 60 : height), chart("line", d->queue, queue, 100));
}

void pool_timeline(struct magic_ctx *ctx, const char *pool, const struct pool_event *events, size_t n, size_t all)
{
    struct drawing *d = xcalloc(1, sizeof *d);
    struct buf text;
    if (n == 0) {
        free(d);
        return;
    }
    *d = (struct drawing){.events = events, .n = n, .from = events[0].us, .until = events[n - 1].us, .bars = json_array(),
                          .queue = json_array()};
    for (size_t i = 0; i < n; i++) {
        d->from = events[i].us < d->from ? events[i].us : d->from;
        d->until = events[i].us > d->until ? events[i].us : d->until;
    }
    read_events(d);
    buf_init(&text, 1 << 20);
    write_text(d, pool, all > n, &text);
    const char *heading = arena_printf(ctx->arena, "Pool %s: loans of each connection, and the queue", pool);
    json_t *data = json_pack("{s:o,s:o}", "application/vnd.vegalite.v5+json", specification(d, heading), "text/plain",
                             jx_str(buf_str(&text)));
    ctx->out->show(ctx->out->self, SINK_DISPLAY, data, NULL, NULL);
    json_decref(data);
    json_decref(d->bars);
    json_decref(d->queue);
    buf_release(&text);
    free(d);
}
