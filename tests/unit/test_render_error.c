/* Error bundles: stable evalue, traceback lines, the caret under the right character of the cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/jx.h"
#include "render/error.h"

static void check(const struct err *e, const char *condition, const char *advice, const char *cell, const char *ename,
                  const char *evalue, const char *traceback)
{
    json_t *b = error_bundle(e, condition, advice, cell, cell ? strlen(cell) : 0);
    struct buf lines;
    size_t i;
    json_t *line;
    buf_init(&lines, 1 << 20);
    json_array_foreach(json_object_get(b, "traceback"), i, line)
        buf_printf(&lines, "%s\n", json_string_value(line));
    assert_int_equal(json_object_size(b), 3);
    assert_string_equal(json_string_value(json_object_get(b, "ename")), ename);
    assert_string_equal(json_string_value(json_object_get(b, "evalue")), evalue);
    assert_string_equal(buf_str(&lines), traceback);
    buf_release(&lines);
    json_decref(b);
}

static struct err error_at(int line, int column, int width)
{
    struct err e;
    err_init(&e);
    err_set(&e, ERR_SYNTAX, "wrong");
    e.line = line;
    e.column = column;
    e.width = width;
    return e;
}

static void test_fields(void **state)
{
    (void)state;
    struct err e = error_at(2, 8, 0);
    e.code = ERR_SQL;
    memcpy(e.sqlstate, "42703", 6);
    err_copy(e.text, sizeof e.text, "column \"x\" does not exist", 25);
    err_detail(&e, "d");
    err_hint(&e, "h");
    err_copy(e.context, sizeof e.context, "c\nQUERY:  q", 11);
    check(&e, "UndefinedColumn", "look at \\d", "select 1;\nselect x;", "UndefinedColumn", "42703: column \"x\" does not exist",
          "UndefinedColumn: 42703: column \"x\" does not exist\nLINE 2: select x;\n               ^\n"
          "DETAIL:  d\nHINT:  h\nCONTEXT:  c\nQUERY:  q\nADVICE:  look at \\d\n");
    err_init(&e);
    err_set(&e, ERR_CANCELLED, "interrupted");
    check(&e, NULL, NULL, NULL, "KeyboardInterrupt", "interrupted", "KeyboardInterrupt: interrupted\n");
}

static void test_places(void **state)
{
    (void)state;
    static const struct {
        int line, column, width;
        const char *cell, *lines;
    } places[] = {
        {1, 1, 1, "abc", "LINE 1: abc\n        ^\n"},
        {1, 2, 2, "abc", "LINE 1: abc\n         ^^\n"},
        {1, 4, 1, "abc", "LINE 1: abc\n           ^\n"},        /* just behind the end */
        {1, 99, 5, "abc", "LINE 1: abc\n           ^\n"},       /* past it */
        {1, 2, 99, "abc", "LINE 1: abc\n         ^^\n"},
        {1, 3, 1, "äöx", "LINE 1: äöx\n          ^\n"},
        {1, 3, 1, "日本x", "LINE 1: 日本x\n            ^\n"},   /* two columns each */
        {1, 1, 2, "日本x", "LINE 1: 日本x\n        ^^^^\n"},
        {1, 3, 1, "\t\tx", "LINE 1:   x\n          ^\n"},
        {2, 1, 1, "a\r\nb\r\nc", "LINE 2: b\n        ^\n"},
        {3, 2, 1, "a\n\nbc", "LINE 3: bc\n         ^\n"},
        {2, 1, 1, "a\n", "LINE 2: \n        ^\n"},
        {3, 1, 1, "a\n", ""},                                  /* no such line */
        {1, 0, 0, "abc", "LINE 1: abc\n"},                      /* no column */
        {0, 5, 1, "abc", ""},
        {1, 1, 1, "", "LINE 1: \n        ^\n"},
        {1, 2, 1, "\xff\xfe!", "LINE 1: \xef\xbf\xbd\xef\xbf\xbd!\n         ^\n"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct err e = error_at(places[i].line, places[i].column, places[i].width);
        char want[300];
        snprintf(want, sizeof want, "SyntaxError: wrong\n%s", places[i].lines);
        check(&e, NULL, NULL, places[i].cell, "SyntaxError", "wrong", want);
    }
}

/* Of a long line only a window is shown; the mark stays under its character. */
static void test_long_line(void **state)
{
    (void)state;
    char cell[1001];
    memset(cell, '-', 1000);
    cell[1000] = '\0';
    for (int column = 1; column <= 1000; column++) {
        cell[column - 1] = 'X';
        struct err e = error_at(1, column, 1);
        json_t *b = error_bundle(&e, NULL, NULL, cell, 1000), *lines = json_object_get(b, "traceback");
        const char *line = json_string_value(json_array_get(lines, 1)), *caret = json_string_value(json_array_get(lines, 2));
        assert_true(strlen(line) <= 8 + 100 + 6);
        assert_int_equal(strchr(line, 'X') - line, strchr(caret, '^') - caret);
        assert_int_equal(strstr(line, "LINE 1: ...") != NULL, column > 51);
        json_decref(b);
        cell[column - 1] = '-';
    }
}

static void test_largest(void **state)
{
    (void)state;
    static char big[20000];
    memset(big, 'e', sizeof big - 1);
    struct err e;
    err_init(&e);
    err_set(&e, ERR_SQL, "%s", big);
    err_detail(&e, "%s", big);
    err_hint(&e, "%s", big);
    json_t *b = error_bundle(&e, NULL, big, big, sizeof big - 1);
    assert_int_equal(json_array_size(json_object_get(b, "traceback")), 4);
    json_decref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields), cmocka_unit_test(test_places), cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_largest),
    };
    return cmocka_run_group_tests_name("render_error", tests, NULL, NULL);
}
