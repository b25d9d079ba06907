/* The SQLSTATE table: sorted, complete against the server's own list, with advice that fits a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "pg/exec.h"
#include "pg/sqlstate.h"

static void test_rows(void **state)
{
    (void)state;
    size_t n, advised = 0;
    const struct pg_state *rows = pg_states(&n);
    for (size_t i = 0; i < n; i++) {
        const struct pg_state *s = &rows[i];
        assert_int_equal(strlen(s->code), 5);
        if (i > 0 && strcmp(rows[i - 1].code, s->code) >= 0)
            fail_msg("%s is out of order: it would not be found", s->code);
        assert_true(s->condition[0] >= 'A' && s->condition[0] <= 'Z');
        assert_ptr_equal(pg_condition(s->code), s->condition);
        if (!s->advice)
            continue;
        advised++;
        size_t len = strlen(s->advice);
        if (len > 140 || strchr(s->advice, '\n') || s->advice[len - 1] == '.')
            fail_msg("%s: advice is one line without a full stop", s->code);
        assert_ptr_equal(pg_advice(s->code), s->advice);
    }
    assert_true(advised >= 60);
}

static void test_lookups(void **state)
{
    (void)state;
    static const struct {
        const char *code, *condition, *advice; /* advice: a part of it */
    } cases[] = {
        {"42703", "UndefinedColumn", "\\d TABLE"}, {"40001", "SerializationFailure", "repeat the whole transaction"},
        {"25P02", "InFailedSqlTransaction", "ROLLBACK"}, {"28P01", "InvalidPassword", "fresh one"},
        {"53300", "TooManyConnections", "pool"}, {"57P03", "CannotConnectNow", "wait"},
        {"22P02", "InvalidTextRepresentation", "\\d"}, {"22ZZZ", "DataException", "does not fit"}, /* by class */
        {"23001", "RestrictViolation", "constraint"}, {"01000", "Warning", NULL}, {"00000", "SuccessfulCompletion", NULL},
        {"25P04", "TransactionTimeout", "transaction_timeout"}, {"QQ123", NULL, NULL}, {"", NULL, NULL}, {"4270", NULL, NULL},
        {"427030", NULL, NULL}, {NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *condition = pg_condition(cases[i].code), *advice = pg_advice(cases[i].code);
        if (cases[i].condition)
            assert_string_equal(condition, cases[i].condition);
        else
            assert_null(condition);
        if (cases[i].advice)
            assert_non_null(strstr(advice ? advice : "", cases[i].advice));
        else
            assert_null(advice);
    }
}

/* "undefined_column" and "UndefinedColumn" */
static bool same_name(const char *snake, const char *camel)
{
    bool upper = true;
    for (; *snake; snake++) {
        if (*snake == '_') {
            upper = true;
            continue;
        }
        char want = upper && *snake >= 'a' && *snake <= 'z' ? (char)(*snake - 32) : *snake;
        if (*camel++ != want)
            return false;
        upper = false;
    }
    return *camel == '\0';
}

static void test_against_the_server(void **state)
{
    (void)state;
    glob_t found;
    if (glob("/usr/share/postgresql/*/errcodes.txt", 0, NULL, &found) != 0) {
        print_message("skipped: no PostgreSQL server is installed\n");
        skip();
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *f = fopen(found.gl_pathv[i], "r");
        char line[512], code[16], kind[4], macro[128], name[128];
        int checked = 0;
        assert_non_null(f);
        while (fgets(line, sizeof line, f)) {
            if (sscanf(line, "%15s %3s %127s %127s", code, kind, macro, name) != 4 || strlen(code) != 5 || code[0] == '#')
                continue;
            const char *condition = pg_condition(code);
            if (!condition || !same_name(name, condition))
                fail_msg("%s is %s there, %s here", code, name, condition ? condition : "(none)");
            checked++;
        }
        fclose(f);
        assert_true(checked > 230);
    }
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_lookups), cmocka_unit_test(test_against_the_server),
    };
    return cmocka_run_group_tests_name("pg_sqlstate", tests, NULL, NULL);
}
