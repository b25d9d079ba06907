/* Arguments of magics: words, options, positionals, messages with their places, usage, suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cell/args.h"

static const char *const sizes[] = {"CU_1", "CU_2", "CU_4", NULL};
static const struct arg_row rows[] = {
    {.name = "capacity", .letter = 'c', .type = ARG_CHOICE, .choices = sizes, .help = "size"},
    {.name = "limit", .letter = 'n', .type = ARG_INT, .min = 1, .max = 1000, .placeholder = "N"},
    {.name = "offset", .type = ARG_INT},
    {.name = "wait", .type = ARG_DURATION, .min = 0, .max = 3600000},
    {.name = "force", .letter = 'f', .type = ARG_FLAG},
    {.name = "tag", .type = ARG_WORD, .flags = ARG_REPEAT},
    {.name = "token", .type = ARG_INT, .flags = ARG_SECRET, .min = 1, .max = 9},
    {.name = "instance", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .help = "which one"},
    {.name = "alias", .positional = true, .type = ARG_WORD, .keyword = "as"},
    {.name = NULL},
};
static const struct arg_row sql_rows[] = {
    {.name = "on", .type = ARG_WORD},
    {.name = "statement", .positional = true, .type = ARG_REST, .flags = ARG_REQUIRED},
    {.name = NULL},
};
static const struct arg_row list_rows[] = {
    {.name = "first", .positional = true, .type = ARG_INT, .flags = ARG_REQUIRED},
    {.name = "more", .positional = true, .type = ARG_WORD, .flags = ARG_REPEAT},
    {.name = NULL},
};

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static const struct args *parse(const struct arg_row *r, const char *text)
{
    struct err e;
    err_init(&e);
    size_t len = strlen(text);
    char *copy = memcpy(xmalloc(len), text, len); /* values must not point into it */
    const struct args *p = args_parse(&arena, r, copy, len, 3, 10, &e);
    if (!p)
        fail_msg("%s: %s", text, e.text);
    free(copy);
    return p;
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value;
    } words[] = {
        {"a", "a"}, {"  a \t", "a"}, {"'a b'", "a b"}, {"\"a b\"", "a b"}, {"a\\ b", "a b"}, {"a' 'b", "a b"},
        {"''", ""}, {"'a\\b'", "a\\b"}, {"\"a\\\"b\"", "a\"b"}, {"\"a\\nb\"", "a\\nb"}, {"\"it's\"", "it's"}, {"'\"'", "\""},
        {"a\\\\b", "a\\b"}, {"$HOME", "$HOME"}, {"~", "~"}, {"`x`", "`x`"}, {"-", "-"}, {"-5", "-5"}, {"a\\", "a\\"},
        {"'--force'", "--force"}, {"-- --force", "--force"}, {"\\--force", "--force"}, {"ünï", "ünï"}, {"as", "as"},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        assert_string_equal(args_get(parse(rows, words[i].text), "instance"), words[i].value);
}

static void test_options(void **state)
{
    (void)state;
    const struct args *p = parse(rows, "--capacity cu_2 demo --limit=5 -f --wait 2m --tag a --tag=b --tag '' as x");
    assert_string_equal(args_get(p, "capacity"), "CU_2"); /* as the table writes it */
    assert_int_equal(args_int(p, "limit", 9), 5);
    assert_int_equal(args_int(p, "wait", 9), 120000);
    assert_int_equal(args_int(p, "offset", 9), 9);
    assert_true(args_flag(p, "force"));
    assert_string_equal(args_get_nth(p, "tag", 0), "a");
    assert_string_equal(args_get_nth(p, "tag", 1), "b");
    assert_string_equal(args_get_nth(p, "tag", 2), "");
    assert_null(args_get_nth(p, "tag", 3));
    assert_string_equal(args_get(p, "alias"), "x");
    p = parse(rows, "demo -n7 -cCU_1 --offset -3");
    assert_int_equal(args_int(p, "limit", 0), 7);
    assert_string_equal(args_get(p, "capacity"), "CU_1");
    assert_int_equal(args_int(p, "offset", 0), -3);
    assert_false(args_flag(p, "force"));
    assert_null(args_get(p, "alias"));
    static const struct {
        const char *text;
        long long ms;
    } waits[] = {{"500ms", 500}, {"0s", 0}, {"3s", 3000}, {"1h", 3600000}};
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        char line[64];
        snprintf(line, sizeof line, "x --wait %s", waits[i].text);
        assert_int_equal(args_int(parse(rows, line), "wait", -1), waits[i].ms);
    }
}

static void test_positionals(void **state)
{
    (void)state;
    const struct args *p = parse(rows, "as AS as");
    assert_string_equal(args_get(p, "instance"), "as");
    assert_string_equal(args_get(p, "alias"), "as");
    p = parse(sql_rows, "  --on a  select 'it''s' --on \\ b  ");
    assert_string_equal(args_get(p, "on"), "a");
    assert_string_equal(args_get(p, "statement"), "select 'it''s' --on \\ b");
    p = parse(sql_rows, "'open");
    assert_string_equal(args_get(p, "statement"), "'open");
    p = parse(sql_rows, "-- --on");
    assert_string_equal(args_get(p, "statement"), "--on");
    p = parse(list_rows, "5 a 'b c' d");
    assert_int_equal(args_int(p, "first", 0), 5);
    assert_string_equal(args_get_nth(p, "more", 1), "b c");
    assert_string_equal(args_get_nth(p, "more", 2), "d");
    assert_null(args_get_nth(p, "more", 3));
    assert_non_null(parse(NULL, "  "));
}

static const struct {
    const struct arg_row *rows;
    const char *text, *message, *hint;
    int line, column, width;
} bad[] = {
    {rows, "", "INSTANCE is missing: which one", "usage: [--capacity CU_1|CU_2|CU_4]", 3, 10, 1},
    {rows, "--force ", "INSTANCE is missing", "usage", 3, 17, 1},
    {rows, "demo --capcity CU_1", "unknown option --capcity", "did you mean --capacity?", 3, 15, 9},
    {rows, "demo --cap=CU_1", "unknown option --cap", "did you mean --capacity?", 3, 15, 10},
    {rows, "demo --zzz", "unknown option --zzz", "usage", 3, 15, 5},
    {rows, "demo -\"\" x", "unknown option -", "usage", 3, 15, 3},
    {rows, "demo -z", "unknown option -z", "usage", 3, 15, 2},
    {rows, "ä --zz", "unknown option", "usage", 3, 12, 4},
    {rows, "demo\n  --zz", "unknown option", "usage", 4, 3, 4},
    {rows, "demo --capacity big", "--capacity is CU_1, CU_2 or CU_4, not 'big'", "usage", 3, 26, 3},
    {rows, "demo --limit 0", "--limit is between 1 and 1000, not '0'", "usage", 3, 23, 1},
    {rows, "demo --limit 1001", "--limit is between", "usage", 3, 23, 4},
    {rows, "demo --limit x", "--limit takes a whole number, not 'x'", "usage", 3, 23, 1},
    {rows, "demo --limit ' 5'", "whole number", "usage", 3, 23, 4},
    {rows, "demo --limit 99999999999999999999", "whole number", "usage", 3, 23, 20},
    {rows, "demo --limit ''", "whole number", "usage", 3, 23, 2},
    {rows, "demo --limit", "--limit needs a value", "usage", 3, 15, 7},
    {rows, "demo --limit --force", "--limit needs a value", "usage", 3, 15, 7},
    {rows, "demo --wait 5", "--wait takes a duration such as 500ms", "usage", 3, 22, 1},
    {rows, "demo --wait 2h", "--wait is between", "usage", 3, 22, 2},
    {rows, "demo --wait 9999999999999999h", "duration", "usage", 3, 22, 17},
    {rows, "demo --wait -1s", "duration", "usage", 3, 22, 3},
    {rows, "demo --force=yes", "--force takes no value", "usage", 3, 15, 11},
    {rows, "demo -fx", "--force takes no value", "usage", 3, 15, 3},
    {rows, "demo -f --force", "--force is given twice", "usage", 3, 18, 7},
    {rows, "demo --limit 5 -n 5", "--limit is given twice", "usage", 3, 28, 1},
    {rows, "demo other", "this is one word too many", "usage", 3, 15, 5},
    {rows, "demo as", "ALIAS is missing after 'as'", "usage", 3, 15, 2},
    {rows, "demo as x as y", "one word too many", "usage", 3, 20, 2},
    {rows, "de'mo", "a quote (') is not closed", "usage", 3, 12, 1},
    {rows, "demo \"x", "a quote (\") is not closed", "usage", 3, 15, 1},
    {rows, "demo --token 12345", "--token is between 1 and 9, not the value given", "usage", 3, 23, 5},
    {list_rows, "x", "FIRST takes a whole number", "usage: FIRST [MORE...]", 3, 10, 1},
    {sql_rows, "--on a", "STATEMENT is missing", "usage: [--on ON] STATEMENT", 3, 16, 1},
    {sql_rows, "--in a select", "unknown option --in", "did you mean --on?", 3, 10, 4},
    {NULL, "x", "'x' is one word too many", "", 3, 10, 1},
    {NULL, "--x", "unknown option --x", "no options", 3, 10, 3},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e;
        err_init(&e);
        if (args_parse(&arena, bad[i].rows, bad[i].text, strlen(bad[i].text), 3, 10, &e))
            fail_msg("accepted: %s", bad[i].text);
        assert_int_equal(e.code, ERR_USAGE);
        if (!strstr(e.text, bad[i].message) || !strstr(e.hint, bad[i].hint))
            fail_msg("%s: %s / %s", bad[i].text, e.text, e.hint);
        if (e.line != bad[i].line || e.column != bad[i].column || e.width != bad[i].width)
            fail_msg("%s: at %d:%d+%d", bad[i].text, e.line, e.column, e.width);
        assert_null(strstr(e.text, "12345"));
    }
    struct err e;
    err_init(&e);
    assert_null(args_parse(&arena, rows, "a\0b", 3, 1, 1, &e));
    assert_int_equal(e.code, ERR_USAGE);
}

static void test_large(void **state)
{
    (void)state;
    size_t n = 200000;
    char *text = xmalloc(2 * n + 3);
    memcpy(text, "1 ", 2);
    for (size_t i = 0; i < n; i++)
        memcpy(text + 2 + 2 * i, "a ", 2);
    struct err e;
    err_init(&e);
    size_t before = arena.used;
    const struct args *p = args_parse(&arena, list_rows, text, 2 + 2 * n, 1, 1, &e);
    assert_non_null(p);
    assert_string_equal(args_get_nth(p, "more", n - 1), "a");
    assert_true(arena.used - before < n * 64); /* grows with the text, not with its square */
    free(text);
}

static void test_bare(void **state)
{
    (void)state;
    static const char *const ways[] = {"connect", "psycopg", NULL};
    static const struct arg_row bare[] = {
        {.name = "compare", .type = ARG_CHOICE, .flags = ARG_BARE, .choices = ways},
        {.name = "loop", .type = ARG_FLAG},
        {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED},
        {.name = NULL}};
    static const struct {
        const char *text, *way, *name;
    } cases[] = {{"p", NULL, "p"}, {"p --compare", "connect", "p"}, {"--compare p", "connect", "p"}, {"p --compare --loop", "connect", "p"},
                 {"p --compare psycopg", "psycopg", "p"}, {"--compare connect p --loop", "connect", "p"},
                 {"--compare PSYCOPG 'p q'", "psycopg", "p q"}, {"--compare=psycopg p", "psycopg", "p"},
                 {"--compare 'p q'", "connect", "p q"}};
    struct buf b;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct args *a = parse(bare, cases[i].text);
        const char *way = args_get(a, "compare");
        assert_true(cases[i].way ? way && strcmp(way, cases[i].way) == 0 : !way);
        assert_string_equal(args_get(a, "name"), cases[i].name);
    }
    buf_init(&b, 1000);
    args_usage(bare, &b);
    assert_string_equal(buf_str(&b), "[--compare [connect|psycopg]] [--loop] NAME");
    buf_release(&b);
}

static void test_usage(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    args_usage(rows, &b);
    assert_string_equal(buf_str(&b), "[--capacity CU_1|CU_2|CU_4] [--limit N] [--offset OFFSET] [--wait WAIT] [--force] "
                                     "[--tag TAG]... [--token TOKEN] INSTANCE [as ALIAS]");
    buf_clear(&b);
    args_usage(list_rows, &b);
    assert_string_equal(buf_str(&b), "FIRST [MORE...]");
    buf_clear(&b);
    args_usage(NULL, &b);
    assert_string_equal(buf_str(&b), "");
    buf_release(&b);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"connect", "connections", "catalog", "sql", "instance", "workspace", NULL};
    static const struct {
        const char *word, *want;
    } cases[] = {{"conect", "connect"}, {"conecctions", "connections"}, {"SQL", "sql"}, {"sqk", "sql"}, {"inst", "instance"},
                 {"instnace", "instance"}, {"work", "workspace"}, {"xyz", NULL}, {"", NULL}, {"s", NULL}, {"lsq", NULL},
                 {"catlaog", "catalog"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = args_nearest(cases[i].word, strlen(cases[i].word), names);
        if (!cases[i].want)
            assert_null(got);
        else
            assert_string_equal(got ? got : "(none)", cases[i].want);
    }
    char big[100];
    memset(big, 'a', sizeof big);
    assert_null(args_nearest(big, sizeof big, names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_options, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_positionals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
        cmocka_unit_test(test_usage), cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests_name("cell_args", tests, NULL, NULL);
}
