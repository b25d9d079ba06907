/*
 * A private PostgreSQL cluster for a unit test: newest installed server, a folder of its own under /tmp with the unix socket, a
 * loopback address of its own, gone afterwards (the server dies with the test, also when that crashes). As root the server runs as "postgres".
 */
#ifndef TESTS_PG_CLUSTER_H
#define TESTS_PG_CLUSTER_H

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "pg/conn.h"

struct pg_cluster {
    char bin[256];  /* folder of the server's programs */
    char dir[64];   /* folder of the cluster and its socket */
    char address[24]; /* loopback address of its own; port 5432 */
    pid_t pid;
};

/* Become the server's user, then run the program; output goes to <dir>/log. Never returns. */
static inline void pg_cluster_child(const struct pg_cluster *c, const char *const argv[])
{
    char path[400], log[128];
    snprintf(path, sizeof path, "%s/%s", c->bin, argv[0]);
    snprintf(log, sizeof log, "%s/log", c->dir);
    struct passwd *pw = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (pw && (initgroups(pw->pw_name, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || chdir(c->dir) != 0)
        _exit(126);
    unsetenv("LD_PRELOAD");
    /* The whole path as its name too: initdb looks for postgres beside itself, and otherwise only in PATH. */
    const char *whole[32] = {path};
    for (size_t i = 1; i < sizeof whole / sizeof *whole - 1 && argv[i]; i++)
        whole[i] = argv[i];
    execv(path, (char *const *)(uintptr_t)whole);
    _exit(127);
}

static inline pid_t pg_cluster_spawn(const struct pg_cluster *c, const char *const argv[])
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        pg_cluster_child(c, argv);
    return pid;
}

static inline bool pg_cluster_write(const struct pg_cluster *c, const char *name, const char *text)
{
    char path[128];
    struct err e;
    err_init(&e);
    snprintf(path, sizeof path, "%s/data/%s", c->dir, name);
    return fs_write_atomic(path, text, strlen(text), 0644, &e);
}

static inline struct pg_conn *pg_cluster_connect(const struct pg_cluster *c, const char *user, struct err *e)
{
    struct pg_params p = {.host = c->dir, .port = "5432", .dbname = "postgres", .user = user};
    return pg_open(&p, NULL, e);
}

static inline void pg_cluster_stop(struct pg_cluster *c)
{
    struct err e;
    err_init(&e);
    if (c->pid > 0) {
        kill(c->pid, SIGCONT);
        kill(c->pid, SIGQUIT);
        waitpid(c->pid, NULL, 0);
    }
    if (c->dir[0])
        fs_remove_tree(c->dir, &e);
    memset(c, 0, sizeof *c);
}

/* Newest version under /usr/lib/postgresql; false: none is installed. */
static inline bool pg_cluster_find(struct pg_cluster *c)
{
    glob_t found;
    int best = 0;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        int major = (int)strtol(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"), NULL, 10);
        if (major > best) {
            best = major;
            snprintf(c->bin, sizeof c->bin, "/usr/lib/postgresql/%d/bin", major);
        }
    }
    globfree(&found);
    return best > 0;
}

/* Until it takes logins. NULL, or what went wrong. */
static inline const char *pg_cluster_await(struct pg_cluster *c)
{
    for (int i = 0; i < 1500; i++) {
        struct err e;
        err_init(&e);
        struct pg_conn *conn = pg_cluster_connect(c, "learner", &e);
        if (conn) {
            pg_close(conn);
            return NULL;
        }
        if (waitpid(c->pid, NULL, WNOHANG) == c->pid) {
            c->pid = 0;
            return "the server ended at once";
        }
        err_init(&e);
        cancel_poll(NULL, -1, 0, 20, &e);
    }
    return "the server did not start";
}

/* Start the server of a folder that is made already; also again after pg_cluster_halt. From the main thread: the server ends
 * with the thread that started it. */
static inline void pg_cluster_serve(struct pg_cluster *c)
{
    char data[96], listen[64];
    snprintf(listen, sizeof listen, "listen_addresses=%s", c->address);
    snprintf(data, sizeof data, "%s/data", c->dir);
    const char *serve[] = {"postgres", "-D", data, "-k", c->dir, "-p", "5432", "-c", listen, "-c", "fsync=off",
                     "-c", "shared_buffers=16MB", "-c", "max_connections=20", NULL};
    c->pid = pg_cluster_spawn(c, serve);
}

/* Stop the server and keep its folder: SIGINT as pg_ctl's fast mode, SIGQUIT as its immediate one. */
static inline void pg_cluster_halt(struct pg_cluster *c, int sig)
{
    kill(c->pid, sig);
    waitpid(c->pid, NULL, 0);
    c->pid = 0;
}

/* NULL, or why there is no cluster. hba: text of pg_hba.conf, or NULL for trust. Super user: "learner". */
static inline const char *pg_cluster_start(struct pg_cluster *c, const char *hba)
{
    memset(c, 0, sizeof *c);
    if (!pg_cluster_find(c))
        return "no PostgreSQL server is installed under /usr/lib/postgresql";
    struct passwd *pw = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (geteuid() == 0 && !pw)
        return "running as root, and there is no user postgres for the server";
    snprintf(c->dir, sizeof c->dir, "/tmp/lbtest-XXXXXX");
    if (!mkdtemp(c->dir) || (pw && chown(c->dir, pw->pw_uid, pw->pw_gid) != 0))
        return "cannot make a folder under /tmp";
    chmod(c->dir, 0755);
    char data[96];
    snprintf(c->address, sizeof c->address, "127.%d.%d.%d", 65 + getpid() / 65536 % 64, getpid() / 256 % 256, getpid() % 256);
    snprintf(data, sizeof data, "%s/data", c->dir);
    int status = 0;
    const char *init[] = {"initdb", "-D", data, "-U", "learner", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", NULL};
    pid_t pid = pg_cluster_spawn(c, init);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return "initdb failed";
    if (hba && !pg_cluster_write(c, "pg_hba.conf", hba))
        return "cannot write pg_hba.conf";
    pg_cluster_serve(c);
    return pg_cluster_await(c);
}

#endif
