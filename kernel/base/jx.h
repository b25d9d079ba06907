/*
 * JSON helpers over jansson: typed getters with defaults, text that is always valid UTF-8, parsing with caps.
 * Getters borrow. A json_t never crosses threads; dump it to bytes instead.
 */
#ifndef BASE_JX_H
#define BASE_JX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

/* Call once at the start of main, before threads: allocation through xmalloc (never NULL), hash seed. */
void jx_setup(void);
/* A string from outside text: bytes that are not UTF-8, and NUL, become U+FFFD. Never NULL. */
json_t *jx_text(const char *text, size_t len);
/* Member as text, or `otherwise` when it is missing or not a string. Borrowed. */
const char *jx_get_str(const json_t *object, const char *key, const char *otherwise);
/* Accepts a number or a numeric string (int64 arrives as both from the SDKs). */
int64_t jx_get_int(const json_t *object, const char *key, int64_t otherwise);
bool jx_get_bool(const json_t *object, const char *key, bool otherwise);
/* Parse a whole document (object or array at the top); at most `max` bytes; ERR_MALFORMED with line and column, or
 * ERR_TOO_BIG. Duplicate keys are refused. Caller owns the result; NULL on failure. */
json_t *jx_parse(const char *text, size_t len, size_t max, struct err *e);
/* Compact text; the caller frees it. Never NULL. */
char *jx_dump(const json_t *value);

static inline json_t *jx_str(const char *text) { return jx_text(text, strlen(text)); }

#endif
