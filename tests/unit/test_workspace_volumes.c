/* Files in the folder of a volume: caps, links, what is left of an upload that did not end. Paths: tests/workspace/test_volumes.py. */
#include <dirent.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/xalloc.h"
#include "lakehouse/volume.h"
#include "workspace/cluster_parts.h"
#include "workspace/volume_files.h"

static char dir[] = "/tmp/lb-volume-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    struct server_user u;
    struct err e = {0};
    assert_non_null(mkdtemp(dir));
    assert_true(server_user_find(&u, &e)); /* as root, the folder is the servers' */
    return u.switched ? chown(dir, u.uid, u.gid) : 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct err e = {0};
    return fs_remove_tree(dir, &e) ? 0 : -1;
}

static int entries(void)
{
    DIR *d = opendir(dir);
    int n = -2; /* "." and ".." */
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void test_cap(void **state)
{
    (void)state;
    struct err e = {0};
    size_t len = (size_t)VOLUME_FILE_MAX + 1;
    char *pages = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    struct volume_upload *u = volume_upload_new(dir, "big", &e);
    assert_non_null(u);
    assert_true(volume_upload_write(u, pages, 4096, &e));
    assert_false(volume_upload_write(u, pages, len - 4096, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    volume_upload_free(u);
    munmap(pages, len);
    assert_int_equal(entries(), 0);
}

static void test_whole_or_not(void **state)
{
    (void)state;
    struct err e = {0};
    int64_t size, when;
    struct volume_upload *u = volume_upload_new(dir, "a/b/c", &e);
    assert_true(volume_upload_write(u, "text", 4, &e));
    assert_int_equal(volume_file_open(dir, "a/b/c", &size, &when, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    err_init(&e);
    assert_true(volume_upload_end(u, false, &e));
    volume_upload_free(u);
    int fd = volume_file_open(dir, "a/b/c", &size, &when, &e);
    assert_true(fd >= 0);
    assert_int_equal(size, 4);
    close(fd);
    u = volume_upload_new(dir, "a/b/c", &e);
    assert_false(volume_upload_end(u, false, &e));
    assert_int_equal(e.code, ERR_ALREADY_EXISTS);
    volume_upload_free(u);
    assert_int_equal(entries(), 1);
}

static void test_list_caps_its_depth(void **state)
{
    (void)state;
    struct err e = {0};
    struct arena arena;
    struct volume_files found;
    char path[3 * VOLUME_DEPTH_MAX + 16] = "d";
    for (int i = 0; i <= VOLUME_DEPTH_MAX; i++)
        memcpy(path + strlen(path), "/d", 3);
    assert_true(volume_folder_make(dir, path, &e));
    arena_init(&arena);
    assert_false(volume_list(dir, "d", true, &arena, &found, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    err_init(&e);
    assert_true(volume_list(dir, "d/d", true, &arena, &found, &e));
    arena_release(&arena);
}

static void test_match(void **state)
{
    (void)state;
    static const struct { const char *pattern, *name; bool fits; } cases[] = {
        {"*.csv", "a.csv", true}, {"*.csv", "d/a.csv", false}, {"d/*.csv", "d/a.csv", true}, {"[a-c]?", "b1", true}, {"[^a-c]?", "b1", false},
        {"{ab,cd}*", "cd1", true}, {"{ab,cd}*", "ef1", false}, {"{a", "{a", true}, {"{{{{{{a}", "a", false}, {"", "", true}, {"{}", "", true},
        {"x{,y}", "xy", true}, {"x{,y}", "x", true}, {"[", "[", true}, {"\\*", "*", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (volume_match(cases[i].pattern, cases[i].name) != cases[i].fits)
            fail_msg("%s ~ %s", cases[i].name, cases[i].pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cap), cmocka_unit_test(test_whole_or_not),
                                       cmocka_unit_test(test_list_caps_its_depth), cmocka_unit_test(test_match)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
