/* The savepoints of a transaction, followed by its statements; what PostgreSQL's rules make of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "magics/savepoints.h"

static void follow(struct savepoints *s, const char *sql) { savepoints_follow(s, sql, strlen(sql)); }

static void expect(const struct savepoints *s, const char *list)
{
    struct arena a;
    arena_init(&a);
    assert_string_equal(savepoints_list(s, &a), list);
    arena_release(&a);
}

static void test_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *list;
    } steps[] = {
        {"SELECT 1", ""},
        {"SAVEPOINT a", "a"},
        {"savepoint B", "a, b"},
        {"/* c */ SAVEPOINT -- d\n \"My Point\"", "a, b, \"My Point\""},
        {"SAVEPOINT a", "a, b, \"My Point\", a"},
        {"ROLLBACK TO b", "a, b"},
        {"ROLLBACK TO SAVEPOINT b", "a, b"},
        {"SAVEPOINT c", "a, b, c"},
        {"rollback work to savepoint c", "a, b, c"},
        {"ROLLBACK TRANSACTION TO \"b\"", "a, b"},
        {"RELEASE b", "a"},
        {"SAVEPOINT a", "a, a"},
        {"RELEASE SAVEPOINT a", "a"},
        {"SELECT 'RELEASE a'", "a"},
        {"COMMIT AND CHAIN", ""},
        {"SAVEPOINT x", "x"},
        {"ROLLBACK", ""},
    };
    struct savepoints s = {0};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        follow(&s, steps[i].sql);
        expect(&s, steps[i].list);
    }
    savepoints_forget(&s);
}

static void test_long_names_are_cut_as_the_server_does(void **state)
{
    (void)state;
    char sql[300], name[100];
    struct savepoints s = {0};
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    snprintf(sql, sizeof sql, "SAVEPOINT %s", name);
    follow(&s, sql);
    name[SAVEPOINT_NAME_MAX] = '\0';
    expect(&s, name);
    name[SAVEPOINT_NAME_MAX] = 'n';
    snprintf(sql, sizeof sql, "RELEASE %s", name);
    follow(&s, sql);
    expect(&s, "");
    savepoints_forget(&s);
}

/* At the cap the newest is not known any more, until those beyond are gone. */
static void test_very_many(void **state)
{
    (void)state;
    struct savepoints s = {0};
    struct arena a;
    char sql[40];
    arena_init(&a);
    for (int i = 0; i < SAVEPOINTS_MAX; i++) {
        snprintf(sql, sizeof sql, "SAVEPOINT s%d", i);
        follow(&s, sql);
    }
    assert_string_equal(savepoints_newest(&s, &a), "s9999");
    follow(&s, "SAVEPOINT more");
    assert_int_equal(s.n, SAVEPOINTS_MAX);
    assert_null(savepoints_newest(&s, &a));
    assert_non_null(strstr(savepoints_list(&s, &a), "s9999, … (1 more)"));
    follow(&s, "ROLLBACK TO s5000");
    assert_string_equal(savepoints_newest(&s, &a), "s5000");
    assert_int_equal(s.n, 5001);
    arena_release(&a);
    savepoints_forget(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_rules),
                                       cmocka_unit_test(test_long_names_are_cut_as_the_server_does),
                                       cmocka_unit_test(test_very_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
