/* Paths in the log: decoded once, kept below the root, encoded so that they come back the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delta_tables.h"

static void decodes(const char *root, const char *uri, const char *want)
{
    struct err e;
    err_init(&e);
    char *path = delta_path_decode(root, uri, &e);
    if (!path || strcmp(path, want) != 0)
        fail_msg("%s: %s", uri, path ? path : e.text);
    free(path);
}

static void test_decode(void **state)
{
    (void)state;
    decodes("/r", "a.parquet", "/r/a.parquet");
    decodes("/r/", "a.parquet", "/r/a.parquet");
    decodes("/r", "a%20b%2Fc", "/r/a b/c");
    decodes("/r", "p=2024-01-01%2000%253A00/x", "/r/p=2024-01-01 00%3A00/x"); /* once, not twice */
    decodes("/r", "100%", "/r/100%");
    decodes("/r", "%zz%4", "/r/%zz%4");
    decodes("/r", "%C3%a4", "/r/\xc3\xa4");
    decodes("/r", "ä+b", "/r/ä+b");
    decodes("/r", "file:///r/x%20y", "/r/x y");
    decodes("/r", "file:/r/x", "/r/x");
    decodes("/r", "/r/deep/x", "/r/deep/x");
    decodes("/r", "a:b", "/r/a:b"); /* one letter is no scheme */
}

static void refuses(const char *uri, enum err_code code)
{
    struct err e;
    err_init(&e);
    char *path = delta_path_decode("/r/t", uri, &e);
    if (path || e.code != code)
        fail_msg("%s: %s", uri, path ? path : e.text);
}

static void test_outside(void **state)
{
    (void)state;
    static const char *const outside[] = {"/etc/passwd", "/r/t2/x", "/r/t", "../x", "a/../../x", "a/%2E%2E/x", "%2e%2e%2Fx", "./x", "a//b",
                                          "", "a/", "file:///etc/passwd", "file:x", "s3://bucket/x", "abfss://c@h/x", "FILE:///other"};
    for (size_t i = 0; i < ARRAY_LEN(outside); i++)
        refuses(outside[i], ERR_NOT_IMPLEMENTED);
    refuses("a%00b", ERR_MALFORMED);
    refuses("%00", ERR_MALFORMED);
    refuses("%ff", ERR_MALFORMED);
}

static void test_encode(void **state)
{
    (void)state;
    static const char *const names[] = {"a.parquet", "a b", "100%", "%20", "ä", "p=a:b/c#?x", "_change_data/cdc-0.parquet", "\"\\", "a+b&c"};
    struct err e;
    err_init(&e);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path = xasprintf("/r/t/%s", names[i]), *uri = delta_path_encode("/r/t/", path, &e);
        assert_non_null(uri);
        assert_int_equal(strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/=%"), strlen(uri));
        decodes("/r/t", uri, path);
        free(uri);
        free(path);
    }
    char *uri = delta_path_encode("/r/t", "/r/t/p=1/a b.parquet", &e);
    assert_string_equal(uri, "p=1/a%20b.parquet");
    free(uri);
    static const char *const wrong[] = {"/r/t", "/r/t/", "/r/tx/a", "/other", "relative", "/r/t/../x", "/r/t/\xff"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        err_init(&e);
        assert_null(delta_path_encode("/r/t", wrong[i], &e));
        assert_int_equal(e.code, ERR_INVALID_PARAMETER);
    }
    char *commit = delta_path_commit("/r", 7);
    assert_string_equal(commit, "/r/_delta_log/00000000000000000007.json");
    free(commit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode), cmocka_unit_test(test_outside), cmocka_unit_test(test_encode),
    };
    return cmocka_run_group_tests_name("lakehouse_delta_path", tests, NULL, NULL);
}
