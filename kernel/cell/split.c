/* The cell as a list of items (see split.h). SQL is split by cell/sqllex.h; what a magic means is not known here. */
#include "cell/split.h"

#include <string.h>

#include "base/utf8.h"
#include "cell/sqllex.h"

struct splitter {
    struct arena *arena;
    const char *text;
    size_t len, at;
    struct cell_items *out;
    size_t cap;
    /* A place that was computed last; places are asked for in rising order, so each byte is counted once. */
    size_t known_at;
    int known_line, known_column;
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

static size_t line_end(const char *text, size_t len, size_t at)
{
    const char *nl = memchr(text + at, '\n', len - at);
    return nl ? (size_t)(nl - text) : len;
}

void cell_place(const char *text, size_t len, size_t at, int *line, int *column)
{
    if (at > len)
        at = len;
    size_t start = 0;
    *line = 1;
    for (size_t end = line_end(text, len, 0); end < at; end = line_end(text, len, start)) {
        start = end + 1;
        (*line)++;
    }
    *column = (int)utf8_count(text + start, at - start) + 1;
}

struct cell_data cell_data_of(const char *text, const struct sql_span *span)
{
    return (struct cell_data){span->wants_data, span->data ? text + span->data : NULL, span->data_len};
}

static void place(struct splitter *s, size_t at, int *line, int *column)
{
    for (size_t end; (end = line_end(s->text, at, s->known_at)) < at; s->known_at = end + 1) {
        s->known_line++;
        s->known_column = 1;
    }
    s->known_column += (int)utf8_count(s->text + s->known_at, at - s->known_at);
    s->known_at = at;
    *line = s->known_line;
    *column = s->known_column;
}

static bool fail_at(struct splitter *s, size_t at, size_t width, struct err *e)
{
    cell_place(s->text, s->len, at, &e->line, &e->column);
    e->width = (int)width;
    return false;
}

static struct cell_item *add_item(struct splitter *s, enum cell_kind kind, struct err *e)
{
    if (s->out->count == CELL_MAX_ITEMS) {
        err_set(e, ERR_TOO_BIG, "the cell has more than %d statements", CELL_MAX_ITEMS);
        return NULL;
    }
    if (s->out->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        struct cell_item *items = arena_alloc(s->arena, cap * sizeof *items);
        if (s->out->count)
            memcpy(items, s->out->items, s->out->count * sizeof *items);
        s->out->items = items;
        s->cap = cap;
    }
    struct cell_item *item = &s->out->items[s->out->count++];
    *item = (struct cell_item){.kind = kind};
    return item;
}

/* Lines such as "#NBVAL_IGNORE_OUTPUT" are for nbval, which reads them from the source of the cell. */
static size_t skip_markers(const char *text, size_t len)
{
    size_t at = 0;
    for (;;) {
        size_t p = at;
        while (p < len && (is_blank(text[p]) || text[p] == '\n'))
            p++;
        size_t left = len - p;
        bool marker = (left >= 7 && memcmp(text + p, "#NBVAL_", 7) == 0) ||
                      (left >= 8 && memcmp(text + p, "# NBVAL_", 8) == 0);
        if (!marker)
            return at;
        at = line_end(text, len, p);
        at += at < len;
    }
}

/* s->at is at the '%' or backslash. Reads the name and the rest of the line. */
static bool add_magic(struct splitter *s, enum cell_kind kind, struct err *e)
{
    size_t sign = s->at, name = sign + (kind == CELL_CELL_MAGIC ? 2 : 1);
    size_t end = line_end(s->text, s->len, sign), stop = end;
    while (stop > name && is_blank(s->text[stop - 1]))
        stop--;
    if (kind == CELL_BACKSLASH) {
        while (stop > name && (s->text[stop - 1] == ';' || is_blank(s->text[stop - 1])))
            stop--;
    }
    size_t p = name;
    while (p < stop && !is_blank(s->text[p]))
        p++;
    if (p == name) {
        err_set(e, ERR_SYNTAX, "no name follows '%.*s'", (int)(name - sign), s->text + sign);
        err_hint(e, "%%help lists the magics");
        return fail_at(s, sign, name - sign, e);
    }
    struct cell_item *item = add_item(s, kind, e);
    if (!item)
        return fail_at(s, sign, 1, e);
    item->name = arena_strndup(s->arena, s->text + name, p - name);
    place(s, sign, &item->line, &item->name_column);
    while (p < stop && is_blank(s->text[p]))
        p++;
    item->args = s->text + p;
    item->args_len = stop - p;
    place(s, p, &item->line, &item->column);
    s->at = end + (end < s->len);
    if (kind == CELL_CELL_MAGIC) {
        item->body = s->text + s->at;
        item->body_len = s->len - s->at;
        item->body_line = item->line + (end < s->len);
        s->at = s->len;
    }
    return true;
}

static bool open_error(struct splitter *s, size_t from, enum sql_open open, struct err *e)
{
    static const char *const what[] = {
        [SQL_IN_STRING] = "a quoted string (') is not closed",
        [SQL_IN_IDENT] = "a quoted identifier (\") is not closed",
        [SQL_IN_DOLLAR] = "a dollar-quoted string is not closed",
        [SQL_IN_COMMENT] = "a comment (/*) is not closed",
    };
    err_set(e, ERR_SYNTAX, "%s", what[open]);
    return fail_at(s, from, 1, e);
}

/* SQL up to the next magic at a statement boundary. */
static bool add_sql(struct splitter *s, struct err *e)
{
    struct sql_span span;
    enum sql_open open;
    while (sql_next(s->text, s->len, &s->at, true, &span, &open)) {
        if (open != SQL_CLOSED && open < SQL_IN_PAREN)
            return open_error(s, span.open_at, open, e);
        if (span.backslash) {
            err_set(e, ERR_SYNTAX, "a backslash command stands on a line of its own, below the semicolon of the statement before it");
            return fail_at(s, span.backslash, 1, e);
        }
        struct cell_item *item = add_item(s, CELL_SQL, e);
        if (!item)
            return fail_at(s, span.start, 1, e);
        item->args = s->text + span.start;
        item->args_len = span.len;
        place(s, span.start, &item->line, &item->column);
        item->data = cell_data_of(s->text, &span);
    }
    return open == SQL_CLOSED || open >= SQL_IN_PAREN || open_error(s, span.open_at, open, e);
}

static bool check_text(struct splitter *s, struct err *e)
{
    if (s->len > CELL_MAX_BYTES)
        return err_set(e, ERR_TOO_BIG, "the cell has %zu bytes, more than %d", s->len, CELL_MAX_BYTES);
    const char *nul = s->len ? memchr(s->text, '\0', s->len) : NULL;
    if (!nul)
        return true;
    err_set(e, ERR_SYNTAX, "the cell contains a NUL character");
    return fail_at(s, (size_t)(nul - s->text), 1, e);
}

bool cell_split(struct arena *a, const char *text, size_t len, struct cell_items *out, struct err *e)
{
    struct splitter s = {.arena = a, .text = text, .len = len, .out = out, .known_line = 1, .known_column = 1};
    *out = (struct cell_items){0};
    if (!check_text(&s, e))
        return false;
    s.at = skip_markers(text, len);
    while (s.at < len) {
        while (s.at < len && (is_blank(text[s.at]) || text[s.at] == '\n'))
            s.at++;
        if (s.at == len)
            break;
        bool twice = text[s.at] == '%' && s.at + 1 < len && text[s.at + 1] == '%';
        bool ok;
        if (twice && out->count > 0) {
            err_set(e, ERR_SYNTAX, "a cell magic (%%%%) must be the first line of its cell");
            return fail_at(&s, s.at, 2, e);
        }
        if (text[s.at] == '%')
            ok = add_magic(&s, twice ? CELL_CELL_MAGIC : CELL_LINE_MAGIC, e);
        else if (text[s.at] == '\\')
            ok = add_magic(&s, CELL_BACKSLASH, e);
        else
            ok = add_sql(&s, e);
        if (!ok)
            return false;
    }
    return true;
}

enum cell_state cell_is_complete(const char *text, size_t len)
{
    if (len > CELL_MAX_BYTES || (len && memchr(text, '\0', len)))
        return CELL_INVALID;
    size_t at = skip_markers(text, len);
    while (at < len) {
        while (at < len && (is_blank(text[at]) || text[at] == '\n'))
            at++;
        if (at == len)
            break;
        if (text[at] == '%' && at + 1 < len && text[at + 1] == '%')
            return CELL_COMPLETE;
        if (text[at] == '%' || text[at] == '\\') {
            at = line_end(text, len, at);
            continue;
        }
        struct sql_span span = {0};
        enum sql_open open;
        while (sql_next(text, len, &at, true, &span, &open)) {
            if (!span.terminated)
                return CELL_INCOMPLETE;
        }
        if (open != SQL_CLOSED)
            return CELL_INCOMPLETE;
    }
    return CELL_COMPLETE;
}
