/*
 * Replays the fuzz targets of wire/: every corpus file as it is, and then thousands of changed
 * copies of it (a fixed sequence, so that a failure repeats). The targets abort when something is
 * wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/fs.h"
#include "fuzz_wire.h"

enum { CHANGES = 3000, MOST_BYTES = 1 << 20 };

static uint64_t state = 88172645463325252u;

static uint64_t next_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* One to four changes: a byte set, a run removed or doubled, a piece of syntax put in. */
static void change(struct buf *b)
{
    static const char *const pieces[] = {"\n",   "<IDS|MSG>", "{}", "\"",  "\\u0000", "\xff",
                                         "null", "[",         "}",  ":0,", "-1"};
    for (uint64_t times = 1 + next_number() % 4; times > 0; times--) {
        size_t at = b->len ? next_number() % b->len : 0,
               n = b->len ? next_number() % (b->len - at) % 16 : 0;
        struct buf out;
        buf_init(&out, MOST_BYTES);
        buf_add(&out, b->data, at);
        switch (next_number() % 4) {
        case 0:
            buf_putc(&out, (char)next_number());
            n = n ? n : (b->len > at);
            break;
        case 1:
            break;
        case 2:
            buf_add(&out, b->data + at, n);
            n = 0;
            break;
        default:
            buf_puts(&out, pieces[next_number() % (sizeof pieces / sizeof *pieces)]);
            n = 0;
        }
        if (b->len)
            buf_add(&out, b->data + at + n, b->len - at - n);
        buf_release(b);
        *b = out;
    }
}

static void replay(const char *folder, int (*target)(const uint8_t *, size_t))
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    int files = 0;
    for (struct dirent *f; (f = readdir(d)) != NULL;) {
        char path[512];
        struct err e;
        struct buf text;
        if (f->d_name[0] == '.')
            continue;
        files++;
        snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
        err_init(&e);
        buf_init(&text, MOST_BYTES);
        assert_true(fs_read(path, &text, &e));
        target((const uint8_t *)buf_str(&text), text.len);
        for (int i = 0; i < CHANGES; i++) {
            struct buf copy;
            buf_init(&copy, MOST_BYTES);
            buf_add(&copy, buf_str(&text), text.len);
            change(&copy);
            target((const uint8_t *)buf_str(&copy), copy.len);
            buf_release(&copy);
        }
        buf_release(&text);
    }
    closedir(d);
    assert_true(files > 3);
}

static void messages(void **unused)
{
    (void)unused;
    replay("tests/fuzz/corpus/msg", fuzz_msg);
}

static void connection_files(void **unused)
{
    (void)unused;
    replay("tests/fuzz/corpus/connfile", fuzz_connfile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(messages),
                                       cmocka_unit_test(connection_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
