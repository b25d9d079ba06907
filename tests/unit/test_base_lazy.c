/* Libraries of first use: one that is not there is an error with its name, not the end of the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/lazy.h"

static void (*slots[2])(void);

static void one_that_is_not_there(void **state)
{
    (void)state;
    struct err e = {0};
    assert_false(lazy_load("liblakebase-none.so.9", (const char *const[]){"cos"}, 1, slots, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(e.text, "cannot load liblakebase-none.so.9"));
    assert_true(e.hint[0]);
}

static void one_without_the_function(void **state)
{
    (void)state;
    struct err e = {0};
    assert_false(lazy_load("libc.so.6", (const char *const[]){"strlen", "lakebase_none"}, 2, slots, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(e.text, "lakebase_none"));
}

static void one_that_is_there(void **state)
{
    (void)state;
    struct err e = {0};
    size_t (*length)(const char *) = NULL;
    assert_true(lazy_load("libc.so.6", (const char *const[]){"strlen"}, 1, &length, &e));
    assert_int_equal(length("abc"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_that_is_not_there), cmocka_unit_test(one_without_the_function),
                                       cmocka_unit_test(one_that_is_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
