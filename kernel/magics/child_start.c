/*
 * Starting a child with its guard (see child.h). fork and not posix_spawn: the child waits until the guard stands, so
 * there is no moment in which it could be left behind. After a fork of a process with threads only async-signal-safe
 * calls are allowed; both children keep to that (and to snprintf of numbers and words, which takes no lock).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "magics/child.h"

enum { FDS_FALLBACK = 65536, DEPTH_MAX = 64, DIRENT_NAME = 19, PARENT_END_MS = 2000 };

extern char **environ;

bool child_is_secret(const char *name, size_t len)
{
    static const char *const words[] = {"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL",
                                        "API_KEY",
                                        "ACCESS_KEY", "PRIVATE_KEY"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]);
        for (size_t at = 0; at + n <= len; at++) {
            if (strncasecmp(name + at, words[i], n) == 0)
                return true;
        }
    }
    return false;
}

/* The environment without its secrets; an array to free, of borrowed texts. */
static const char **clean_environment(void)
{
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    const char **out = xcalloc(n + 1, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        if (!child_is_secret(environ[i], strcspn(environ[i], "=")))
            out[kept++] = environ[i];
    }
    return out;
}

/* ---- in the guard: only async-signal-safe calls ---- */

static void close_range_of(unsigned from, unsigned to)
{
    if (from > to || syscall(SYS_close_range, from, to, 0) == 0)
        return;
    for (unsigned fd = from; fd <= to && fd < FDS_FALLBACK; fd++) /* a kernel before 5.9 */
        close((int)fd);
}

static void kill_tree(pid_t pid, pid_t session, int depth);

static void kill_children_of(pid_t pid, const char *thread, pid_t session, int depth)
{
    char path[80], text[4096];
    snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)pid, thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    pid_t child = 0;
    for (ssize_t n; fd >= 0 && (n = read(fd, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                child = child * 10 + (text[i] - '0');
            } else if (child > 0) {
                kill_tree(child, session, depth + 1);
                child = 0;
            }
        }
    }
    if (fd >= 0)
        close(fd);
}

/* Children before parents: a killed parent hands its children to somebody else. Stopped first, so that it cannot start
 * others meanwhile. */
static void kill_tree(pid_t pid, pid_t session, int depth)
{
    char path[80], entries[2048];
    if (depth > DEPTH_MAX || getsid(pid) != session)
        return;
    kill(pid, SIGSTOP);
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (long n; fd >= 0 && (n = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0;) {
        for (long at = 0; at < n;) {
            unsigned short size; /* struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name */
            memcpy(&size, entries + at + 16, sizeof size);
            const char *name = entries + at + DIRENT_NAME;
            if (*name != '.' && strlen(name) < 20)
                kill_children_of(pid, name, session, depth);
            at += size;
        }
    }
    if (fd >= 0)
        close(fd);
    kill(pid, SIGKILL);
}

/* Its files are closed before the system looks at the process groups that an end leaves orphaned: one with a stopped
 * member gets SIGHUP. Stopped too early, the child would die of that, and hand its children to somebody else. */
static void wait_for_end(int parent)
{
    struct pollfd p = {.fd = parent, .events = POLLIN};
    while (parent >= 0 && poll(&p, 1, PARENT_END_MS) < 0 && errno == EINTR)
        continue;
}

/* It is in the child's process group, so that the number of the group stays taken; so the last kill ends it too. */
_Noreturn static void guard(pid_t kernel, pid_t child, int life)
{
    char byte;
    ssize_t n;
    close_range_of(0, (unsigned)life - 1);
    close_range_of((unsigned)life + 1, ~0U);
    int parent = (int)syscall(SYS_pidfd_open, kernel, 0);
    if (getppid() != kernel && parent >= 0) { /* gone already; the number may be another's */
        close(parent);
        parent = -1;
    }
    prctl(PR_SET_NAME, "lakebase-guard");
    if (chdir("/") != 0)
        _exit(1);
    do
        n = read(life, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n != 0)
        _exit(0);
    wait_for_end(parent);
    kill_tree(child, getsid(0), 0);
    kill(-child, SIGKILL);
    _exit(0);
}

/* ---- in the child: likewise ---- */

/* Descriptors 0 … n-1 as told, n is `go`, nothing else. All of fds and go are above n. */
static void place_files(const int *fds, size_t n, int go)
{
    for (size_t i = 0; i < n; i++)
        dup2(fds[i], (int)i);
    dup2(go, (int)n);
    fcntl((int)n, F_SETFD, FD_CLOEXEC);
    close_range_of((unsigned)n + 1, ~0U);
}

_Noreturn static void become(const struct child_start *how, const int *fds, int go, const char *const *env)
{
    char byte;
    sigset_t none;
    ssize_t n;
    int why;
    setpgid(0, 0);
    place_files(fds, how->n_fds, go);
    go = (int)how->n_fds;
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    do
        n = read(go, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(127); /* the parent is gone */
    execvpe(how->argv[0], (char *const *)(uintptr_t)how->argv, (char *const *)(uintptr_t)env);
    why = errno;
    send(go, &why, sizeof why, MSG_NOSIGNAL);
    _exit(127);
}

/* ---- in the parent ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Copies above the numbers that the child will use, so that none is overwritten before it was copied. */
static bool lift_files(const struct child_start *how, int lifted[CHILD_FDS_MAX], struct err *e)
{
    int null = -1;
    bool ok = true;
    for (size_t i = 0; ok && i < how->n_fds; i++) {
        int fd = how->fds[i];
        if (fd < 0 && null < 0)
            null = open("/dev/null", O_RDWR | O_CLOEXEC);
        lifted[i] = fcntl(fd < 0 ? null : fd, F_DUPFD_CLOEXEC, CHILD_FDS_MAX + 1);
        ok = lifted[i] >= 0 || err_errno(e, errno, "cannot hand a file to %s", how->argv[0]);
    }
    close_fd(&null);
    return ok;
}

static bool make_pair(int pair[2], struct err *e)
{
    int low[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, low) != 0)
        return err_errno(e, errno, "cannot make a socket");
    for (int i = 0; i < 2; i++) {
        pair[i] = fcntl(low[i], F_DUPFD_CLOEXEC, CHILD_FDS_MAX + 1);
        close(low[i]);
    }
    return (pair[0] >= 0 && pair[1] >= 0) || err_errno(e, errno, "cannot make a socket");
}

/* Both processes, with all signals blocked in them. */
static bool fork_both(struct child_process *p, const struct child_start *how, const int *fds, const int go[2],
                      const int life[2], struct err *e)
{
    sigset_t all, before;
    pid_t kernel = getpid();
    const char **clean = how->env ? NULL : clean_environment();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    p->pid = fork();
    if (p->pid == 0)
        become(how, fds, go[1], how->env ? how->env : clean);
    if (p->pid > 0) {
        setpgid(p->pid, p->pid);
        p->guard = fork();
        if (p->guard == 0)
            guard(kernel, p->pid, life[1]);
        if (p->guard > 0)
            setpgid(p->guard, p->pid);
    }
    int why = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(clean);
    return (p->pid > 0 && p->guard > 0) || err_errno(e, why, "cannot start a process");
}

/* Let the child go on, and hear whether its program could be run. */
static bool run_program(struct child_process *p, const char *name, int go, struct err *e)
{
    int why = 0;
    ssize_t n;
    p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (p->pidfd < 0)
        return err_errno(e, errno, "cannot watch process %d", (int)p->pid);
    send(go, "g", 1, MSG_NOSIGNAL);
    do
        n = recv(go, &why, sizeof why, MSG_WAITALL);
    while (n < 0 && errno == EINTR);
    return n != sizeof why || err_errno(e, why, "cannot run %s", name);
}

bool child_start(struct child_process *p, const struct child_start *how, struct err *e)
{
    int fds[CHILD_FDS_MAX], go[2] = {-1, -1}, life[2] = {-1, -1};
    *p = (struct child_process){.pid = -1, .pidfd = -1, .guard = -1, .life = -1};
    if (how->n_fds > CHILD_FDS_MAX)
        bug("a child with %zu files", how->n_fds);
    for (size_t i = 0; i < CHILD_FDS_MAX; i++)
        fds[i] = -1;
    bool ok = lift_files(how, fds, e) && make_pair(go, e) && make_pair(life, e) &&
              fork_both(p, how, fds, go, life, e);
    close_fd(&go[1]);
    close_fd(&life[1]);
    p->life = life[0];
    ok = ok && run_program(p, how->argv[0], go[0], e);
    close_fd(&go[0]);
    for (size_t i = 0; i < CHILD_FDS_MAX; i++)
        close_fd(&fds[i]);
    if (!ok) {
        if (p->pid > 0)
            kill(p->pid, SIGKILL);
        child_release(p, NULL);
    }
    return ok;
}

static void wait_for(pid_t *pid, int *status)
{
    while (*pid > 0 && waitpid(*pid, status, 0) < 0 && errno == EINTR)
        continue;
    *pid = -1;
}

void child_release(struct child_process *p, int *status)
{
    /* The guard first, as long as the child's number is taken: it must not act on a number that is another's by now. */
    if (p->pidfd >= 0) {
        siginfo_t info;
        while (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
            continue;
    }
    if (p->life >= 0)
        send(p->life, "x", 1, MSG_NOSIGNAL);
    wait_for(&p->guard, NULL);
    wait_for(&p->pid, status);
    close_fd(&p->life);
    close_fd(&p->pidfd);
}
