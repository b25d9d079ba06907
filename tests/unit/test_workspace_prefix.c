/* The private PostgreSQL prefix over an installation made of text files: which extensions it has, and when it is made anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/xalloc.h"
#include "workspace/cluster_parts.h"

static char root[] = "/tmp/lbtest-prefix-XXXXXX";

static void put_file(const char *folder, const char *name, const char *text)
{
    struct err e;
    err_init(&e);
    char *path = xasprintf("%s/%s/%s", root, folder, name);
    assert_true(fs_write_atomic(path, text, strlen(text), 0755, &e));
    free(path);
}

static int set_up(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    if (!mkdtemp(root))
        return -1;
    char *extension = xasprintf("%s/usr/share/extension", root), *bin = xasprintf("%s/usr/bin", root);
    bool ok = fs_mkdirs(extension, 0755, &e) && fs_mkdirs(bin, 0755, &e);
    free(extension);
    free(bin);
    put_file("usr/bin", "postgres", "server");
    put_file("usr/bin", "initdb", "initdb");
    put_file("usr/share", "postgres.bki", "");
    put_file("usr/share/extension", "citext.control", "comment = 'c'\ntrusted = true\n");
    put_file("usr/share/extension", "dblink.control", "comment = 'd'\n");
    put_file("usr/share/extension", "pg_stat_statements.control", "comment = 's'\n");
    put_file("usr/share/extension", "pg_stat_statements--1.10.sql", "SELECT 1;\n");
    return ok ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    return fs_remove_tree(root, &e) ? 0 : -1;
}

static struct prefix make(const char *state_dir)
{
    struct err e;
    err_init(&e);
    struct prefix p = {.bin = xasprintf("%s/usr/bin", root), .share = xasprintf("%s/usr/share", root),
                       .lib = xasprintf("%s/usr/lib", root), .major = 15, .version = "15.1"};
    if (!prefix_make(&p, state_dir, &e))
        fail_msg("%s", e.text);
    return p;
}

static bool has(const struct prefix *p, const char *name)
{
    char *path = xasprintf("%s/extension/%s", p->own_share, name);
    bool there = fs_exists(path);
    free(path);
    return there;
}

/* The state folder's path is no pattern, whatever is in it. */
static void test_extensions(void **state)
{
    (void)state;
    struct err e;
    struct buf text;
    err_init(&e);
    char *dir = xasprintf("%s/st[x]*?", root), *left = xasprintf("%s/prefix/15.new-0123", dir);
    assert_true(fs_mkdirs(left, 0755, &e));
    struct prefix p = make(dir);
    assert_true(has(&p, "citext.control") && has(&p, "databricks_auth.control"));
    assert_false(has(&p, "dblink.control"));
    assert_false(fs_exists(left));
    char *script = xasprintf("%s/extension/pg_stat_statements--1.10.sql", p.own_share);
    buf_init(&text, 65536);
    assert_true(fs_read(script, &text, &e));
    assert_non_null(strstr(buf_str(&text), "GRANT"));
    buf_release(&text);
    free(script);
    free(left);
    free(dir);
    prefix_release(&p);
}

static void test_made_anew(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    char *dir = xasprintf("%s/state", root);
    assert_true(fs_mkdirs(dir, 0755, &e));
    struct prefix p = make(dir);
    assert_false(has(&p, "vector.control"));
    char *mark = xasprintf("%s/mark", p.own_share);
    assert_true(fs_write_atomic(mark, "", 0, 0644, &e));
    prefix_release(&p);
    /* Nothing changed: it stays, and so it does when a package comes that is not offered. */
    put_file("usr/share/extension", "file_fdw.control", "");
    p = make(dir);
    assert_true(fs_exists(mark));
    prefix_release(&p);
    /* A package is installed, upgraded, and removed again. */
    put_file("usr/share/extension", "vector.control", "default_version = '0.7.0'\ntrusted = true\n");
    p = make(dir);
    assert_false(fs_exists(mark));
    assert_true(has(&p, "vector.control"));
    assert_true(fs_write_atomic(mark, "", 0, 0644, &e));
    prefix_release(&p);
    put_file("usr/share/extension", "vector.control", "default_version = '0.10.0'\ntrusted = true\n");
    p = make(dir);
    assert_false(fs_exists(mark));
    prefix_release(&p);
    char *control = xasprintf("%s/usr/share/extension/vector.control", root);
    assert_int_equal(remove(control), 0);
    p = make(dir);
    assert_false(has(&p, "vector.control"));
    prefix_release(&p);
    free(control);
    free(mark);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_extensions), cmocka_unit_test(test_made_anew)};
    return cmocka_run_group_tests_name("workspace_prefix", tests, set_up, tear_down);
}
