/*
 * Fuzz target: a cell as a list of items (kernel/cell/split.c). Items must lie in the cell, in order, with true places;
 * an error must say where. Replayed by tests/unit/test_cell_fuzz.c; for a long run:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ikernel tests/fuzz/fuzz_split.c \
 *     kernel/cell/{split,sqllex}.c kernel/base/{arena,err,utf8,xalloc}.c -o fuzz && ./fuzz tests/fuzz/corpus/cell
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cell/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_item(const char *text, size_t len, const struct cell_item *it, const char *behind)
{
    int line, column;
    if (it->args < behind || it->args > text + len || it->args_len > (size_t)(text + len - it->args) ||
        (it->name != NULL) != (it->kind != CELL_SQL) || (it->body != NULL) != (it->kind == CELL_CELL_MAGIC))
        abort();
    cell_place(text, len, (size_t)(it->args - text), &line, &column);
    if (line != it->line || column != it->column)
        abort();
    if (it->name && (!*it->name || it->name_column < 1 || it->name_column >= it->column))
        abort();
    if (it->body && (it->body < it->args || it->body + it->body_len != text + len || it->body_line < it->line))
        abort();
    if (it->kind == CELL_SQL && it->args_len == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    struct arena a;
    struct cell_items items;
    struct err e;
    if (!copy)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    err_init(&e);
    arena_init(&a);
    enum cell_state state = cell_is_complete(copy, size);
    if (cell_split(&a, copy, size, &items, &e)) {
        const char *behind = copy;
        for (size_t i = 0; i < items.count; i++) {
            check_item(copy, size, &items.items[i], behind);
            behind = items.items[i].args + items.items[i].args_len;
        }
        if (items.count == 0 && state != CELL_COMPLETE)
            abort();
    } else if (e.code == ERR_SYNTAX ? e.line < 1 || e.column < 1 || e.width < 1 : e.code != ERR_TOO_BIG) {
        abort();
    }
    arena_release(&a);
    free(copy);
    return 0;
}
