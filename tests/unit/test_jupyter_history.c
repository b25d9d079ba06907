/* The history on its own: caps, pruning, a locked and an unusable file. What requests see is
 * tests/protocol's part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/xalloc.h"
#include "jupyter/history.h"

static char folder[64], path[96];

static int make_folder(void **unused)
{
    (void)unused;
    snprintf(folder, sizeof folder, "/tmp/lb-history-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/deep/er/history.sqlite", folder);
    return 0;
}

static int remove_folder(void **unused)
{
    (void)unused;
    struct err e;
    err_init(&e);
    return fs_remove_tree(folder, &e) ? 0 : -1;
}

/* The answer to a request as JSON text; the caller frees it. */
static char *answer(struct history *h, const char *request)
{
    struct err e;
    err_init(&e);
    json_t *o = json_loads(request, 0, NULL), *a = history_answer(h, o, &e);
    char *text = a ? json_dumps(a, JSON_COMPACT) : strdup(e.text);
    json_decref(o);
    json_decref(a);
    return text;
}

static void answers(struct history *h, const char *request, const char *expected)
{
    char *text = answer(h, request);
    assert_string_equal(text, expected);
    free(text);
}

#define TAIL "{\"hist_access_type\":\"tail\",\"n\":5,\"output\":true}"

static void in_memory(void **unused)
{
    (void)unused;
    struct history *h = history_new(NULL);
    assert_false(history_pending(h));
    answers(h, TAIL, "[]");
    history_add(h, 1, "a", 1);
    assert_true(history_pending(h));
    history_output(h, 1, "A");
    history_output(h, 2, "of no pending cell");
    history_flush(h);
    assert_false(history_pending(h));
    history_add(h, 2, "b\0c", 3);
    answers(h, TAIL,
            "[[1,1,[\"a\",\"A\"]],[1,2,[\"b\xef\xbf\xbd"
            "c\",\"of no pending cell\"]]]");
    answers(h, "{\"hist_access_type\":5}",
            "hist_access_type must be \"tail\", \"range\" or \"search\"");
    history_free(h);
}

static void caps(void **unused)
{
    (void)unused;
    struct history *h = history_new(NULL);
    static char big[HISTORY_MAX_INPUT + 1], out[HISTORY_MAX_OUTPUT + 2];
    memset(big, 'x', sizeof big);
    memset(out, 'y', sizeof out - 1);
    history_add(h, 1, big, HISTORY_MAX_INPUT + 1);
    assert_false(history_pending(h));
    history_add(h, 2, big, HISTORY_MAX_INPUT);
    assert_true(history_pending(h));
    history_output(h, 2, out);
    char *text = answer(h, TAIL);
    assert_non_null(strstr(text, ",null]"));
    free(text);
    out[HISTORY_MAX_OUTPUT] = '\0';
    history_output(h, 2, out);
    text = answer(h, TAIL);
    assert_non_null(strstr(text, "yyy\"]"));
    free(text);
    history_free(h);
}

static void file_and_folder_are_private(void **unused)
{
    (void)unused;
    struct stat st;
    struct history *h = history_new(path);
    history_add(h, 1, "x", 1);
    assert_int_equal(access(path, F_OK), -1); /* not before it is needed */
    history_flush(h);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(folder + strlen(folder), 16, "/deep/er");
    assert_int_equal(stat(folder, &st), 0);
    folder[strlen(folder) - strlen("/deep/er")] = '\0';
    assert_int_equal(st.st_mode & 0777, geteuid() == 0 ? 0711 : 0700);
    history_free(h);
}

/* The newest HISTORY_MAX_ENTRIES stay when the next session begins. */
static void old_entries_are_removed(void **unused)
{
    (void)unused;
    struct history *h = history_new(path);
    for (int i = 1; i <= HISTORY_MAX_ENTRIES + 10; i++) {
        char code[32];
        history_add(h, i, code, (size_t)snprintf(code, sizeof code, "%d", i));
    }
    history_free(h);
    h = history_new(path);
    answers(h, "{\"hist_access_type\":\"range\",\"session\":1,\"start\":0,\"stop\":12}",
            "[[1,11,\"11\"]]");
    char *text = answer(h, "{\"hist_access_type\":\"search\",\"pattern\":\"*\",\"n\":99999999}");
    json_t *all = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(all), HISTORY_MAX_REPLY);
    json_decref(all);
    free(text);
    history_free(h);
}

/* Somebody holds the file for too long: the cells are lost to the history, the kernel goes on. */
static void a_locked_file(void **unused)
{
    (void)unused;
    struct history *h = history_new(path);
    answers(h, TAIL, "[]");
    sqlite3 *other;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    history_add(h, 1, "lost", 4);
    history_flush(h);
    assert_false(history_pending(h));
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    history_add(h, 2, "kept", 4);
    answers(h, TAIL, "[[1,2,[\"kept\",null]]]");
    sqlite3_close(other);
    history_free(h);
}

static void an_answer_has_a_cap(void **unused)
{
    (void)unused;
    enum { FIT = HISTORY_MAX_REPLY_BYTES / HISTORY_MAX_INPUT };
    struct err e = {0};
    struct history *h = history_new(NULL);
    char *big = xcalloc(1, HISTORY_MAX_INPUT);
    memset(big, 'x', HISTORY_MAX_INPUT);
    for (int i = 1; i <= FIT + 2; i++)
        history_add(h, i, big, HISTORY_MAX_INPUT);
    json_t *request = json_pack("{sssi}", "hist_access_type", "tail", "n", 100);
    json_t *found = history_answer(h, request, &e);
    assert_int_equal(json_array_size(found), FIT); /* the newest, and exactly to the cap */
    assert_int_equal(json_integer_value(json_array_get(json_array_get(found, 0), 1)), 3);
    json_decref(found);
    json_decref(request);
    history_free(h);
    free(big);
}

static void an_unusable_path(void **unused)
{
    (void)unused;
    struct history *h = history_new("/proc/self/no/history.sqlite");
    history_add(h, 1, "x", 1);
    answers(h, TAIL, "[[1,1,[\"x\",null]]]");
    history_free(h);
    h = history_new(folder); /* a folder */
    history_add(h, 1, "x", 1);
    answers(h, TAIL, "[[1,1,[\"x\",null]]]");
    history_free(h);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),   cmocka_unit_test(caps), CASE(file_and_folder_are_private),
        CASE(old_entries_are_removed), CASE(a_locked_file),    CASE(an_unusable_path),
        cmocka_unit_test(an_answer_has_a_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
