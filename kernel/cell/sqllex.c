/*
 * Statement boundaries, as psql finds them (src/fe_utils/psqlscan.l): what a semicolon ends and what hides one.
 * Not a parser: it looks at quotes, comments, parentheses and the words around BEGIN ATOMIC bodies, nothing else.
 */
#include "cell/sqllex.h"

#include <string.h>
#include <strings.h>

struct lexer {
    const char *text;
    size_t len, at;
    size_t depth;      /* open parentheses */
    size_t atomic;     /* open BEGIN and CASE inside a routine body */
    size_t n_words;    /* unquoted words of the statement so far */
    char words[4];     /* first letter of the first four, when they belong to CREATE [OR REPLACE] FUNCTION|PROCEDURE */
    enum { COPY_NO = 0, COPY_BEGUN, COPY_FROM, COPY_STDIN } copy; /* how far COPY … FROM STDIN has come */
    enum sql_open open;
    size_t open_at;    /* where the token began that is open */
};

static bool is_ident_start(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

static bool is_ident(unsigned char c) { return is_ident_start(c) || is_digit(c) || c == '$'; }

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

static char peek(const struct lexer *x, size_t ahead)
{
    return ahead < x->len - x->at ? x->text[x->at + ahead] : '\0';
}

static void skip_line_comment(struct lexer *x)
{
    while (x->at < x->len && x->text[x->at] != '\n' && x->text[x->at] != '\r')
        x->at++;
}

/* Nested, as the standard and PostgreSQL have it. */
static void skip_block_comment(struct lexer *x)
{
    size_t depth = 0;
    while (x->at < x->len) {
        if (peek(x, 0) == '/' && peek(x, 1) == '*') {
            depth++;
            x->at += 2;
        } else if (peek(x, 0) == '*' && peek(x, 1) == '/') {
            x->at += 2;
            if (--depth == 0)
                return;
        } else {
            x->at++;
        }
    }
    x->open = SQL_IN_COMMENT;
}

/* Two strings with only blanks (one of them a newline) and line comments between them are one string, so an E'…' goes
 * on as E'…'. Moves behind the blanks when a quote follows. */
static bool continues(struct lexer *x)
{
    size_t was = x->at;
    bool newline = false;
    while (x->at < x->len) {
        if (is_blank(x->text[x->at])) {
            newline |= x->text[x->at] == '\n' || x->text[x->at] == '\r';
            x->at++;
        } else if (peek(x, 0) == '-' && peek(x, 1) == '-') {
            skip_line_comment(x);
        } else {
            break;
        }
    }
    if (newline && peek(x, 0) == '\'')
        return true;
    x->at = was;
    return false;
}

/* At the opening quote. */
static void skip_quoted(struct lexer *x, char quote, bool escapes)
{
    x->at++;
    while (x->at < x->len) {
        char c = x->text[x->at];
        if (escapes && c == '\\' && x->len - x->at >= 2) {
            x->at += 2;
        } else if (c != quote) {
            x->at++;
        } else if (peek(x, 1) == quote) {
            x->at += 2;
        } else {
            x->at++;
            if (quote != '\'' || !continues(x))
                return;
            x->at++;
        }
    }
    x->open = quote == '"' ? SQL_IN_IDENT : SQL_IN_STRING;
}

/* At a '$'. false: no dollar quote starts here, and nothing has moved. */
static bool skip_dollar(struct lexer *x)
{
    size_t tag = 1;
    while (tag < x->len - x->at && x->text[x->at + tag] != '$') {
        unsigned char c = (unsigned char)x->text[x->at + tag];
        if (!is_ident_start(c) && !(tag > 1 && is_digit(c)))
            return false;
        tag++;
    }
    if (tag >= x->len - x->at)
        return false;
    tag++;
    const char *opening = x->text + x->at, *end = x->text + x->len, *p = opening + tag;
    while ((p = memchr(p, '$', (size_t)(end - p))) && (size_t)(end - p) >= tag && memcmp(p, opening, tag) != 0)
        p++;
    if (p && (size_t)(end - p) >= tag) {
        x->at = (size_t)(p - x->text) + tag;
    } else {
        x->open = SQL_IN_DOLLAR;
        x->at = x->len;
    }
    return true;
}

static bool word_is(const char *word, size_t len, const char *what)
{
    return strlen(what) == len && strncasecmp(word, what, len) == 0;
}

/* Semicolons inside the body of a routine in the SQL standard's form do not end the statement. The heuristic is psql's:
 * after CREATE [OR REPLACE] {FUNCTION|PROCEDURE}, outside parentheses, count BEGIN and CASE against END. */
static void note_word(struct lexer *x, const char *word, size_t len)
{
    static const char *const heads[] = {"create", "function", "procedure", "or", "replace"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        if (word_is(word, len, heads[i]) && x->n_words < sizeof x->words)
            x->words[x->n_words] = heads[i][0];
    }
    if (x->n_words == 0 && word_is(word, len, "copy"))
        x->copy = COPY_BEGUN;
    else if (x->depth == 0 && (x->copy == COPY_BEGUN || x->copy == COPY_FROM))
        x->copy = x->copy == COPY_FROM && (word_is(word, len, "stdin") || word_is(word, len, "stdout")) ? COPY_STDIN
                  : word_is(word, len, "from") ? COPY_FROM : COPY_BEGUN;
    x->n_words++;
    const char *w = x->words;
    bool routine = w[0] == 'c' && (w[1] == 'f' || w[1] == 'p' ||
                                   (w[1] == 'o' && w[2] == 'r' && (w[3] == 'f' || w[3] == 'p')));
    if (!routine || x->depth > 0)
        return;
    if (word_is(word, len, "begin") || (x->atomic > 0 && word_is(word, len, "case")))
        x->atomic++;
    else if (x->atomic > 0 && word_is(word, len, "end"))
        x->atomic--;
}

static void skip_word(struct lexer *x)
{
    size_t start = x->at;
    char next = peek(x, 1), quote = peek(x, 2);
    switch (x->text[start]) {
    case 'e': case 'E': case 'b': case 'B': case 'x': case 'X':
        if (next == '\'') {
            x->at++;
            skip_quoted(x, '\'', x->text[start] == 'e' || x->text[start] == 'E');
            return;
        }
        break;
    case 'u': case 'U':
        if (next == '&' && (quote == '\'' || quote == '"')) {
            x->at += 2;
            skip_quoted(x, quote, false);
            return;
        }
        break;
    default:
        break;
    }
    while (x->at < x->len && is_ident((unsigned char)x->text[x->at]))
        x->at++;
    note_word(x, x->text + start, x->at - start);
}

/* Digits, and the letters that stick to them ("1e5", "0x1F", and junk that the server will refuse). */
static void skip_number(struct lexer *x)
{
    while (x->at < x->len && is_digit((unsigned char)x->text[x->at]))
        x->at++;
    if (x->at < x->len && is_ident_start((unsigned char)x->text[x->at])) {
        while (x->at < x->len && is_ident((unsigned char)x->text[x->at]))
            x->at++;
    }
}

/* Move over one token. Returns true at a semicolon that ends the statement (moved over too). */
static bool step(struct lexer *x)
{
    unsigned char c = (unsigned char)x->text[x->at];
    char next = peek(x, 1);
    size_t start = x->at;
    if (c == '\'' || c == '"')
        skip_quoted(x, (char)c, false);
    else if (c == '-' && next == '-')
        skip_line_comment(x);
    else if (c == '/' && next == '*')
        skip_block_comment(x);
    else if (is_ident_start(c))
        skip_word(x);
    else if (is_digit(c))
        skip_number(x);
    else if (c == '$' && is_digit((unsigned char)next))
        x->at++, skip_number(x);
    else if (c != '$' || !skip_dollar(x))
        x->at++;
    if (x->open != SQL_CLOSED)
        x->open_at = start;
    if (c == '(')
        x->depth++;
    else if (c == ')' && x->depth > 0)
        x->depth--;
    return c == ';' && x->depth == 0 && x->atomic == 0;
}

size_t sql_token(const char *text, size_t len, size_t at)
{
    struct lexer x = {.text = text, .len = len, .at = at};
    step(&x);
    return x.at;
}

/* Blanks, comments and empty statements. false: stopped at a magic, or the text ended. */
static bool skip_leading(struct lexer *x, bool stop_at_magic, bool line_start)
{
    size_t line = x->at;
    while (x->at < x->len && x->open == SQL_CLOSED) {
        char c = x->text[x->at];
        if (stop_at_magic && line_start && (c == '%' || c == '\\')) {
            x->at = line;
            return false;
        }
        if (c == '\n' || c == '\r') {
            line_start = true;
            line = x->at + 1;
        }
        if (is_blank(c)) {
            x->at++;
            continue;
        }
        line_start = false;
        x->open_at = x->at;
        if (c == ';')
            x->at++;
        else if (c == '-' && peek(x, 1) == '-')
            skip_line_comment(x);
        else if (c == '/' && peek(x, 1) == '*')
            skip_block_comment(x);
        else
            return true;
    }
    return false;
}

static bool at_line_start(const char *text, size_t at)
{
    while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t'))
        at--;
    return at == 0 || text[at - 1] == '\n' || text[at - 1] == '\r';
}

/* Behind the semicolon of a COPY … FROM STDIN: the data begin on the next line, as in psql; a comment may stand before it. */
static void take_data(struct lexer *x, struct sql_span *out)
{
    size_t at = x->at;
    while (at < x->len && is_blank(x->text[at]) && x->text[at] != '\n')
        at++;
    if (x->len - at >= 2 && memcmp(x->text + at, "--", 2) == 0) {
        while (at < x->len && x->text[at] != '\n')
            at++;
    }
    if (at == x->len || x->text[at] != '\n')
        return;
    out->data = x->at = ++at;
    while (x->at < x->len) {
        const char *nl = memchr(x->text + x->at, '\n', x->len - x->at);
        size_t end = nl ? (size_t)(nl - x->text) : x->len, text_end = end;
        if (text_end > x->at && x->text[text_end - 1] == '\r')
            text_end--;
        bool last = text_end - x->at == 2 && memcmp(x->text + x->at, "\\.", 2) == 0;
        out->data_len = x->at - out->data;
        x->at = end + (nl != NULL);
        if (last)
            return;
        out->data_len = x->at - out->data;
    }
    if (out->data_len == 0)
        out->data = 0;
}

bool sql_next(const char *text, size_t len, size_t *pos, bool stop_at_magic, struct sql_span *out, enum sql_open *open)
{
    struct lexer x = {.text = text, .len = len, .at = *pos};
    *out = (struct sql_span){0};
    bool found = skip_leading(&x, stop_at_magic, at_line_start(text, *pos));
    if (found) {
        out->start = x.at;
        size_t end = x.at;
        while (x.at < len && !out->terminated) {
            size_t from = x.at;
            if (text[from] == '\\' && !out->backslash)
                out->backslash = from;
            out->terminated = step(&x);
            /* Blanks and comments at the end do not belong to the statement. */
            bool comment = (text[from] == '-' && x.at - from > 1) || (text[from] == '/' && x.at - from > 1);
            if (!out->terminated && !is_blank(text[from]) && !(comment && x.open == SQL_CLOSED))
                end = x.at;
        }
        out->len = end - out->start;
        out->wants_data = x.copy == COPY_STDIN;
        if (out->wants_data && out->terminated)
            take_data(&x, out);
        if (!out->terminated && x.open == SQL_CLOSED)
            x.open = x.atomic > 0 ? SQL_IN_ATOMIC : x.depth > 0 ? SQL_IN_PAREN : SQL_CLOSED;
    }
    out->open_at = x.open_at;
    *pos = x.at;
    *open = x.open;
    return found;
}
