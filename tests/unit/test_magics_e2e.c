/*
 * The magics against a workspace of their own: cell scripts of tests/cells/ (see README.md there), run in order through
 * the interpreter with a sink in memory. Needs the program lakebase-workspace.
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
#include "magics_cells.h"

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
    snprintf(path, sizeof path, "%s/%s/bin/lakebase-workspace", cwd, build ? build : "build/release");
    if (access(path, X_OK) != 0)
        snprintf(path, sizeof path, "%s/build/bin/lakebase-workspace", cwd);
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

/* With LAKEBASE_CELLS_OUT=FOLDER what was shown is written there as a script: to compare, or to take over after a look. */
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
        const char *code = strchr(p, '\n') + 1, *out = next_mark(code), *want = strchr(out, '\n') + 1, *end = next_mark(want);
        assert_int_equal(strncmp(p, "== cell\n", 8), 0);
        assert_int_equal(strncmp(out, "== out\n", 7), 0);
        char *cell = xstrndup(code, (size_t)(out - code) - (out > code)), *expected = xstrndup(want, (size_t)(end - want));
        const char *got = cells_run(c, cell);
        if (copy)
            fprintf(copy, "== cell\n%s\n== out\n%s", cell, got);
        if (!fits(expected, got)) {
            print_error("%s: this cell\n%s\n--- should show\n%s--- but showed\n%s---\n", name, cell, expected, got);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scripts)};
    return cmocka_run_group_tests(tests, start, stop);
}
