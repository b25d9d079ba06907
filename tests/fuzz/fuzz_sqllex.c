/*
 * Fuzz target: statement boundaries (kernel/cell/sqllex.c). Statements must come in order, without overlap, begin and
 * end in something visible, and be found again when the search starts at them. Replayed by tests/unit/test_cell_fuzz.c;
 * for a long run:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ikernel tests/fuzz/fuzz_sqllex.c kernel/cell/sqllex.c \
 *     -o fuzz && ./fuzz tests/fuzz/corpus/cell
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cell/sqllex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const char *text, size_t len, bool stop_at_magic)
{
    struct sql_span s, again;
    enum sql_open open = SQL_CLOSED, open_again;
    size_t pos = 0, last = 0;
    while (sql_next(text, len, &pos, stop_at_magic, &s, &open)) {
        if (s.len == 0 || s.start < last || s.start + s.len > pos || pos > len || strchr(" \t\r\n;", text[s.start]) ||
            (s.terminated && text[pos - 1] != ';') || (!s.terminated && pos != len) || (open && s.terminated) ||
            s.open_at > len)
            abort();
        size_t from = s.start;
        if (!sql_next(text, len, &from, false, &again, &open_again) || again.start != s.start || again.len != s.len ||
            from != pos || open_again != open)
            abort();
        last = s.start + s.len;
    }
    if (pos > len || (!stop_at_magic && pos != len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* a block of its own size, so that a read behind it is seen */
    char *copy = malloc(size ? size : 1);
    if (!copy || (size > 0 && memchr(data, '\0', size))) {
        free(copy);
        return 0;
    }
    if (size > 0)
        memcpy(copy, data, size);
    walk(copy, size, false);
    walk(copy, size, true);
    free(copy);
    return 0;
}
