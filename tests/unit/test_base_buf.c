/* Buffers and arenas at their caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/xalloc.h"

static void test_cap(void **state)
{
    (void)state;
    struct buf b;
    struct err e;
    err_init(&e);
    buf_init(&b, 5);
    assert_string_equal(buf_str(&b), "");
    buf_puts(&b, "abc");
    buf_add(&b, "\0x", 2);
    assert_int_equal(b.len, 5);
    assert_memory_equal(b.data, "abc\0x", 6);
    buf_add(&b, NULL, 0);
    assert_true(buf_ok(&b, "it", &e));
    buf_putc(&b, '!');
    assert_true(b.failed);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    buf_puts(&b, "a");
    assert_int_equal(b.len, 0);
    assert_string_equal(buf_str(&b), "");
    assert_null(buf_detach(&b));
    assert_false(buf_ok(&b, "the text", &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    assert_string_equal(e.text, "the text is larger than 5 bytes");
    buf_clear(&b);
    buf_puts(&b, "again");
    assert_string_equal(buf_str(&b), "again");
    buf_release(&b);
    assert_int_equal(b.max, 5);
}

static void test_each_way_past_the_cap(void **state)
{
    (void)state;
    for (int way = 0; way < 5; way++) {
        struct buf b;
        buf_init(&b, 3);
        buf_puts(&b, "ab");
        switch (way) {
        case 0: buf_add(&b, "cd", 2); break;
        case 1: buf_puts(&b, "cd"); break;
        case 2: buf_fill(&b, 'c', 2); break;
        case 3: buf_printf(&b, "%d", 12); break;
        default: buf_add(&b, "x", SIZE_MAX); break; /* must not wrap around */
        }
        assert_true(b.failed);
        buf_release(&b);
    }
    struct buf none;
    buf_init(&none, 0);
    buf_puts(&none, "");
    assert_false(none.failed);
    buf_putc(&none, 'x');
    assert_true(none.failed);
    buf_release(&none);
}

static void test_growth(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 1 << 20; i++)
        buf_putc(&b, (char)('a' + i % 26));
    assert_false(b.failed);
    assert_int_equal(b.len, 1 << 20);
    for (int i = 0; i < 1 << 20; i++)
        assert_true(b.data[i] == 'a' + i % 26);
    char *text = buf_detach(&b);
    assert_int_equal(strlen(text), 1 << 20);
    assert_int_equal(b.len, 0);
    free(text);
    text = buf_detach(&b);
    assert_string_equal(text, "");
    free(text);
    buf_puts(&b, "secret");
    buf_release_secret(&b);
    assert_null(b.data);
    buf_release_secret(&b);
}

static void test_arena(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    /* Sizes around the block's; all zeroed, aligned, apart from each other. */
    static const size_t sizes[] = {0, 1, 15, 16, 17, 8176, 8191, 8192, 8193, 100000, 3};
    unsigned char *p[ARRAY_LEN(sizes)];
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        p[i] = arena_alloc(&a, sizes[i]);
        assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(p[i][k], 0);
        memset(p[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(p[i][k], i + 1);
    }
    assert_true(a.used >= 100000 + 8192 * 3);
    assert_null(arena_strdup(&a, NULL));
    assert_string_equal(arena_strndup(&a, "abcdef", 3), "abc");
    assert_string_equal(arena_strndup(&a, "x", 0), "");
    assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
    arena_release(&a);
    assert_int_equal(a.used, 0);
    arena_alloc(&a, 1);
    arena_release(&a);
    arena_release(&a);
}

static void test_xalloc(void **state)
{
    (void)state;
    free(xmalloc(0));
    free(xcalloc(0, 5));
    free(xreallocarray(NULL, 0, 0));
    assert_null(xstrdup(NULL));
    char *text = xasprintf("%s", "x");
    assert_string_equal(text, "x");
    xfree_secret(text);
    xfree_secret(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cap), cmocka_unit_test(test_each_way_past_the_cap), cmocka_unit_test(test_growth),
        cmocka_unit_test(test_arena), cmocka_unit_test(test_xalloc),
    };
    return cmocka_run_group_tests_name("base_buf", tests, NULL, NULL);
}
