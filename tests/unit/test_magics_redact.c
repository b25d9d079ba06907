/* What the history keeps of a cell: everything but secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cell/split.h"
#include "magics/interp.h"

static void becomes(const char *code, const char *want)
{
    char *got = interp_redact(code, strlen(code));
    if (want ? !got || strcmp(got, want) != 0 : got != NULL)
        fail_msg("'%s' should become '%s', not '%s'", code, want ? want : "(itself)", got ? got : "(itself)");
    free(got);
}

static void test_plain_cells_stay(void **state)
{
    (void)state;
    static const char *const cells[] = {"", "SELECT 1", "%connect workshop", "%connect workshop/db as x",
                                        "%instance list",
                                        "SELECT password FROM users", "SELECT 'postgresql://host/db'", "-- the token",
                                            "SELECT 'my password'", "SELECT token, 'x' FROM t",
                                        "%connect postgresql://me@host:5432/db", "%credential workshop --reveal",
                                        "SELECT * FROM tokens WHERE id = 1", "%%bash\necho hello",
                                            "SELECT a::text, b:c", "CREATE TABLE users (password text, name text)",
                                        "ALTER ROLE r RESET ALL"};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++)
        becomes(cells[i], NULL);
}

static void test_secrets_go(void **state)
{
    (void)state;
    becomes("%connect postgresql://me:hunter2@host/db as x", "%connect postgresql://me:****@host/db as x");
    becomes("%connect postgresql://me:p@ss@host/db", "%connect postgresql://me:****@host/db");
    becomes("%connect host=h password=hunter2 dbname=d", "%connect host=h password=**** dbname=d");
    becomes("%connect host=h password='two words' dbname=d", "%connect host=h password='****' dbname=d");
    becomes("%connect 'host=h password=x'", "%connect 'host=h password=****");
    becomes("%connect postgresql://h/d?user=u&password=x&sslmode=require",
            "%connect postgresql://h/d?user=u&password=****&sslmode=require");
    becomes("CREATE ROLE r LOGIN PASSWORD 'hunter2'; SELECT 1", "CREATE ROLE r LOGIN PASSWORD '****'; SELECT 1");
    becomes("ALTER ROLE r\nPassword  'it''s'", "ALTER ROLE r\nPassword  '****'");
    becomes("ALTER ROLE r PASSWORD E'a\\'b' VALID UNTIL 'x'", "ALTER ROLE r PASSWORD E'****' VALID UNTIL 'x'");
    becomes("ALTER ROLE r PASSWORD'hunter2'", "ALTER ROLE r PASSWORD'****'");
    becomes("ALTER ROLE r PASSWORD $$hunter2$$;", "ALTER ROLE r PASSWORD ****;");
    becomes("ALTER ROLE r PASSWORD $x$two $ words$x$ NOINHERIT", "ALTER ROLE r PASSWORD **** NOINHERIT");
    becomes("ALTER ROLE r PASSWORD /* new */ 'hunter2'", "ALTER ROLE r PASSWORD /* new */ '****'");
    becomes("ALTER ROLE r PASSWORD -- new\n'hunter'\n'2'", "ALTER ROLE r PASSWORD -- new\n'****'\n'****'");
    becomes("create user r login password hunter2;", "create user r login password ****;");
    becomes("ALTER GROUP r PASSWORD U&'hunter2'", "ALTER GROUP r PASSWORD U&'****'");
    becomes("%sql --on x ALTER ROLE r PASSWORD hunter2", "%sql --on x ALTER ROLE r PASSWORD ****");
    becomes("%%sql --atomic\nSELECT 1; ALTER ROLE r PASSWORD hunter2", "%%sql --atomic\nSELECT 1; ALTER ROLE r PASSWORD ****");
    becomes("CREATE USER MAPPING FOR r SERVER s OPTIONS (user 'u', password 'hunter2')",
            "CREATE USER MAPPING FOR r SERVER s OPTIONS (user 'u', password '****')");
    becomes("%%bash\nexport PGPASSWORD=hunter2; psql", "%%bash\nexport PGPASSWORD=****; psql");
    becomes("%%python\nos.environ['PGPASSWORD'] = 'hunter2'", "%%python\nos.environ['PGPASSWORD'] = '****'");
    becomes("%%python\nx = {\"password\": \"hunter2\", 'a': 1}", "%%python\nx = {\"password\": \"****\", 'a': 1}");
    becomes("%%python\nconnect(password = 'hunter2')", "%%python\nconnect(password = '****')");
    becomes("%%bash\ncurl -H 'Authorization: Bearer abc.def' x", "%%bash\ncurl -H 'Authorization: Bearer **** x");
    becomes("SELECT 'dapi0123456789abcdef0123456789abcdef'", "SELECT '****'");
    becomes("SELECT 'eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJsYWtlYmFzZSJ9.abc-_1'", "SELECT '****'");
    becomes("DATABRICKS_TOKEN=abc", "DATABRICKS_TOKEN=****");
}

/* Whatever the cell, the secret in it is gone. */
static void test_nothing_is_left(void **state)
{
    (void)state;
    static const char *const cells[] = {"%connect host=h password= hunter2", "%connect host=h password=\"hunter2",
                                        "PASSWORD 'hunter2",
                                        "%connect postgresql://u:hunter2@",
                                            "SELECT ';\n%connect postgresql://u:hunter2@h/d"};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        char *got = interp_redact(cells[i], strlen(cells[i]));
        assert_non_null(got);
        assert_null(strstr(got, "hunter2"));
        free(got);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const char code[] = "ALTER ROLE r PASSWORD hunter2; ALTER ROLE r PASSWORD 'ab'; SELECT 'abc'";
    struct err e = {0};
    err_set(&e, ERR_SQL, "syntax error at or near \"hunter2\" or \"ab\" in about");
    err_detail(&e, "hunter2hunter2");
    err_hint(&e, "not here");
    assert_true(interp_redact_err(code, strlen(code), &e));
    assert_string_equal(e.text, "syntax error at or near \"****\" or \"****\" in about");
    assert_string_equal(e.detail, "********");
    assert_string_equal(e.hint, "not here");
    assert_false(interp_redact_err("SELECT 1", 8, &e));
}

static void test_large_cell(void **state)
{
    (void)state;
    size_t n = CELL_MAX_BYTES + 10;
    char *code = xmalloc(n + 1);
    memset(code, 'x', n);
    code[n] = '\0';
    memcpy(code + n - 30, "\npassword=hunter2 and so on    ", 30);
    char *got = interp_redact(code, n);
    assert_non_null(got);
    assert_null(strstr(got, "hunter2"));
    free(got);
    free(code);
}

/* Cells made to be slow: each takes one pass. */
static void test_repeated_words(void **state)
{
    (void)state;
    static const char *const words[] = {"password=", "PASSWORD '", "password ", "a://b:c@", "://", "token=\"",
                                        "bearer x", "eyJ.", "secret\n", "create role a password ",
                                        "%sql create role a ", "password $a", "password $$"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]), len = (2 << 20) / n * n;
        char *code = xmalloc(len);
        for (size_t at = 0; at < len; at += n)
            memcpy(code + at, words[i], n);
        free(interp_redact(code, len));
        free(code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain_cells_stay), cmocka_unit_test(test_secrets_go),
                                       cmocka_unit_test(test_nothing_is_left), cmocka_unit_test(test_errors), cmocka_unit_test(test_large_cell),
                                       cmocka_unit_test(test_repeated_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
