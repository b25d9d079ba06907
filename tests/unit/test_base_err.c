/* Error values: first one wins, context in front, texts cut at characters, codes from the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/utf8.h"

static void test_first_wins(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    assert_int_equal(e.code, ERR_NONE);
    assert_false(err_set(&e, ERR_NOT_FOUND, "no '%s'", "x"));
    assert_false(err_set(&e, ERR_IO, "later"));
    assert_false(err_errno(&e, ENOENT, "later"));
    assert_string_equal(e.text, "no 'x'");
    assert_true(err_is(&e, ERR_NOT_FOUND));
    assert_false(err_wrap(&e, "reading %d", 7));
    assert_string_equal(e.text, "reading 7: no 'x'");
    err_detail(&e, "a%s", "b");
    err_detail(&e, "later");
    err_hint(&e, "do");
    err_hint(&e, "later");
    assert_string_equal(e.detail, "ab");
    assert_string_equal(e.hint, "do");
    err_init(&e);
    err_errno(&e, ENOENT, "cannot open '%s'", "f");
    assert_int_equal(e.code, ERR_IO);
    assert_string_equal(e.text, "cannot open 'f': No such file or directory");
}

/* Every length around the size of the field, with two-byte characters. */
static void test_cutting(void **state)
{
    (void)state;
    static char text[9000];
    for (size_t shift = 0; shift < 2; shift++) {
        for (size_t n = 1015; n < 1030; n++) {
            struct err e;
            err_init(&e);
            memset(text, 'x', shift);
            for (size_t i = shift; i + 2 <= n + 1; i += 2)
                memcpy(text + i, "ä", 2);
            size_t len = shift + (n - shift) / 2 * 2;
            text[len] = '\0';
            err_set(&e, ERR_IO, "%s", text);
            assert_true(utf8_valid(e.text, strlen(e.text)));
            if (len < sizeof e.text)
                assert_string_equal(e.text, text);
            else
                assert_string_equal(e.text + strlen(e.text) - 3, "…");
        }
    }
    struct err e;
    err_init(&e);
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&e, ERR_IO, "%s", text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_string_equal(e.text + sizeof e.text - 4, "…");
    err_wrap(&e, "%s", text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_true(utf8_valid(e.text, strlen(e.text)));
    err_hint(&e, "%s", text);
    assert_int_equal(strlen(e.hint), sizeof e.hint - 1);
}

static void test_codes(void **state)
{
    (void)state;
    for (int code = ERR_NONE; code < ERR_CODE_COUNT; code++) {
        const struct err_info *i = err_info((enum err_code)code);
        assert_non_null(i->symbol);
        assert_non_null(i->ename);
        assert_true(i->http >= 200 && i->http < 600);
        assert_true(i->meaning[0] != '\0');
        if (code == ERR_NONE)
            continue;
        /* What our server answers, our client reads as a code with the same wire form. */
        enum err_code back = err_code_of_wire(i->wire, i->http);
        assert_string_equal(err_info(back)->wire, i->wire);
        assert_int_equal(err_info(back)->http, i->http);
        for (const char *c = i->ename; *c; c++)
            assert_true((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z'));
    }
    assert_int_equal(err_code_of_wire("NOT_FOUND", 404), ERR_NOT_FOUND);
    assert_int_equal(err_code_of_wire("CATALOG_ALREADY_EXISTS", 409), ERR_CATALOG_EXISTS);
    assert_int_equal(err_code_of_wire("NEW_CODE", 404), ERR_NOT_FOUND);
    assert_int_equal(err_code_of_wire(NULL, 403), ERR_PERMISSION);
    assert_int_equal(err_code_of_wire(NULL, 418), ERR_REMOTE);
    assert_int_equal(err_code_of_wire("", 0), ERR_REMOTE);
}

static void test_bug_aborts(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        close(2);
        bug("broken %d", 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_wins), cmocka_unit_test(test_cutting), cmocka_unit_test(test_codes),
        cmocka_unit_test(test_bug_aborts),
    };
    return cmocka_run_group_tests_name("base_err", tests, NULL, NULL);
}
