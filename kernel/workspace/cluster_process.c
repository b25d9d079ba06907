/*
 * The server processes: start and stop. A server is its own session and outlives the workspace; no time is waited, only for
 * events: the pid file's status line (inotify) and the end of the process (pidfd).
 */
#include "workspace/cluster_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/xalloc.h"

enum {
    FAST_MS = 20000,      /* fast shutdown: a checkpoint, then the end */
    IMMEDIATE_MS = 8000,  /* the postmaster itself kills its children after 5 s */
    KILL_MS = 10000,
    RECHECK_MS = 100,     /* when no event comes: some file systems have no inotify */
    LOG_KEEP = 4 << 20    /* a log larger than this is put aside */
};

/* ---- waiting -------------------------------------------------------------------------------------------------- */

/* Wait for an event of either descriptor (-1: none), a cancel, or RECHECK_MS. false: cancelled. */
static bool wait_event(int a, int b, struct cancel *c, struct err *e)
{
    struct pollfd p[3] = {{a, POLLIN, 0}, {b, POLLIN, 0}, {c ? c->fd : -1, POLLIN, 0}};
    poll(p, 3, RECHECK_MS);
    char events[4096];
    if (p[1].revents) { /* inotify: only that something happened counts */
        ssize_t n = read(b, events, sizeof events);
        (void)n;
    }
    return cancel_check(c, e);
}

static int watch(struct clusters *all, const char *dir)
{
    char *data = xasprintf("%s/data", dir);
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    server_user_enter(&all->user);
    if (fd >= 0)
        inotify_add_watch(fd, data, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
    server_user_leave(&all->user);
    free(data);
    return fd;
}

/* The server ended before it was ready: the reason from its log. */
static bool say_why(struct clusters *all, const char *dir, struct err *e)
{
    char *log = xasprintf("%s/log", dir), tail[512];
    server_user_enter(&all->user);
    spawn_log_tail(log, tail);
    server_user_leave(&all->user);
    free(log);
    bool taken = strstr(tail, "could not create any TCP/IP sockets") != NULL;
    err_set(e, taken ? ERR_CONFLICT : ERR_IO, taken ? "the address is taken by another server"
                                                     : "the PostgreSQL server ended while it started");
    if (tail[0])
        err_detail(e, "%s", tail);
    return false;
}

/* By its descriptor: a zombie that init does not reap still answers kill(). */
static bool has_ended(pid_t pid, int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    return fd >= 0 ? poll(&p, 1, 0) == 1 : kill(pid, 0) != 0;
}

/* Until it is ready, or gone (pid 0 or another in *out). No end of time: crash recovery takes what it takes. */
static bool wait_ready(struct clusters *all, const char *dir, pid_t pid, struct server *out, struct cancel *c, struct err *e)
{
    int events = watch(all, dir), ended = spawn_pidfd(pid);
    bool ok;
    do {
        process_find(all, dir, out);
        ok = cancel_check(c, e);
        if ((out->pid && out->ready) || (out->pid != pid && has_ended(pid, ended)))
            break;
    } while (ok && wait_event(ended, events, c, e));
    if (events >= 0)
        close(events);
    if (ended >= 0)
        close(ended);
    return ok && err_is(e, ERR_NONE);
}

/* ---- start ---------------------------------------------------------------------------------------------------- */

/* The server's log; root writes where the server user leads, so as that user. */
static int open_log(struct clusters *all, const char *dir, struct err *e)
{
    char *path = xasprintf("%s/log", dir), *old = xasprintf("%s.1", path);
    struct stat st;
    server_user_enter(&all->user);
    if (lstat(path, &st) == 0 && st.st_size > LOG_KEEP)
        rename(path, old);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    server_user_leave(&all->user);
    if (fd < 0)
        err_errno(e, errno, "cannot open '%s'", path);
    free(path);
    free(old);
    return fd;
}

void clusters_trim_logs(struct clusters *all)
{
    struct cluster_folders f;
    struct err e;
    err_init(&e);
    if (!clusters_folders(all, &f, &e))
        log_err("cluster", "logs", &e);
    for (size_t i = 0; i < f.count; i++) {
        char *dir = clusters_dir(all, f.uids[i]), *path = xasprintf("%s/log", dir);
        err_init(&e);
        server_user_enter(&all->user);
        bool ok = fs_trim_log(path, LOG_KEEP, &e);
        server_user_leave(&all->user);
        if (!ok)
            log_err("cluster", "a server's log", &e);
        free(dir);
        free(path);
    }
    cluster_folders_release(&f);
}

static bool launch(struct clusters *all, const char *dir, int alive, pid_t *pid, struct err *e)
{
    char *data = xasprintf("%s/data", dir), **env = conf_env(all);
    const char *argv[] = {all->prefix.postgres, "-D", data, NULL};
    int log = open_log(all, dir, e);
    struct spawn s = {.argv = argv, .envp = (const char *const *)env, .cwd = data, .out = log, .keep = {alive, -1},
                      .user = &all->user};
    bool ok = log >= 0 && spawn_start(&s, pid, e);
    if (ok)
        process_remember(all, *pid);
    if (log >= 0)
        close(log);
    conf_env_free(env);
    free(data);
    return ok;
}

/* A killed server leaves its System V segment (56 bytes); only a start in the same folder would find it again. */
static void remove_segment(struct clusters *all, const struct server *was)
{
    struct shmid_ds ds;
    if (was->shm_key && shmctl(was->shm_id, IPC_STAT, &ds) == 0 && (unsigned)ds.shm_perm.__key == was->shm_key &&
        ds.shm_perm.uid == all->user.uid && ds.shm_nattch == 0)
        shmctl(was->shm_id, IPC_RMID, NULL);
}

/* With the lock in hand nothing of the cluster runs, so its pid file and the lock file of its socket are stale, even if
 * the number in them is in use. PostgreSQL itself would take a recycled pid, or a zombie that init does not reap, for a
 * running server. */
static void remove_stale_locks(struct clusters *all, const char *dir)
{
    struct server was;
    if (process_read_pid_file(all, dir, &was))
        remove_segment(all, &was);
    char *path = xasprintf("%s/data/postmaster.pid", dir);
    server_user_enter(&all->user);
    unlink(path);
    DIR *d = opendir(dir);
    for (struct dirent *one; d && (one = readdir(d));) {
        const char *end = strrchr(one->d_name, '.');
        if (strncmp(one->d_name, ".s.PGSQL.", 9) == 0 && end && strcmp(end, ".lock") == 0)
            unlinkat(dirfd(d), one->d_name, 0);
    }
    if (d)
        closedir(d);
    server_user_leave(&all->user);
    free(path);
}

/* No server was found: start one, unless one shows up. pid: the one to wait for. */
static bool start_one(struct clusters *all, const char *dir, struct server *out, pid_t *pid, struct err *e)
{
    int alive = process_try_alive(all, dir, e);
    if (alive < 0 && err_is(e, ERR_NONE)) {
        /* One that a killed workspace was starting, or what a dead one left. */
        poll(NULL, 0, RECHECK_MS / 2);
        process_find(all, dir, out);
        if ((*pid = out->pid) != 0)
            return true;
        process_wait_dead(all, dir, SIGQUIT, &alive, e);
    }
    if (alive < 0)
        return false;
    remove_stale_locks(all, dir);
    bool ok = launch(all, dir, alive, pid, e);
    close(alive); /* the server has it now */
    return ok;
}

bool process_start(struct clusters *all, const char *dir, struct server *out, struct cancel *c, struct err *e)
{
    for (int i = 0; i < 5; i++) {
        process_find(all, dir, out);
        pid_t pid = out->pid;
        bool launched = !pid;
        if (!pid && !start_one(all, dir, out, &pid, e))
            return false;
        launched = launched && pid != out->pid;
        if (!wait_ready(all, dir, pid, out, c, e))
            return false;
        if (out->pid && out->ready)
            return true;
        /* One that we found may have been on its way out: then it is our turn. One that was shot gets a successor. */
        if (launched && !process_was_killed(all, pid))
            return say_why(all, dir, e);
    }
    return err_set(e, ERR_UNAVAILABLE, "the PostgreSQL server does not stay up");
}

/* ---- stop ----------------------------------------------------------------------------------------------------- */

/* Signal and wait for the end; false: still there. */
static bool end_by(struct clusters *all, const char *dir, pid_t pid, int sig, int ms)
{
    struct err ignored;
    struct server now;
    int64_t end = clock_mono_ms() + ms;
    int fd = spawn_pidfd(pid);
    err_init(&ignored);
    process_find(all, dir, &now);
    if (now.pid == pid) { /* so the descriptor, opened before, is the postmaster's */
        if (fd >= 0)
            syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0u);
        else
            kill(pid, sig);
    }
    do {
        process_find(all, dir, &now);
        if (now.pid != pid)
            break;
        wait_event(fd, -1, NULL, &ignored);
    } while (clock_mono_ms() < end);
    if (fd >= 0)
        close(fd);
    return now.pid != pid;
}

bool process_stop(struct clusters *all, const char *dir, bool immediate, struct err *e)
{
    struct server s;
    int alive;
    process_find(all, dir, &s);
    if (s.pid && (immediate || !end_by(all, dir, s.pid, SIGINT, FAST_MS))) {
        if (!immediate)
            log_line(LOG_WARN, "cluster", "server %d did not end in %d s: immediate shutdown", (int)s.pid, FAST_MS / 1000);
        if (!end_by(all, dir, s.pid, SIGQUIT, IMMEDIATE_MS))
            end_by(all, dir, s.pid, SIGKILL, KILL_MS);
    }
    if (!process_wait_dead(all, dir, immediate ? SIGKILL : SIGQUIT, &alive, e))
        return false;
    remove_stale_locks(all, dir);
    close(alive);
    return true;
}
