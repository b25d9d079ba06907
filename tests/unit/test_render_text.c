/* The text form of tables, byte for byte as psql prints it, and what we add: caps and their marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "render/text.h"

struct text_case {
    const char *name, *title;
    bool expanded;
    size_t n_columns, n_rows;
    const char *const *columns, *const *cells;
    const char *want;
};

#include "render_text_cases.h"

static void check(struct table *t, const char *name, const char *want)
{
    struct buf got;
    buf_init(&got, 1 << 24);
    text_table(t, &got);
    if (strcmp(buf_str(&got), want) != 0)
        fail_msg("%s\n---- psql\n%s---- we\n%s", name, want, buf_str(&got));
    buf_release(&got);
}

static void test_psql(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(text_cases); i++) {
        const struct text_case *c = &text_cases[i];
        struct table t;
        table_init(&t);
        table_set_title(&t, c->title);
        t.expanded = c->expanded;
        for (size_t j = 0; j < c->n_columns; j++)
            table_add_column(&t, c->columns[j] + 1, NULL, c->columns[j][0] == 'r' ? TABLE_RIGHT : TABLE_LEFT);
        for (size_t r = 0; r < c->n_rows; r++)
            table_add_texts(&t, c->cells + r * c->n_columns);
        check(&t, c->name, c->want);
        table_release(&t);
    }
}

static void test_long_cells(void **state)
{
    (void)state;
    for (size_t width = 499; width <= 501; width++) {
        struct table t;
        struct buf got;
        char *text = xmalloc(2 * width + 1);
        for (size_t i = 0; i < width; i++)
            memcpy(text + 2 * i, "ä", 2);
        text[2 * width] = '\0';
        table_init(&t);
        table_add_column(&t, "x", NULL, TABLE_LEFT);
        table_add_texts(&t, (const char *const[]){text});
        buf_init(&got, 1 << 20);
        text_table(&t, &got);
        const char *line = strstr(buf_str(&got), "-\n") + 2;
        size_t shown = utf8_count(line, strcspn(line, "\n")) - 1;
        assert_int_equal(shown, width <= 500 ? width : 500 + strlen("_ (1 more character)"));
        assert_int_equal(strstr(line, "…") != NULL, width > 500);
        buf_release(&got);
        table_release(&t);
        free(text);
    }
}

static void test_many_lines(void **state)
{
    (void)state;
    for (size_t lines = 1000; lines <= 1001; lines++) {
        struct table t;
        struct buf got;
        char *text = xmalloc(lines + 1);
        memset(text, '\n', lines);
        memcpy(text + lines - 1, "x", 2);
        table_init(&t);
        table_add_column(&t, "x", NULL, TABLE_LEFT);
        table_add_texts(&t, (const char *const[]){text});
        buf_init(&got, 1 << 20);
        text_table(&t, &got);
        size_t n = 0;
        for (const char *p = buf_str(&got); (p = strchr(p, '\n')); p++)
            n++;
        assert_int_equal(n, 2 + lines + 1);
        assert_int_equal(strstr(buf_str(&got), "\n … (1 more character)\n") != NULL, lines > 1000);
        buf_release(&got);
        table_release(&t);
        free(text);
    }
}

static void test_bytes(void **state)
{
    (void)state;
    struct table t;
    table_init(&t);
    table_add_column(&t, "x", NULL, TABLE_LEFT);
    /* NUL and broken UTF-8 */
    table_add_row(&t, &(struct table_cell){"a\0b", 3, 0});
    table_add_texts(&t, (const char *const[]){"\xff\xc3"});
    check(&t, "bytes", "   x    \n--------\n a\\x00b\n \xef\xbf\xbd\xef\xbf\xbd\n(2 rows)\n");
    table_release(&t);
}

static void test_footers(void **state)
{
    (void)state;
    struct table t;
    table_init(&t);
    t.row_cap = 1;
    table_add_column(&t, "x", NULL, TABLE_RIGHT);
    assert_true(table_add_texts(&t, (const char *const[]){"1"}));
    assert_false(table_add_texts(&t, (const char *const[]){"2"}));
    check(&t, "cut", " x \n---\n 1\n(1 of 2 rows shown)\n");
    t.expanded = true;
    check(&t, "cut", "-[ RECORD 1 ]\nx | 1\n\n(1 of 2 rows shown)\n");
    t.more = true;
    check(&t, "cut", "-[ RECORD 1 ]\nx | 1\n\n(1 of more than 2 rows shown)\n");
    t.expanded = false;
    table_set_footer(&t, "Indexes:\n    a");
    check(&t, "own", " x \n---\n 1\nIndexes:\n    a\n");
    table_set_footer(&t, "");
    check(&t, "none", " x \n---\n 1\n");
    table_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_psql), cmocka_unit_test(test_long_cells), cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_bytes), cmocka_unit_test(test_footers),
    };
    return cmocka_run_group_tests_name("render_text", tests, NULL, NULL);
}
