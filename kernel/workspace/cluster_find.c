/*
 * Finding what runs. What belongs to a cluster is told two ways: the postmaster by postmaster.pid, checked against the
 * command line of the process (a recycled pid has another); everything, down to the last backend, by an flock on dir/alive
 * that all of them inherit.
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"

enum { KILL_MS = 10000 };

/* ---- children ----------------------------------------------------------------------------------------------- */

void process_remember(struct clusters *all, pid_t pid)
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

bool process_was_killed(struct clusters *all, pid_t pid)
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

bool process_read_pid_file(struct clusters *all, const char *dir, struct server *out)
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
    if (lines[6])
        sscanf(lines[6], "%lu %d", &out->shm_key, &out->shm_id);
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
    if (!process_read_pid_file(all, dir, out) || !is_postmaster(all, out->pid, dir))
        *out = (struct server){0};
}

/* ---- the lock that says "something of it lives" --------------------------------------------------------------- */

int process_try_alive(struct clusters *all, const char *dir, struct err *e)
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

bool process_wait_dead(struct clusters *all, const char *dir, int sig, int *fd, struct err *e)
{
    int64_t end = clock_mono_ms() + KILL_MS;
    for (int step = 1;; step = step < 50 ? step * 2 : 50) {
        *fd = process_try_alive(all, dir, e);
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
