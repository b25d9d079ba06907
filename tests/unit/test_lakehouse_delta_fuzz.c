/*
 * Replays the fuzz targets of the Delta log: every corpus file as it is, beginnings of it, and hundreds of changed copies (a fixed
 * sequence, so that a failure repeats). The targets abort when something is wrong.
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
#include "base/jx.h"

#define LLVMFuzzerTestOneInput fuzz_delta
#include "../fuzz/fuzz_delta.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_delta_type
#include "../fuzz/fuzz_delta_type.c"

enum { CHANGES = 1500, MOST_BYTES = 1 << 16 };

static uint64_t seed = 88172645463325252u;

static size_t next_number(size_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return below ? seed % below : 0;
}

/* A piece of a log in the place of up to eight bytes. */
static void change(struct buf *b)
{
    static const char *const pieces[] = {
        "", "{", "}", "[", "]", "\"", "\\\"", ":", ",", "null", "true", "-1", "1e999", "99999999999999999999", "\n", "\\u0000", "\xff", "ä",
        "%2e%2e%2f", "../", "/etc/x", "file:", "s3://", "%00", "%ff", "%25", "add", "remove", "path", "protocol", "deletionVector",
        "\"type\":", "array", "struct", "decimal(", "<", ">", "(", ")", "`", "STRUCT<", "NOT NULL", "COMMENT 'x'", "minReaderVersion", "3", "7"};
    size_t at = next_number(b->len + 1), gone = next_number(b->len - at + 1) % 8;
    struct buf out;
    buf_init(&out, MOST_BYTES);
    buf_add(&out, buf_str(b), at);
    buf_puts(&out, pieces[next_number(sizeof pieces / sizeof *pieces)]);
    buf_add(&out, buf_str(b) + at + gone, b->len - at - gone);
    buf_release(b);
    *b = out;
}

static void replay_file(const char *path, int (*target)(const uint8_t *, size_t))
{
    struct err e;
    struct buf text;
    err_init(&e);
    buf_init(&text, MOST_BYTES);
    assert_true(fs_read(path, &text, &e));
    for (size_t len = 0; len < text.len; len++)
        target((const uint8_t *)buf_str(&text), len);
    target((const uint8_t *)buf_str(&text), text.len);
    for (int i = 0; i < CHANGES; i++) {
        struct buf copy;
        buf_init(&copy, MOST_BYTES);
        buf_add(&copy, buf_str(&text), text.len);
        for (size_t times = 1 + next_number(4); times > 0; times--)
            change(&copy);
        assert_false(copy.failed);
        target((const uint8_t *)buf_str(&copy), copy.len);
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

static void test_log(void **state)
{
    (void)state;
    replay("tests/fuzz/corpus/delta", fuzz_delta);
    assert_in_range(delta_logs_taken, 5, 100000); /* the corpus itself, and more */
}

static void test_types(void **state)
{
    (void)state;
    replay("tests/fuzz/corpus/delta_type", fuzz_delta_type);
}

int main(void)
{
    jx_setup();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_log), cmocka_unit_test(test_types)};
    return cmocka_run_group_tests_name("lakehouse_delta_fuzz", tests, NULL, NULL);
}
