/* Databricks SQL as tokens, each with its place. Knows no grammar. */
#ifndef LAKEHOUSE_FRONT_LEX_H
#define LAKEHOUSE_FRONT_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

enum token_kind {
    TOKEN_END = 0,
    TOKEN_WORD,      /* keyword or unquoted name */
    TOKEN_NAME,      /* `name` */
    TOKEN_STRING,    /* 'text', "text", r'text' */
    TOKEN_HEX,       /* x'1F' */
    TOKEN_NUMBER,    /* 1, 1.5e3, 10L */
    TOKEN_PARAMETER, /* :name */
    TOKEN_SYMBOL     /* one character, but "<=>", "==", "::" and "->" are one token */
};
struct token {
    enum token_kind kind;
    size_t start, end;  /* bytes in the statement */
    const char *text;   /* as written, for strings, names and parameters without quotes, marks and escapes */
    bool spaced;        /* white space or a comment before it */
};
struct tokens {
    struct token *list; /* ends with TOKEN_END, and FRONT_LOOK_AHEAD more of it: t[5] can be looked at without care */
    size_t count;       /* without them */
};

enum { FRONT_TOKENS_MAX = 4 << 20, FRONT_LOOK_AHEAD = 8 };

/* One statement; a semicolon may end it. ERR_SQL [PARSE_SYNTAX_ERROR] with the place; ERR_TOO_BIG. */
bool front_lex(const char *sql, struct arena *arena, struct tokens *out, struct err *e);
/* Set ERR_SQL "[class] text" with sqlstate and the code point of byte `at`. Always false. */
bool front_error_at(const char *sql, size_t at, const char *class, const char *sqlstate, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
/* Case-insensitive; words only. */
bool token_is(const struct token *t, const char *word);
bool token_symbol(const struct token *t, const char *symbol);
static inline bool token_names(const struct token *t)
{
    return t->kind == TOKEN_WORD || t->kind == TOKEN_NAME;
}

#endif
