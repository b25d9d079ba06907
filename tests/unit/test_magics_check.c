/* Files of lab checks: every mistake in one is named with its place; names. No database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/check.h"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    struct err e = {0};
    char path[100];
    jx_setup();
    snprintf(dir, sizeof dir, "/tmp/lbchecks-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/checks", dir);
    setenv("LAKEBASE_NOTEBOOKS", dir, 1);
    return fs_mkdirs(path, 0700, &e) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    struct err e = {0};
    return fs_remove_tree(dir, &e) ? 0 : -1;
}

static void put(const char *text, size_t len)
{
    struct err e = {0};
    char path[100];
    snprintf(path, sizeof path, "%s/checks/x.json", dir);
    assert_true(fs_write_atomic(path, text, len, 0600, &e));
}

static void refused(const char *text, enum err_code code, const char *want)
{
    struct err e = {0};
    put(text, strlen(text));
    json_t *file = check_load("x", &e);
    if (file || e.code != code || !strstr(e.text, want))
        fail_msg("%s\nshould be refused with '%s', not '%s'", text, want, file ? "accepted" : e.text);
}

#define CHECK(rest) "{\"id\":\"x\",\"title\":\"t\",\"checks\":[{\"title\":\"t\",\"message\":\"m\"," rest "}]}"
#define EXPECT(rest) CHECK("\"sql\":\"SELECT 1\",\"expect\":{" rest "}")

static void test_malformed(void **state)
{
    (void)state;
    refused("{\n  \"id\" \"x\"\n}", ERR_MALFORMED, "line 2");
    refused("[]", ERR_MALFORMED, "x.json: must be an object");
    refused("{\"id\":\"y\",\"title\":\"t\",\"checks\":[]}", ERR_MALFORMED, "x.json: id: must be the file's name");
    refused("{\"id\":\"x\",\"checks\":[]}", ERR_MALFORMED, "title: is missing");
    refused("{\"id\":\"x\",\"title\":\"t\",\"checks\":[]}", ERR_MALFORMED, "checks: must be a list of 1 to 50");
    refused("{\"id\":\"x\",\"title\":\"t\",\"cheks\":[]}", ERR_MALFORMED, "unknown key 'cheks'");
    refused("{\"id\":\"x\",\"title\":\"t\",\"checks\":[1]}", ERR_MALFORMED, "checks[0]: must be an object");
    refused("{\"id\":\"x\",\"title\":\"t\",\"checks\":[{}]}", ERR_MALFORMED, "checks[0]: needs a title");
    refused(CHECK("\"expect\":{}"), ERR_MALFORMED, "checks[0]: needs either sql or api");
    refused(CHECK("\"sql\":\"x\",\"api\":{}"), ERR_MALFORMED, "needs either sql or api");
    refused(CHECK("\"sql\":[]"), ERR_MALFORMED, "sql must be a statement or a list");
    refused(CHECK("\"sql\":\"SELECT 1\""), ERR_MALFORMED, "checks[0].expect: is missing");
    refused(CHECK("\"api\":{\"instance\":\"a\",\"table\":\"b\"},\"expect\":{\"exists\":true}"), ERR_MALFORMED,
            "checks[0].api: names exactly one object");
    refused(CHECK("\"api\":{\"volume\":\"a\"},\"expect\":{\"exists\":true}"), ERR_MALFORMED, "unknown key 'volume'");
    refused(CHECK("\"api\":{\"instance\":\"a\"},\"expect\":{\"value\":1}"), ERR_MALFORMED, "unknown key 'value'");
    refused(CHECK("\"api\":{\"instance\":\"a\"},\"on\":\"b\",\"expect\":{\"exists\":true}"), ERR_MALFORMED,
            "on goes with sql");
    refused(CHECK("\"api\":{\"instance\":\"a\"},\"expect\":{\"fields\":{}}"), ERR_MALFORMED, "at least one field");
    refused(CHECK("\"api\":{\"instance\":\"a\"},\"expect\":{\"fields\":{\"state\":{\"like\":\"x\"}}}"), ERR_MALFORMED,
            "unknown key 'like'");
    refused(EXPECT(""), ERR_MALFORMED, "exactly one thing");
    refused(EXPECT("\"value\":1,\"min_rows\":1"), ERR_MALFORMED, "exactly one thing");
    refused(EXPECT("\"value\":[1]"), ERR_MALFORMED, "value must be");
    refused(EXPECT("\"rows\":[1]"), ERR_MALFORMED, "each row must be a list");
    refused(EXPECT("\"rows\":[[{}]]"), ERR_MALFORMED, "a value must be");
    refused(EXPECT("\"matches\":\"(\""), ERR_MALFORMED, "not a POSIX extended regular expression");
    refused(EXPECT("\"min\":\"1\""), ERR_MALFORMED, "a bound must be a number");
    refused(EXPECT("\"min_rows\":3,\"max_rows\":2"), ERR_MALFORMED, "above the upper one");
    refused(EXPECT("\"error\":23505"), ERR_MALFORMED, "SQLSTATE");
}

static void test_accepted(void **state)
{
    (void)state;
    static const char *const good[] = {EXPECT("\"value\":null"), EXPECT("\"rows\":[]"), EXPECT("\"min\":1"),
                                       EXPECT("\"error\":[\"23505\",\"23503\"]"),
                                       CHECK("\"api\":{\"table\":\"a.b.c\"},\"expect\":{\"fields\":{\"name\":{\"matches\":\"^c\"},\"x\":[1,null]}}")};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct err e = {0};
        put(good[i], strlen(good[i]));
        json_t *file = check_load("x", &e);
        if (!file)
            fail_msg("%s\nis refused: %s", good[i], e.text);
        json_decref(file);
    }
}

/* At the cap it is read, one byte more is refused. */
static void test_size(void **state)
{
    (void)state;
    static const char start[] = EXPECT("\"value\":1");
    char *text = xmalloc(CHECK_FILE_MAX + 1);
    memset(text, ' ', CHECK_FILE_MAX + 1);
    memcpy(text, start, strlen(start));
    struct err e = {0};
    put(text, CHECK_FILE_MAX);
    json_t *file = check_load("x", &e);
    assert_non_null(file);
    json_decref(file);
    put(text, CHECK_FILE_MAX + 1);
    assert_null(check_load("x", &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    free(text);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "../checks/x", "X", "/etc/passwd", "x.json", "y", "x/../x"};
    put(EXPECT("\"value\":1"), strlen(EXPECT("\"value\":1")));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct err e = {0};
        assert_null(check_load(wrong[i], &e));
        assert_int_equal(e.code, ERR_NOT_FOUND);
    }
    setenv("LAKEBASE_NOTEBOOKS", "/nonexistent", 1);
    struct err e = {0};
    assert_null(check_load("x", &e));
    assert_non_null(strstr(e.hint, "LAKEBASE_NOTEBOOKS"));
    setenv("LAKEBASE_NOTEBOOKS", dir, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_malformed), cmocka_unit_test(test_accepted),
                                       cmocka_unit_test(test_size),
                                       cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
