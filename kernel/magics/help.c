/* Help and reference from the descriptors (see help.h). Nothing about a single magic is written here. */
#include "magics/help.h"

#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "magics/interp.h"

/* The order of the headings; a group that is not here comes last. */
static const char *const groups[] = {"SQL", "connections", "instances", "catalog", "lakehouse", "pools", "workshop", "kernel"};

void help_sign(const struct magic *m, struct buf *out)
{
    buf_printf(out, "%s%s", m->kinds & MAGIC_LINE ? "%" : m->kinds & MAGIC_CELL ? "%%" : "\\", m->name);
}

const struct magic_sub *help_sub(const struct magic *m, const char *name, size_t len)
{
    for (const struct magic_sub *s = m->subs; s && s->name; s++) {
        if (strlen(s->name) == len && memcmp(s->name, name, len) == 0)
            return s;
    }
    return NULL;
}

/* ---- arguments ---- */

static void row_label(const struct arg_row *row, struct buf *out)
{
    /* The label is the row's own usage, without the brackets of what is optional and the dots of what may come again. */
    struct arg_row one[] = {*row, {.name = NULL}};
    one[0].flags |= ARG_REQUIRED;
    if (!row->positional)
        one[0].flags &= ~(unsigned)ARG_REPEAT;
    if (row->letter)
        buf_printf(out, "-%c, ", row->letter);
    args_usage(one, out);
}

void help_row(const struct arg_row *row, struct buf *out)
{
    row_label(row, out);
    buf_printf(out, ": %s", row->help ? row->help : "");
    if (row->type == ARG_INT && (row->min || row->max))
        buf_printf(out, " (%lld to %lld)", row->min, row->max);
    if (row->type == ARG_DURATION)
        buf_puts(out, " (a duration: 500ms, 3s, 2m, 1h)");
}

static void put_rows(const struct arg_row *rows, enum help_form form, struct buf *out)
{
    for (const struct arg_row *r = rows; r && r->name; r++) {
        struct buf line;
        buf_init(&line, 4096);
        help_row(r, &line);
        const char *text = buf_str(&line), *colon = strstr(text, ": ");
        if (form == HELP_MARKDOWN && colon)
            buf_printf(out, "- `%.*s`%s\n", (int)(colon - text), text, colon);
        else
            buf_printf(out, "  %s\n", text);
        buf_release(&line);
    }
}

static void put_usage_line(const struct magic *m, const struct magic_sub *sub, struct buf *out)
{
    const struct arg_row *rows = sub ? sub->args : m->args;
    if (m->kinds & MAGIC_CELL && m->kinds & MAGIC_LINE)
        buf_printf(out, "%%%%%s or %%%s", m->name, m->name);
    else
        help_sign(m, out);
    if (sub && *sub->name)
        buf_printf(out, " %s", sub->name);
    if (rows && rows->name) {
        buf_putc(out, ' ');
        args_usage(rows, out);
    }
    buf_putc(out, '\n');
}

/* ---- one magic ---- */

static void put_sub(const struct magic *m, const struct magic_sub *sub, enum help_form form, struct buf *out)
{
    if (form == HELP_MARKDOWN)
        buf_puts(out, "`");
    put_usage_line(m, sub, out);
    if (form == HELP_MARKDOWN && !out->failed) {
        out->data[--out->len] = '\0'; /* the newline goes behind the closing mark */
        buf_printf(out, "`: %s\n", sub->summary);
        if (sub->args && sub->args->name)
            buf_putc(out, '\n');
    } else {
        buf_printf(out, "  %s\n", sub->summary);
    }
    put_rows(sub->args, form, out);
    buf_putc(out, '\n');
}

static void put_examples(const struct magic *m, enum help_form form, struct buf *out)
{
    if (!m->examples)
        return;
    if (form == HELP_MARKDOWN)
        buf_puts(out, "```\n");
    else
        buf_puts(out, "Examples:\n");
    for (const char *p = m->examples; *p;) {
        size_t n = strcspn(p, "\n");
        buf_printf(out, "%s%.*s\n", form == HELP_MARKDOWN ? "" : "  ", (int)n, p);
        p += n + (p[n] == '\n');
    }
    if (form == HELP_MARKDOWN)
        buf_puts(out, "```\n");
}

static void put_title(const struct magic *m, enum help_form form, int level, struct buf *out)
{
    bool markdown = form == HELP_MARKDOWN;
    if (markdown) {
        buf_fill(out, '#', (size_t)level);
        buf_puts(out, " `");
    }
    help_sign(m, out);
    buf_printf(out, markdown ? "`\n\n%c%s.\n\n" : " – %c%s.\n\n",
               m->summary[0] >= 'a' && m->summary[0] <= 'z' ? m->summary[0] - 32 : m->summary[0], m->summary + 1);
}

static void put_aliases(const struct magic *m, struct buf *out)
{
    if (!m->aliases || !*m->aliases)
        return;
    const char *sign = m->kinds & MAGIC_LINE ? "%" : m->kinds & MAGIC_CELL ? "%%" : "\\";
    buf_puts(out, "Also: ");
    for (const char *const *a = m->aliases; *a; a++)
        buf_printf(out, "%s%s%s", a == m->aliases ? "" : ", ", sign, *a);
    buf_puts(out, ".\n\n");
}

void help_magic(const struct magic *m, const struct magic_sub *sub, enum help_form form, int level, struct buf *out)
{
    put_title(m, form, level, out);
    if (!m->subs) {
        buf_puts(out, form == HELP_MARKDOWN ? "```\n" : "");
        put_usage_line(m, NULL, out);
        buf_puts(out, form == HELP_MARKDOWN ? "```\n\n" : "\n");
        put_rows(m->args, form, out);
        if (m->args && m->args->name)
            buf_putc(out, '\n');
    }
    for (const struct magic_sub *s = m->subs; s && s->name; s++) {
        if (!sub || sub == s)
            put_sub(m, s, form, out);
    }
    if (m->help)
        buf_printf(out, "%s\n\n", m->help);
    put_aliases(m, out);
    put_examples(m, form, out);
}

/* ---- lists ---- */

static bool known_group(const char *group)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (strcmp(groups[i], group) == 0)
            return true;
    }
    return false;
}

static void put_list_line(const struct magic *m, enum help_form form, struct buf *out)
{
    struct buf sign;
    buf_init(&sign, 100);
    if (m->kinds & MAGIC_CELL && m->kinds & MAGIC_LINE)
        buf_printf(&sign, "%%%s, %%", m->name);
    if (m->kinds & MAGIC_CELL && m->kinds & MAGIC_LINE)
        buf_printf(&sign, "%%%s", m->name);
    else
        help_sign(m, &sign);
    if (form == HELP_MARKDOWN)
        buf_printf(out, "| `%s` | %s |\n", buf_str(&sign), m->summary);
    else
        buf_printf(out, "  %-20s %s\n", buf_str(&sign), m->summary);
    buf_release(&sign);
}

static void put_group(const char *group, enum help_form form, struct buf *out)
{
    size_t n;
    bool any = false;
    const struct magic *const *all = magic_all(&n);
    for (size_t i = 0; i < n; i++) {
        bool mine = group ? strcmp(all[i]->group, group) == 0 : !known_group(all[i]->group);
        if (!mine)
            continue;
        if (!any) {
            const char *name = group ? group : "other";
            static const char head[] = "\n**%c%s**\n\n| magic | what it does |\n| --- | --- |\n";
            buf_printf(out, form == HELP_MARKDOWN ? head : "\n%c%s\n",
                       name[0] >= 'a' ? name[0] - 32 : name[0], name + 1);
        }
        any = true;
        put_list_line(all[i], form, out);
    }
}

void help_list(enum help_form form, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        put_group(groups[i], form, out);
    put_group(NULL, form, out);
}

void interp_docs(struct buf *out)
{
    size_t n;
    const struct magic *const *all = magic_all(&n);
    help_list(HELP_MARKDOWN, out);
    for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
        for (size_t i = 0; i < n; i++) {
            if (strcmp(all[i]->group, groups[g]) != 0)
                continue;
            buf_putc(out, '\n');
            help_magic(all[i], NULL, HELP_MARKDOWN, 3, out);
        }
    }
}
