/*
 * The SQL lexer that split, is_complete and completion share: quotes ('', E'', U&'', ""), dollar quotes, nested
 * comments, parentheses, BEGIN ATOMIC bodies, as psql's scanner (psqlscan.l) sees them. It never fails; at the end of
 * the text it knows what is still open.
 */
#ifndef CELL_SQLLEX_H
#define CELL_SQLLEX_H

#include <stdbool.h>
#include <stddef.h>

enum sql_open { SQL_CLOSED = 0, SQL_IN_STRING, SQL_IN_IDENT, SQL_IN_DOLLAR, SQL_IN_COMMENT, SQL_IN_PAREN, SQL_IN_ATOMIC };

struct sql_span {
    size_t start, len; /* bytes in the text; blanks and comments around it and the semicolon are not in it */
    bool terminated;   /* a semicolon ended it */
    size_t open_at;    /* byte where what is still open began, when *open is a quote or a comment */
    size_t backslash;  /* byte of the first backslash outside quotes, which no SQL has; 0: none */
    bool wants_data;   /* COPY … FROM STDIN (or STDOUT, which is the same there): its data are the lines below, to a line with \. alone or the end of the text */
    size_t data, data_len; /* bytes in the text, without that line; data 0: there are none */
};

/* The next statement at or after *pos; false: only blanks and comments are left. Moves *pos behind its semicolon, or behind its data.
 * stop_at_magic: a line that starts with '%' or '\\' at a statement boundary ends the search (returns false with *pos at
 * the line's start). *open tells what was unfinished when the text ended. Backslash escapes in plain '…' strings are
 * not known (standard_conforming_strings is on). */
bool sql_next(const char *text, size_t len, size_t *pos, bool stop_at_magic, struct sql_span *out, enum sql_open *open);

/* Behind the token at `at`, which is below len: a quoted string or identifier, a comment, a word, a number, else one
 * byte. What is not closed reaches to the end. */
size_t sql_token(const char *text, size_t len, size_t at);

#endif
