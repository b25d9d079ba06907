/* The first words of a statement (see sqlword.h). Boundaries of statements are sqllex.c's. */
#include "cell/sqlword.h"

#include <string.h>
#include <strings.h>

#include "cell/sqllex.h"

static bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

static bool is_word(char c) { return is_word_start(c) || (c >= '0' && c <= '9') || c == '$' || (c & 0x80); }

/* Behind a block comment that begins at `at`; they nest. */
static size_t skip_comment(const char *text, size_t len, size_t at)
{
    size_t depth = 0;
    while (at + 1 < len) {
        bool opens = text[at] == '/' && text[at + 1] == '*', closes = text[at] == '*' && text[at + 1] == '/';
        at += opens || closes ? 2 : 1;
        depth += opens;
        depth -= closes;
        if (depth == 0)
            return at;
    }
    return len;
}

static size_t skip_blanks(const char *text, size_t len, size_t at)
{
    while (at < len) {
        if (memchr(" \t\r\n\f\v", text[at], 6)) {
            at++;
        } else if (len - at >= 2 && memcmp(text + at, "--", 2) == 0) {
            while (at < len && text[at] != '\n')
                at++;
        } else if (len - at >= 2 && memcmp(text + at, "/*", 2) == 0) {
            at = skip_comment(text, len, at);
        } else {
            break;
        }
    }
    return at;
}

size_t sql_words(const char *text, size_t len, struct sql_word *out, size_t max)
{
    size_t n = 0, at = 0;
    while (n < max) {
        at = skip_blanks(text, len, at);
        if (at == len || !is_word_start(text[at]))
            break;
        size_t end = at;
        while (end < len && is_word(text[end]))
            end++;
        out[n++] = (struct sql_word){at, end - at};
        at = end;
    }
    return n;
}

bool sql_word_is(const char *text, const struct sql_word *word, const char *name)
{
    return strlen(name) == word->len && strncasecmp(text + word->at, name, word->len) == 0;
}

enum sql_tx sql_transaction(const char *text, size_t len)
{
    struct sql_word w[3];
    size_t n = sql_words(text, len, w, 3);
    if (n == 0)
        return SQL_TX_NONE;
    bool transaction = n > 1 && sql_word_is(text, &w[1], "TRANSACTION");
    if (sql_word_is(text, &w[0], "BEGIN") || (transaction && sql_word_is(text, &w[0], "START")))
        return SQL_TX_BEGIN;
    if (sql_word_is(text, &w[0], "COMMIT") || sql_word_is(text, &w[0], "END") ||
        (transaction && sql_word_is(text, &w[0], "PREPARE")))
        return SQL_TX_COMMIT;
    if (!sql_word_is(text, &w[0], "ROLLBACK") && !sql_word_is(text, &w[0], "ABORT"))
        return SQL_TX_NONE;
    size_t to = transaction || (n > 1 && sql_word_is(text, &w[1], "WORK")) ? 2 : 1;
    return n > to && sql_word_is(text, &w[to], "TO") ? SQL_TX_NONE : SQL_TX_ROLLBACK;
}

enum sql_savepoint sql_savepoint(const char *text, size_t len, struct sql_word *name)
{
    struct sql_word w[4];
    size_t n = sql_words(text, len, w, 4), used = 1;
    enum sql_savepoint kind = SQL_SAVEPOINT_NONE;
    if (n > 0 && sql_word_is(text, &w[0], "SAVEPOINT"))
        kind = SQL_SAVEPOINT_SET;
    else if (n > 0 && sql_word_is(text, &w[0], "RELEASE"))
        kind = SQL_SAVEPOINT_RELEASE;
    else if (n > 0 && sql_word_is(text, &w[0], "ROLLBACK"))
        kind = SQL_SAVEPOINT_BACK;
    if (kind == SQL_SAVEPOINT_BACK) {
        if (n > 1 && (sql_word_is(text, &w[1], "WORK") || sql_word_is(text, &w[1], "TRANSACTION")))
            used = 2;
        if (used == n || !sql_word_is(text, &w[used++], "TO"))
            return SQL_SAVEPOINT_NONE;
    }
    if (kind != SQL_SAVEPOINT_SET && n > used && sql_word_is(text, &w[used], "SAVEPOINT"))
        used++;
    size_t at = kind ? skip_blanks(text, len, w[used - 1].at + w[used - 1].len) : len;
    if (at == len)
        return SQL_SAVEPOINT_NONE;
    *name = (struct sql_word){at, sql_token(text, len, at) - at};
    return kind;
}
