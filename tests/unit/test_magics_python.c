/*
 * What %%python asks of the kernel: the code it sends, what goes with it, and when a token is renewed. The kernel's side is
 * a recorder here (how it runs cells is tests/protocol/test_python.py); the workspace and its instance are real.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/child.h"
#include "magics/last_result.h"
#include "magics/remote.h"
#include "magics_cells.h"

static char state_dir[64], folder[128], program[512];

/* ---- the recorder ---- */

struct recorder {
    long generation;
    bool running, fails;
    char steps[100]; /* one letter a call: L S R X */
    char *code;
    json_t *told; /* metadata of the last PYTHON_RUN */
};
static struct recorder record;

static bool call_python(void *self, const struct python_call *call, struct python_answer *answer, struct err *e)
{
    struct recorder *r = &record;
    size_t n = strlen(r->steps);
    (void)self;
    *answer = (struct python_answer){0};
    r->steps[n] = "?LSRX"[call->step];
    r->steps[n + 1] = '\0';
    if (call->step == PYTHON_START && !r->running)
        r->generation++;
    r->running = call->step != PYTHON_STOP && (call->step == PYTHON_START || r->running);
    answer->running = r->running;
    answer->generation = r->generation;
    answer->folder = xstrdup(folder);
    answer->program = xstrdup("/some/python");
    answer->version = xstrdup("3.99");
    if (call->step != PYTHON_RUN)
        return true;
    free(r->code);
    json_decref(r->told);
    r->code = xstrdup(call->code);
    r->told = json_loads(call->metadata, JSON_ALLOW_NUL, NULL);
    if (!r->fails)
        return true;
    answer->error = xstrdup("{\"ename\": \"OwnError\", \"evalue\": \"why\", \"traceback\": [\"a line\"]}");
    return err_set(e, ERR_BAD_REQUEST, "not this text");
}

static const char *run_in(struct cells *c, const char *code, bool with_python)
{
    struct sink sink = {.self = c, .stream = cells_stream, .show = cells_show};
    struct host host = {.self = c, .input = cells_input, .python = with_python ? call_python : NULL};
    struct cell_run run = {.code = code, .len = strlen(code), .out = &sink, .cancel = &c->cancel, .host = &host};
    buf_clear(&c->text);
    c->at_line_start = true;
    json_decref(c->error);
    c->error = NULL;
    record.steps[0] = '\0';
    interp_run(c->session, &run, &c->error);
    return buf_str(&c->text);
}

static const char *run(struct cells *c, const char *code) { return run_in(c, code, true); }

static const json_t *ours(void) { return json_object_get(record.told, "lakebase"); }

static const char *variable(const char *name)
{
    return json_string_value(json_object_get(json_object_get(ours(), "environ"), name));
}

/* ---- without a workspace ---- */

/* A profile, so that nothing is started. */
static void open_quiet(struct cells *c)
{
    record = (struct recorder){0};
    cells_open(c);
    remote_choose(c->session, "quiet");
}

static void close_quiet(struct cells *c)
{
    cells_close(c);
    free(record.code);
    json_decref(record.told);
    record = (struct recorder){0};
}

static void test_lines_stay_where_they_are(void **state)
{
    static const char *const cases[][2] = {
        {"%%python\nx", "# %%python\nx"},
        {"%%python\n\nx\n", "# %%python\n\nx\n"},
        {"\n\n%%python --status\nx", "#\n#\n# %%python --status\nx"},
        {"#NBVAL_SKIP\n%%python\nx", "# #NBVAL_SKIP\n# %%python\nx"},
        {"%%python\n    x\n    y", "    # %%python\n    x\n    y"},
        {"%%python\n\n\tx", "\t# %%python\n\n\tx"},
        {"%%python\n%%timeit\nx", "%%timeit\nx"}, /* a magic of IPython comes first */
        {"%%python\nü", "# %%python\nü"},
    };
    struct cells c;
    (void)state;
    open_quiet(&c);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        run(&c, cases[i][0]);
        assert_string_equal(record.code, cases[i][1]);
    }
    close_quiet(&c);
}

static void test_steps(void **state)
{
    struct cells c;
    (void)state;
    open_quiet(&c);
    run(&c, "%%python\nx");
    assert_string_equal(record.steps, "SR");
    run(&c, "%%python\n \n\n");
    assert_string_equal(record.steps, "");
    assert_string_equal(run(&c, "%%python --status"), "Python 3.99 runs as process 0: /some/python\n");
    assert_string_equal(record.steps, "L");
    run(&c, "%%python --restart\nx");
    assert_string_equal(record.steps, "XSR");
    run(&c, "%%python --restart");
    assert_string_equal(record.steps, "XS");
    record.running = false;
    assert_string_equal(run(&c, "%%python --status"), "Python does not run.\n");
    run_in(&c, "%%python\nx", false);
    assert_string_equal(cells_ename(&c), "NotImplemented");
    close_quiet(&c);
}

static void test_an_error_of_python_is_shown_as_it_is(void **state)
{
    struct cells c;
    (void)state;
    open_quiet(&c);
    record.fails = true;
    run(&c, "%%python\nx");
    assert_string_equal(cells_ename(&c), "OwnError");
    assert_string_equal(json_string_value(json_array_get(json_object_get(c.error, "traceback"), 0)), "a line");
    record.fails = false;
    run(&c, "%%python\nx");
    assert_null(c.error);
    close_quiet(&c);
}

static void test_only_news_go_down(void **state)
{
    struct cells c;
    (void)state;
    open_quiet(&c);
    run(&c, "%%python\nx");
    assert_string_equal(variable("DATABRICKS_CONFIG_PROFILE"), "quiet");
    assert_true(json_is_null(json_object_get(json_object_get(ours(), "environ"), "PGHOST")));
    run(&c, "%%python\nx");
    assert_int_equal(json_object_size(ours()), 0);
    run(&c, "%%python --restart\nx"); /* a new one has to hear all */
    assert_string_equal(variable("DATABRICKS_CONFIG_PROFILE"), "quiet");
    close_quiet(&c);
}

/* ---- the last result ---- */

static void add_row(struct last_result *l, const char *text, size_t len)
{
    struct pg_value v[2] = {{text, len}, {NULL, 0}};
    last_result_row(l, v);
}

static void begin(struct last_result *l)
{
    struct pg_column columns[2] = {{.name = "a", .oid = 25}, {.name = "b", .oid = 23}};
    last_result_columns(l, columns, 2);
}

static size_t rows_of(const struct last_result *l, bool *truncated)
{
    json_t *o = last_result_json(l);
    size_t n = json_array_size(json_object_get(o, "rows"));
    *truncated = json_is_true(json_object_get(o, "truncated"));
    json_decref(o);
    return n;
}

static void test_a_result_is_kept_when_it_went_well(void **state)
{
    struct last_result l = {0};
    bool cut;
    (void)state;
    begin(&l);
    add_row(&l, "x\0y\xff", 4);
    add_row(&l, "", 0);
    last_result_keep(&l, false);
    char *text;
    json_t *o = last_result_json(&l);
    text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, "{\"names\":[\"a\",\"b\"],\"oids\":[25,23],\"rows\":[[\"x\xef\xbf\xbdy\xef\xbf\xbd\",null],"
                              "[\"\",null]],\"truncated\":false}");
    free(text);
    json_decref(o);
    begin(&l); /* fails: is not kept */
    add_row(&l, "z", 1);
    assert_int_equal(rows_of(&l, &cut), 2);
    assert_int_equal(l.serial, 1);
    last_result_release(&l);
}

static void test_a_result_has_caps(void **state)
{
    struct last_result l = {0};
    bool cut;
    (void)state;
    begin(&l);
    for (int i = 0; i < LAST_RESULT_ROWS; i++)
        add_row(&l, "x", 1);
    last_result_keep(&l, false);
    assert_int_equal(rows_of(&l, &cut), LAST_RESULT_ROWS);
    assert_false(cut);
    begin(&l);
    for (int i = 0; i <= LAST_RESULT_ROWS; i++)
        add_row(&l, "x", 1);
    last_result_keep(&l, false);
    assert_int_equal(rows_of(&l, &cut), LAST_RESULT_ROWS);
    assert_true(cut);

    size_t most = LAST_RESULT_BYTES - 2 * sizeof(int);
    char *big = xcalloc(1, most + 1);
    memset(big, 'x', most + 1);
    begin(&l);
    add_row(&l, big, most);
    last_result_keep(&l, false);
    assert_int_equal(rows_of(&l, &cut), 1);
    assert_false(cut);
    begin(&l);
    add_row(&l, "x", 1);
    add_row(&l, big, most + 1);
    add_row(&l, "y", 1); /* no row behind a gap */
    last_result_keep(&l, false);
    assert_int_equal(rows_of(&l, &cut), 1);
    assert_true(cut);
    free(big);
    last_result_release(&l);
}

/* ---- with an instance ---- */

static char *passfile(void)
{
    struct buf text;
    struct err e = {0};
    buf_init(&text, 1 << 20);
    char *path = xasprintf("%s/pgpass", folder);
    fs_read(path, &text, &e);
    free(path);
    return text.len ? buf_detach(&text) : xstrdup("");
}

static void test_tokens_are_renewed_in_time(void **state)
{
    struct cells c;
    (void)state;
    if (access(program, X_OK) != 0)
        skip();
    record = (struct recorder){0};
    cells_open(&c);
    run(&c, "%instance create pyth");
    run(&c, "%connect pyth");
    if (c.error)
        fail_msg("%s", json_string_value(json_object_get(c.error, "evalue")));
    run(&c, "%%python\nx");
    assert_string_equal(variable("PGUSER"), "learner@example.com");
    assert_string_equal(variable("PGSSLMODE"), "verify-full");
    assert_string_equal(json_string_value(json_object_get(ours(), "instance")), "pyth");
    char *want = xasprintf("%s/pgpass", folder), *first = passfile();
    assert_string_equal(variable("PGPASSFILE"), want);
    char *login = xasprintf("%s:5432:*:learner@example.com:", variable("PGHOST"));
    assert_memory_equal(first, login, strlen(login));

    clock_shift(40 * 60 * 1000);
    run(&c, "%%python\nx");
    char *second = passfile();
    assert_string_equal(first, second); /* good for 20 more minutes */
    clock_shift(50 * 60 * 1000);
    run(&c, "%%python\nx");
    char *third = passfile();
    assert_string_not_equal(first, third);
    assert_int_equal(json_object_size(ours()), 0); /* the same file: nothing to tell */
    clock_shift(0);

    run(&c, "SELECT 1 AS one;");
    run(&c, "%%python\nx");
    assert_null(json_object_get(ours(), "result"));
    run(&c, "%%python\n_sqldf");
    assert_non_null(json_object_get(ours(), "result"));
    run(&c, "%%python\n_sqldf");
    assert_null(json_object_get(ours(), "result"));
    run(&c, "SELECT 2 AS two;");
    run(&c, "%%python\nf()"); /* may use it: a cell has named it */
    assert_non_null(json_object_get(ours(), "result"));
    free(want);
    free(login);
    free(first);
    free(second);
    free(third);
    close_quiet(&c);
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
    char cwd[300];
    struct err e = {0};
    static const char profile[] = "[quiet]\nhost = http://127.0.0.1:1\ntoken = dapi\n";
    (void)state;
    jx_setup();
    snprintf(state_dir, sizeof state_dir, "/tmp/lbq-XXXXXX");
    if (!getcwd(cwd, sizeof cwd) || !mkdtemp(state_dir) || chmod(state_dir, geteuid() == 0 ? 0711 : 0700) != 0)
        return -1;
    snprintf(program, sizeof program, "%s/build/bin/lakebase-workspace", cwd);
    snprintf(folder, sizeof folder, "%s/python", state_dir);
    setenv("LAKEBASE_STATE_DIR", state_dir, 1);
    setenv("LAKEBASE_WORKSPACE_PROGRAM", program, 1);
    setenv("HOME", state_dir, 1);
    char *file = xasprintf("%s/.databrickscfg", state_dir);
    bool ok = fs_mkdirs(folder, 0700, &e) && fs_write_atomic(file, profile, sizeof profile - 1, 0600, &e);
    free(file);
    return ok ? 0 : -1;
}

static int stop(void **state)
{
    struct err e = {0};
    (void)state;
    if (access(program, X_OK) == 0) {
        workspace("reset", "--yes");
        workspace("stop", "--all");
    }
    return fs_remove_tree(state_dir, &e) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_stay_where_they_are), cmocka_unit_test(test_steps),
        cmocka_unit_test(test_an_error_of_python_is_shown_as_it_is), cmocka_unit_test(test_only_news_go_down),
        cmocka_unit_test(test_a_result_is_kept_when_it_went_well), cmocka_unit_test(test_a_result_has_caps),
        cmocka_unit_test(test_tokens_are_renewed_in_time)};
    return cmocka_run_group_tests(tests, start, stop);
}
