/* %lab: the workshop's checks, hints and catching up. What they are is data beside the notebooks (check.h, catchup.h). */
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/catchup.h"
#include "magics/check.h"
#include "magics/session.h"
#include "magics/statement.h"

static bool run_check(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    json_t *file = check_load(args_get(args, "name"), e);
    bool ok = file && check_run(ctx, file, e);
    json_decref(file);
    return ok;
}

/* How many hints of this check were shown in this session; one more from now on. */
static size_t next_hint(struct session *s, const char *id, size_t n)
{
    size_t i = 0;
    while (i < s->n_hints && strcmp(s->hints[i].id, id) != 0)
        i++;
    if (i == s->n_hints) {
        if (i == HINTS_SEEN_MAX)
            return 0;
        s->hints[s->n_hints++].id = xstrdup(id);
    }
    return s->hints[i].count++ % n;
}

static bool run_hint(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name");
    json_t *file = check_load(name, e);
    if (!file)
        return false;
    const json_t *hints = json_object_get(file, "hints");
    size_t n = json_array_size(hints);
    if (n == 0) {
        sink_printf(ctx->out, "There is no hint for %s.\n", name);
    } else {
        bool all = args_flag(args, "all");
        size_t first = all ? 0 : next_hint(ctx->session, name, n), last = all ? n : first + 1;
        for (size_t i = first; i < last; i++)
            sink_printf(ctx->out, "Hint %zu of %zu: %s\n", i + 1, n, json_string_value(json_array_get(hints, i)));
    }
    json_decref(file);
    return true;
}

static void show_name(void *self, const char *id)
{
    struct table *t = self;
    struct err bad = {0};
    json_t *file = check_load(id, &bad);
    table_add_texts(t, (const char *const[]){id, file ? jx_get_str(file, "title", "") : bad.text});
    json_decref(file);
}

static bool run_list(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct table t;
    (void)args;
    (void)e;
    table_init(&t);
    t.row_cap = 1000;
    table_add_column(&t, "check", NULL, TABLE_LEFT);
    table_add_column(&t, "title", NULL, TABLE_LEFT);
    check_names(show_name, &t);
    if (t.seen > 0) {
        statement_show(ctx, &t);
    } else {
        struct buf place;
        buf_init(&place, 1 << 16);
        check_place(&place);
        sink_printf(ctx->out, "There are no checks %s. Open the workshop's notebooks, or name their folder in "
                              "LAKEBASE_NOTEBOOKS.\n", buf_str(&place));
        buf_release(&place);
    }
    table_release(&t);
    return true;
}

static bool run_catchup(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    return catchup_run(ctx, (int)args_int(args, "lab", 0), args_flag(args, "yes"), e);
}

#define NAME_ROW \
    {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .complete = "check", \
     .help = "the check, as the exercise names it"}

static const struct arg_row check_rows[] = {NAME_ROW, {.name = NULL}};
static const struct arg_row hint_rows[] = {
    {.name = "all", .letter = 'a', .type = ARG_FLAG, .help = "all of them"}, NAME_ROW, {.name = NULL}};
static const struct arg_row catchup_rows[] = {
    {.name = "yes", .letter = 'y', .type = ARG_FLAG, .help = "do not ask"},
    {.name = "lab", .positional = true, .type = ARG_INT, .flags = ARG_REQUIRED, .min = 1, .max = 99, .placeholder = "N",
     .help = "the number of the lab"},
    {.name = NULL}};
static const struct arg_row no_rows[] = {{.name = NULL}};

static const struct magic_sub subs[] = {
    {"check", check_rows, "look whether the exercise is solved", run_check},
    {"hint", hint_rows, "show a hint; the same cell again shows the next one", run_hint},
    {"catch-up", catchup_rows, "do what a lab leaves for the later ones, if it is not done", run_catchup},
    {"list", no_rows, "list the checks", run_list},
    {.name = NULL}};

const struct magic magic_lab = {
    .name = "lab",
    .kinds = MAGIC_LINE,
    .group = "workshop",
    .summary = "check an exercise, get a hint, or catch up",
    .help = "A check looks at the real state of the database or the workspace, never at the text of your cells. What it tries "
            "is undone. catch-up runs those cells of the lab's notebook that carry the tag catch-up; when something of the lab "
            "is there already, it asks before.",
    .examples = "%lab check 2-tables\n%lab hint 2-tables\n%lab catch-up 2\n%lab list",
    .subs = subs,
};
