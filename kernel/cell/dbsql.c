/* Where a statement of Databricks SQL ends (see dbsql.h). One pass, no memory. */
#include "cell/dbsql.h"

#include <ctype.h>

struct scan {
    const char *text;
    size_t len, at;
    enum sql_open open;
    size_t open_at;
};

static char look(const struct scan *s, size_t ahead) { return s->at + ahead < s->len ? s->text[s->at + ahead] : '\0'; }

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80; }

/* r'…': nothing escapes. The r is a word of its own. */
static bool is_raw(const struct scan *s)
{
    return s->at > 0 && (s->text[s->at - 1] == 'r' || s->text[s->at - 1] == 'R') &&
           (s->at == 1 || !in_word(s->text[s->at - 2]));
}

/* Behind the closing quote. A doubled quote closes and opens again, which comes to the same. */
static void skip_quoted(struct scan *s, char quote, bool escapes)
{
    s->open_at = s->at++;
    while (s->at < s->len) {
        char c = s->text[s->at++];
        if (c == quote)
            return;
        if (c == '\\' && escapes && s->at < s->len)
            s->at++;
    }
    s->open = quote == '`' ? SQL_IN_IDENT : SQL_IN_STRING;
}

/* Bracketed comments nest. */
static void skip_comment(struct scan *s)
{
    int depth = 0;
    s->open_at = s->at;
    while (s->at < s->len) {
        bool begins = look(s, 0) == '/' && look(s, 1) == '*', ends = look(s, 0) == '*' && look(s, 1) == '/';
        s->at += begins || ends ? 2 : 1;
        depth += begins - ends;
        if (depth == 0)
            return;
    }
    s->at = s->len;
    s->open = SQL_IN_COMMENT;
}

/* A quote or comment that begins here is passed; blank: it was nothing that a statement is made of. */
static bool skip_one(struct scan *s, bool *blank)
{
    char c = look(s, 0);
    *blank = isspace((unsigned char)c);
    if (c == '-' && look(s, 1) == '-') {
        while (s->at < s->len && s->text[s->at] != '\n')
            s->at++;
        *blank = true;
    } else if (c == '/' && look(s, 1) == '*') {
        skip_comment(s);
        *blank = true;
    } else if (c == '\'' || c == '"') {
        skip_quoted(s, c, !is_raw(s));
    } else if (c == '`') {
        skip_quoted(s, c, false);
    } else {
        return false;
    }
    return true;
}

bool dbsql_next(const char *text, size_t len, size_t *pos, struct sql_span *out, enum sql_open *open)
{
    struct scan s = {.text = text, .len = len, .at = *pos};
    bool found = false, ended = false;
    size_t end = *pos;
    *out = (struct sql_span){.start = len};
    while (s.at < len && !ended) {
        size_t from = s.at;
        bool blank;
        if (!skip_one(&s, &blank))
            s.at++;
        if (text[from] == ';') {
            ended = found;
            continue;
        }
        if (blank)
            continue;
        if (!found)
            out->start = from;
        found = true;
        end = s.at;
    }
    *pos = s.at;
    *open = s.open;
    out->open_at = s.open_at;
    out->terminated = ended;
    out->len = found ? end - out->start : 0;
    return found;
}
