/* Cells without a workspace or a database: errors, help, bash, completion, inspection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/names.h"
#include "magics_cells.h"

static struct cells c;

static int open_cells(void **state)
{
    (void)state;
    cells_open(&c);
    return 0;
}

static int close_cells(void **state)
{
    (void)state;
    cells_close(&c);
    return 0;
}

static void shows(const char *code, const char *want)
{
    const char *got = cells_run(&c, code);
    if (!strstr(got, want))
        fail_msg("'%s' should show '%s', but showed '%s'", code, want, got);
}

static void test_empty(void **state)
{
    (void)state;
    static const char *const nothing[] = {"", "  \n\t", "-- only a comment", "/* so */ ;", "#NBVAL_IGNORE_OUTPUT\n"};
    for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
        assert_string_equal(cells_run(&c, nothing[i]), "");
        assert_null(c.error);
    }
}

static void test_errors_have_places(void **state)
{
    (void)state;
    shows("SELECT 1", "ConnectionError: no connection");
    shows("%sql SELECT 1", "ConnectionError: no connection");
    shows("\\dt", "ConnectionError: no connection");
    shows("%conect x", "did you mean %connect?");
    shows("%conect x", "LINE 1: %conect x\n        ^^^^^^^");
    shows("%bash\nls", "it is a cell magic: write %%bash");
    shows("%dt", "did you mean \\dt?");
    shows("\\connect x", "\\connect is a command of psql that a notebook does not have");
    shows("\\c x", "HINT:  %connect INSTANCE/DATABASE opens a session");
    shows("\\q", "%disconnect ends it now");
    shows("\\?", "%help lists the magics");
    shows("\\! ls", "%%bash runs a script");
    shows("\\!ls", "%%bash runs a script");
    shows("SELECT 1 \\gx", "HINT:  \\x on shows each column on a line of its own");
    shows("SELECT 1;\nSELECT 'ä' \\g\n", "HINT:  end the statement with a semicolon");
    shows("SELECT 1 \\nothing", "stands on a line of its own, below the semicolon");
    shows("%%nothing\nx", "there is no magic %%nothing");
    shows("%version\n%instance show --al x\n", "LINE 2: %instance show --al x\n                       ^^^^");
    shows("%version\n%nope\n%version", "CELL:  part 2 of 3 (line 2) failed; the rest was not run");
    shows("%instance create", "HINT:  usage: %instance create [--capacity");
    shows("%use", "HINT:  usage: %use ALIAS");
    shows("%%sql --limit x\nSELECT 1", "HINT:  usage: %sql [--on ALIAS]");
    shows("%%sql\n-- nothing\n;", "%%sql needs a statement in the lines below it");
    shows("\\d x \"open", "LINE 1: \\d x \"open\n             ^");
    shows("%sql", "%sql needs a statement");
    shows("%%sql --limit 0\nSELECT 1", "--limit is between 1 and 10000");
    shows("%%sql --limit 10001\nSELECT 1", "--limit is between 1 and 10000");
    shows("%%sql --onto x\nSELECT 1", "unknown option --onto");
    shows("%%sql SELECT 1\nSELECT 2", "takes its SQL from the lines below");
    shows("%lab start 2", "%lab has no 'start'");
    shows("%use nowhere", "no connection is called 'nowhere'");
    shows("SELECT '", "a quoted string (') is not closed");
}

/* A password in a cell does not come back in its error. */
static void test_secrets_are_not_shown(void **state)
{
    (void)state;
    static const char *const cells[] = {
        "%connect postgresql://me:hunter2@127.0.0.1:1/db as a as b",
        "%connect host=127.0.0.1 port=1 password=hunter2 --nonsense",
        "%connect host=127.0.0.1 port=1 dbname=x user=y password='hunter2' as",
        "%connect mysql://me:hunter2@h/db",
        "%connect postgresql://me:hunter2@127.0.0.1:1/db",
        "%connect host=127.0.0.1 port=1 sslmode=nonsense password=hunter2",
        "%connect host=127.0.0.1 port=1 password=hunter2 hunter2",
        "%nothing password=hunter2",
        "%connect 'password=hunter2"};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        const char *got = cells_run(&c, cells[i]);
        assert_non_null(c.error);
        if (strstr(got, "hunter2"))
            fail_msg("'%s' showed '%s'", cells[i], got);
    }
}

static void test_help(void **state)
{
    (void)state;
    shows("%help", "%connect             open a session");
    shows("%magics", "  %sql, %%sql ");
    shows("%help instance create", "[--capacity CU_1|CU_2|CU_4|CU_8]");
    assert_null(strstr(cells_run(&c, "%help instance create"), "--force"));
    shows("%help \\\\dt", "List tables");
    shows("%connect?", "Open a session and make it the current one.");
    shows("%connect --help", "as ALIAS: what to call the connection");
    shows("%instance create --help", "--retention DAYS: how far back it can be restored (2 to 35)");
    shows("%help nothing", "there is no magic called 'nothing'");
    shows("%help instance nothing", "%instance has no 'nothing'");
    shows("%version", "lakebase-kernel " LAKEBASE_VERSION);
    shows("%set", " rows        | 50    |");
    shows("%set rows 7", " rows    | 7     |");
    shows("%set tming", "did you mean timing?");
    shows("%connections", "No connection is open.");
    shows("\\x on", "Expanded display is on.");
    shows("\\x", "Expanded display is off.");
    shows("\\timing on", "Timing is on.");
}

static void test_no_checks(void **state)
{
    (void)state;
    char *was = getcwd(NULL, 0);
    const char *told = getenv("LAKEBASE_NOTEBOOKS");
    char *kept = xstrdup(told);
    unsetenv("LAKEBASE_NOTEBOOKS");
    assert_int_equal(chdir("/tmp"), 0);
    shows("%lab list", "There are no checks in a folder checks or notebooks/checks of /tmp, and of the folders above it.");
    assert_null(c.error);
    shows("%lab check x", "HINT:  there are no checks in a folder");
    setenv("LAKEBASE_NOTEBOOKS", "/nonexistent", 1);
    shows("%lab list", "There are no checks in /nonexistent/checks, which LAKEBASE_NOTEBOOKS names.");
    unsetenv("LAKEBASE_NOTEBOOKS");
    if (kept)
        setenv("LAKEBASE_NOTEBOOKS", kept, 1);
    assert_int_equal(chdir(was), 0);
    free(kept);
    free(was);
}

static void test_bash(void **state)
{
    (void)state;
    setenv("SOME_TOKEN", "hidden", 1);
    setenv("PGPASSWORD", "hidden", 1);
    setenv("SOMETHING", "seen", 1);
    assert_string_equal(cells_run(&c, "%%bash\necho one\nprintf 'zwei €'"), "one\nzwei €");
    assert_string_equal(cells_run(&c, "%%bash\necho two >&2"), "! two\n");
    assert_null(c.error);
    assert_string_equal(cells_run(&c,
                                  "%%bash\necho $SOME_TOKEN$PGPASSWORD$SOMETHING; cat; env | grep -c hidden; true"),
                                      "seen\n0\n");
    shows("%%bash\necho before; exit 3", "before\nScriptFailed: bash ended with exit status 3");
    shows("%%bash\nkill -TERM $$", "bash was ended by signal 15");
    shows("%%bash\nps -o args= -p $$", "bash /dev/fd/3");
    shows("%%bash x\ntrue", "one word too many");
    /* A background process does not hold the cell. */
    long pid = strtol(cells_run(&c, "%%bash\nsleep 300 & echo $!"), NULL, 10);
    assert_null(c.error);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    unsetenv("SOME_TOKEN");
    unsetenv("PGPASSWORD");
}


/* The output goes through the test's sink, so the child tells by it that it is ready. */
static void stream_and_fire(void *self, bool to_stderr, const char *text, size_t len)
{
    cells_stream(self, to_stderr, text, len);
    if (strstr(buf_str(&c.text), "ready"))
        cancel_fire(&c.cancel);
}

static void run_and_interrupt(const char *code, json_t **error)
{
    struct sink sink = {.self = &c, .stream = stream_and_fire, .show = cells_show};
    struct cell_run run = {.code = code, .len = strlen(code), .out = &sink, .cancel = &c.cancel};
    buf_clear(&c.text);
    assert_false(interp_run(c.session, &run, error));
    cancel_reset(&c.cancel);
}

static void test_bash_interrupt(void **state)
{
    (void)state;
    json_t *error = NULL;
    run_and_interrupt("%%bash\ntrap 'echo caught; exit 1' INT\necho ready\nwhile :; do sleep 0.1; done", &error);
    assert_string_equal(jx_get_str(error, "ename", ""), "KeyboardInterrupt");
    assert_non_null(strstr(buf_str(&c.text), "caught"));
    json_decref(error);
    /* One that ignores it ends too; the children with it. */
    run_and_interrupt("%%bash\ntrap '' INT\n(trap '' INT; exec sleep 300) &\necho ready\nwait", &error);
    assert_string_equal(jx_get_str(error, "ename", ""), "KeyboardInterrupt");
    json_decref(error);
}

/* ---- completion and inspection ---- */

/* code with | at the cursor. The matches, separated by spaces. */
static void completes(const char *marked, const char *want)
{
    struct completions got;
    struct buf list;
    char *code = xstrdup(marked), *bar = strchr(code, '|');
    size_t cursor = (size_t)(bar - code);
    memmove(bar, bar + 1, strlen(bar));
    buf_init(&list, 1 << 20);
    interp_complete(code, strlen(code), cursor, &got);
    assert_true(got.start <= cursor && cursor <= got.end && got.end <= strlen(code));
    for (size_t i = 0; i < got.count; i++)
        buf_printf(&list, "%s%s", i ? " " : "", got.items[i].text);
    if (strcmp(buf_str(&list), want) != 0)
        fail_msg("'%s' should complete to '%s', not '%s'", marked, want, buf_str(&list));
    completions_release(&got);
    buf_release(&list);
    free(code);
}

static void test_complete(void **state)
{
    (void)state;
    setenv("LAKEBASE_NOTEBOOKS", "tests/cells", 1);
    completes("%conn|", "%connect %connections");
    completes("%%b|", "%%bash");
    completes("%%bash\nSEL|", "");
    completes("%%sql\nSEL|", "SELECT");
    completes("%%sql --li|", "--limit");
    completes("SELECT 1;\n%conne|", "%connect %connections");
    completes("SELECT 1\n%conne|", "");
    completes("%instance |", "create list show stop start resize delete");
    completes("%instance st|", "stop start");
    completes("%instance create |", "--capacity --retention --if-not-exists --yes");
    completes("%instance create --capacity |", "CU_1 CU_2 CU_4 CU_8");
    completes("%instance create --capacity=CU_|", "CU_1 CU_2 CU_4 CU_8");
    completes("%instance create --cap|", "--capacity");
    completes("%workspace l|", "local");
    completes("%help inst|", "instance");
    completes("%set ti|", "timeout timing");
    completes("%lab check fails-s|", "fails-sql");
    completes("\\d|", "\\d \\df \\di \\dn \\dp \\ds \\dt \\du \\dv \\dx");
    completes("sel|", "select");
    completes("SELECT * FR|", "FROM");
    completes("SELECT * FR|OM x", "FROM");
    completes("SELECT * \n  fro| t", "from");
    completes("SELECT 1 |", "");
    completes("|", "");
    completes("%nothing --x|", "");
    completes("SELECT 'a;\n%conn|", "");
}

static void test_complete_names(void **state)
{
    (void)state;
    completes("%connect |", "");
    names_put(NAMES_INSTANCE, (const char *const[]){"workshop", "other"}, 2);
    names_put(NAMES_CATALOG, (const char *const[]){"main"}, 1);
    names_put(NAMES_CONNECTION, (const char *const[]){"here"}, 1);
    completes("%connect |", "workshop other");
    completes("%connect w|", "workshop");
    completes("%instance show |", "workshop other --all");
    completes("%catalog drop m|", "main");
    completes("%use |", "here");
    names_put(NAMES_POOL, (const char *const[]){"app", "reports"}, 2);
    completes("%pool close |", "app reports --if-exists --force");
    completes("%pool drain a|", "app");
    completes("%%pool r|\nSELECT 1", "reports");
    completes("%pool open a|", ""); /* a new name */
    completes("%%sql --on |\nSELECT 1", "here");
    completes("%%sql --on=h|\nSELECT 1", "here");
    assert_true(interp_wants_names("%connect ", 9, 9));
    assert_true(interp_wants_names("%instance show w", 16, 16));
    assert_false(interp_wants_names("%use ", 5, 5)); /* the session knows */
    assert_false(interp_wants_names("%instance create --capacity ", 28, 28));
    assert_false(interp_wants_names("SELECT ", 7, 7));
    /* More than are kept. */
    const char *many[NAMES_MAX + 1];
    for (size_t i = 0; i <= NAMES_MAX; i++)
        many[i] = i < NAMES_MAX ? "x" : "y";
    names_put(NAMES_INSTANCE, many, NAMES_MAX + 1);
    completes("%connect |", "x");
    names_forget_all();
    completes("%connect |", "");
}

/* All magics, of both kinds: the list is the registry's, so only some are named here. */
static void test_complete_all(void **state)
{
    (void)state;
    struct completions got;
    size_t lines = 0, cells = 0;
    interp_complete("%", 1, 1, &got);
    for (size_t i = 0; i < got.count; i++) {
        assert_int_equal(got.items[i].text[0], '%');
        lines += strcmp(got.items[i].text, "%connect") == 0;
        cells += strcmp(got.items[i].text, "%%bash") == 0;
    }
    assert_int_equal(lines, 1);
    assert_int_equal(cells, 1);
    assert_true(got.count > 10);
    completions_release(&got);
}

static void explains(const char *marked, const char *want)
{
    char *code = xstrdup(marked), *bar = strchr(code, '|');
    size_t cursor = (size_t)(bar - code);
    memmove(bar, bar + 1, strlen(bar));
    json_t *got = interp_inspect(code, strlen(code), cursor, 0);
    const char *text = got ? jx_get_str(got, "text/plain", "") : "";
    if (want ? !strstr(text, want) : got != NULL)
        fail_msg("'%s' should be explained with '%s', not '%s'", marked, want ? want : "nothing", text);
    json_decref(got);
    free(code);
}

static void test_inspect(void **state)
{
    (void)state;
    explains("%conn|ect workshop", "Open a session and make it the current one.");
    explains("%connect work|shop", "Open a session");
    explains("%instance create x --capa|city CU_1", "--capacity CU_1|CU_2|CU_4|CU_8: its size");
    explains("%instance create x --capacity CU|_1", "its size");
    explains("%instance cre|ate x", "make an instance and wait");
    explains("%%ba|sh\nls", "Run the cell in bash");
    explains("\\d|t", "List tables");
    explains("\\dt|+ x", "List tables");
    explains("SEL|ECT 1", NULL);
    explains("%%bash\nec|ho", NULL);
    explains("|", NULL);
    explains("%noth|ing", NULL);
}

/* Any cut of any cell, with any cursor: no crash, offsets in range. */
static void test_places_everywhere(void **state)
{
    (void)state;
    static const char *const cells[] = {"%instance create --capacity=CU_1 x\nSELECT 'ä' FROM t;\n%help x",
                                        "%%sql --limit 3\nSELECT €",
                                        "\\d \"x\n%", "  %  \n%%", "%%\n", "\\\n\\"};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        size_t n = strlen(cells[i]);
        for (size_t len = 0; len <= n; len++) {
            char *cut = xstrndup(cells[i], len);
            for (size_t at = 0; at <= len + 1; at++) {
                struct completions got;
                interp_complete(cut, len, at, &got);
                assert_true(got.start <= got.end && got.end <= len);
                completions_release(&got);
                json_decref(interp_inspect(cut, len, at, 1));
            }
            free(cut);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty, open_cells, close_cells),
        cmocka_unit_test_setup_teardown(test_errors_have_places, open_cells, close_cells),
        cmocka_unit_test_setup_teardown(test_secrets_are_not_shown, open_cells, close_cells),
        cmocka_unit_test_setup_teardown(test_help, open_cells, close_cells),
        cmocka_unit_test_setup_teardown(test_no_checks, open_cells, close_cells),
        cmocka_unit_test_setup_teardown(test_bash, open_cells, close_cells),
        cmocka_unit_test_setup_teardown(test_bash_interrupt, open_cells, close_cells),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_complete_all),
        cmocka_unit_test(test_complete_names),
        cmocka_unit_test(test_inspect),
        cmocka_unit_test(test_places_everywhere)};
    jx_setup();
    setenv("HOME", "/nonexistent", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
