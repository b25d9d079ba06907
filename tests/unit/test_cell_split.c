/* Cells as lists of items, their places, and is_complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "cell/split.h"

/* "S 1:1 <select 1>" … one item in brackets each. */
static void describe(const struct cell_items *items, struct buf *out)
{
    static const char kinds[] = " SLBC";
    for (size_t i = 0; i < items->count; i++) {
        const struct cell_item *it = &items->items[i];
        buf_printf(out, "%c %d:%d", kinds[it->kind], it->line, it->column);
        if (it->name)
            buf_printf(out, " %s@%d", it->name, it->name_column);
        buf_puts(out, " <");
        buf_add(out, it->args, it->args_len);
        buf_puts(out, ">");
        if (it->data.wanted && it->data.text) {
            buf_puts(out, " data<");
            buf_add(out, it->data.text, it->data.len);
            buf_puts(out, ">");
        } else if (it->data.wanted) {
            buf_puts(out, " no data");
        }
        if (it->body) {
            buf_printf(out, " %d<", it->body_line);
            buf_add(out, it->body, it->body_len);
            buf_puts(out, ">");
        }
        buf_puts(out, "\n");
    }
}

static const struct {
    const char *cell, *want;
} cells[] = {
    {"", ""},
    {" \n\t\n", ""},
    {"select 1", "S 1:1 <select 1>\n"},
    /* COPY … FROM STDIN takes the lines below, whatever is in them */
    {"copy t from stdin;\na;b\n%x 'c\n\\.\nselect 2",
     "S 1:1 <copy t from stdin> data<a;b\n%x 'c\n>\nS 5:1 <select 2>\n"},
    {"COPY t (a, b) FROM STDIN WITH (FORMAT csv) ; \r\n1,2\r\n\\.\r\n%version",
     "S 1:1 <COPY t (a, b) FROM STDIN WITH (FORMAT csv)> data<1,2\r\n>\nL 4:9 version@1 <>\n"},
    {"copy t from stdin; -- x\n1\n\\.", "S 1:1 <copy t from stdin> data<1\n>\n"},
    {"copy t from stdin;\n1", "S 1:1 <copy t from stdin> data<1>\n"},
    {"copy t from stdin;\n\\.\n", "S 1:1 <copy t from stdin> data<>\n"},
    {"copy t from stdin;\n", "S 1:1 <copy t from stdin> no data\n"},
    {"copy t from stdin; select 1", "S 1:1 <copy t from stdin> no data\nS 1:20 <select 1>\n"},
    {"copy t from stdin", "S 1:1 <copy t from stdin> no data\n"},
    {"copy (select 1 from stdin) to stdout;\nselect 2", "S 1:1 <copy (select 1 from stdin) to stdout>\nS 2:1 <select 2>\n"},
    {"copy t from '/x';\nselect 2", "S 1:1 <copy t from '/x'>\nS 2:1 <select 2>\n"},
    {"\n  select 1;\n-- x\nselect 2;", "S 2:3 <select 1>\nS 4:1 <select 2>\n"},
    {"select 'äö'; select 'b'", "S 1:1 <select 'äö'>\nS 1:14 <select 'b'>\n"},
    {"%sql select 1", "L 1:6 sql@1 <select 1>\n"},
    {"%connect demo as d  \r\nselect 1;\r\n\\dt+ s*;\r\n", "L 1:10 connect@1 <demo as d>\nS 2:1 <select 1>\nB 3:6 dt+@1 <s*>\n"},
    {"%help", "L 1:6 help@1 <>\n"},
    {"  \\d", "B 1:5 d@3 <>\n"},
    {"\\dt;", "B 1:4 dt@1 <>\n"},
    {"\\d \"a;b\" ;", "B 1:4 d@1 <\"a;b\">\n"},
    {"\\?", "B 1:3 ?@1 <>\n"},
    {"select 1; -- done\n%use x\nselect 2", "S 1:1 <select 1>\nL 2:6 use@1 <x>\nS 3:1 <select 2>\n"},
    {"select 7\n% 2;", "S 1:1 <select 7\n% 2>\n"},
    {"%%sql --on a\nselect 1;\nselect 2", "C 1:7 sql@1 <--on a> 2<select 1;\nselect 2>\n"},
    {"\n\n%%bash\n%echo\n", "C 3:7 bash@1 <> 4<%echo\n>\n"},
    {"%%bash", "C 1:7 bash@1 <> 1<>\n"},
    {"%%bash\n", "C 1:7 bash@1 <> 2<>\n"},
    {"%%python\nprint('unclosed", "C 1:9 python@1 <> 2<print('unclosed>\n"},
    {"#NBVAL_IGNORE_OUTPUT\nselect 1", "S 2:1 <select 1>\n"},
    {"\n# NBVAL_SKIP\n#NBVAL_CHECK_OUTPUT\n%%sql\nx", "C 4:6 sql@1 <> 5<x>\n"},
    {"#NBVAL_SKIP", ""},
    {"select $$\n%not a magic\n\\nor this\n$$;\n%yes", "S 1:1 <select $$\n%not a magic\n\\nor this\n$$>\nL 5:5 yes@1 <>\n"},
    {"select (1; 2", "S 1:1 <select (1; 2>\n"},
    {"insert into t values (1) ;;; select 2;", "S 1:1 <insert into t values (1)>\nS 1:30 <select 2>\n"},
};

static void test_cells(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        struct arena a;
        struct cell_items items;
        struct err e;
        struct buf got;
        size_t len = strlen(cells[i].cell);
        char *copy = memcpy(xmalloc(len), cells[i].cell, len);
        err_init(&e);
        arena_init(&a);
        buf_init(&got, 4096);
        if (!cell_split(&a, copy, len, &items, &e))
            fail_msg("%s: %s", cells[i].cell, e.text);
        describe(&items, &got);
        assert_string_equal(buf_str(&got), cells[i].want);
        buf_release(&got);
        arena_release(&a);
        free(copy);
    }
}

static const struct {
    const char *cell;
    int line, column, width;
    const char *text; /* part of the message */
} bad[] = {
    {"select 1;\nselect 'x", 2, 8, 1, "string (') is not closed"},
    {"select \"x", 1, 8, 1, "identifier (\") is not closed"},
    {"select 'ä', $f$ x", 1, 13, 1, "dollar-quoted"},
    {"select 1 /* x", 1, 10, 1, "comment (/*)"},
    {"select 1;\n\n  /* x", 3, 3, 1, "comment (/*)"},
    {"select 1;\n%%sql\nselect 2", 2, 1, 2, "first line"},
    {"%", 1, 1, 1, "no name"},
    {"select 1;\n  \\  ", 2, 3, 1, "no name"},
    {"%% x", 1, 1, 2, "no name"},
    {"select 1 \\gx", 1, 10, 1, "line of its own"},
    {"select 1\n\\dt", 2, 1, 1, "line of its own"},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena a;
        struct cell_items items;
        struct err e;
        err_init(&e);
        arena_init(&a);
        if (cell_split(&a, bad[i].cell, strlen(bad[i].cell), &items, &e))
            fail_msg("accepted: %s", bad[i].cell);
        assert_int_equal(e.code, ERR_SYNTAX);
        if (!strstr(e.text, bad[i].text))
            fail_msg("%s: %s", bad[i].cell, e.text);
        assert_int_equal(e.line, bad[i].line);
        assert_int_equal(e.column, bad[i].column);
        assert_int_equal(e.width, bad[i].width);
        arena_release(&a);
    }
}

static bool splits(const char *text, size_t len, size_t *count, struct err *e)
{
    struct arena a;
    struct cell_items items;
    err_init(e);
    arena_init(&a);
    bool ok = cell_split(&a, text, len, &items, e);
    *count = items.count;
    arena_release(&a);
    return ok;
}

static void test_caps(void **state)
{
    (void)state;
    struct err e;
    size_t n;
    size_t len = CELL_MAX_BYTES;
    char *text = xmalloc(len + 1);
    memset(text, ' ', len + 1);
    assert_true(splits(text, len, &n, &e));
    assert_false(splits(text, len + 1, &n, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    for (size_t i = 0; i < CELL_MAX_ITEMS + 1; i++)
        memcpy(text + 2 * i, "a;", 2);
    assert_true(splits(text, 2 * CELL_MAX_ITEMS, &n, &e));
    assert_int_equal(n, CELL_MAX_ITEMS);
    assert_false(splits(text, 2 * (CELL_MAX_ITEMS + 1), &n, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    /* The largest cell with the most statements: the places must not cost a pass over the text each. */
    memset(text, '\n', len);
    for (size_t i = 0; i < CELL_MAX_ITEMS; i++)
        memcpy(text + i * (len / CELL_MAX_ITEMS), "a;", 2);
    assert_true(splits(text, len, &n, &e));
    assert_int_equal(n, CELL_MAX_ITEMS);
    /* … also when it is a single line. */
    for (size_t i = 0; i < len; i++)
        text[i] = text[i] == '\n' ? ' ' : text[i];
    assert_true(splits(text, len, &n, &e));
    assert_int_equal(n, CELL_MAX_ITEMS);
    memset(text, '(', len);
    assert_true(splits(text, len, &n, &e));
    memset(text, '$', len);
    text[len - 1] = 'x';
    splits(text, len, &n, &e);
    assert_false(splits("a\0b", 3, &n, &e));
    assert_int_equal(e.code, ERR_SYNTAX);
    assert_int_equal(e.column, 2);
    free(text);
}

static void test_is_complete(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum cell_state state;
    } texts[] = {
        {"", CELL_COMPLETE}, {"  \n", CELL_COMPLETE}, {"select 1", CELL_INCOMPLETE}, {"select 1;", CELL_COMPLETE},
        {"select 1; -- x", CELL_COMPLETE}, {"select 1; select", CELL_INCOMPLETE}, {"select ';", CELL_INCOMPLETE},
        {"select $$;", CELL_INCOMPLETE}, {"/* ", CELL_INCOMPLETE}, {"select (1;", CELL_INCOMPLETE},
        {"-- note", CELL_COMPLETE}, {"%help", CELL_COMPLETE}, {"\\dt", CELL_COMPLETE}, {"%%sql\nselect 1", CELL_COMPLETE},
        {"select 1;\n%use a", CELL_COMPLETE}, {"%use a\nselect 1", CELL_INCOMPLETE}, {"%use a\nselect 1;", CELL_COMPLETE},
        {"create function f() begin atomic select 1;", CELL_INCOMPLETE}, {"#NBVAL_SKIP\n", CELL_COMPLETE},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        enum cell_state got = cell_is_complete(texts[i].text, strlen(texts[i].text));
        if (got != texts[i].state)
            fail_msg("%s: %d", texts[i].text, (int)got);
    }
    assert_int_equal(cell_is_complete("a\0;", 3), CELL_INVALID);
}

static void test_place(void **state)
{
    (void)state;
    static const char text[] = "äb\n\nc";
    static const struct {
        size_t at;
        int line, column;
    } places[] = {{0, 1, 1}, {2, 1, 2}, {3, 1, 3}, {4, 2, 1}, {5, 3, 1}, {6, 3, 2}, {99, 3, 2}};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        int line, column;
        cell_place(text, strlen(text), places[i].at, &line, &column);
        assert_int_equal(line, places[i].line);
        assert_int_equal(column, places[i].column);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells), cmocka_unit_test(test_errors), cmocka_unit_test(test_caps),
        cmocka_unit_test(test_is_complete), cmocka_unit_test(test_place),
    };
    return cmocka_run_group_tests_name("cell_split", tests, NULL, NULL);
}
