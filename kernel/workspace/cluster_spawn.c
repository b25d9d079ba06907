/*
 * Starting a program as the server user, without a shell and without su. Between fork and exec only system calls are made:
 * other threads of ours may hold any lock.
 */
#include "workspace/cluster_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/xalloc.h"

enum { CLOEXEC_RANGE = 4 /* CLOSE_RANGE_CLOEXEC, Linux 5.11 */, TAIL = 4096 };

/* Raw calls: the C library's setuid would try to tell threads that do not exist in the child. */
static bool become(const struct server_user *u)
{
    return !u->switched || (syscall(SYS_setgroups, (size_t)0, NULL) == 0 &&
                            syscall(SYS_setresgid, u->gid, u->gid, u->gid) == 0 &&
                            syscall(SYS_setresuid, u->uid, u->uid, u->uid) == 0);
}

/* Returns only on failure, with errno. */
static void child(const struct spawn *s, int null, pid_t parent)
{
    sigset_t none;
    setsid();
    for (int i = 1; i < 32; i++)
        signal(i, SIG_DFL);
    umask(077);
    if (!become(s->user) || (s->tied && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0))
        return;
    if (s->tied && getppid() != parent)
        _exit(1);
    if (chdir(s->cwd) != 0 || dup2(null, 0) < 0 || dup2(s->out, 1) < 0 || dup2(s->out, 2) < 0)
        return;
#ifdef SYS_close_range
    syscall(SYS_close_range, 3u, ~0u, CLOEXEC_RANGE); /* ours are marked; this is for a library that forgot */
#endif
    for (size_t i = 0; i < ARRAY_LEN(s->keep); i++) {
        if (s->keep[i] >= 0 && fcntl(s->keep[i], F_SETFD, 0) != 0)
            return;
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(s->path ? s->path : s->argv[0], (char *const *)(uintptr_t)s->argv, (char *const *)(uintptr_t)s->envp);
}

/* The pipe closes at exec, or brings the errno of what failed before. */
static int read_failure(int fd)
{
    int failed = 0;
    ssize_t n;
    do
        n = read(fd, &failed, sizeof failed);
    while (n < 0 && errno == EINTR);
    return n == sizeof failed ? failed : 0;
}

bool spawn_start(const struct spawn *s, pid_t *pid, struct err *e)
{
    int said[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || pipe2(said, O_CLOEXEC) != 0) {
        err_errno(e, errno, "cannot start '%s'", s->argv[0]);
        if (null >= 0)
            close(null);
        return false;
    }
    sigset_t all, was;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was); /* no handler of ours may run in the child */
    pid_t parent = getpid(), p = fork();
    if (p == 0) {
        child(s, null, parent);
        int failed = errno;
        ssize_t n = write(said[1], &failed, sizeof failed);
        _exit(n == sizeof failed ? 127 : 126);
    }
    int failed = p < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    close(said[1]);
    if (p > 0)
        failed = read_failure(said[0]);
    close(said[0]);
    close(null);
    if (failed && p > 0)
        waitpid(p, NULL, 0);
    *pid = failed ? 0 : p;
    return !failed || err_errno(e, failed, "cannot start '%s'", s->argv[0]);
}

int spawn_pidfd(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0u); }

void spawn_log_tail(const char *path, char out[512])
{
    char text[TAIL + 1];
    out[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    off_t end = lseek(fd, 0, SEEK_END);
    ssize_t n = pread(fd, text, TAIL, end > TAIL ? end - TAIL : 0);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *best = NULL;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        bool telling = strstr(line, "FATAL:") || strstr(line, "error:");
        if (telling || !best || !(strstr(best, "FATAL:") || strstr(best, "error:")))
            best = line;
    }
    if (best)
        err_copy(out, 512, best, strlen(best));
}

static bool judge(int status, const struct spawn *s, const char *log_path, struct err *e)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    char tail[512] = "";
    if (log_path)
        spawn_log_tail(log_path, tail);
    if (WIFSIGNALED(status))
        err_set(e, ERR_IO, "'%s' was ended by signal %d", s->argv[0], WTERMSIG(status));
    else
        err_set(e, ERR_IO, "'%s' failed with exit status %d", s->argv[0], WEXITSTATUS(status));
    if (tail[0])
        err_detail(e, "%s", tail);
    return false;
}

bool spawn_wait(const struct spawn *s, const char *log_path, struct cancel *c, struct err *e)
{
    pid_t pid;
    int status = 0;
    if (!spawn_start(s, &pid, e))
        return false;
    int fd = spawn_pidfd(pid);
    bool ok = true;
    if (fd >= 0) {
        ok = cancel_poll(c, fd, POLLIN, -1, e);
        close(fd);
    }
    if (!ok)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return ok && judge(status, s, log_path, e);
}
