/* The first words of a statement, and whether it begins or ends a transaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cell/sqlword.h"

static void test_words(void **state)
{
    (void)state;
    static const char text[] = "  -- a\n/* b /* c */ */ create\tTable/**/x9 (a int)";
    struct sql_word w[8];
    assert_int_equal(sql_words(text, strlen(text), w, 8), 3);
    assert_true(sql_word_is(text, &w[0], "CREATE"));
    assert_true(sql_word_is(text, &w[1], "TABLE"));
    assert_true(sql_word_is(text, &w[2], "x9"));
    assert_false(sql_word_is(text, &w[2], "x"));
    assert_int_equal(sql_words(text, strlen(text), w, 2), 2);
    /* Any cut of it: no byte behind the end is read (under ASan). */
    for (size_t len = 0; len < strlen(text); len++) {
        char cut[sizeof text];
        memcpy(cut, text, len);
        assert_true(sql_words(cut, len, w, 8) <= 3);
    }
    assert_int_equal(sql_words("\"create\" table", 14, w, 8), 0);
    assert_int_equal(sql_words("/* open", 7, w, 8), 0);
}

static void test_transactions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sql_tx tx;
    } cases[] = {{"begin", SQL_TX_BEGIN},
                 {"BEGIN ISOLATION LEVEL SERIALIZABLE", SQL_TX_BEGIN},
                 {"start  transaction", SQL_TX_BEGIN},
                 {"/* now */ Commit", SQL_TX_COMMIT},
                 {"END WORK", SQL_TX_COMMIT},
                 {"PREPARE TRANSACTION 'x'", SQL_TX_COMMIT},
                 {"rollback", SQL_TX_ROLLBACK},
                 {"ROLLBACK WORK AND CHAIN", SQL_TX_ROLLBACK},
                 {"abort transaction", SQL_TX_ROLLBACK},
                 {"ROLLBACK TO s", SQL_TX_NONE},
                 {"ROLLBACK TO SAVEPOINT s", SQL_TX_NONE},
                 {"rollback work to s", SQL_TX_NONE},
                 {"rollback transaction to savepoint s", SQL_TX_NONE},
                 {"SAVEPOINT s", SQL_TX_NONE},
                 {"RELEASE s", SQL_TX_NONE},
                 {"PREPARE p AS SELECT 1", SQL_TX_NONE},
                 {"SELECT 'commit'", SQL_TX_NONE},
                 {"", SQL_TX_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (sql_transaction(cases[i].text, strlen(cases[i].text)) != cases[i].tx)
            fail_msg("'%s'", cases[i].text);
    }
}

static void test_savepoints(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sql_savepoint kind;
        const char *name;
    } cases[] = {{"SAVEPOINT s", SQL_SAVEPOINT_SET, "s"},
                 {"savepoint /* x */ \"a \"\"b\"", SQL_SAVEPOINT_SET, "\"a \"\"b\""},
                 {"SAVEPOINT savepoint", SQL_SAVEPOINT_SET, "savepoint"},
                 {"RELEASE s", SQL_SAVEPOINT_RELEASE, "s"},
                 {"RELEASE SAVEPOINT s2", SQL_SAVEPOINT_RELEASE, "s2"},
                 {"ROLLBACK TO s", SQL_SAVEPOINT_BACK, "s"},
                 {"ROLLBACK WORK TO SAVEPOINT s", SQL_SAVEPOINT_BACK, "s"},
                 {"rollback transaction to\ns", SQL_SAVEPOINT_BACK, "s"},
                 {"ROLLBACK", SQL_SAVEPOINT_NONE, ""},
                 {"ROLLBACK WORK", SQL_SAVEPOINT_NONE, ""},
                 {"ROLLBACK TO", SQL_SAVEPOINT_NONE, ""},
                 {"ROLLBACK AND CHAIN", SQL_SAVEPOINT_NONE, ""},
                 {"RELEASE", SQL_SAVEPOINT_NONE, ""},
                 {"SAVEPOINT", SQL_SAVEPOINT_NONE, ""},
                 {"SELECT savepoint", SQL_SAVEPOINT_NONE, ""},
                 {"", SQL_SAVEPOINT_NONE, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sql_word name = {0};
        if (sql_savepoint(cases[i].text, strlen(cases[i].text), &name) != cases[i].kind || name.len != strlen(cases[i].name) ||
            memcmp(cases[i].text + name.at, cases[i].name, name.len) != 0)
            fail_msg("'%s'", cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_transactions),
                                       cmocka_unit_test(test_savepoints)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
