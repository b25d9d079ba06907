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
#include "cell/sqllex.h"
#include "cell/sqlword.h"
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

/* $tag$…$tag$ at `at`: where its closing mark begins; 0: there is none. */
static size_t dollar_end(const char *code, size_t len, size_t at, size_t *mark)
{
    size_t tag = at + 1;
    while (tag < len && is_word(code[tag]))
        tag++;
    if (at == len || code[at] != '$' || tag == len || code[tag] != '$')
        return 0;
    *mark = tag + 1 - at;
    const char *end = memmem(code + at + *mark, len - at - *mark, code + at, *mark);
    return end ? (size_t)(end - code) : len;
}

/* Returns where the value ends, so that no byte is looked at twice. */
static size_t quoted_value(struct spans *s, const char *code, size_t len, size_t at)
{
    char quote = at < len ? code[at] : 0;
    size_t mark = 0, dollar = dollar_end(code, len, at, &mark);
    if (dollar > 0) {
        add_span(s, at, dollar + mark < len ? dollar + mark : len);
        return dollar;
    }
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

/* The key of a Python dictionary or of JSON, ['password'] = or "password":, ends behind its quote. */
static size_t past_key(const char *code, size_t len, size_t p)
{
    size_t end = p;
    if (end < len && (code[end] == '\'' || code[end] == '"'))
        end++;
    if (end > p && end < len && code[end] == ']')
        end++;
    while (end > p && end < len && (code[end] == ' ' || code[end] == '\t'))
        end++;
    return end < len && (code[end] == '=' || code[end] == ':') ? end : p;
}

/* "password=…" of a conninfo, a URI's query, a shell; "PASSWORD '…'" of CREATE ROLE. */
static size_t find_password_at(struct spans *s, const char *code, size_t len, size_t at, const char *word)
{
    size_t p = past_key(code, len, at + strlen(word));
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
    static const char *const words[] = {"password", "passwd", "passphrase", "token", "secret", "bearer"};
    for (size_t at = 0; at < len; at++) {
        for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
            if (!starts(code, len, at, words[w]))
                continue;
            at = find_password_at(s, code, len, at, words[w]);
            break;
        }
    }
}

/* Behind blanks and comments. */
static size_t skip_blanks(const char *code, size_t len, size_t at)
{
    for (;;) {
        const char *end = NULL;
        while (at < len && isspace((unsigned char)code[at]))
            at++;
        if (starts(code, len, at, "--"))
            end = memchr(code + at, '\n', len - at);
        else if (starts(code, len, at, "/*"))
            end = memmem(code + at, len - at, "*/", 2);
        else
            return at;
        at = end ? (size_t)(end - code) + (*end == '*' ? 2 : 1) : len;
    }
}

/* In CREATE or ALTER ROLE|USER|GROUP what follows PASSWORD is one, however it is written: behind a comment, in several
 * parts, or, by mistake, without quotes. */
static bool find_role_password(struct spans *s, const char *code, size_t at, size_t len)
{
    static const char *const roles[] = {"ROLE", "USER", "GROUP"};
    struct sql_word w[2];
    bool role = false;
    if (sql_words(code + at, len - at, w, 2) < 2 ||
        !(sql_word_is(code + at, &w[0], "CREATE") || sql_word_is(code + at, &w[0], "ALTER")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        role = role || sql_word_is(code + at, &w[1], roles[i]);
    for (at += w[1].at; role && at < len; at++) {
        if (!starts(code, len, at, "password"))
            continue;
        at = skip_blanks(code, len, at + strlen("password"));
        bool prefixed = at + 1 < len && strchr("eEuU", code[at]) && strchr("'&", code[at + 1]);
        at += prefixed ? 1 + (code[at + 1] == '&') : 0;
        for (bool first = true; at < len && (first || code[at] == '\''); first = false) {
            at = quoted_value(s, code, len, at);
            at = skip_blanks(code, len, at + (at < len && code[at] == '\''));
        }
        at--;
    }
    return role;
}

/* In SQL, in the statements of a cell magic, and in the line of %sql, whose options come first. */
static void find_role_passwords(struct spans *s, const char *code, const struct cell_item *item, size_t len)
{
    struct sql_span span;
    enum sql_open open;
    size_t start = (size_t)(item->args - code), end = start + item->args_len, pos = 0;
    size_t body = item->body ? (size_t)(item->body - code) : len;
    bool found = false;
    while (sql_next(code + body, len - body, &pos, false, &span, &open))
        find_role_password(s, code, body + span.start, body + span.start + span.len);
    for (size_t at = start; !found && at < end; at += value_end(code, end, at, "") - at + 1)
        found = find_role_password(s, code, at, end);
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
        find_role_passwords(s, code, item, len);
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

/* Replace `secret` in a text of an error; a short one only where it stands alone. */
static void hide(char *text, size_t size, const char *secret, size_t len)
{
    static const char mask[] = "****";
    if (!memmem(text, strlen(text), secret, len))
        return;
    char *copy = xstrdup(text);
    struct buf out;
    size_t n = strlen(copy), at = 0;
    buf_init(&out, 64 << 10);
    for (const char *p; (p = memmem(copy + at, n - at, secret, len));) {
        size_t i = (size_t)(p - copy);
        bool alone = (i == 0 || !is_word(copy[i - 1])) && (i + len == n || !is_word(copy[i + len]));
        buf_add(&out, copy + at, i - at);
        if (alone || len > 3)
            buf_puts(&out, mask);
        else
            buf_add(&out, secret, len);
        at = i + len;
    }
    buf_puts(&out, copy + at);
    if (at > 0)
        err_copy(text, size, buf_str(&out), out.len);
    buf_release_secret(&out);
    xfree_secret(copy);
}

static void find_all(struct spans *s, const char *code, size_t len)
{
    find_items(s, code, len);
    find_passwords(s, code, len);
    find_uris(s, code, len);
    find_tokens(s, code, len);
}

bool interp_redact_err(const char *code, size_t len, struct err *e)
{
    struct arena arena;
    arena_init(&arena);
    struct spans s = {.arena = &arena};
    find_all(&s, code, len);
    for (size_t i = 0; i < s.n; i++) {
        const char *secret = code + s.items[i].start;
        size_t n = s.items[i].end - s.items[i].start;
        hide(e->text, sizeof e->text, secret, n);
        hide(e->detail, sizeof e->detail, secret, n);
        hide(e->hint, sizeof e->hint, secret, n);
        hide(e->context, sizeof e->context, secret, n);
    }
    arena_release(&arena);
    return s.n > 0;
}

char *interp_redact(const char *code, size_t len)
{
    struct arena arena;
    char *result = NULL;
    arena_init(&arena);
    struct spans s = {.arena = &arena};
    find_all(&s, code, len);
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
