/* The capped buffer (see buf.h). */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max) { *b = (struct buf){.max = max}; }

void buf_release(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void buf_release_secret(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->cap);
    buf_release(b);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

void buf_cut(struct buf *b, size_t len)
{
    if (len >= b->len)
        return;
    b->len = len;
    b->data[len] = '\0';
}

static bool reserve(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (more > b->max - b->len) {
        buf_release(b);
        b->failed = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap += cap / 2 + 1;
    char *data = realloc(b->data, cap);
    if (!data) {
        buf_release(b);
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    if (!reserve(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *text) { buf_add(b, text, strlen(text)); }

void buf_putc(struct buf *b, char c) { buf_add(b, &c, 1); }

void buf_fill(struct buf *b, char c, size_t count)
{
    if (!reserve(b, count))
        return;
    memset(b->data + b->len, c, count);
    b->len += count;
    b->data[b->len] = '\0';
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = NULL;
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        bug("out of memory in buf_printf");
    buf_add(b, text, (size_t)n);
    free(text);
}

const char *buf_str(const struct buf *b) { return b->data ? b->data : ""; }

char *buf_detach(struct buf *b)
{
    if (b->failed)
        return NULL;
    if (!b->data)
        buf_add(b, "", 0);
    char *data = b->data;
    b->data = NULL;
    buf_init(b, b->max);
    return data;
}

bool buf_ok(const struct buf *b, const char *what, struct err *e)
{
    if (!b->failed)
        return true;
    return err_set(e, ERR_TOO_BIG, "%s is larger than %zu bytes", what, b->max);
}
