/* Where statements of Databricks SQL end: its strings, names and comments, and whatever else the text may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cell/dbsql.h"

/* The statements with | between, and what is open at the end. */
static const char *cut(const char *text)
{
    static char out[512];
    static const char *const opens[] = {[SQL_CLOSED] = "", [SQL_IN_STRING] = " string", [SQL_IN_IDENT] = " name",
                                        [SQL_IN_COMMENT] = " comment"};
    size_t len = strlen(text), pos = 0, used = 0;
    struct sql_span span;
    enum sql_open open;
    out[0] = '\0';
    do {
        bool more = dbsql_next(text, len, &pos, &span, &open);
        if (more)
            used += (size_t)snprintf(out + used, sizeof out - used, "%s%.*s", used ? "|" : "", (int)span.len,
                                     text + span.start);
        if (!more)
            break;
    } while (open == SQL_CLOSED);
    if (open != SQL_CLOSED)
        snprintf(out + used, sizeof out - used, "%s at %zu", opens[open], span.open_at);
    return out;
}

static void statements(void **state)
{
    (void)state;
    assert_string_equal(cut(""), "");
    assert_string_equal(cut(" ;; -- a; b\n; /* c; */ ;"), "");
    assert_string_equal(cut("SELECT 1"), "SELECT 1");
    assert_string_equal(cut("  a ;\n-- x\nb -- y\n;c /* z */ ; "), "a|b|c");
    assert_string_equal(cut("a -- it's\n, b; c"), "a -- it's\n, b|c");
    assert_string_equal(cut("a /* 1 /* ; */ ; */ b; c"), "a /* 1 /* ; */ ; */ b|c");
}

static void quotes(void **state)
{
    (void)state;
    assert_string_equal(cut("'a;b';\"c;d\";`e;f`"), "'a;b'|\"c;d\"|`e;f`");
    assert_string_equal(cut("'it''s;';x"), "'it''s;'|x");
    assert_string_equal(cut("'it\\'s;';x"), "'it\\'s;'|x");
    assert_string_equal(cut("\"a\\\";b\";x"), "\"a\\\";b\"|x");
    assert_string_equal(cut("'a\\\\';x"), "'a\\\\'|x");
    assert_string_equal(cut("r'a\\';x"), "r'a\\'|x");
    assert_string_equal(cut("SELECT R\"\\\";x"), "SELECT R\"\\\"|x");
    assert_string_equal(cut("color'\\';x'"), "color'\\';x'"); /* no raw string: the word ends in r */
    assert_string_equal(cut("`a\\`;x"), "`a\\`|x");
    assert_string_equal(cut("`a``;b`;x"), "`a``;b`|x");
    assert_string_equal(cut("$$;$$"), "$$|$$");
}

static void open_ones(void **state)
{
    (void)state;
    assert_string_equal(cut("a; 'b"), "a|'b string at 3");
    assert_string_equal(cut("a; \"b\\\""), "a|\"b\\\" string at 3");
    assert_string_equal(cut("a; `b"), "a|`b name at 3");
    assert_string_equal(cut("a; /* b"), "a comment at 3");
    assert_string_equal(cut("'\\"), "'\\ string at 0");
}

/* Any bytes: it ends, stays inside, and always moves on. */
static void anything(void **state)
{
    (void)state;
    static const char alphabet[] = "'\"`\\;-/*r \nA\xc3\xa4$";
    unsigned seed = 7;
    for (int round = 0; round < 200000; round++) {
        size_t len = (size_t)(rand_r(&seed) % 24), pos = 0;
        char *text = malloc(len + 1);
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        struct sql_span span;
        enum sql_open open;
        for (size_t before = 0; dbsql_next(text, len, &pos, &span, &open); before = pos) {
            assert_true(pos <= len && pos > before);
            assert_true(span.start >= before && span.len > 0 && span.start + span.len <= pos);
        }
        assert_int_equal(pos, len);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(statements), cmocka_unit_test(quotes), cmocka_unit_test(open_ones),
                                       cmocka_unit_test(anything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
