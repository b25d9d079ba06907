/* References to variables (see binding.h). Tokens are sqllex.c's; this file looks at colons and the brackets around them. */
#include "cell/binding.h"

#include <string.h>
#include <strings.h>

#include "cell/sqllex.h"
#include "cell/sqlword.h"

/* Kinds of brackets. */
enum { PAREN = '(', JSON = 'j', SUBSCRIPT = 's', ARRAY = '[' };

static bool is_name_start(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_name(unsigned char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

static size_t name_end(const char *text, size_t len, size_t at)
{
    while (at < len && is_name((unsigned char)text[at]))
        at++;
    return at;
}

static char frame(const struct sql_refs *s)
{
    return s->depth > 0 && s->depth <= sizeof s->frames ? s->frames[s->depth - 1] : PAREN;
}

static bool is_operand(char last) { return last == 'w' || last == 'o' || last == ')' || last == ']'; }

/* What the bracket that opens here is, from what stands before it. */
static char bracket_kind(const struct sql_refs *s, char c)
{
    if (c == '(')
        return s->last == 'w' && s->word == JSON ? JSON : PAREN;
    if (s->last == 'w' && s->word == ARRAY)
        return ARRAY;
    return is_operand(s->last) ? SUBSCRIPT : ARRAY;
}

static void open_bracket(struct sql_refs *s, char c)
{
    char kind = bracket_kind(s, c);
    if (s->depth < sizeof s->frames)
        s->frames[s->depth] = kind;
    s->depth++;
}

static char word_kind(const char *word, size_t len)
{
    static const struct {
        const char *name;
        char kind;
    } words[] = {{"array", ARRAY}, {"json_object", JSON}, {"json_objectagg", JSON}, {"key", 'k'}, {"value", 'k'}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].name) == len && strncasecmp(words[i].name, word, len) == 0)
            return words[i].kind;
    }
    return 0;
}

/* A token that is no colon. */
static void note_token(struct sql_refs *s, const char *text, size_t start, size_t end)
{
    char c = text[start];
    bool comment = end - start > 1 && (c == '-' || c == '/');
    if (strchr(" \t\r\n\f\v", c) || comment)
        return;
    if (c == '(' || c == '[')
        open_bracket(s, c);
    else if ((c == ')' || c == ']') && s->depth > 0)
        s->depth--;
    if (is_name_start((unsigned char)c) && !memchr(text + start, '\'', end - start)) {
        s->word = word_kind(text + start, end - start);
        s->last = 'w';
    } else {
        bool operand = c == '\'' || c == '"' || (c >= '0' && c <= '9') || end - start > 1;
        s->last = operand ? 'o' : c;
    }
}

/* Is the colon here a slice's, or the one between a key and its value? */
static bool is_separator(const struct sql_refs *s)
{
    char kind = frame(s);
    bool operand = is_operand(s->last) && !(s->last == 'w' && s->word == 'k');
    if (kind == SUBSCRIPT)
        return operand || s->last == '[';
    return kind == JSON && operand;
}

/* A reference at the colon s->at? */
static bool read_ref(const char *text, size_t len, const struct sql_refs *s, struct sql_ref *out)
{
    size_t at = s->at + 1;
    char quote = at < len && (text[at] == '\'' || text[at] == '"') ? text[at] : '\0';
    size_t start = at + (quote != '\0'), end = name_end(text, len, start);
    if (is_separator(s) || end == start || (!quote && !is_name_start((unsigned char)text[start])))
        return false;
    if (quote && (end == len || text[end] != quote))
        return false;
    *out = (struct sql_ref){.kind = quote == '\'' ? SQL_REF_LITERAL : quote ? SQL_REF_IDENT : SQL_REF_VALUE,
                            .at = s->at, .len = end + (quote != '\0') - s->at, .name_at = start,
                            .name_len = end - start};
    return true;
}

bool sql_next_ref(const char *text, size_t len, struct sql_refs *s, struct sql_ref *out)
{
    while (s->at < len) {
        size_t start = s->at;
        if (text[start] != ':') {
            s->at = sql_token(text, len, start);
            note_token(s, text, start, s->at);
            continue;
        }
        char next = start + 1 < len ? text[start + 1] : '\0';
        if (next == ':' || next == '=') {
            s->at += 2;
            s->last = next;
        } else if (read_ref(text, len, s, out)) {
            s->at += out->len;
            s->last = 'o';
            return true;
        } else {
            s->at++;
            s->last = ':';
        }
    }
    return false;
}

bool sql_takes_parameters(const char *text, size_t len)
{
    static const char *const heads[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "WITH", "EXPLAIN",
                                        "DECLARE", "CALL"};
    struct sql_word w[4];
    while (len > 0 && strchr("( \t\r\n", *text)) {
        text++;
        len--;
    }
    size_t n = sql_words(text, len, w, 4);
    for (size_t i = 0; n > 0 && i < sizeof heads / sizeof *heads; i++) {
        if (sql_word_is(text, &w[0], heads[i]))
            return true;
    }
    /* CREATE [TEMP | UNLOGGED …] TABLE … AS; the server says when it is a plain one. */
    bool create = n > 0 && sql_word_is(text, &w[0], "CREATE"), table = false;
    for (size_t i = 1; i < n; i++)
        table |= sql_word_is(text, &w[i], "TABLE");
    return create && table;
}
