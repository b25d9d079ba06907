/* Tab (see interp.h): magics, sub-commands, options and choices from the descriptors; names that are known; key words
 * of SQL in plain SQL. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "magics/check.h"
#include "magics/complete.h"
#include "magics/help.h"
#include "magics/interp.h"
#include "magics/names.h"
#include "magics/place.h"
#include "magics/settings.h"

static const char *const keywords[] = {
#define KEYWORD(word) #word,
#include "magics/keywords.def"
#undef KEYWORD
};

enum { COMPLETIONS_MAX = 1000 };

void search_take(struct search *s, const char *text, const char *type, const char *help)
{
    struct completions *out = s->out;
    if (out->count == COMPLETIONS_MAX)
        return;
    for (size_t i = 0; i < out->count; i++) {
        if (strcmp(out->items[i].text, text) == 0)
            return;
    }
    if (out->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 32;
        struct completion *items = arena_alloc(&out->arena, s->cap * sizeof *items);
        if (out->count)
            memcpy(items, out->items, out->count * sizeof *items);
        out->items = items;
    }
    out->items[out->count++] = (struct completion){arena_strdup(&out->arena, text), arena_strdup(&out->arena, type),
                                                   arena_strdup(&out->arena, help ? help : "")};
}

static void add(struct search *s, const char *text, const char *type, const char *help)
{
    if (strncasecmp(text, s->prefix, s->len) == 0 && strlen(text) >= s->len)
        search_take(s, text, type, help);
}

static void add_magics(struct search *s, unsigned kind, const char *sign)
{
    size_t n;
    const struct magic *const *all = magic_all(&n);
    for (size_t i = 0; i < n; i++) {
        if (all[i]->kinds & kind)
            add(s, arena_printf(&s->out->arena, "%s%s", sign, all[i]->name), "magic", all[i]->summary);
    }
}

static void add_name(void *self, const char *name) { add(self, name, "text", NULL); }

static void add_checks(void *self, const char *id) { add(self, id, "text", "a check of the workshop"); }

/* Values of a row: its choices, or what its provider knows. */
static void add_values(struct search *s, const struct arg_row *row)
{
    for (const char *const *c = row->choices; c && *c; c++)
        add(s, *c, "property", row->help);
    enum names_kind kind;
    if (!row->complete)
        return;
    if (names_kind_of(row->complete, &kind))
        names_each(kind, add_name, s);
    else if (strcmp(row->complete, "magic") == 0) {
        size_t n;
        const struct magic *const *all = magic_all(&n);
        for (size_t i = 0; i < n; i++)
            add(s, all[i]->name, "magic", all[i]->summary);
    } else if (strcmp(row->complete, "setting") == 0) {
        for (const struct setting *t = settings_table(); t->name; t++)
            add(s, t->name, "property", t->help);
    } else if (strcmp(row->complete, "check") == 0) {
        check_names(add_checks, s);
    } else {
        complete_objects(s, row->complete);
    }
}

static void add_arguments(struct search *s, const struct place *p)
{
    if (p->at_sub) {
        for (const struct magic_sub *sub = p->magic->subs; sub->name; sub++) {
            if (*sub->name)
                add(s, sub->name, "property", sub->summary);
        }
    }
    for (const struct arg_row *r = p->rows; r && r->name; r++) {
        if (p->option ? strcmp(r->name, p->option) == 0 : r->positional)
            add_values(s, r);
    }
    for (const struct arg_row *r = p->rows; r && r->name; r++) {
        if (!p->option && !r->positional && (s->len == 0 || *s->prefix == '-'))
            add(s, arena_printf(&s->out->arena, "--%s", r->name), "property", r->help);
        if (!p->option && r->keyword && s->len > 0)
            add(s, r->keyword, "keyword", r->help);
    }
}

void search_keywords(struct search *s)
{
    bool lower = s->len > 0 && islower((unsigned char)s->prefix[s->len - 1]);
    for (size_t i = 0; s->len > 0 && i < ARRAY_LEN(keywords); i++) {
        char *text = arena_strdup(&s->out->arena, keywords[i]);
        for (char *c = text; lower && *c; c++)
            *c = (char)tolower((unsigned char)*c);
        add(s, text, "keyword", NULL);
    }
}

void interp_complete(const char *code, size_t len, size_t cursor, struct completions *out)
{
    struct place p;
    *out = (struct completions){.items = NULL};
    arena_init(&out->arena);
    cursor = cursor < len ? cursor : len;
    place_find(code, len, cursor, false, &p);
    struct search s = {.out = out, .prefix = code + p.start, .len = p.end - p.start};
    out->start = p.start;
    out->end = p.end;
    if (p.kind == PLACE_NAME)
        add_magics(&s, p.magic_kind, p.magic_kind == MAGIC_CELL ? "%%" : p.magic_kind == MAGIC_LINE ? "%" : "\\");
    if (p.kind == PLACE_NAME && p.magic_kind == MAGIC_LINE && s.len == 1)
        add_magics(&s, MAGIC_CELL, "%%");
    if (p.kind == PLACE_ARGUMENT && p.magic)
        add_arguments(&s, &p);
    if (p.kind == PLACE_SQL || (p.kind == PLACE_BODY && p.magic && strcmp(p.magic->name, "sql") == 0))
        complete_sql(&s, code, len, cursor, &p);
}

bool interp_wants_names(const char *code, size_t len, size_t cursor)
{
    struct place p;
    enum names_kind kind;
    place_find(code, len, cursor, false, &p);
    if (p.kind != PLACE_ARGUMENT || !p.magic)
        return false;
    for (const struct arg_row *r = p.rows; r && r->name; r++) {
        bool here = p.option ? strcmp(r->name, p.option) == 0 : r->positional;
        if (here && names_kind_of(r->complete, &kind) && kind != NAMES_CONNECTION)
            return true;
    }
    return false;
}

void interp_refresh(struct session *s, struct cancel *cancel) { names_refresh(s, cancel); }

void completions_release(struct completions *c)
{
    arena_release(&c->arena);
    *c = (struct completions){.items = NULL};
}
