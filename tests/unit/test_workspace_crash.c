/* Clusters in other processes and after crashes: adoption, killed servers, kill -9 at any moment, leftovers. */
#include "cluster_fixture.h"

#include <fcntl.h>
#include <sys/shm.h>
#include <sys/wait.h>

static void reopen(void)
{
    clusters_close(f.all);
    f.all = NULL;
    fixture_open(&f);
}

static void test_adopted(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    fixture_create(&f);
    pid_t before = cluster_pid(f.all, f.uid);
    struct pg_conn *open = login(&f);
    reopen(); /* another responder port, too: none was asked for */
    assert_int_equal(cluster_pid(f.all, f.uid), before);
    assert_asked(open, "SELECT 1", "1");
    char address[46];
    snprintf(address, sizeof address, "%s", f.spec.address);
    f.spec.address[0] = '\0'; /* a crash before the row knew it */
    f.spec.port = 0;
    fixture_create(&f);
    assert_int_equal(cluster_pid(f.all, f.uid), before);
    assert_string_equal(f.spec.address, address);
    /* The servers were told of the new port; a backend that starts now may still be from before. */
    struct pg_conn *conn = NULL;
    for (int i = 0; i < 200 && !conn; i++) {
        err_init(&e);
        conn = login_as(&f, OWNER, "databricks_postgres", &e);
    }
    no_error(&e);
    pg_close(conn);
    pg_close(open);
}

static void kill_server(void)
{
    struct err e;
    struct cancel c;
    err_init(&e);
    cancel_init(&c, &e);
    pid_t pid = cluster_pid(f.all, f.uid);
    assert_true(pid > 0);
    kill(pid, SIGKILL);
    while (cluster_pid(f.all, f.uid) != 0)
        cancel_poll(&c, -1, 0, 5, &e);
    cancel_release(&c);
}

/* The System V segment of the running server, from line 7 of its pid file. */
static int segment_id(void)
{
    char *path = instance_path("data/postmaster.pid"), line[256] = "";
    int id = -1;
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    for (int i = 0; i < 7; i++)
        assert_non_null(fgets(line, sizeof line, in));
    assert_int_equal(sscanf(line, "%*u %d", &id), 1);
    fclose(in);
    free(path);
    return id;
}

static bool segment_is_there(int id)
{
    struct shmid_ds ds;
    return shmctl(id, IPC_STAT, &ds) == 0 || errno == EACCES;
}

static void test_server_killed(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    fixture_create(&f);
    struct pg_conn *conn = login(&f);
    run(conn, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS v");
    kill_server(); /* with a backend that does not notice before it is asked */
    cluster_start(f.all, &f.spec, NULL, &e);
    no_error(&e);
    pg_close(conn);
    conn = login(&f);
    assert_asked(conn, "SELECT count(*) FROM kept", "1000");
    pg_close(conn);
    int id = segment_id();
    assert_true(segment_is_there(id));
    kill_server();
    assert_true(cluster_delete(f.all, f.uid, &e));
    no_error(&e);
    assert_false(segment_is_there(id)); /* nothing of it stays in the kernel */
}

/* A pid file whose number belongs to somebody else by now. */
static void test_recycled_pid(void **state)
{
    (void)state;
    struct err e;
    char text[2048] = "", fake[2600];
    err_init(&e);
    fixture_create(&f);
    char *path = instance_path("data/postmaster.pid");
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    close(fd);
    kill_server();
    snprintf(fake, sizeof fake, "%d%s", (int)getpid(), strchr(text, '\n'));
    fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, fake, strlen(fake)), strlen(fake));
    close(fd);
    assert_int_equal(cluster_pid(f.all, f.uid), 0);
    assert_true(cluster_stop(f.all, f.uid, &e)); /* and we live on */
    assert_true(cluster_start(f.all, &f.spec, NULL, &e));
    no_error(&e);
    free(path);
}

/* A delete that was cut off in the middle of removing: the folder has another name by then, and goes at the next open. */
static void test_half_deleted(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    fixture_create(&f);
    assert_true(cluster_stop(f.all, f.uid, &e));
    char *dir = instance_path("."), *gone = xasprintf("%s/instances/.gone-x", f.dir), *part = instance_path("data/pg_wal");
    dir[strlen(dir) - 2] = '\0';
    assert_true(fs_remove_tree(part, &e));
    assert_int_equal(rename(dir, gone), 0);
    reopen();
    assert_false(fs_exists(gone));
    fixture_create(&f);
    pg_close(login(&f));
    free(dir);
    free(gone);
    free(part);
}

/* What cannot be removed, and is first in line, keeps neither a running cluster nor what is not ours. */
static void test_delete_all(void **state)
{
    (void)state;
    struct err e;
    struct cluster_folders found;
    err_init(&e);
    fixture_create(&f);
    char *bad = xasprintf("%s/instances/0", f.dir), *lock = xasprintf("%s/alive", bad);
    char *foreign = xasprintf("%s/instances/Not Ours", f.dir), *path = xasprintf("%s/instances/%s", f.dir, f.uid);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(mkdir(bad, 0700) | mkdir(lock, 0700) | mkdir(foreign, 0700), 0);
    assert_int_equal(chown(bad, st.st_uid, st.st_gid) | chown(lock, st.st_uid, st.st_gid), 0);
    assert_true(clusters_folders(f.all, &found, &e));
    assert_int_equal(found.count, 2);
    assert_string_equal(found.uids[0], "0");
    assert_string_equal(found.uids[1], f.uid);
    assert_string_equal(buf_str(&found.foreign), "Not Ours");
    cluster_folders_release(&found);
    assert_false(clusters_delete_all(f.all, &e));
    assert_non_null(strstr(e.text, "alive"));
    assert_int_equal(cluster_pid(f.all, f.uid), 0);
    assert_false(fs_exists(path));
    assert_true(fs_exists(bad) && fs_exists(foreign));
    assert_int_equal(rmdir(lock) | rmdir(foreign), 0);
    err_init(&e);
    assert_true(clusters_delete_all(f.all, &e));
    assert_false(fs_exists(bad));
    free(bad);
    free(lock);
    free(foreign);
    free(path);
}

/* A server that runs for weeks writes at the end of its log, which is cut below it. */
static void test_log_is_trimmed(void **state)
{
    (void)state;
    struct stat st;
    fixture_create(&f);
    char *path = xasprintf("%s/instances/%s/log", f.dir, f.uid), *old = xasprintf("%s.1", path);
    assert_int_equal(truncate(path, 64 << 20), 0); /* as if it had written that */
    clusters_trim_logs(f.all);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < 1 << 20);
    assert_int_equal(stat(old, &st), 0);
    assert_int_equal(st.st_size, 64 << 20);
    pg_close(login(&f));
    free(path);
    free(old);
}

static void test_cancelled(void **state)
{
    (void)state;
    struct err e;
    struct cancel c;
    err_init(&e);
    assert_true(cancel_init(&c, &e));
    cancel_fire(&c);
    assert_false(cluster_create(f.all, &f.spec, &c, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    cancel_release(&c);
    fixture_create(&f);
    pg_close(login(&f));
}

/* The process that creates, stops or deletes is killed after `us` microseconds. */
static void act_and_die(const char *what, unsigned us)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct err e;
        err_init(&e);
        fixture_open(&f);
        ssize_t n = write(ready[1], "x", 1);
        (void)n;
        if (strcmp(what, "create") == 0)
            cluster_create(f.all, &f.spec, NULL, &e);
        else if (strcmp(what, "stop") == 0)
            cluster_stop(f.all, f.uid, &e);
        else
            cluster_delete(f.all, f.uid, &e);
        _exit(0);
    }
    char c;
    close(ready[1]);
    ssize_t n = read(ready[0], &c, 1);
    (void)n;
    close(ready[0]);
    usleep(us); /* the moment of the crash, not a wait for anything */
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_killed_at_any_moment(void **state)
{
    (void)state;
    static const char *const what[] = {"create", "stop", "delete"};
    clusters_close(f.all);
    f.all = NULL;
    for (int i = 0; i < 18; i++) {
        act_and_die(what[i % 3], (unsigned)(i * i * 700 % 90000));
        struct err e;
        err_init(&e);
        fixture_open(&f);
        fixture_create(&f);
        if (cluster_pid(f.all, f.uid) == 0)
            fail_msg("round %d: not running after create", i);
        struct pg_conn *conn = NULL;
        for (int k = 0; k < 200 && !conn; k++) {
            err_init(&e);
            conn = login_as(&f, OWNER, "databricks_postgres", &e);
        }
        no_error(&e);
        pg_close(conn);
        clusters_close(f.all);
        f.all = NULL;
        snprintf(f.spec.address, sizeof f.spec.address, "%s", "");
    }
    fixture_open(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_adopted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_server_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recycled_pid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_deleted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_delete_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_is_trimmed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancelled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_killed_at_any_moment, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
