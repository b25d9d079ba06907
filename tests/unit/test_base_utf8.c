/* UTF-8: what is valid, where characters begin, how wide they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

/* Encode by the definition, for every code point there is. */
static size_t encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)(lead[n] | cp);
    return n;
}

static void test_all_code_points(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x110fff; cp++) {
        char text[4];
        uint32_t got = 0;
        size_t n = encode(cp, text);
        bool valid = cp <= 0x10ffff && !(cp >= 0xd800 && cp <= 0xdfff);
        assert_int_equal(utf8_decode(text, n, &got), valid ? n : 0);
        assert_int_equal(got, valid ? cp : 0);
        if (n > 1)
            assert_int_equal(utf8_decode(text, n - 1, &got), 0);
    }
}

static void test_invalid(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3\x28", "\xe2\x28\xa1",
        "\xed\xa0\x80", "\xed\xbf\xbf",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        uint32_t cp;
        assert_int_equal(utf8_decode(texts[i], strlen(texts[i]), &cp), 0);
        assert_false(utf8_valid(texts[i], strlen(texts[i])));
    }
    uint32_t cp;
    assert_int_equal(utf8_decode("", 0, &cp), 0);
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("a\0ä€😀", 11));
}

static void test_positions(void **state)
{
    (void)state;
    static const char text[] = "aä€😀\xff!"; /* 1 2 3 4 1 1 bytes */
    size_t len = sizeof text - 1;
    assert_int_equal(utf8_count(text, len), 6);
    static const size_t starts[] = {0, 1, 3, 6, 10, 11, 12, 12, 12};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        assert_int_equal(utf8_offset(text, len, i), starts[i]);
    static const size_t floors[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 12, 12};
    for (size_t i = 0; i < ARRAY_LEN(floors); i++)
        assert_int_equal(utf8_floor(text, len, i), floors[i]);
    /* The two agree: no offset is inside a character. */
    for (size_t i = 0; i <= len; i++)
        assert_int_equal(utf8_offset(text, len, utf8_count(text, utf8_floor(text, len, i))), utf8_floor(text, len, i));
}

static void test_width(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t width;
    } texts[] = {{"", 0}, {"abc", 3}, {"ä", 1}, {"日本", 4}, {"e\xcc\x81", 1}, {"🙂", 2}, {"ｆ", 2}, {"한글", 4}, {"\t\n\x7f", 0},
                 {"\xc2\x85", 0}, {"\xff\xfe", 2}, {"\xe2\x80\x8b", 0}, {"\xc2\xad", 1}, {"€", 1}, {"\xcd\xb8", 1},
                 {"\xf3\xa0\x84\x80", 0}, {"ק\xd6\xb8", 1}, {"─│", 2}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_equal(utf8_width(texts[i].text, strlen(texts[i].text)), texts[i].width);
}

/* The tables are sorted and do not overlap, or the search in them would miss. */
static void test_tables(void **state)
{
    (void)state;
    static const uint32_t zero[][2] = {
#define ZERO(first, last) {first, last},
#define WIDE(first, last)
#include "base/utf8_width.def"
#undef ZERO
#undef WIDE
    };
    static const uint32_t wide[][2] = {
#define ZERO(first, last)
#define WIDE(first, last) {first, last},
#include "base/utf8_width.def"
#undef ZERO
#undef WIDE
    };
    for (size_t i = 0; i < ARRAY_LEN(zero); i++)
        assert_true(zero[i][0] <= zero[i][1] && (i == 0 || zero[i - 1][1] < zero[i][0]));
    for (size_t i = 0; i < ARRAY_LEN(wide); i++) {
        assert_true(wide[i][0] <= wide[i][1] && (i == 0 || wide[i - 1][1] < wide[i][0]));
        char text[4];
        assert_int_equal(utf8_width(text, encode(wide[i][0], text)), 2);
        assert_int_equal(utf8_width(text, encode(wide[i][1], text)), 2);
    }
    for (size_t i = 0; i < ARRAY_LEN(zero); i++) {
        char text[4];
        assert_int_equal(utf8_width(text, encode(zero[i][0], text)), 0);
        assert_int_equal(utf8_width(text, encode(zero[i][1], text)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_code_points), cmocka_unit_test(test_invalid), cmocka_unit_test(test_positions),
        cmocka_unit_test(test_width), cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests_name("base_utf8", tests, NULL, NULL);
}
