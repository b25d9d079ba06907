/*
 * A bump allocator for one request (one cell, one HTTP call): everything in it lives until arena_release, nothing is
 * freed singly. Session-long structures copy what they keep; they never point into an arena. Not thread-safe.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t used; /* bytes handed out so far, for caps by the caller */
};

void arena_init(struct arena *a);
void arena_release(struct arena *a);
/* Zeroed, aligned for any type. Aborts when memory is out. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *text, size_t len) __attribute__((returns_nonnull));
/* NULL gives NULL. */
char *arena_strdup(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3), returns_nonnull));

#endif
