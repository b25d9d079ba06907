/* The process of %%python: which interpreter, what it is started with, its private folder, its end. The interpreters here
 * are small shell scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "jupyter/python_child.h"

static char folder[64], program[128];

static int start(void **state)
{
    (void)state;
    jx_setup();
    snprintf(folder, sizeof folder, "/tmp/lbp-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int stop(void **state)
{
    struct err e;
    (void)state;
    err_init(&e);
    return fs_remove_tree(folder, &e) ? 0 : -1;
}

/* LAKEBASE_PYTHON is a script of this text. */
static void interpreter(const char *text)
{
    struct err e;
    err_init(&e);
    snprintf(program, sizeof program, "%s/python", folder);
    assert_true(fs_write_atomic(program, text, strlen(text), 0700, &e));
    setenv("LAKEBASE_PYTHON", program, 1);
}

static char *file_of(const char *dir, const char *name)
{
    struct buf text;
    struct err e;
    char *path = xasprintf("%s/%s", dir, name);
    buf_init(&text, 1 << 20);
    err_init(&e);
    if (!fs_read(path, &text, &e))
        fail_msg("%s", e.text);
    free(path);
    return buf_detach(&text);
}

static void wait_for_end(struct python_child *c)
{
    struct pollfd p = {.fd = c->process.pidfd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
}

static void test_the_rule_for_the_interpreter(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    setenv("LAKEBASE_PYTHON", "/as/told", 1);
    char *found = python_program();
    assert_string_equal(found, "/as/told");
    free(found);
    unsetenv("LAKEBASE_PYTHON");
    char *bin = xasprintf("%s/venv/bin", folder), *python = xasprintf("%s/python", bin);
    assert_true(fs_mkdirs(bin, 0700, &e) && fs_write_atomic(python, "", 0, 0700, &e));
    char *venv = xasprintf("%s/venv", folder);
    setenv("VIRTUAL_ENV", venv, 1);
    found = python_program();
    assert_string_equal(found, python);
    free(found);
    unlink(python); /* an environment that is gone */
    found = python_program();
    assert_true(strcmp(found, "python3") == 0 || strstr(found, "/.venv/bin/python"));
    free(found);
    unsetenv("VIRTUAL_ENV");
    free(venv);
    free(python);
    free(bin);
}

static void test_a_start_and_its_files(void **state)
{
    (void)state;
    struct python_child c;
    struct err e;
    struct stat s;
    int status = 0;
    char said[64];
    err_init(&e);
    setenv("DATABRICKS_HOST", "https://example.com", 1);
    setenv("DATABRICKS_TOKEN", "dapi%one", 1);
    setenv("OTHER_SECRET", "hidden", 1);
    setenv("JPY_PARENT_PID", "1", 1);
    interpreter("#!/bin/sh\nenv >\"$(dirname \"$0\")/env\"; echo \"$@\" >\"$(dirname \"$0\")/args\"\n"
                "echo first; echo last >&2; kill -9 $$\n");
    if (!python_child_start(&c, &e))
        fail_msg("%s", e.text);
    wait_for_end(&c);
    python_child_listen(&c);
    assert_string_equal(python_child_last_line(&c), "last");
    assert_int_equal(stat(c.folder, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0700);

    char *args = file_of(folder, "args"), *env = file_of(folder, "env"), *profile = file_of(c.folder, "databrickscfg");
    char *want = xasprintf("%s/lakebase.py -f %s/kernel.json\n", c.folder, c.folder);
    assert_string_equal(args, want);
    snprintf(said, sizeof said, "JPY_PARENT_PID=%ld\n", (long)getpid());
    assert_non_null(strstr(env, said));
    assert_null(strstr(env, "DATABRICKS_"));
    assert_null(strstr(env, "hidden"));
    assert_true(c.env_profile);
    assert_non_null(strstr(profile, "[env]\n"));
    assert_non_null(strstr(profile, "host = https://example.com\n"));
    assert_non_null(strstr(profile, "token = dapi%%one\n"));
    assert_true(c.conn.ipc && strlen(c.conn.key) == 64);

    char *place = xstrdup(c.folder);
    python_child_release(&c, &status);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_false(fs_exists(place));
    free(place);
    free(want);
    free(profile);
    free(env);
    free(args);
    unsetenv("DATABRICKS_HOST");
    unsetenv("DATABRICKS_TOKEN");
}

static void test_what_it_says_is_kept_to_its_end(void **state)
{
    (void)state;
    struct python_child c;
    struct err e;
    err_init(&e);
    interpreter("#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' 'x'; echo; echo why\n");
    assert_true(python_child_start(&c, &e));
    struct pollfd p = {.fd = c.process.pidfd, .events = POLLIN};
    while (poll(&p, 1, 1) == 0)
        python_child_listen(&c);
    python_child_listen(&c);
    assert_int_equal(c.tail_len, PYTHON_TAIL);
    assert_string_equal(python_child_last_line(&c), "why");
    assert_int_equal(c.said_fd, -1);
    python_child_release(&c, NULL);
}

static void test_release_ends_what_runs(void **state)
{
    (void)state;
    struct python_child c;
    struct err e;
    int status = 0;
    err_init(&e);
    interpreter("#!/bin/sh\ntrap '' INT TERM HUP\nsleep 1000 & wait; sleep 1000\n");
    assert_true(python_child_start(&c, &e));
    pid_t group = c.process.pid;
    python_child_release(&c, &status);
    assert_true(WIFSIGNALED(status));
    /* what it had started is ended by the same signal; its number may still be there for a moment */
    for (int i = 0; i < 1000 && kill(-group, 0) == 0; i++)
        poll(NULL, 0, 5);
    assert_int_equal(kill(-group, 0), -1);
}

static void test_a_program_that_cannot_run(void **state)
{
    (void)state;
    struct python_child c;
    struct err e;
    err_init(&e);
    setenv("LAKEBASE_PYTHON", "/nowhere/python", 1);
    assert_false(python_child_start(&c, &e));
    assert_non_null(strstr(e.text, "cannot run /nowhere/python"));
    assert_non_null(strstr(e.hint, "LAKEBASE_PYTHON"));
    assert_null(c.folder);
}

static void test_a_folder_that_cannot_be_made(void **state)
{
    (void)state;
    struct python_child c;
    struct err e;
    err_init(&e);
    setenv("TMPDIR", "/nowhere", 1);
    assert_false(python_child_start(&c, &e));
    assert_non_null(strstr(e.text, "cannot make a private folder '/nowhere/"));
    unsetenv("TMPDIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rule_for_the_interpreter), cmocka_unit_test(test_a_start_and_its_files),
        cmocka_unit_test(test_what_it_says_is_kept_to_its_end), cmocka_unit_test(test_release_ends_what_runs),
        cmocka_unit_test(test_a_program_that_cannot_run), cmocka_unit_test(test_a_folder_that_cannot_be_made)};
    return cmocka_run_group_tests(tests, start, stop);
}
