/*
 * A growable run of bytes with a stated maximum. Appending past the maximum (or out of memory) marks the buffer as
 * failed and frees what it held; later appends do nothing, so a chain of appends is checked once, with buf_ok.
 * The bytes are always followed by a NUL that does not count.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct buf {
    char *data;   /* NULL until the first append */
    size_t len;   /* bytes in use, without the NUL */
    size_t cap;   /* bytes allocated */
    size_t max;   /* never more than this many bytes in use */
    bool failed;  /* an append did not fit */
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);
/* Overwrite the contents before freeing them: for secrets. */
void buf_release_secret(struct buf *b);
/* Length 0 and usable again; keeps max and memory. */
void buf_clear(struct buf *b);
/* Forget what came after the first `len` bytes; more than there are change nothing. */
void buf_cut(struct buf *b, size_t len);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_fill(struct buf *b, char c, size_t count);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The bytes as a C string; "" when empty or failed. Valid until the next change. */
const char *buf_str(const struct buf *b);
/* Hand over the memory (the caller frees it); never NULL unless failed. The buffer is empty afterwards. */
char *buf_detach(struct buf *b);
/* false and ERR_TOO_BIG ("<what> is larger than <max> bytes") when an append did not fit. */
bool buf_ok(const struct buf *b, const char *what, struct err *e);

#endif
