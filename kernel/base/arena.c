/* The request arena (see arena.h): blocks of 8 KiB or more, newest first. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/xalloc.h"

enum { BLOCK_SIZE = 8192 };

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a) { *a = (struct arena){0}; }

void arena_release(struct arena *a)
{
    while (a->head) {
        struct arena_block *next = a->head->next;
        free(a->head);
        a->head = next;
    }
    a->used = 0;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t align = alignof(max_align_t);
    if (size > (size_t)1 << 40)
        bug("arena request of %zu bytes", size);
    size_t need = (size + align - 1) / align * align;
    if (!a->head || need > a->head->size - a->head->used) {
        size_t block = need > BLOCK_SIZE ? need : BLOCK_SIZE;
        struct arena_block *b = xmalloc(sizeof *b + block);
        *b = (struct arena_block){.next = a->head, .size = block};
        a->head = b;
    }
    void *p = a->head->data + a->head->used;
    a->head->used += need;
    a->used += need;
    return memset(p, 0, need);
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
    char *copy = arena_alloc(a, len + 1);
    memcpy(copy, text, len);
    return copy;
}

char *arena_strdup(struct arena *a, const char *text) { return text ? arena_strndup(a, text, strlen(text)) : NULL; }

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        bug("out of memory in arena_printf");
    char *copy = arena_strndup(a, text, (size_t)n);
    free(text);
    return copy;
}
