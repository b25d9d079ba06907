/* The neutral table at its caps, and its HTML form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "render/html.h"
#include "render/table.h"
#include "render/text.h"

static void test_caps(void **state)
{
    (void)state;
    struct table t;
    table_init(&t);
    for (int i = 0; i < TABLE_COLUMN_CAP; i++)
        table_add_column(&t, "c", NULL, TABLE_LEFT);
    const char **cells = xcalloc(TABLE_COLUMN_CAP, sizeof *cells);
    cells[TABLE_COLUMN_CAP - 1] = "last";
    for (int i = 0; i < TABLE_ROW_CAP; i++)
        assert_true(table_add_texts(&t, cells));
    assert_false(table_add_texts(&t, cells));
    assert_int_equal(t.n_rows, TABLE_ROW_CAP);
    assert_int_equal(t.seen, TABLE_ROW_CAP + 1);
    assert_string_equal(table_cell_at(&t, TABLE_ROW_CAP - 1, TABLE_COLUMN_CAP - 1)->text, "last");
    assert_null(table_cell_at(&t, 0, 0)->text);
    assert_string_equal(table_footer(&t), "(50 of 51 rows shown)");
    free(cells);
    table_release(&t);
}

static void test_byte_cap(void **state)
{
    (void)state;
    struct table t;
    char text[100] = {0};
    table_init(&t);
    t.byte_cap = 3 * (sizeof(struct table_cell) + 10);
    table_add_column(&t, "c", NULL, TABLE_LEFT);
    struct table_cell ten = {text, 10, 0}, eleven = {text, 11, 0}, none = {text, 0, 0};
    assert_true(table_add_row(&t, &ten));
    assert_true(table_add_row(&t, &ten));
    assert_false(table_add_row(&t, &eleven));
    /* A gap would mislead: once a row was left out, none is kept after it. */
    assert_false(table_add_row(&t, &none));
    assert_int_equal(t.n_rows, 2);
    assert_string_equal(table_footer(&t), "(2 of 4 rows shown: more than 0 KiB are not shown)");
    table_release(&t);
    table_init(&t);
    t.byte_cap = 3 * (sizeof(struct table_cell) + 10);
    table_add_column(&t, "c", NULL, TABLE_LEFT);
    for (int i = 0; i < 3; i++)
        assert_true(table_add_row(&t, &ten));
    assert_false(table_add_row(&t, &none));
    table_release(&t);
}

/* A row that is larger than all that is kept is shown all the same, and what is missing is told. */
static void test_long_row(void **state)
{
    (void)state;
    struct table t;
    struct buf b;
    const size_t size = 5 << 20;
    char *text = xmalloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    memcpy(text + TABLE_CELL_CAP - 1, "ä", 2); /* the cut is at a character */
    table_init(&t);
    table_add_column(&t, "c", NULL, TABLE_LEFT);
    assert_true(table_add_texts(&t, (const char *const[]){text}));
    assert_int_equal(table_cell_at(&t, 0, 0)->len, TABLE_CELL_CAP - 1);
    assert_int_equal(table_cell_at(&t, 0, 0)->cut, size - TABLE_CELL_CAP);
    assert_string_equal(table_footer(&t), "(1 row)");
    buf_init(&b, 1 << 20);
    html_table(&t, &b);
    assert_non_null(strstr(buf_str(&b), "xx… (5240879 more characters)</td>")); /* "ä" has two of the bytes */
    buf_clear(&b);
    text_table(&t, &b);
    assert_non_null(strstr(buf_str(&b), "xx… (5242379 more characters)\n"));
    buf_release(&b);
    table_release(&t);
    /* Many such cells share what there is; the next row does not fit, and the footer says why. */
    table_init(&t);
    const char *texts[1000];
    for (size_t i = 0; i < 1000; i++) {
        table_add_column(&t, "c", NULL, TABLE_LEFT);
        texts[i] = text;
    }
    assert_true(table_add_texts(&t, texts));
    assert_true(t.bytes <= t.byte_cap && t.bytes > t.byte_cap / 2);
    assert_false(table_add_texts(&t, texts));
    assert_string_equal(table_footer(&t), "(1 of 2 rows shown: more than 4096 KiB are not shown)");
    table_release(&t);
    /* A cell of which nothing fits, and one that was cut at the end of a line. */
    table_init(&t);
    t.byte_cap = 2 * sizeof(struct table_cell) + 8;
    table_add_column(&t, "c", NULL, TABLE_LEFT);
    table_add_column(&t, "c", NULL, TABLE_LEFT);
    assert_true(table_add_texts(&t, (const char *const[]){"one\ntwo", "𝄞𝄞"}));
    buf_init(&b, 1 << 20);
    text_table(&t, &b);
    assert_non_null(strstr(buf_str(&b), " one                  +| 𝄞… (1 more character)\n … (3 more characters) | \n(1 row)"));
    buf_release(&b);
    table_release(&t);
    free(text);
}

static void test_footer(void **state)
{
    (void)state;
    struct table t;
    table_init(&t);
    assert_string_equal(table_footer(&t), "(0 rows)");
    table_add_column(&t, "c", NULL, TABLE_LEFT);
    table_add_texts(&t, (const char *const[]){""});
    assert_string_equal(table_footer(&t), "(1 row)");
    t.more = true;
    assert_string_equal(table_footer(&t), "(1 of more than 1 rows shown)");
    table_set_footer(&t, "(custom)");
    assert_string_equal(table_footer(&t), "(custom)");
    table_set_footer(&t, NULL);
    t.more = false;
    assert_string_equal(table_footer(&t), "(1 row)");
    table_release(&t);
}

/* The table copies: what it was given may go away. */
static void test_copies(void **state)
{
    (void)state;
    struct table t;
    char name[] = "name", type[] = "text", cell[] = "value", title[] = "title";
    table_init(&t);
    table_set_title(&t, title);
    table_add_column(&t, name, type, TABLE_RIGHT);
    for (int i = 0; i < 40; i++)
        table_add_texts(&t, (const char *const[]){cell});
    memset(name, 'x', 4);
    memset(type, 'x', 4);
    memset(cell, 'x', 5);
    memset(title, 'x', 5);
    assert_string_equal(t.title, "title");
    assert_string_equal(t.columns[0].name, "name");
    assert_string_equal(t.columns[0].type, "text");
    assert_string_equal(table_cell_at(&t, 0, 0)->text, "value");
    assert_string_equal(table_cell_at(&t, 39, 0)->text, "value");
    table_release(&t);
}

static void test_escape(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    html_escape(&b, "<a b=\"c\">'&'</a>", 16);
    assert_string_equal(buf_str(&b), "&lt;a b=&quot;c&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    buf_clear(&b);
    html_escape(&b, "", 0);
    html_escape(&b, "plain", 5);
    assert_string_equal(buf_str(&b), "plain");
    buf_release(&b);
    /* No byte gets through that could open a tag or end an attribute. */
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        buf_init(&b, 100);
        html_escape(&b, &c, 1);
        assert_null(memchr(b.data, '<', b.len));
        assert_null(memchr(b.data, '>', b.len));
        assert_null(memchr(b.data, '"', b.len));
        assert_null(memchr(b.data, '\'', b.len));
        buf_release(&b);
    }
}

static void check_html(struct table *t, const char *want)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    html_table(t, &b);
    assert_string_equal(buf_str(&b), want);
    buf_release(&b);
}

static void test_html(void **state)
{
    (void)state;
    struct table t;
    table_init(&t);
    table_set_title(&t, "A & B");
    table_add_column(&t, "id", "integer", TABLE_RIGHT);
    table_add_column(&t, "<x>", "text \"t\"", TABLE_LEFT);
    table_add_texts(&t, (const char *const[]){"1", ""});
    table_add_texts(&t, (const char *const[]){NULL, NULL});
    table_add_texts(&t, (const char *const[]){"3", "NULL <script>"});
    check_html(&t, "<table>\n<caption>A &amp; B</caption>\n"
                   "<thead><tr><th scope=\"col\" title=\"integer\" style=\"text-align:right\">id</th>"
                   "<th scope=\"col\" title=\"text &quot;t&quot;\" style=\"text-align:left\">&lt;x&gt;</th></tr></thead>\n"
                   "<tbody>\n"
                   "<tr><td style=text-align:right>1</td>"
                   "<td style=text-align:left></td></tr>\n"
                   "<tr><td style=text-align:right><em>NULL</em></td><td style=text-align:left><em>NULL</em></td></tr>\n"
                   "<tr><td style=text-align:right>3</td>"
                   "<td style=text-align:left>NULL &lt;script&gt;</td></tr>\n"
                   "</tbody>\n"
                   "<tfoot><tr><td colspan=\"2\" style=\"text-align:left;white-space:pre-wrap\">(3 rows)</td></tr></tfoot>\n"
                   "</table>");
    table_release(&t);
    table_init(&t);
    t.expanded = true;
    table_add_column(&t, "id", "integer", TABLE_RIGHT);
    table_add_texts(&t, (const char *const[]){"1"});
    check_html(&t, "<table>\n<tbody>\n"
                   "<tr><th scope=\"rowgroup\" colspan=\"2\" style=\"text-align:left\">Record 1</th></tr>\n"
                   "<tr><th scope=\"row\" title=\"integer\" style=\"text-align:left\">id</th>"
                   "<td style=text-align:left>1</td></tr>\n</tbody>\n"
                   "<tfoot><tr><td colspan=\"2\" style=\"text-align:left;white-space:pre-wrap\">(1 row)</td></tr></tfoot>\n"
                   "</table>");
    table_release(&t);
    table_init(&t);
    table_set_footer(&t, "");
    check_html(&t, "<table>\n<thead><tr></tr></thead>\n<tbody>\n</tbody>\n</table>");
    table_release(&t);
}

static void test_long_cell(void **state)
{
    (void)state;
    for (size_t n = 1999; n <= 2001; n++) {
        struct table t;
        struct buf b;
        char *text = xmalloc(2 * n + 1);
        for (size_t i = 0; i < n; i++)
            memcpy(text + 2 * i, "ä", 2);
        text[2 * n] = '\0';
        table_init(&t);
        table_add_column(&t, "x", NULL, TABLE_LEFT);
        table_add_texts(&t, (const char *const[]){text});
        buf_init(&b, 1 << 20);
        html_table(&t, &b);
        assert_int_equal(strstr(buf_str(&b), "ä… (1 more character)</td>") != NULL, n > 2000);
        buf_release(&b);
        table_release(&t);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_caps), cmocka_unit_test(test_byte_cap),
        cmocka_unit_test(test_long_row), cmocka_unit_test(test_footer), cmocka_unit_test(test_copies),
        cmocka_unit_test(test_escape), cmocka_unit_test(test_html), cmocka_unit_test(test_long_cell),
    };
    return cmocka_run_group_tests_name("render_table", tests, NULL, NULL);
}
