/*
 * Plans (see plan.h). The names of the members are those of EXPLAIN's JSON (PostgreSQL documentation, "EXPLAIN", and
 * commands/explain.c); times there are averages over the loops of a step, and of the workers of a parallel one.
 */
#include "magics/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/jx.h"
#include "base/xalloc.h"

enum { BAR = 10, CONDITION_MAX = 300, ESTIMATE_OFF = 10, ROWS_OFF_LEAST = 100, COLUMNS_MAX = 8 };

struct walk {
    const struct plan_options *o;
    struct table *out;
    double whole; /* ms, or cost, of the root */
    size_t steps;
    bool writes;
    struct err *e;
};

static double number(const json_t *node, const char *key)
{
    const json_t *v = json_object_get(node, key);
    return json_is_number(v) ? json_number_value(v) : 0;
}

static double larger(double a, double b) { return a > b ? a : b; }

static const char *word(const json_t *node, const char *key) { return jx_get_str(node, key, ""); }

/* ---- a step in words ---- */

static void put_label(struct buf *b, const json_t *node)
{
    const char *type = word(node, "Node Type"), *join = word(node, "Join Type"), *strategy = word(node, "Strategy");
    const char *on = word(node, "Relation Name"), *alias = word(node, "Alias"), *index = word(node, "Index Name");
    if (strcmp(type, "ModifyTable") == 0)
        type = word(node, "Operation");
    if (strcmp(type, "Aggregate") == 0 && *strategy && strcmp(strategy, "Plain") != 0)
        buf_printf(b, "%sAggregate", strcmp(strategy, "Sorted") == 0 ? "Group" : strcmp(strategy, "Hashed") == 0 ? "Hash" : "Mixed");
    else if (*join && strcmp(join, "Inner") != 0 && strcmp(type, "Nested Loop") == 0)
        buf_printf(b, "%s %s Join", type, join);
    else if (*join && strcmp(join, "Inner") != 0)
        buf_printf(b, "%.*s %s Join", (int)strcspn(type, " "), type, join);
    else
        buf_puts(b, type);
    if (*index)
        buf_printf(b, " using %s", index);
    if (!*on)
        on = word(node, "CTE Name");
    if (!*on)
        on = word(node, "Function Name");
    if (*on)
        buf_printf(b, " on %s", on);
    if (*alias && strcmp(alias, on) != 0)
        buf_printf(b, "%s %s", *on ? "" : " on", alias);
    if (*word(node, "Subplan Name"))
        buf_printf(b, " (%s)", word(node, "Subplan Name"));
}

static void put_conditions(struct buf *b, const json_t *node)
{
    static const char *const keys[] = {"Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter", "Filter", "TID Cond",
                                       "Sort Key", "Presorted Key", "Group Key", "Conflict Resolution", "One-Time Filter"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const json_t *v = json_object_get(node, keys[i]);
        if (!v)
            continue;
        buf_printf(b, "%s%s: ", b->len ? "; " : "", keys[i]);
        for (size_t k = 0; k < json_array_size(v); k++) {
            const char *part = json_string_value(json_array_get(v, k));
            buf_printf(b, "%s%s", k ? ", " : "", part ? part : "");
        }
        if (json_is_string(v))
            buf_puts(b, json_string_value(v));
    }
    if (b->len > CONDITION_MAX) {
        size_t cut = CONDITION_MAX;
        while (cut > 0 && ((unsigned char)b->data[cut] & 0xC0) == 0x80)
            cut--;
        b->data[b->len = cut] = '\0';
        buf_puts(b, "…");
    }
}

static double loops_of(const json_t *node)
{
    double loops = number(node, "Actual Loops");
    return loops > 0 ? loops : 0;
}

/* All rows of all loops. */
static double rows_of(const json_t *node) { return number(node, "Actual Rows") * loops_of(node); }

static void put_note(struct buf *b, const char *text)
{
    buf_printf(b, "%s%s", b->len ? "; " : "", text);
}

/* limited: a LIMIT above stopped the step early, so that few rows are no surprise. */
static void put_notes(struct walk *w, struct buf *b, const json_t *node, bool limited)
{
    char text[120];
    if (!w->o->analyze)
        return;
    if (loops_of(node) == 0) {
        put_note(b, "never run");
        return;
    }
    double planned = larger(number(node, "Plan Rows"), 1), real = number(node, "Actual Rows");
    double off = real > planned ? real / planned : planned / larger(real, 1);
    if (w->o->costs && off >= ESTIMATE_OFF && larger(real, planned) >= ROWS_OFF_LEAST && (real > planned || !limited)) {
        snprintf(text, sizeof text, "%.0f times %s rows than estimated", off, real > planned ? "more" : "fewer");
        put_note(b, text);
    }
    double removed = number(node, "Rows Removed by Filter") * loops_of(node);
    if (removed >= ROWS_OFF_LEAST && removed >= 9 * rows_of(node)) {
        snprintf(text, sizeof text, "read %.0f rows to keep %.0f", removed + rows_of(node), rows_of(node));
        put_note(b, text);
    }
    if (strcmp(word(node, "Sort Space Type"), "Disk") == 0) {
        snprintf(text, sizeof text, "sorted on disk, %.0f kB", number(node, "Sort Space Used"));
        put_note(b, text);
    }
    if (number(node, "Hash Batches") > 1) {
        snprintf(text, sizeof text, "hash table in %.0f batches", number(node, "Hash Batches"));
        put_note(b, text);
    }
    if (number(node, "Heap Fetches") > 0) {
        snprintf(text, sizeof text, "%.0f heap fetches", number(node, "Heap Fetches"));
        put_note(b, text);
    }
    if (json_object_get(node, "Workers Planned")) {
        snprintf(text, sizeof text, "%.0f of %.0f workers", number(node, "Workers Launched"), number(node, "Workers Planned"));
        put_note(b, text);
    }
}

/* What the steps above mean for one. */
struct above {
    double workers; /* processes that share the loops */
    size_t depth;
    bool limited;
};

static bool is_limit(const json_t *node) { return strcmp(word(node, "Node Type"), "Limit") == 0; }

/* It needs all its rows before it gives the first one. */
static bool reads_all(const json_t *node)
{
    const char *type = word(node, "Node Type");
    return strcmp(type, "Sort") == 0 || strcmp(type, "Aggregate") == 0 || strcmp(type, "Hash") == 0;
}

static double workers_of(const json_t *node, const struct above *up)
{
    return json_object_get(node, "Workers Launched") ? number(node, "Workers Launched") + 1 : up->workers;
}

/* ---- shares ---- */

/* What the step took with all below it: ms of all its loops, or cost. workers: that share its loops. */
static double took(const struct walk *w, const json_t *node, double workers)
{
    if (!w->o->analyze)
        return number(node, "Total Cost");
    double loops = loops_of(node);
    return number(node, "Actual Total Time") * (loops >= workers ? loops / workers : 1);
}

static double below(const struct walk *w, const json_t *node, double workers)
{
    double sum = 0;
    const json_t *children = json_object_get(node, "Plans");
    for (size_t i = 0; i < json_array_size(children); i++)
        sum += took(w, json_array_get(children, i), workers);
    return sum;
}

static void put_share(struct buf *b, double share)
{
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    for (int i = 0; i < (int)(share * BAR + 0.5); i++)
        buf_puts(b, "█");
    buf_printf(b, "%s%.0f %%", share * BAR >= 0.5 ? " " : "", share * 100);
}

/* ---- the tree ---- */

static void add_columns(const struct walk *w)
{
    struct table *t = w->out;
    table_add_column(t, "step", NULL, TABLE_LEFT);
    t->columns[0].whole = true;
    table_add_column(t, "condition", NULL, TABLE_LEFT);
    if (w->o->costs)
        table_add_column(t, w->o->analyze ? "estimated" : "rows", NULL, TABLE_RIGHT);
    if (w->o->analyze)
        table_add_column(t, "rows", NULL, TABLE_RIGHT);
    if (w->o->costs) {
        table_add_column(t, w->o->analyze ? "ms" : "cost", NULL, TABLE_RIGHT);
        table_add_column(t, "share", NULL, TABLE_LEFT);
        t->columns[t->n_columns - 1].whole = true;
    }
    if (w->o->analyze)
        table_add_column(t, "note", NULL, TABLE_LEFT);
}

static void add_step(struct walk *w, const json_t *node, const char *tree, const struct above *up)
{
    struct buf b[COLUMNS_MAX];
    const char *texts[COLUMNS_MAX];
    size_t n = w->out->n_columns, k = 0;
    double self = took(w, node, up->workers) - below(w, node, workers_of(node, up));
    for (size_t i = 0; i < n; i++)
        buf_init(&b[i], TABLE_CELL_CAP);
    buf_puts(&b[k], tree);
    put_label(&b[k++], node);
    put_conditions(&b[k++], node);
    if (w->o->costs)
        buf_printf(&b[k++], "%.0f", number(node, "Plan Rows") * (w->o->analyze ? larger(loops_of(node), 1) : 1));
    if (w->o->analyze)
        buf_printf(&b[k++], "%.0f", rows_of(node));
    if (w->o->costs) {
        buf_printf(&b[k++], w->o->analyze ? "%.3f" : "%.2f", took(w, node, up->workers));
        put_share(&b[k++], w->whole > 0 ? self / w->whole : 0);
    }
    if (w->o->analyze)
        put_notes(w, &b[k++], node, up->limited);
    for (size_t i = 0; i < n; i++)
        texts[i] = buf_str(&b[i]);
    table_add_texts(w->out, texts);
    for (size_t i = 0; i < n; i++)
        buf_release(&b[i]);
}

/* tree: what stands before the step; under: before those below it. */
static bool descend(struct walk *w, const json_t *node, const char *tree, const char *under, const struct above *up)
{
    const json_t *children = json_object_get(node, "Plans");
    size_t n = json_array_size(children);
    if (up->depth > PLAN_DEPTH_MAX || ++w->steps > PLAN_STEPS_MAX)
        return err_set(w->e, ERR_TOO_BIG, "the plan has more than %d steps, or is deeper than %d", PLAN_STEPS_MAX, PLAN_DEPTH_MAX);
    w->writes = w->writes || strcmp(word(node, "Node Type"), "ModifyTable") == 0;
    struct above here_up = {.workers = workers_of(node, up), .depth = up->depth + 1, .limited = is_limit(node) || (up->limited && !reads_all(node))};
    add_step(w, node, tree, up);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        struct buf here, next;
        buf_init(&here, 10 * PLAN_DEPTH_MAX);
        buf_init(&next, 10 * PLAN_DEPTH_MAX);
        buf_printf(&here, "%s%s", under, i + 1 < n ? "├─ " : "└─ ");
        buf_printf(&next, "%s%s", under, i + 1 < n ? "│  " : "   ");
        ok = descend(w, json_array_get(children, i), buf_str(&here), buf_str(&next), &here_up);
        buf_release(&here);
        buf_release(&next);
    }
    return ok;
}

static void set_footer(const struct walk *w, const json_t *top)
{
    struct buf b;
    buf_init(&b, 10000);
    if (w->o->analyze && w->o->costs)
        buf_printf(&b, "planning %.3f ms, execution %.3f ms", number(top, "Planning Time"), number(top, "Execution Time"));
    const json_t *triggers = json_object_get(top, "Triggers");
    for (size_t i = 0; w->o->analyze && w->o->costs && i < json_array_size(triggers); i++) {
        const json_t *t = json_array_get(triggers, i);
        buf_printf(&b, "\ntrigger %s on %s: %.3f ms, %.0f calls", jx_get_str(t, "Trigger Name", jx_get_str(t, "Constraint Name", "")),
                   word(t, "Relation"), number(t, "Time"), number(t, "Calls"));
    }
    table_set_footer(w->out, buf_str(&b));
    buf_release(&b);
}

bool plan_table(const char *text, size_t len, const struct plan_options *o, struct table *out, bool *writes, struct err *e)
{
    json_t *all = jx_parse(text, len, PLAN_BYTES_MAX, e);
    const json_t *top = json_array_get(all, 0), *root = json_object_get(top, "Plan");
    struct walk w = {.o = o, .out = out, .e = e};
    bool ok = root != NULL;
    out->row_cap = PLAN_STEPS_MAX;
    if (ok) {
        w.whole = took(&w, root, 1);
        add_columns(&w);
        ok = descend(&w, root, "", "", &(struct above){.workers = 1, .depth = 1});
        set_footer(&w, top);
    } else if (all) {
        /* EXPLAIN of a utility statement says only that. */
        err_set(e, ERR_INVALID_STATE, "this statement has no plan");
        err_hint(e, "SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, EXECUTE, DECLARE and CREATE TABLE AS have one");
    }
    *writes = w.writes;
    json_decref(all);
    return ok;
}
