/* Files and folders, and the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"

static char root[] = "/tmp/lbtest-fs-XXXXXX";

static const char *in_root(const char *name)
{
    static char path[4][256];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", root, name);
    return p;
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static int entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    for (struct dirent *entry; (entry = readdir(d));)
        n += entry->d_name[0] != '.';
    closedir(d);
    return n;
}

static void test_files(void **state)
{
    (void)state;
    struct err e;
    struct buf b;
    err_init(&e);
    umask(077);
    assert_true(fs_write_atomic(in_root("f"), "hello", 5, 0644, &e));
    assert_int_equal(mode_of(in_root("f")), 0644);
    assert_true(fs_write_atomic(in_root("f"), "", 0, 0600, &e));
    assert_int_equal(mode_of(in_root("f")), 0600);
    assert_true(fs_write_atomic(in_root("f"), "12345", 5, 0600, &e));
    assert_int_equal(entries(root), 1); /* no half-written file stays */
    buf_init(&b, 5);
    assert_true(fs_read(in_root("f"), &b, &e));
    assert_string_equal(buf_str(&b), "12345");
    buf_release(&b);
    buf_init(&b, 4);
    assert_false(fs_read(in_root("f"), &b, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    buf_release(&b);
    err_init(&e);
    assert_false(fs_read(in_root("nope"), &b, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    err_init(&e);
    assert_false(fs_read(root, &b, &e));
    assert_int_equal(e.code, ERR_IO);
    err_init(&e);
    assert_false(fs_write_atomic(in_root("no/such"), "x", 1, 0600, &e));
    assert_int_equal(e.code, ERR_IO);
    err_init(&e);
    assert_true(fs_mkdirs(in_root("busy/x"), 0700, &e));
    assert_false(fs_write_atomic(in_root("busy"), "x", 1, 0600, &e)); /* a folder is in the way */
    assert_int_equal(entries(root), 2);
    buf_release(&b);
}

static void test_folders(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    umask(022);
    assert_true(fs_mkdirs(in_root("a/b//c/"), 0700, &e));
    assert_int_equal(mode_of(in_root("a")), 0755);
    assert_int_equal(mode_of(in_root("a/b/c")), 0700);
    assert_true(fs_mkdirs(in_root("a/b/c"), 0777, &e));
    assert_int_equal(mode_of(in_root("a/b/c")), 0700); /* stays as it is */
    umask(077);
    assert_true(fs_mkdirs(in_root("a/open"), 0711, &e));
    assert_int_equal(mode_of(in_root("a/open")), 0711);
    assert_true(fs_mkdirs("/", 0700, &e));
    assert_false(fs_mkdirs("", 0700, &e));
    err_init(&e);
    assert_true(fs_write_atomic(in_root("a/file"), "x", 1, 0600, &e));
    assert_false(fs_mkdirs(in_root("a/file"), 0700, &e));
    assert_int_equal(e.code, ERR_IO);
    err_init(&e);
    assert_false(fs_mkdirs(in_root("a/file/below"), 0700, &e));
    err_init(&e);
    /* Links are removed, not followed. */
    assert_true(fs_mkdirs(in_root("keep"), 0700, &e));
    assert_true(fs_write_atomic(in_root("keep/me"), "x", 1, 0600, &e));
    assert_int_equal(symlink(in_root("keep"), in_root("a/link")), 0);
    assert_true(fs_remove_tree(in_root("a"), &e));
    assert_false(fs_exists(in_root("a")));
    assert_true(fs_exists(in_root("keep/me")));
    assert_true(fs_remove_tree(in_root("a"), &e));
    assert_true(fs_remove_tree(in_root("keep/me"), &e));
    assert_false(fs_exists(in_root("keep/me")));
}

static void check_state_dir(const char *want)
{
    struct err e;
    err_init(&e);
    char *dir = fs_state_dir(&e);
    assert_string_equal(dir ? dir : "(none)", want);
    free(dir);
}

static void test_state_dir(void **state)
{
    (void)state;
    setenv("LAKEBASE_STATE_DIR", "/x/y", 1);
    check_state_dir("/x/y");
    unsetenv("LAKEBASE_STATE_DIR");
    setenv("HOME", "/home/ada", 1);
    unsetenv("XDG_STATE_HOME");
    check_state_dir(geteuid() == 0 ? "/var/lib/lakebase" : "/home/ada/.local/state/lakebase");
    setenv("XDG_STATE_HOME", "/state", 1);
    check_state_dir(geteuid() == 0 ? "/var/lib/lakebase" : "/state/lakebase");
    setenv("XDG_STATE_HOME", "relative", 1);
    setenv("HOME", "", 1);
    check_state_dir(geteuid() == 0 ? "/var/lib/lakebase" : "(none)");
    struct err e;
    err_init(&e);
    char *dir = fs_program_dir(&e);
    assert_non_null(dir);
    assert_true(dir[0] == '/' && fs_exists(dir));
    free(dir);
}

static void test_log(void **state)
{
    (void)state;
    int keep = dup(2), fd = open(in_root("log"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(keep >= 0 && fd >= 0);
    dup2(fd, 2);
    log_line(LOG_INFO, "test", "not wanted");
    log_line(LOG_WARN, "test", "one\ntwo\x1b[31m %d", 3);
    static char big[5000];
    memset(big, 'b', sizeof big - 1);
    log_line(LOG_ERROR, "test", "%s", big);
    struct err e;
    err_init(&e);
    err_set(&e, ERR_IO, "what");
    err_detail(&e, "why");
    log_err("test", "doing", &e);
    setenv("LAKEBASE_LOG", "debug", 1);
    log_setup();
    assert_true(log_wants(LOG_DEBUG));
    log_line(LOG_DEBUG, "test", "fine");
    setenv("LAKEBASE_LOG", "nonsense", 1);
    log_setup();
    dup2(keep, 2);
    close(keep);
    close(fd);
    struct buf b;
    buf_init(&b, 1 << 20);
    err_init(&e);
    assert_true(fs_read(in_root("log"), &b, &e));
    int lines = 0;
    for (const char *p = buf_str(&b); (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 4);
    assert_null(strstr(buf_str(&b), "not wanted"));
    assert_non_null(strstr(buf_str(&b), "Z warn  test one two [31m 3\n"));
    assert_non_null(strstr(buf_str(&b), "Z error test doing: what (why)\n"));
    assert_non_null(strstr(buf_str(&b), "Z debug test fine\n"));
    buf_release(&b);
}

static void test_list(void **state)
{
    (void)state;
    struct err e;
    struct fs_names n;
    err_init(&e);
    assert_int_equal(mkdir(in_root("l[x]*"), 0700), 0);
    assert_true(fs_list(in_root("l[x]*"), NULL, &n, &e));
    assert_int_equal(n.count, 0);
    static const char *const names[] = {"b.c", "a.c", "a.h", ".c"};
    for (size_t i = 0; i < 4; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s", in_root("l[x]*"), names[i]);
        assert_true(fs_write_atomic(path, "", 0, 0600, &e));
    }
    assert_true(fs_list(in_root("l[x]*"), NULL, &n, &e));
    assert_int_equal(n.count, 4);
    assert_string_equal(n.names[0], ".c");
    fs_names_release(&n);
    assert_true(fs_list(in_root("l[x]*"), "?.c", &n, &e));
    assert_int_equal(n.count, 2);
    assert_string_equal(n.names[0], "a.c");
    assert_string_equal(n.names[1], "b.c");
    fs_names_release(&n);
    assert_true(fs_list(in_root("none"), NULL, &n, &e));
    assert_int_equal(n.count, 0);
    assert_false(fs_list(in_root("l[x]*/a.c"), NULL, &n, &e));
    assert_int_equal(e.code, ERR_IO);
}

/* Who appends goes on in the emptied file. */
static void test_trim_log(void **state)
{
    (void)state;
    struct err e;
    struct stat st;
    char old[300];
    err_init(&e);
    snprintf(old, sizeof old, "%s.1", in_root("trim"));
    assert_true(fs_trim_log(in_root("trim"), 4, &e)); /* there is none */
    int fd = open(in_root("trim"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "1234", 4), 4);
    assert_true(fs_trim_log(in_root("trim"), 4, &e));
    assert_false(fs_exists(old));
    assert_int_equal(write(fd, "5", 1), 1);
    assert_true(fs_trim_log(in_root("trim"), 4, &e));
    assert_int_equal(stat(old, &st), 0);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(write(fd, "6", 1), 1);
    assert_int_equal(stat(in_root("trim"), &st), 0);
    assert_int_equal(st.st_size, 1);
    /* No room for the copy: the log is emptied all the same. */
    assert_int_equal(unlink(old) | mkdir(old, 0700), 0);
    assert_int_equal(write(fd, "78901", 5), 5);
    assert_false(fs_trim_log(in_root("trim"), 4, &e));
    assert_int_equal(stat(in_root("trim"), &st), 0);
    assert_int_equal(st.st_size, 0);
    close(fd);
}

/* As the server's user, root's eyes do not count. */
static void test_exists_as_another_user(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can be somebody else */
    struct err e;
    err_init(&e);
    assert_int_equal(mkdir(in_root("closed"), 0700), 0);
    assert_true(fs_write_atomic(in_root("closed/f"), "", 0, 0600, &e));
    assert_true(fs_exists(in_root("closed/f")));
    setfsuid(65534);
    bool seen = fs_exists(in_root("closed/f"));
    setfsuid(0);
    assert_false(seen);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    return fs_remove_tree(root, &e) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files), cmocka_unit_test(test_folders), cmocka_unit_test(test_state_dir), cmocka_unit_test(test_log),
        cmocka_unit_test(test_list), cmocka_unit_test(test_trim_log), cmocka_unit_test(test_exists_as_another_user),
    };
    return cmocka_run_group_tests_name("base_fs", tests, set_up, tear_down);
}
