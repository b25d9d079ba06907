/*
 * The magics against a workspace of their own: cell scripts of tests/cells/ (see README.md there), run in order
 * through the interpreter with a sink in memory. Needs the program lakebase-workspace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/child.h"
#include "magics/remote.h"
#include "magics_cells.h"
#include "pg/conn.h"

static char state_dir[64], program[512];

static bool find_program(void)
{
    const char *build = getenv("LAKEBASE_BUILD"), *told = getenv("LAKEBASE_WORKSPACE_PROGRAM");
    char cwd[300], path[512];
    if (told && *told) {
        snprintf(program, sizeof program, "%s", told);
        return true;
    }
    if (!getcwd(cwd, sizeof cwd))
        return false;
    /* The release build first: `make test` has made it, while a variant's program may be an old one. */
    snprintf(path, sizeof path, "%s/build/bin/lakebase-workspace", cwd);
    if (access(path, X_OK) != 0)
        snprintf(path, sizeof path, "%s/%s/bin/lakebase-workspace", cwd, build ? build : "build/release");
    snprintf(program, sizeof program, "%s", path);
    return access(path, X_OK) == 0;
}

static void workspace(const char *verb, const char *option)
{
    struct err e = {0};
    int status = 0;
    const char *argv[] = {program, verb, option, NULL};
    struct child child = {.argv = argv};
    child_run(&child, &status, NULL, &e);
}

static int start(void **state)
{
    (void)state;
    jx_setup();
    if (!find_program())
        return 0;
    snprintf(state_dir, sizeof state_dir, "/tmp/lbm-XXXXXX");
    if (!mkdtemp(state_dir) || chmod(state_dir, geteuid() == 0 ? 0711 : 0700) != 0)
        return -1;
    setenv("LAKEBASE_STATE_DIR", state_dir, 1);
    setenv("LAKEBASE_WORKSPACE_PROGRAM", program, 1);
    setenv("LAKEBASE_NOTEBOOKS", "tests/cells", 1);
    setenv("HOME", state_dir, 1);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    struct err e = {0};
    if (!state_dir[0])
        return 0;
    workspace("reset", "--yes");
    workspace("stop", "--all");
    return fs_remove_tree(state_dir, &e) ? 0 : -1;
}

/* Equal, where "<any>" in `want` stands for any text without a newline. */
static bool fits(const char *want, const char *got)
{
    static const char any[] = "<any>";
    while (*want) {
        if (strncmp(want, any, strlen(any)) == 0) {
            want += strlen(any);
            do {
                if (fits(want, got))
                    return true;
            } while (*got && *got++ != '\n');
            return false;
        }
        if (*want++ != *got++)
            return false;
    }
    return *got == '\0';
}

static const char *next_mark(const char *text)
{
    const char *p = strncmp(text, "== ", 3) == 0 ? text : strstr(text, "\n== ");
    return p ? p + (*p == '\n') : text + strlen(text);
}

/* With LAKEBASE_CELLS_OUT=FOLDER what was shown is written there as a script: to compare, or to take over after
 * a look. */
static FILE *open_copy(const char *name)
{
    const char *folder = getenv("LAKEBASE_CELLS_OUT");
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "", name);
    return folder ? fopen(path, "w") : NULL;
}

/* "== cell" … "== out" …, in turn. Returns how many cells differed. */
static int run_script(struct cells *c, const char *name, const char *text)
{
    int bad = 0;
    FILE *copy = open_copy(name);
    for (const char *p = next_mark(text); *p;) {
        const char *code = strchr(p, '\n') + 1, *out = next_mark(code), *want = strchr(out, '\n') + 1,
            *end = next_mark(want);
        assert_int_equal(strncmp(p, "== cell\n", 8), 0);
        assert_int_equal(strncmp(out, "== out\n", 7), 0);
        char *cell = xstrndup(code, (size_t)(out - code) - (out > code)),
            *expected = xstrndup(want, (size_t)(end - want));
        const char *got = cells_run(c, cell);
        if (copy)
            fprintf(copy, "== cell\n%s\n== out\n%s", cell, got);
        if (!fits(expected, got)) {
            /* print_error of cmocka cuts what is long */
            fprintf(stderr, "%s: this cell\n%s\n--- should show\n%s--- but showed\n%s---\n", name, cell, expected,
                    got);
            bad++;
        }
        free(cell);
        free(expected);
        p = end;
    }
    if (copy)
        fclose(copy);
    return bad;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int is_script(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    const char *only = getenv("LAKEBASE_CELLS");
    return n > 5 && strcmp(d->d_name + n - 5, ".cell") == 0 && (!only || strstr(d->d_name, only));
}

static void test_scripts(void **state)
{
    (void)state;
    struct dirent **names;
    int n = scandir("tests/cells", &names, is_script, by_name), bad = 0;
    assert_true(n > 0);
    if (!state_dir[0]) {
        print_message("skipped: lakebase-workspace is not built (make build)\n");
        skip();
    }
    for (int i = 0; i < n; i++) {
        struct cells c;
        struct err e = {0};
        struct buf text;
        char path[400];
        snprintf(path, sizeof path, "tests/cells/%s", names[i]->d_name);
        buf_init(&text, 1 << 20);
        assert_true(fs_read(path, &text, &e));
        cells_open(&c);
        bad += run_script(&c, names[i]->d_name, buf_str(&text));
        cells_close(&c);
        buf_release(&text);
        free(names[i]);
    }
    free(names);
    assert_int_equal(bad, 0);
}

/* ---- what a script cannot say ---- */

static void need_workspace(void)
{
    if (!state_dir[0])
        skip();
}

static void shows(struct cells *c, const char *code, const char *want)
{
    const char *got = cells_run(c, code);
    if (!strstr(got, want))
        fail_msg("'%s' should show '%s', but showed '%s'", code, want, got);
}

/* The word behind `label` in the last output, in memory of the caller. */
static void word_after(struct cells *c, const char *label, char *out, size_t size)
{
    const char *at = strstr(buf_str(&c->text), label);
    assert_non_null(at);
    at += strlen(label);
    at += strspn(at, " |\n");
    snprintf(out, size, "%.*s", (int)strcspn(at, " \n"), at);
}

static struct cells *firing;

static void stream_and_fire(void *self, bool to_stderr, const char *text, size_t len)
{
    cells_stream(self, to_stderr, text, len);
    if (strstr(buf_str(&firing->text), "ready"))
        cancel_fire(&firing->cancel);
}

static void show_and_fire(void *self, enum sink_show how, json_t *data, json_t *metadata, const char *id)
{
    cells_show(self, how, data, metadata, id);
    stream_and_fire(self, false, "", 0);
}

static const char *run_and_interrupt(struct cells *c, const char *code)
{
    struct sink sink = {.self = c, .stream = stream_and_fire, .show = show_and_fire};
    struct cell_run run = {.code = code, .len = strlen(code), .out = &sink, .cancel = &c->cancel};
    json_decref(c->error);
    c->error = NULL;
    firing = c;
    buf_clear(&c->text);
    assert_false(interp_run(c->session, &run, &c->error));
    cancel_reset(&c->cancel);
    return cells_ename(c);
}

static void test_interrupt(void **state)
{
    (void)state;
    struct cells c;
    char before[32], after[32];
    need_workspace();
    cells_open(&c);
    shows(&c, "%instance create talk --if-not-exists\n%connect talk\nSELECT pg_backend_pid()", "Connected");
    shows(&c, "SELECT pg_backend_pid() AS pid", "(1 row)");
    word_after(&c, "-\n", before, sizeof before);
    static const char busy[] = "DO $$ BEGIN RAISE NOTICE 'ready'; PERFORM pg_sleep(600); END $$;\nSELECT 1";
    assert_string_equal(run_and_interrupt(&c, busy), "KeyboardInterrupt");
    shows(&c, "SELECT pg_backend_pid() AS pid", "(1 row)");
    word_after(&c, "-\n", after, sizeof after);
    assert_string_equal(before, after);
    /* In a transaction it fails the transaction, and says so. */
    shows(&c, "BEGIN", "A transaction is open");
    assert_string_equal(run_and_interrupt(&c, busy), "KeyboardInterrupt");
    shows(&c, "SELECT 1", "The transaction has failed");
    shows(&c, "ROLLBACK", "ROLLBACK");
    /* With a time limit the user's interrupt is still one. */
    assert_string_equal(run_and_interrupt(&c,
                                          "%%sql --timeout 1h\nDO $$ BEGIN RAISE NOTICE 'ready'; PERFORM pg_sleep(600); END $$"),
                        "KeyboardInterrupt");
    cells_close(&c);
}

/* Between the last statement and its COMMIT: nothing is kept, and the transaction is not left open. */
static void test_interrupt_of_an_atomic_cell(void **state)
{
    (void)state;
    struct cells c;
    need_workspace();
    cells_open(&c);
    shows(&c, "%connect talk\nCREATE TABLE atomic_cell (i int)", "CREATE TABLE");
    assert_string_equal(run_and_interrupt(&c, "%%sql --atomic\nINSERT INTO atomic_cell VALUES (1);\nSELECT 'ready'"),
                        "KeyboardInterrupt");
    assert_non_null(strstr(buf_str(&c.text), "ready"));
    shows(&c, "SELECT count(*) || ' kept' AS rows FROM atomic_cell", "0 kept");
    shows(&c, "ROLLBACK", "there is no transaction in progress");
    cells_close(&c);
}

static void test_results_and_displays(void **state)
{
    (void)state;
    struct cells c;
    need_workspace();
    cells_open(&c);
    shows(&c, "%connect talk\nSELECT 1;\nSELECT 2", "(1 row)");
    assert_int_equal(c.results, 1); /* the last one */
    assert_int_equal(c.displays, 1);
    cells_run(&c, "%%sql\nSELECT 1;\nSELECT 2; -- the end");
    assert_int_equal(c.results, 1);
    assert_int_equal(c.displays, 1);
    cells_run(&c, "SELECT '<script>' AS \"a & b\", 1::numeric(5,2) AS n");
    assert_non_null(strstr(buf_str(&c.html), "&lt;script&gt;"));
    assert_non_null(strstr(buf_str(&c.html), "a &amp; b"));
    assert_non_null(strstr(buf_str(&c.html), "numeric(5,2)"));
    assert_null(strstr(buf_str(&c.html), "<script>"));
    cells_close(&c);
}

static void test_consent(void **state)
{
    (void)state;
    struct cells c;
    need_workspace();
    cells_open(&c);
    shows(&c, "%instance create gone", "AVAILABLE");
    static const char *const no[] = {"n", "", "nope", NULL}, *const yes[] = {"y", NULL};
    c.answers = no;
    for (int i = 0; i < 3; i++) {
        shows(&c, "%instance delete gone", "not done");
        assert_string_equal(c.asked, "Delete instance 'gone' with all its data? [y/N] ");
    }
    shows(&c, "%instance show gone", "AVAILABLE");
    c.answers = yes;
    shows(&c, "%instance delete gone", "Instance gone is deleted.");
    cells_close(&c);
}

/* A workspace that is not on this machine: asked before anything is sent to it. */
static void test_consent_far_away(void **state)
{
    (void)state;
    struct cells c;
    struct err e = {0};
    char path[100];
    static const char profile[] = "[far]\nhost = https://far.example.com\ntoken = dapi\n";
    static const char *const no[] = {"n", "n", NULL};
    need_workspace();
    snprintf(path, sizeof path, "%s/.databrickscfg", state_dir);
    assert_true(fs_write_atomic(path, profile, strlen(profile), 0600, &e));
    cells_open(&c);
    remote_choose(c.session, "far");
    shows(&c, "%instance create x --capacity CU_1", "This front end cannot be asked");
    shows(&c, "%instance create x --capacity CU_1", "add --yes");
    c.answers = no;
    shows(&c, "%instance create x --capacity CU_1", "not done");
    assert_string_equal(c.asked,
                        "Create instance 'x' (CU_1) on https://far.example.com, where it may cost money? [y/N] ");
    shows(&c, "%catalog register c x", "not done");
    /* A token goes to nobody without a certificate: of what this system trusts, whatever PGSSLROOTCERT says. */
    struct magic_ctx ctx = {.session = c.session};
    const char *roots = pg_system_roots(&e);
    assert_non_null(roots);
    assert_string_equal(remote_ca(&ctx, &e), roots);
    cells_close(&c);
}

static void test_password_is_asked(void **state)
{
    (void)state;
    struct cells c;
    char host[100], token[4096], code[400];
    need_workspace();
    cells_open(&c);
    shows(&c, "%instance show talk", "read_write_dns");
    word_after(&c, "read_write_dns", host, sizeof host);
    shows(&c, "%credential talk --reveal", "expires");
    snprintf(token, sizeof token, "%s", strstr(buf_str(&c.text), "eyJ"));
    token[strcspn(token, "\n")] = '\0';
    snprintf(code, sizeof code,
             "%%connect host=%s user=learner@example.com dbname=databricks_postgres sslmode=require as raw", host);
    shows(&c, code, "LoginError");
    assert_null(strstr(buf_str(&c.text), token));
    const char *const wrong[] = {"nonsense", NULL}, *const right[] = {token, NULL};
    c.answers = wrong;
    shows(&c, code, "LoginError");
    assert_true(c.asked_secret);
    c.answers = right;
    shows(&c, code, "Connected to ");
    shows(&c, "SELECT current_user", "learner@example.com");
    assert_null(strstr(cells_run(&c, "%connections\n\\conninfo"), token));
    /* No name of an instance, but its address: its transaction is in the way of a stop all the same. */
    shows(&c, "BEGIN", "BEGIN");
    shows(&c, "%instance stop talk", "connection 'raw' has an open transaction on instance 'talk'");
    shows(&c, "ROLLBACK", "ROLLBACK");
    /* The password is kept for the session, so a lost one opens again. */
    cells_run(&c, "SELECT pg_terminate_backend(pg_backend_pid(), 10000)");
    shows(&c, "SELECT 'again'", "again");
    cells_close(&c);
}

static void test_workspaces(void **state)
{
    (void)state;
    struct cells c;
    char path[100];
    need_workspace();
    snprintf(path, sizeof path, "%s/databrickscfg", state_dir);
    cells_open(&c);
    shows(&c, "%workspace", "| local\n");
    setenv("DATABRICKS_CONFIG_FILE", path, 1);
    shows(&c, "%workspace env", "local, from the environment or a profile");
    shows(&c, "%connect talk as env", "Connected to instance talk");
    shows(&c, "%workspace app", "oauth-m2m");
    /* A lost session is not opened again on an instance of the same name elsewhere. */
    shows(&c, "SELECT pg_terminate_backend(pg_backend_pid(), 10000)", "57P01");
    shows(&c, "SELECT 1", "its instance is in another workspace");
    shows(&c, "%workspace env\nSELECT 'here again'", "here again");
    shows(&c, "%workspace app", "oauth-m2m");
    shows(&c, "%workspace nobody", "the workspace stays 'app'");
    shows(&c, "%workspace", "oauth-m2m");
    unsetenv("DATABRICKS_CONFIG_FILE");
    shows(&c, "%workspace local", "| local\n");
    /* It comes back by itself when it was stopped. */
    workspace("stop", NULL);
    shows(&c, "%instance list", "talk");
    cells_close(&c);
}

static void test_no_workspace_program(void **state)
{
    (void)state;
    struct cells c;
    need_workspace();
    cells_open(&c);
    setenv("LAKEBASE_WORKSPACE_PROGRAM", "/nonexistent/workspace", 1);
    shows(&c, "%instance list", "cannot run /nonexistent/workspace");
    setenv("LAKEBASE_WORKSPACE_PROGRAM", "/bin/false", 1);
    shows(&c, "%instance list", "the local workspace did not start");
    setenv("LAKEBASE_WORKSPACE_PROGRAM", program, 1);
    cells_close(&c);
}

/* What does not fit is counted; memory does not grow with the result. */
static void test_large_results(void **state)
{
    (void)state;
    struct cells c;
    need_workspace();
    cells_open(&c);
    shows(&c, "%connect talk\n%sql --limit 1 SELECT g FROM generate_series(1, 10001) AS g",
          "(1 of more than 10000 rows shown)");
    shows(&c, "%sql --limit 1 SELECT g FROM generate_series(1, 10000) AS g", "(1 of 10000 rows shown)");
    shows(&c, "SELECT repeat('x', 3000000) FROM generate_series(1, 5)", "xx… (2999500 more characters)\n(5 rows)");
    shows(&c, "SELECT repeat('x', 5000000)", "xx… (4999500 more characters)\n(1 row)");
    cells_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),          cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_interrupt_of_an_atomic_cell),
            cmocka_unit_test(test_results_and_displays),
        cmocka_unit_test(test_consent),          cmocka_unit_test(test_consent_far_away),
            cmocka_unit_test(test_password_is_asked),
        cmocka_unit_test(test_workspaces),       cmocka_unit_test(test_no_workspace_program),
            cmocka_unit_test(test_large_results)};
    return cmocka_run_group_tests(tests, start, stop);
}
