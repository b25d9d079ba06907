/* The tokenizer (see front_lex.h). Strings are decoded here, once, and written anew for the engine later. */
#include "lakehouse/front_lex.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "base/xalloc.h"

enum { SQL_TEXT_MAX = 16 << 20 };

struct lexer {
    const char *sql;
    size_t len, at;
    struct arena *arena;
    struct buf text; /* of the token in work */
    struct err *e;
};

bool front_error_at(const char *sql, size_t at, const char *class, const char *sqlstate, struct err *e, const char *fmt, ...)
{
    char text[900];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (e->code != ERR_NONE)
        return false;
    err_set(e, ERR_SQL, "[%s] %s", class, text);
    err_copy(e->sqlstate, sizeof e->sqlstate, sqlstate, strlen(sqlstate));
    e->position = (int)utf8_count(sql, at) + 1;
    return false;
}

static bool bad(struct lexer *l, size_t at, const char *why)
{
    return front_error_at(l->sql, at, "PARSE_SYNTAX_ERROR", "42601", l->e, "%s", why);
}

bool token_is(const struct token *t, const char *word)
{
    return t->kind == TOKEN_WORD && !strcasecmp(t->text, word);
}

bool token_symbol(const struct token *t, const char *symbol)
{
    return t->kind == TOKEN_SYMBOL && !strcmp(t->text, symbol);
}

static bool begins_word(unsigned char c)
{
    return isalpha(c) || c == '_' || c >= 0x80;
}

static bool in_word(unsigned char c)
{
    return isalnum(c) || c == '_' || c >= 0x80;
}

/* ---- white space and comments ---- */
static bool skip_block(struct lexer *l)
{
    size_t begin = l->at;
    int depth = 0;
    do {
        if (l->at + 1 >= l->len)
            return bad(l, begin, "the comment has no end");
        if (!strncmp(l->sql + l->at, "/*", 2)) {
            depth++;
            l->at += 2;
        } else if (!strncmp(l->sql + l->at, "*/", 2)) {
            depth--;
            l->at += 2;
        } else {
            l->at++;
        }
    } while (depth > 0);
    return true;
}

static bool skip_space(struct lexer *l, bool *spaced)
{
    size_t begin = l->at;
    while (l->at < l->len) {
        const char *p = l->sql + l->at;
        if (isspace((unsigned char)*p))
            l->at++;
        else if (!strncmp(p, "\xc2\xa0", 2))
            l->at += 2;
        else if (!strncmp(p, "--", 2))
            l->at += strcspn(p, "\n");
        else if (!strncmp(p, "/*", 2)) {
            if (!skip_block(l))
                return false;
        } else
            break;
    }
    *spaced = l->at > begin;
    return true;
}

/* ---- strings ---- */
static void add_code_point(struct buf *out, unsigned long c)
{
    if (c < 0x80) {
        buf_putc(out, (char)c);
    } else if (c < 0x800) {
        buf_putc(out, (char)(0xc0 | c >> 6));
        buf_putc(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_putc(out, (char)(0xe0 | c >> 12));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_putc(out, (char)(0xf0 | c >> 18));
        buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(out, (char)(0x80 | (c & 0x3f)));
    }
}

/* \u0041, \U00000041; *p is after the letter. */
static bool unicode_escape(struct lexer *l, size_t digits)
{
    char hex[9];
    snprintf(hex, digits + 1, "%s", l->sql + l->at);
    unsigned long c = strtoul(hex, NULL, 16);
    if (strspn(hex, "0123456789abcdefABCDEF") != digits || c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return bad(l, l->at, "this is no character");
    add_code_point(&l->text, c);
    l->at += digits;
    return true;
}

/* A backslash in a string: Spark's "string literal" page. */
static bool escape(struct lexer *l)
{
    static const char letters[] = "btnrZ\\'\"", meanings[] = "\b\t\n\r\x1a\\'\"";
    char c = l->sql[++l->at];
    const char *known = c ? strchr(letters, c) : NULL;
    if (!c)
        return true; /* the end is found by the caller */
    l->at++;
    if (known)
        buf_putc(&l->text, meanings[known - letters]);
    else if (c == 'u')
        return unicode_escape(l, 4);
    else if (c == 'U')
        return unicode_escape(l, 8);
    else if (c == '%' || c == '_')
        buf_printf(&l->text, "\\%c", c);
    else if (c == '0')
        return bad(l, l->at - 2, "a string cannot hold a NUL character here");
    else
        buf_putc(&l->text, c);
    return true;
}

/* From the opening quote on; a doubled quote is one. */
static bool quoted(struct lexer *l, bool escapes)
{
    size_t begin = l->at;
    char mark = l->sql[l->at++];
    while (l->at < l->len) {
        char c = l->sql[l->at];
        if (c == mark && l->sql[l->at + 1] != mark) {
            l->at++;
            return true;
        }
        if (c == '\\' && escapes) {
            if (!escape(l))
                return false;
            continue;
        }
        buf_putc(&l->text, c);
        l->at += c == mark ? 2 : 1;
    }
    return bad(l, begin, mark == '`' ? "the name has no end" : "the string has no end");
}

/* ---- the other tokens ---- */
static void number(struct lexer *l)
{
    size_t begin = l->at;
    while (isdigit((unsigned char)l->sql[l->at]))
        l->at++;
    if (l->sql[l->at] == '.' && !begins_word((unsigned char)l->sql[l->at + 1])) {
        l->at++;
        while (isdigit((unsigned char)l->sql[l->at]))
            l->at++;
    }
    size_t sign = l->at + 1 + (l->sql[l->at] ? strspn(l->sql + l->at + 1, "+-") : 0);
    if ((l->sql[l->at] | 32) == 'e' && sign - l->at <= 2 && isdigit((unsigned char)l->sql[sign])) {
        l->at = sign;
        while (isdigit((unsigned char)l->sql[l->at]))
            l->at++;
    }
    while (in_word((unsigned char)l->sql[l->at])) /* 10L, 1BD */
        l->at++;
    buf_add(&l->text, l->sql + begin, l->at - begin);
}

static void symbol(struct lexer *l)
{
    static const char *const longer[] = {"<=>", "==", "::", "->", "=>"};
    size_t n = 1;
    for (size_t i = 0; i < ARRAY_LEN(longer); i++)
        if (n == 1 && !strncmp(l->sql + l->at, longer[i], strlen(longer[i])))
            n = strlen(longer[i]);
    buf_add(&l->text, l->sql + l->at, n);
    l->at += n;
}

/* A word, or a string with a letter before it. */
static bool word(struct lexer *l, enum token_kind *kind)
{
    char first = (char)(l->sql[l->at] | 32), second = l->sql[l->at + 1];
    if ((first == 'r' || first == 'x') && (second == '\'' || second == '"')) {
        l->at++;
        *kind = first == 'r' ? TOKEN_STRING : TOKEN_HEX;
        if (!quoted(l, false))
            return false;
        const char *hex = buf_str(&l->text);
        return first == 'r' || hex[strspn(hex, "0123456789abcdefABCDEF")] == '\0' ||
               bad(l, l->at, "a hexadecimal literal has other characters than 0-9 and A-F");
    }
    size_t begin = l->at;
    while (in_word((unsigned char)l->sql[l->at]))
        l->at++;
    buf_add(&l->text, l->sql + begin, l->at - begin);
    *kind = TOKEN_WORD;
    return true;
}

static bool parameter(struct lexer *l, const struct token *before, bool spaced)
{
    if (before && !spaced && (token_names(before) || token_symbol(before, ")") || token_symbol(before, "]")))
        return front_error_at(l->sql, l->at, "UNSUPPORTED_FEATURE", "0A000", l->e,
                              "paths into JSON text (column:field) are not supported by this workspace");
    enum token_kind kind;
    l->at++;
    return word(l, &kind);
}

static bool next(struct lexer *l, const struct token *before, struct token *t)
{
    buf_clear(&l->text);
    if (!skip_space(l, &t->spaced))
        return false;
    t->start = l->at;
    unsigned char c = (unsigned char)l->sql[l->at], after = c ? (unsigned char)l->sql[l->at + 1] : 0;
    bool ok = true;
    if (l->at >= l->len) {
        t->kind = TOKEN_END;
    } else if (begins_word(c)) {
        ok = word(l, &t->kind);
    } else if (c == '\'' || c == '"' || c == '`') {
        t->kind = c == '`' ? TOKEN_NAME : TOKEN_STRING;
        ok = quoted(l, c != '`');
    } else if (isdigit(c) || (c == '.' && isdigit(after) && !(before && !t->spaced && token_names(before)))) {
        t->kind = TOKEN_NUMBER;
        number(l);
    } else if (c == ':' && begins_word(after)) {
        t->kind = TOKEN_PARAMETER;
        ok = parameter(l, before, t->spaced);
    } else if (strchr("()[]{},.;+-*/%<>=!&|^~:@", c)) {
        t->kind = TOKEN_SYMBOL;
        symbol(l);
    } else {
        return bad(l, l->at, c == '?' ? "unnamed parameters (?) are not supported: write :name"
                                      : "this character has no meaning in SQL");
    }
    t->end = l->at;
    t->text = ok ? arena_strndup(l->arena, buf_str(&l->text), l->text.len) : "";
    return ok && buf_ok(&l->text, "a word of the statement", l->e);
}

/* Nothing but the end may follow a semicolon. */
static bool finish(struct lexer *l, struct tokens *out)
{
    for (size_t i = 0; i < out->count; i++)
        if (token_symbol(&out->list[i], ";") && i + 1 < out->count && !token_symbol(&out->list[i + 1], ";"))
            return bad(l, out->list[i + 1].start, "one statement at a time: something follows the semicolon");
    while (out->count > 0 && token_symbol(&out->list[out->count - 1], ";"))
        out->list[--out->count].kind = TOKEN_END;
    out->list[out->count].text = "";
    return out->count > 0 || bad(l, 0, "the statement is empty");
}

bool front_lex(const char *sql, struct arena *arena, struct tokens *out, struct err *e)
{
    struct lexer l = {.sql = sql, .len = strlen(sql), .arena = arena, .e = e};
    *out = (struct tokens){0};
    if (l.len > SQL_TEXT_MAX)
        return err_set(e, ERR_TOO_BIG, "the statement has %zu bytes, more than %d", l.len, SQL_TEXT_MAX);
    if (!utf8_valid(sql, l.len))
        return err_set(e, ERR_MALFORMED, "the statement is not valid UTF-8");
    buf_init(&l.text, SQL_TEXT_MAX + 1);
    struct token *list = NULL;
    size_t n = 0, cap = 0;
    bool ok = true;
    do {
        if (n == cap) {
            cap = cap ? cap * 2 : 256;
            list = xreallocarray(list, cap, sizeof *list);
        }
        list[n] = (struct token){0};
        ok = n < FRONT_TOKENS_MAX ? next(&l, n ? &list[n - 1] : NULL, &list[n])
                                  : err_set(e, ERR_TOO_BIG, "the statement has more than %d words", FRONT_TOKENS_MAX);
    } while (ok && list[n++].kind != TOKEN_END);
    buf_release(&l.text);
    if (ok) {
        out->list = arena_alloc(arena, (n + FRONT_LOOK_AHEAD) * sizeof *list);
        memcpy(out->list, list, n * sizeof *list);
        out->count = n - 1;
        for (size_t i = 0; i < FRONT_LOOK_AHEAD; i++)
            out->list[n + i] = (struct token){.start = l.len, .end = l.len, .text = ""};
        ok = finish(&l, out);
    }
    free(list);
    return ok;
}
