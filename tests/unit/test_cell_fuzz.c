/*
 * Replays the fuzz targets of cell/: every corpus file as it is, each of its beginnings, and thousands of changed copies
 * (a fixed sequence, so that a failure repeats). The targets abort when something is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"

#define LLVMFuzzerTestOneInput fuzz_sqllex
#include "../fuzz/fuzz_sqllex.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_split
#include "../fuzz/fuzz_split.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_args
#include "../fuzz/fuzz_args.c"

enum { CHANGES = 2000, MOST_BYTES = 1 << 16 };

static uint64_t seed = 88172645463325252u;

static size_t next_number(size_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return below ? seed % below : 0;
}

/* A piece of syntax in the place of up to eight bytes. */
static void change(struct buf *b)
{
    static const char *const pieces[] = {"", "'", "\"", "\\", "$", "$$", "$a$", "/*", "*/", "--", "-", ";", "(", ")", "\n", "%", "%%",
                                         " ", "E'", "U&\"", "begin ", "end ", "case ", "create function ", "=", "as ", "\xff", "ä", "\n\\"};
    size_t at = next_number(b->len + 1), gone = next_number(b->len - at + 1) % 8;
    const char *piece = pieces[next_number(sizeof pieces / sizeof *pieces)];
    struct buf out;
    buf_init(&out, MOST_BYTES);
    buf_add(&out, buf_str(b), at);
    buf_puts(&out, piece);
    buf_add(&out, buf_str(b) + at + gone, b->len - at - gone);
    buf_release(b);
    *b = out;
}

static void run(const struct buf *b, int (*target)(const uint8_t *, size_t), size_t len)
{
    target((const uint8_t *)buf_str(b), len);
}

static void replay_file(const char *path, int (*target)(const uint8_t *, size_t))
{
    struct err e;
    struct buf text;
    err_init(&e);
    buf_init(&text, MOST_BYTES);
    assert_true(fs_read(path, &text, &e));
    for (size_t len = 0; len <= text.len; len++)
        run(&text, target, len);
    for (int i = 0; i < CHANGES; i++) {
        struct buf copy;
        buf_init(&copy, MOST_BYTES);
        buf_add(&copy, buf_str(&text), text.len);
        for (size_t times = 1 + next_number(4); times > 0; times--)
            change(&copy);
        assert_false(copy.failed);
        run(&copy, target, copy.len);
        buf_release(&copy);
    }
    buf_release(&text);
}

static void replay(const char *folder, int (*target)(const uint8_t *, size_t))
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    int files = 0;
    for (struct dirent *f; (f = readdir(d)) != NULL;) {
        char path[512];
        if (f->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
        replay_file(path, target);
        files++;
    }
    closedir(d);
    assert_true(files > 3);
}

static void test_sqllex(void **state)
{
    (void)state;
    replay("tests/fuzz/corpus/cell", fuzz_sqllex);
}

static void test_split(void **state)
{
    (void)state;
    replay("tests/fuzz/corpus/cell", fuzz_split);
}

static void test_args(void **state)
{
    (void)state;
    replay("tests/fuzz/corpus/args", fuzz_args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sqllex), cmocka_unit_test(test_split), cmocka_unit_test(test_args)};
    return cmocka_run_group_tests_name("cell_fuzz", tests, NULL, NULL);
}
