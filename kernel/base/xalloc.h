/*
 * Allocate or abort. For small requests of our own making; whatever is sized from outside goes through struct buf or
 * another thing with a cap, which fails with ERR_TOO_BIG instead.
 */
#ifndef BASE_XALLOC_H
#define BASE_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* Overflow-checked realloc(p, count * size). */
void *xreallocarray(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
/* NULL gives NULL. */
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len) __attribute__((returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
/* Overwrite memory that held a secret, then free it. NULL is fine. */
void xfree_secret(char *text);

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
