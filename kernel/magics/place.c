/* Finding what the cursor is on (see place.h). */
#include "magics/place.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "cell/split.h"
#include "cell/sqllex.h"
#include "magics/help.h"

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static bool in_sql_word(char c) { return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80; }

static size_t line_start(const char *code, size_t at)
{
    while (at > 0 && code[at - 1] != '\n')
        at--;
    return at;
}

/* Is the line a magic? SQL before it must be at the end of a statement. */
static bool is_magic_line(const char *code, size_t start)
{
    size_t pos = 0;
    while (pos < start) {
        struct sql_span span;
        enum sql_open open;
        if (is_blank(code[pos]) || code[pos] == '\n' || code[pos] == '\r') {
            pos++;
        } else if (code[pos] == '%' || code[pos] == '\\') {
            while (pos < start && code[pos] != '\n')
                pos++;
        } else {
            size_t before = pos;
            bool found = sql_next(code, start, &pos, true, &span, &open);
            if (found ? !span.terminated : open != SQL_CLOSED)
                return false;
            if (pos == before)
                return true; /* blanks and comments only */
        }
    }
    return true;
}

void place_statement(const char *code, size_t len, size_t cursor, const struct place *p, size_t *start, size_t *end)
{
    size_t pos = 0;
    if (p->kind == PLACE_BODY) {
        while (pos < len && isspace((unsigned char)code[pos]))
            pos++;
        while (pos < len && code[pos] != '\n')
            pos++;
    }
    while (pos < len && pos <= cursor) {
        if (isspace((unsigned char)code[pos])) {
            pos++;
        } else if (p->kind == PLACE_SQL && (code[pos] == '%' || code[pos] == '\\')) {
            while (pos < len && code[pos] != '\n')
                pos++;
        } else {
            struct sql_span span;
            enum sql_open open;
            *start = pos;
            bool found = sql_next(code, len, &pos, p->kind == PLACE_SQL, &span, &open);
            *end = found && span.terminated ? pos - 1 : pos;
            if (cursor <= *end && cursor >= *start)
                return;
            if (pos == *start)
                break;
        }
    }
    *start = *end = cursor;
}

static void find_word(const char *code, size_t len, size_t cursor, bool whole, bool sql, struct place *out)
{
    out->start = out->end = cursor;
    while (out->start > 0 && (sql ? in_sql_word(code[out->start - 1])
                              : !isspace((unsigned char)code[out->start - 1])))
        out->start--;
    while (whole && out->end < len && (sql ? in_sql_word(code[out->end]) : !isspace((unsigned char)code[out->end])))
        out->end++;
}

/* The option that waits for a value before the word at `start`: "--limit |" or, moving start, "--limit=|". */
static void find_option(const char *code, struct place *out)
{
    const char *eq = memchr(code + out->start, '=', out->end - out->start);
    size_t from = out->start, to = out->start;
    if (eq && strncmp(code + out->start, "--", 2) == 0) {
        to = (size_t)(eq - code);
        out->start = to + 1;
    } else {
        while (to > out->args_start && is_blank(code[to - 1]))
            to--;
        from = to;
        while (from > out->args_start && !is_blank(code[from - 1]))
            from--;
    }
    for (const struct arg_row *r = out->rows; r && r->name; r++) {
        size_t n = strlen(r->name);
        bool is_long = to - from == n + 2 && memcmp(code + from, "--", 2) == 0 &&
            memcmp(code + from + 2, r->name, n) == 0;
        bool is_short = r->letter && to - from == 2 && code[from] == '-' && code[from + 1] == r->letter;
        if (!r->positional && r->type != ARG_FLAG && (is_long || is_short))
            out->option = r->name;
    }
}

static void in_arguments(const char *code, size_t name_start, size_t name_end, size_t limit, struct place *out)
{
    size_t sub = name_end;
    out->kind = PLACE_ARGUMENT;
    out->magic = magic_find(code + name_start, name_end - name_start, out->magic_kind);
    while (sub < limit && is_blank(code[sub]))
        sub++;
    out->args_start = sub;
    if (!out->magic)
        return;
    out->rows = out->magic->args;
    if (out->magic->subs) {
        size_t end = sub;
        while (end < limit && !isspace((unsigned char)code[end]))
            end++;
        out->at_sub = out->start <= sub;
        out->sub = help_sub(out->magic, code + sub, end - sub);
        if (out->sub && *out->sub->name && !out->at_sub)
            out->args_start = end;
        else if (!out->sub && !*out->magic->subs->name)
            out->sub = out->magic->subs;
        out->rows = out->sub ? out->sub->args : NULL;
    }
    find_option(code, out);
}

void place_find(const char *code, size_t len, size_t cursor, bool whole, struct place *out)
{
    *out = (struct place){.kind = PLACE_SQL};
    cursor = cursor > len ? len : cursor;
    size_t line = line_start(code, cursor), at = line;
    size_t first = 0;
    while (first < len && isspace((unsigned char)code[first]))
        first++;
    bool cell_magic = len - first >= 2 && code[first] == '%' && code[first + 1] == '%';
    while (at < len && is_blank(code[at]))
        at++;
    bool on_first = cell_magic && line_start(code, first) == line;
    if (cell_magic && !on_first) {
        size_t end = first + 2;
        while (end < len && !isspace((unsigned char)code[end]))
            end++;
        out->magic = magic_find(code + first + 2, end - first - 2, MAGIC_CELL);
        out->magic_kind = MAGIC_CELL;
        out->kind = PLACE_BODY;
        find_word(code, len, cursor, whole, true, out);
        return;
    }
    bool signed_line = at < len && at < cursor && (code[at] == '%' || code[at] == '\\');
    if (!signed_line || !(on_first || is_magic_line(code, line))) {
        find_word(code, len, cursor, whole, true, out);
        return;
    }
    out->magic_kind = code[at] == '\\' ? MAGIC_BACKSLASH : on_first ? MAGIC_CELL : MAGIC_LINE;
    find_word(code, len, cursor, whole, false, out);
    size_t name = at + (out->magic_kind == MAGIC_CELL ? 2 : 1), name_end = name;
    while (name_end < len && !isspace((unsigned char)code[name_end]))
        name_end++;
    if (out->start <= at) {
        out->kind = PLACE_NAME;
        out->start = at;
        if (name < len)
            out->magic = magic_find(code + name, name_end - name, out->magic_kind);
        return;
    }
    size_t limit = at;
    while (limit < len && code[limit] != '\n')
        limit++;
    in_arguments(code, name, name_end, limit, out);
}
