/*
 * The server processes: start, find again, stop. A server is its own session and outlives the workspace. What belongs to a
 * cluster is told two ways: the postmaster by postmaster.pid, checked against the command line of the process (a recycled
 * pid has another); everything, down to the last backend, by an flock on dir/alive that all of them inherit.
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
#include <sys/file.h>
#include <sys/inotify.h>
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
    LOG_KEEP = 4 << 20    /* a log larger than this is renamed at the next start */
};

/* ---- children ----------------------------------------------------------------------------------------------- */

static void remember_child(struct clusters *all, pid_t pid)
{
    pthread_mutex_lock(&all->lock);
    all->children = xreallocarray(all->children, all->n_children + 1, sizeof *all->children);
    all->children[all->n_children++] = pid;
    pthread_mutex_unlock(&all->lock);
}

static void reap(struct clusters *all)
{
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->n_children;) {
        int status = 0;
        pid_t pid = waitpid(all->children[i], &status, WNOHANG);
        if (pid > 0 && WIFSIGNALED(status))
            all->killed[all->n_killed++ % ARRAY_LEN(all->killed)] = pid;
        if (pid != 0)
            all->children[i] = all->children[--all->n_children];
        else
            i++;
    }
    pthread_mutex_unlock(&all->lock);
}

/* A signal ended this child of ours (kill -9, the kernel out of memory): not PostgreSQL's own decision. */
static bool was_killed(struct clusters *all, pid_t pid)
{
    bool found = false;
    reap(all);
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < ARRAY_LEN(all->killed); i++)
        found = found || all->killed[i] == pid;
    pthread_mutex_unlock(&all->lock);
    return found;
}

/* ---- finding -------------------------------------------------------------------------------------------------- */

/* The file is written by PostgreSQL: pid, data folder, start time, port, socket folder, address, shm key, status. */
static bool read_pid_file(struct clusters *all, const char *dir, struct server *out)
{
    char *path = xasprintf("%s/data/postmaster.pid", dir), text[2048], *lines[8] = {0};
    server_user_enter(&all->user);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    server_user_leave(&all->user);
    if (fd >= 0)
        close(fd);
    free(path);
    *out = (struct server){0};
    if (n <= 0)
        return false;
    text[n] = '\0';
    char *line = text;
    for (int i = 0; i < 8 && line; i++)
        lines[i] = strsep(&line, "\n");
    out->pid = (pid_t)strtol(lines[0], NULL, 10);
    out->port = lines[3] ? (int)strtol(lines[3], NULL, 10) : 0;
    if (lines[5])
        snprintf(out->address, sizeof out->address, "%.45s", lines[5]);
    out->ready = lines[7] && strncmp(lines[7], "ready", 5) == 0;
    return out->pid > 1;
}

/* The process is `postgres -D dir/data`, started by nobody but the server user. */
static bool is_postmaster(struct clusters *all, pid_t pid, const char *dir)
{
    char path[64], args[8192];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, args, sizeof args - 1);
    bool ours = fstat(fd, &st) == 0 && st.st_uid == all->user.uid;
    close(fd);
    if (n <= 0 || !ours) /* a zombie has no command line */
        return false;
    args[n] = '\0';
    char *want = xasprintf("%s/data", dir);
    const char *program = strrchr(args, '/'), *flag = args + strlen(args) + 1;
    bool same = program && strcmp(program, "/postgres") == 0 && flag < args + n && strcmp(flag, "-D") == 0 &&
                flag + 3 < args + n && strcmp(flag + 3, want) == 0;
    free(want);
    return same;
}

void process_find(struct clusters *all, const char *dir, struct server *out)
{
    reap(all);
    if (!read_pid_file(all, dir, out) || !is_postmaster(all, out->pid, dir))
        *out = (struct server){0};
}

/* ---- the lock that says "something of it lives" --------------------------------------------------------------- */

/* The lock, or -1: held by a process of the cluster (*e unset) or an error. */
static int try_alive(struct clusters *all, const char *dir, struct err *e)
{
    char *path = xasprintf("%s/alive", dir);
    server_user_enter(&all->user);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    server_user_leave(&all->user);
    if (fd < 0) {
        err_errno(e, errno, "cannot open '%s'", path);
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            err_errno(e, errno, "cannot lock '%s'", path);
        close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

static bool runs_in(struct clusters *all, const char *pid, const char *data)
{
    char link[300], at[4096];
    snprintf(link, sizeof link, "/proc/%.20s/cwd", pid);
    server_user_enter(&all->user); /* its own processes can be looked at without privileges */
    ssize_t n = readlink(link, at, sizeof at - 1);
    server_user_leave(&all->user);
    at[n > 0 ? n : 0] = '\0';
    return n > 0 && strcmp(at, data) == 0;
}

/* Signal every process that works in the data folder: backends that a dead postmaster left. */
static void signal_leftovers(struct clusters *all, const char *dir, int sig)
{
    char *data = xasprintf("%s/data", dir);
    DIR *proc = opendir("/proc");
    for (struct dirent *d; proc && (d = readdir(proc)) != NULL;) {
        long pid = strtol(d->d_name, NULL, 10);
        if (pid > 1 && pid != getpid() && runs_in(all, d->d_name, data))
            kill((pid_t)pid, sig);
    }
    if (proc)
        closedir(proc);
    free(data);
}

/* Wait until nothing of the cluster runs; what is left gets `sig`. Holds the lock in *fd. */
static bool wait_dead(struct clusters *all, const char *dir, int sig, int *fd, struct err *e)
{
    int64_t end = clock_mono_ms() + KILL_MS;
    for (int step = 1;; step = step < 50 ? step * 2 : 50) {
        *fd = try_alive(all, dir, e);
        if (*fd >= 0 || !err_is(e, ERR_NONE))
            return *fd >= 0;
        if (clock_mono_ms() > end)
            return err_set(e, ERR_TIMEOUT, "processes of the cluster in '%s' do not end", dir);
        if (step > 4) /* a backend of a server that just ended needs a moment, not a signal */
            signal_leftovers(all, dir, sig);
        poll(NULL, 0, step);
        reap(all);
    }
}

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

static bool launch(struct clusters *all, const char *dir, int alive, pid_t *pid, struct err *e)
{
    char *data = xasprintf("%s/data", dir), **env = conf_env(all);
    const char *argv[] = {all->prefix.postgres, "-D", data, NULL};
    int log = open_log(all, dir, e);
    struct spawn s = {.argv = argv, .envp = (const char *const *)env, .cwd = data, .out = log, .keep = alive,
                      .user = &all->user};
    bool ok = log >= 0 && spawn_start(&s, pid, e);
    if (ok)
        remember_child(all, *pid);
    if (log >= 0)
        close(log);
    conf_env_free(env);
    free(data);
    return ok;
}

/* With the lock in hand nothing of the cluster runs, so its pid file and the lock file of its socket are stale, even if
 * the number in them is in use. PostgreSQL itself would take a recycled pid, or a zombie that init does not reap, for a
 * running server. */
static void remove_stale_locks(struct clusters *all, const char *dir)
{
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
    int alive = try_alive(all, dir, e);
    if (alive < 0 && err_is(e, ERR_NONE)) {
        /* One that a killed workspace was starting, or what a dead one left. */
        poll(NULL, 0, RECHECK_MS / 2);
        process_find(all, dir, out);
        if ((*pid = out->pid) != 0)
            return true;
        wait_dead(all, dir, SIGQUIT, &alive, e);
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
        if (launched && !was_killed(all, pid))
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
    if (!wait_dead(all, dir, immediate ? SIGKILL : SIGQUIT, &alive, e))
        return false;
    close(alive);
    return true;
}
