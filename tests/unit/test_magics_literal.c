/* Literals of %set: what each becomes, and what is refused and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/variables.h"

static const struct {
    const char *literal, *text; /* text NULL: SQL NULL */
    unsigned type;
} good[] = {
    {"42", "42", 23}, {"-2147483648", "-2147483648", 23}, {"2147483648", "2147483648", 20},
    {"9223372036854775807", "9223372036854775807", 20}, {"9223372036854775808", "9223372036854775808", 1700},
    {"007", "007", 23}, {"+5", "+5", 23}, {"4.2", "4.2", 1700}, {".5", ".5", 1700}, {"5.", "5.", 1700},
    {"1e400", "1e400", 1700}, {" 'a' ", "a", 0}, {"\"a'b\"", "a'b", 0}, {"'it''s'", "it's", 0}, {"'it\\'s'", "it's", 0},
    {"'\\u20ac\\x41\\n\\\\'", "€A\n\\", 0}, {"'\\U0001F600'", "😀", 0}, {"''", "", 0}, {"True", "t", 16}, {"False", "f", 16},
    {"None", NULL, 0}, {"NULL", NULL, 0}, {"[]", "{}", 0}, {"[1,2]", "{1,2}", 1007}, {"[1, 3000000000]", "{1,3000000000}", 1016},
    {"[1, 2.5, None]", "{1,2.5,NULL}", 1231}, {"['a', 'NULL', '', 'b c', '{\"']", "{a,\"NULL\",\"\",\"b c\",\"{\\\"\"}", 1009},
    {"[True,False]", "{t,f}", 1000}, {"[[1],[2]]", "{{1},{2}}", 1007}, {"[None]", "{NULL}", 0}, {"[1,]", "{1}", 1007},
    {"{\"a\": 1.10}", "{\"a\": 1.10}", 3802}, {"'2026-01-31'", "2026-01-31", 0},
};

static const struct {
    const char *literal;
    size_t at;
} bad[] = {
    {"", 0}, {"  ", 2}, {"hello", 0}, {"4x", 1}, {"4 5", 2}, {"-", 1}, {".", 1}, {"1e", 2}, {"'open", 0}, {"'a' 'b'", 4},
    {"'\\q'", 2}, {"'\\u12'", 3}, {"'\\x00'", 3}, {"'\\ud800'", 3}, {"'\\U00110000'", 3}, {"'\\", 2}, {"[1", 2},
    {"[1 2]", 3}, {"[1,'a']", 3}, {"[,]", 1}, {"[[[[[[[1]]]]]]]", 6}, {"{", 0}, {"{\"a\"}", 4}, {"TRUE!", 0}, {"b'x'", 0},
};

static void reads_literals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct variables v = {0};
        struct err e = {0};
        size_t at, len = strlen(good[i].literal);
        char *exact = xmalloc(len + 1); /* without a NUL inside the length, so a sanitizer sees a byte too far */
        memcpy(exact, good[i].literal, len);
        exact[len] = 'x';
        if (!variables_put_literal(&v, "x", exact, len, &at, &e))
            fail_msg("%s: %s", good[i].literal, e.text);
        const struct variable *x = variables_find(&v, "x", 1);
        if ((good[i].text == NULL) != (x->text == NULL) || (x->text && strcmp(x->text, good[i].text) != 0) ||
            x->type != good[i].type)
            fail_msg("%s became %s of type %u", good[i].literal, x->text ? x->text : "NULL", x->type);
        free(exact);
        variables_release(&v);
    }
}

static void refuses_the_rest_with_the_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct variables v = {0};
        struct err e = {0};
        size_t at;
        if (variables_put_literal(&v, "x", bad[i].literal, strlen(bad[i].literal), &at, &e))
            fail_msg("%s was taken", bad[i].literal);
        assert_int_equal(e.code, ERR_USAGE);
        if (at != bad[i].at)
            fail_msg("%s: wrong at %zu", bad[i].literal, at);
        assert_int_equal(v.count, 0);
    }
}

static void has_caps(void **state)
{
    (void)state;
    struct variables v = {0};
    struct err e = {0};
    char name[80];
    for (int i = 0; i < VARIABLES_MAX; i++) {
        snprintf(name, sizeof name, "v%d", i);
        assert_true(variables_put(&v, name, "1", 23, &e));
    }
    assert_true(variables_put(&v, "v7", "other", 0, &e));
    assert_false(variables_put(&v, "more", "1", 23, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    assert_string_equal(variables_find(&v, "v7", 2)->text, "other");
    assert_null(variables_find(&v, "v", 1));
    assert_null(variables_find(&v, "v70000", 6));
    char *big = xmalloc(VARIABLE_BYTES_MAX + 2);
    memset(big, 'a', VARIABLE_BYTES_MAX + 1);
    big[VARIABLE_BYTES_MAX + 1] = '\0';
    e = (struct err){0};
    assert_false(variables_put(&v, "v7", big, 0, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    big[VARIABLE_BYTES_MAX] = '\0';
    e = (struct err){0};
    assert_true(variables_put(&v, "v7", big, 0, &e));
    memset(name, 'n', sizeof name);
    assert_true(variables_name_ok(name, VARIABLE_NAME_MAX));
    assert_false(variables_name_ok(name, VARIABLE_NAME_MAX + 1));
    free(big);
    variables_release(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_literals),
                                       cmocka_unit_test(refuses_the_rest_with_the_place), cmocka_unit_test(has_caps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
