/* JSON helpers: text that is always valid, typed getters, parsing with caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"

static void check_text(const char *text, size_t len, const char *want)
{
    json_t *v = jx_text(text, len);
    assert_string_equal(json_string_value(v), want);
    json_decref(v);
}

static void test_text(void **state)
{
    (void)state;
    check_text("", 0, "");
    check_text("abc", 2, "ab");
    check_text("ä€😀", 9, "ä€😀");
    check_text("a\0b", 3, "a\xef\xbf\xbd" "b");
    check_text("\xff\xc3", 2, "\xef\xbf\xbd\xef\xbf\xbd");
    check_text("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    for (int i = 0; i < 65536; i++) {
        char two[2] = {(char)(i >> 8), (char)i};
        json_t *v = jx_text(two, 2);
        char *dumped = jx_dump(v);
        json_decref(v);
        free(dumped);
    }
    json_t *v = jx_str("x");
    assert_string_equal(json_string_value(v), "x");
    json_decref(v);
}

static void test_getters(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    static const char text[] = "{\"s\":\"t\",\"i\":7,\"n\":\"-12\",\"b\":true,\"z\":null,\"bad\":\"1x\",\"big\":\"99999999999999999999\","
                               "\"max\":\"9223372036854775807\",\"e\":\"\"}";
    json_t *v = jx_parse(text, sizeof text - 1, 1000, &e);
    assert_non_null(v);
    assert_string_equal(jx_get_str(v, "s", "?"), "t");
    assert_string_equal(jx_get_str(v, "i", "?"), "?");
    assert_null(jx_get_str(v, "nope", NULL));
    assert_int_equal(jx_get_int(v, "i", 1), 7);
    assert_int_equal(jx_get_int(v, "n", 1), -12);
    assert_true(jx_get_int(v, "max", 1) == INT64_MAX);
    static const char *const not_ints[] = {"s", "b", "z", "bad", "big", "e", "nope"};
    for (size_t i = 0; i < ARRAY_LEN(not_ints); i++)
        assert_int_equal(jx_get_int(v, not_ints[i], 42), 42);
    assert_true(jx_get_bool(v, "b", false));
    assert_true(jx_get_bool(v, "s", true));
    assert_string_equal(jx_get_str(NULL, "s", "?"), "?");
    json_decref(v);
}

static void refused(const char *text, size_t len, size_t max, enum err_code code, const char *part)
{
    struct err e;
    err_init(&e);
    json_t *v = jx_parse(text, len, max, &e);
    if (v)
        fail_msg("accepted: %s", text);
    assert_int_equal(e.code, code);
    if (!strstr(e.text, part))
        fail_msg("%s: %s", text, e.text);
    assert_null(strstr(e.text, "s3cret"));
}

static void test_parse(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    json_t *v = jx_parse("[1]", 3, 3, &e);
    assert_non_null(v);
    json_decref(v);
    refused("[1]", 3, 2, ERR_TOO_BIG, "3 bytes, more than 2");
    refused("", 0, 10, ERR_MALFORMED, "line 1");
    refused("{\n\"a\": s3cret}", 14, 100, ERR_MALFORMED, "line 2");
    refused("{\"token\": \"s3cret\" \"x\"}", 23, 100, ERR_MALFORMED, "line 1");
    refused("{\"a\":1,\"a\":2}", 13, 100, ERR_MALFORMED, "duplicate");
    refused("[1] x", 5, 100, ERR_MALFORMED, "");
    refused("\"x\"", 3, 100, ERR_MALFORMED, "");
    refused("[\"\xff\"]", 5, 100, ERR_MALFORMED, "");
    refused("[1", 2, 100, ERR_MALFORMED, "");
    size_t depth = 100000;
    char *deep = xmalloc(depth);
    memset(deep, '[', depth);
    refused(deep, depth, depth, ERR_MALFORMED, "");
    free(deep);
}

int main(void)
{
    jx_setup();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_getters), cmocka_unit_test(test_parse)};
    return cmocka_run_group_tests_name("base_jx", tests, NULL, NULL);
}
