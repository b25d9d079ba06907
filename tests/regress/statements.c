/*
 * How the kernel splits a file of SQL, for the comparison with psql: reads it from standard input and prints a line for each
 * statement: first byte, byte behind it with its semicolon and data, and what keeps it out of the comparison: "b" a backslash
 * command in it, "v" a reference to a variable, "-" nothing. Lines of backslash commands are passed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cell/binding.h"
#include "cell/sqllex.h"

int main(void)
{
    struct buf text;
    char piece[65536];
    size_t n;
    buf_init(&text, 64 << 20);
    while ((n = fread(piece, 1, sizeof piece, stdin)) > 0)
        buf_add(&text, piece, n);
    const char *sql = buf_str(&text);
    size_t len = text.len, pos = 0;
    while (pos < len) {
        struct sql_span span;
        enum sql_open open;
        if (sql_next(sql, len, &pos, true, &span, &open)) {
            struct sql_refs refs = {0};
            struct sql_ref ref;
            bool variable = sql_next_ref(sql + span.start, span.len, &refs, &ref);
            printf("%zu %zu %s\n", span.start, pos, span.backslash ? "b" : variable ? "v" : "-");
        } else if (pos < len) {
            const char *nl = memchr(sql + pos, '\n', len - pos);
            pos = nl ? (size_t)(nl - sql) + 1 : len;
        }
    }
    buf_release(&text);
    return 0;
}
