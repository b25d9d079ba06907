/*
 * Fuzz target: arguments of magics (kernel/cell/args.c) against rows of every type. What is accepted must keep to its
 * row; what is refused must say where. Replayed by tests/unit/test_cell_fuzz.c; for a long run:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ikernel tests/fuzz/fuzz_args.c \
 *     kernel/cell/{args,args_help}.c kernel/base/{arena,buf,err,utf8,xalloc}.c -o fuzz && ./fuzz tests/fuzz/corpus/args
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cell/args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const fuzz_sizes[] = {"CU_1", "CU_2", NULL};
static const struct arg_row fuzz_rows[] = {
    {.name = "capacity", .letter = 'c', .type = ARG_CHOICE, .choices = fuzz_sizes},
    {.name = "limit", .letter = 'n', .type = ARG_INT, .min = -5, .max = 1000},
    {.name = "wait", .type = ARG_DURATION, .min = 1, .max = 60000},
    {.name = "force", .letter = 'f', .type = ARG_FLAG},
    {.name = "tag", .type = ARG_WORD, .flags = ARG_REPEAT},
    {.name = "token", .type = ARG_WORD, .flags = ARG_SECRET},
    {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED},
    {.name = "alias", .positional = true, .type = ARG_WORD, .keyword = "as"},
    {.name = "rest", .positional = true, .type = ARG_REST},
    {.name = NULL},
};

static void check(const struct args *p)
{
    long long n = args_int(p, "limit", 0), wait = args_int(p, "wait", 1);
    const char *capacity = args_get(p, "capacity");
    if (n < -5 || n > 1000 || wait < 1 || wait > 60000 || !args_get(p, "name") ||
        (capacity && strcmp(capacity, "CU_1") != 0 && strcmp(capacity, "CU_2") != 0) || args_get_nth(p, "name", 1))
        abort();
    for (size_t i = 0; args_get_nth(p, "tag", i); i++)
        continue;
    args_flag(p, "force");
    args_get(p, "rest");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    struct arena a;
    struct err e;
    if (!copy)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    err_init(&e);
    arena_init(&a);
    const struct args *p = args_parse(&a, fuzz_rows, copy, size, 1, 1, &e);
    if (p ? e.code != ERR_NONE : e.code != ERR_USAGE || e.line < 1 || e.column < 1 || e.width < 1)
        abort();
    if (p)
        check(p);
    args_nearest(copy, size, fuzz_sizes);
    arena_release(&a);
    free(copy);
    return 0;
}
