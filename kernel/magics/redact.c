/*
 * What of a cell must not be kept in a history (see interp.h): values of secret arguments, passwords in URIs,
 * conninfos and SQL, and things that look like tokens. Better one mask too many than one too few.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "cell/split.h"
#include "magics/interp.h"

struct spans {
    struct {
        size_t start, end;
    } *items;
    size_t n, cap;
    struct arena *arena;
};

static void add_span(struct spans *s, size_t start, size_t end)
{
    if (end <= start)
        return;
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        void *items = arena_alloc(s->arena, cap * sizeof *s->items);
        if (s->n)
            memcpy(items, s->items, s->n * sizeof *s->items);
        s->items = items;
        s->cap = cap;
    }
    s->items[s->n].start = start;
    s->items[s->n++].end = end;
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '-'; }

static bool starts(const char *code, size_t len, size_t at, const char *word)
{
    size_t n = strlen(word);
    return len - at >= n && strncasecmp(code + at, word, n) == 0;
}

/* The end of a value: of a quoted one its closing quote (which is not masked), else the next blank. */
static size_t value_end(const char *code, size_t len, size_t at, const char *stops)
{
    while (at < len && !isspace((unsigned char)code[at]) && !strchr(stops, code[at]))
        at++;
    return at;
}

/* Returns where the value ends, so that no byte is looked at twice. */
static size_t quoted_value(struct spans *s, const char *code, size_t len, size_t at)
{
    char quote = at < len ? code[at] : 0;
    if (quote != '\'' && quote != '"') {
        size_t bare_end = value_end(code, len, at, "&;");
        add_span(s, at, bare_end);
        return bare_end;
    }
    size_t end = at + 1;
    while (end < len) {
        bool pair = end + 1 < len && (code[end] == '\\' || (code[end] == quote && code[end + 1] == quote));
        if (code[end] == quote && !pair)
            break;
        end += pair ? 2 : 1;
    }
    end = end < len ? end : len;
    add_span(s, at + 1, end);
    return end;
}

/* "password=…" of a conninfo, a URI's query, a shell; "PASSWORD '…'" of CREATE ROLE. */
static size_t find_password_at(struct spans *s, const char *code, size_t len, size_t at, const char *word)
{
    size_t p = at + strlen(word);
    bool bare = p < len && isspace((unsigned char)code[p]), bearer = strcmp(word, "bearer") == 0;
    while (p < len && isspace((unsigned char)code[p]))
        p++;
    if (p == len)
        return at;
    if (code[p] == '=' || code[p] == ':') {
        for (p++; p < len && (code[p] == ' ' || code[p] == '\t'); p++)
            ;
        return quoted_value(s, code, len, p);
    }
    if (code[p] == '\'' || (bare && (code[p] == '$' || (bearer && is_word(code[p])))))
        return quoted_value(s, code, len, p);
    if ((code[p] == 'E' || code[p] == 'e') && p + 1 < len && code[p + 1] == '\'')
        return quoted_value(s, code, len, p + 1);
    return at;
}

static void find_passwords(struct spans *s, const char *code, size_t len)
{
    static const char *const words[] = {"password", "passwd", "token", "secret", "bearer"};
    for (size_t at = 0; at < len; at++) {
        for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
            if (!starts(code, len, at, words[w]))
                continue;
            at = find_password_at(s, code, len, at, words[w]);
            break;
        }
    }
}

/* scheme://user:PASSWORD@host */
static void find_uris(struct spans *s, const char *code, size_t len)
{
    for (size_t at = 0; at + 3 < len; at++) {
        if (memcmp(code + at, "://", 3) != 0)
            continue;
        size_t from = at + 3, end = value_end(code, len, from, "'\"/?#"), sign = end;
        while (sign > from && code[sign - 1] != '@')
            sign--;
        const char *colon = sign > from ? memchr(code + from, ':', sign - 1 - from) : NULL;
        if (colon)
            add_span(s, (size_t)(colon - code) + 1, sign - 1);
    }
}

/* JSON Web Tokens, and the personal access tokens of Databricks ("dapi" and 32 hex digits). */
static void find_tokens(struct spans *s, const char *code, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        if (at > 0 && is_word(code[at - 1]))
            continue;
        size_t end = at;
        while (end < len && (is_word(code[end]) || code[end] == '.'))
            end++;
        bool jwt = end - at > 40 && memcmp(code + at, "eyJ", 3) == 0 && memchr(code + at, '.', end - at);
        bool pat = end - at >= 36 && memcmp(code + at, "dapi", 4) == 0;
        if (jwt || pat)
            add_span(s, at, end);
        if (end > at)
            at = end - 1;
    }
}

/* Values of secret rows: the arguments' text is searched for the value, since places are not kept by args_parse. */
static void find_arguments(struct spans *s, const char *code, const struct cell_item *item,
                           const struct arg_row *rows,
                           const char *text, size_t len)
{
    struct err none = {0};
    bool secret = false;
    for (const struct arg_row *r = rows; r && r->name; r++)
        secret = secret || (r->flags & ARG_SECRET);
    if (!secret)
        return;
    size_t base = (size_t)(text - code);
    const struct args *args = args_parse(s->arena, rows, text, len, item->line, item->column, &none);
    if (!args) {
        add_span(s, base, base + len); /* it may be anywhere */
        return;
    }
    for (const struct arg_row *r = rows; r->name; r++) {
        const char *value;
        for (size_t n = 0; r->flags & ARG_SECRET && (value = args_get_nth(args, r->name, n)); n++) {
            size_t size = strlen(value);
            const char *at = size ? memmem(text, len, value, size) : NULL;
            if (at)
                add_span(s, (size_t)(at - code), (size_t)(at - code) + size);
            else if (size)
                add_span(s, base, base + len); /* quotes took it apart */
        }
    }
}

static void find_items(struct spans *s, const char *code, size_t len)
{
    struct cell_items items;
    struct err none = {0};
    if (!cell_split(s->arena, code, len, &items, &none))
        return;
    for (size_t i = 0; i < items.count; i++) {
        const struct cell_item *item = &items.items[i];
        if (item->kind == CELL_SQL)
            continue;
        const struct magic *m = magic_find(item->name, strlen(item->name), MAGIC_LINE | MAGIC_CELL | MAGIC_BACKSLASH);
        if (!m)
            continue;
        find_arguments(s, code, item, m->args, item->args, item->args_len);
        size_t word = value_end(item->args, item->args_len, 0, "");
        for (const struct magic_sub *sub = m->subs; sub && sub->name; sub++) {
            if (strlen(sub->name) == word && memcmp(sub->name, item->args, word) == 0)
                find_arguments(s, code, item, sub->args, item->args + word, item->args_len - word);
        }
    }
}

static int by_start(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

char *interp_redact(const char *code, size_t len)
{
    struct arena arena;
    char *result = NULL;
    arena_init(&arena);
    struct spans s = {.arena = &arena};
    find_items(&s, code, len);
    find_passwords(&s, code, len);
    find_uris(&s, code, len);
    find_tokens(&s, code, len);
    if (s.n > 0) {
        struct buf out;
        buf_init(&out, CELL_MAX_BYTES * 4UL);
        qsort(s.items, s.n, sizeof *s.items, by_start);
        size_t at = 0;
        for (size_t i = 0; i < s.n; i++) {
            if (s.items[i].end <= at)
                continue;
            if (s.items[i].start > at || i == 0)
                buf_add(&out, code + at, s.items[i].start - at);
            buf_puts(&out, s.items[i].start >= at ? "****" : "");
            at = s.items[i].end;
        }
        buf_add(&out, code + at, len - at);
        result = buf_detach(&out);
        if (!result)
            result = xstrdup("****"); /* too large to rewrite: then nothing of it is kept */
    }
    arena_release(&arena);
    return result;
}
