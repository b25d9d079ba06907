/*
 * UTF-8: lengths, boundaries and conversion of positions. Offsets inside the programs are bytes; Jupyter's cursor
 * positions and PostgreSQL's error positions are code points, so they are converted here at the edge.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decode one code point at text[0..len); returns its byte length (1 to 4), or 0 where the bytes are not valid
 * UTF-8 (overlong forms, surrogates and values over U+10FFFF are not) or len is 0. */
size_t utf8_decode(const char *text, size_t len, uint32_t *cp);
bool utf8_valid(const char *text, size_t len);
/* The largest boundary of a code point that is <= max (and <= len). */
size_t utf8_floor(const char *text, size_t len, size_t max);
/* How many code points text has; an invalid byte counts as one. */
size_t utf8_count(const char *text, size_t len);
/* Byte offset of the n-th (0-based) code point; len when there are fewer. */
size_t utf8_offset(const char *text, size_t len, size_t n);
/* Columns a terminal uses: combining marks 0, East Asian wide and emoji 2, else 1; control characters count 0. */
size_t utf8_width(const char *text, size_t len);

#endif
