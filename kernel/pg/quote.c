/* Quoting of literals and identifiers for SQL that we build ourselves (declared in pg/exec.h). */
#include <string.h>

#include "base/buf.h"
#include "pg/exec.h"

static void put_doubled(struct buf *out, const char *text, const char *doubled)
{
    for (; *text; text++) {
        buf_putc(out, *text);
        if (strchr(doubled, *text))
            buf_putc(out, *text);
    }
}

/* A backslash means the same in both settings of standard_conforming_strings only inside E'…'; the blank keeps the E
 * from sticking to a word before it. */
void pg_quote_literal(struct buf *out, const char *text)
{
    bool escapes = strchr(text, '\\') != NULL;
    buf_puts(out, escapes ? " E'" : "'");
    put_doubled(out, text, escapes ? "'\\" : "'");
    buf_putc(out, '\'');
}

void pg_quote_ident(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    put_doubled(out, text, "\"");
    buf_putc(out, '"');
}
