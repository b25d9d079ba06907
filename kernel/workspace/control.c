/* Finding, starting and being the workspace (see control.h). */
#include "workspace/control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/card.h"
#include "workspace/lock.h"
#include "workspace/workspace.h"

enum { START_LIMIT_MS = 120000, LOOK_AGAIN_MS = 20, FDS_FALLBACK = 65536 };

static const char up[] = "ok\n"; /* from a server that serves to who started it */

char *control_state_dir(struct err *e)
{
    char *given = fs_state_dir(e), *real = NULL;
    if (given && workspace_make_state_dir(given, e)) {
        real = realpath(given, NULL);
        if (!real)
            err_errno(e, errno, "cannot find '%s'", given);
    }
    free(given);
    return real;
}

/* ---- who runs ---- */

static int port_of(const char *url) /* written by ourselves */
{
    const char *colon = strrchr(url, ':');
    return colon ? (int)strtol(colon + 1, NULL, 10) : 0;
}

/* Somebody listens at the address. */
static bool listens(const char *url)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(url))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

bool control_find(const char *state_dir, struct running *out, struct err *e)
{
    *out = (struct running){0};
    if (!lock_holder(state_dir, &out->pid, e))
        return false;
    if (out->pid)
        card_read(state_dir, out);
    return true;
}

/* ---- start ---- */

static int open_log(const char *state_dir, struct err *e)
{
    char *path = xasprintf("%s/workspace.log", state_dir), *old = xasprintf("%s/workspace.log.1", state_dir);
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size > LOG_FILE_MOST)
        rename(path, old);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        err_errno(e, errno, "cannot open '%s'", path);
    free(path);
    free(old);
    return fd;
}

static void close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
        return;
#endif
    for (int fd = first; fd < FDS_FALLBACK; fd++) /* Linux before 5.9 */
        close(fd);
}

/* In the child: become `lakebase-workspace run --ready-fd 3` with nothing of the caller's. */
static _Noreturn void become_server(const char *state_dir, int port, int log_fd, int ready)
{
    char port_text[16];
    setsid();
    if (fork() != 0)
        _exit(0); /* not the leader of the session: no terminal comes back */
    int null = open("/dev/null", O_RDONLY);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null < 0 || dup2(null, 0) < 0 || dup2(log_fd, 1) < 0 || dup2(log_fd, 2) < 0 || (ready != 3 && dup2(ready, 3) < 0))
        _exit(1);
    if (ready == 3)
        fcntl(3, F_SETFD, 0);
    close_from(4);
    snprintf(port_text, sizeof port_text, "%d", port);
    setenv("LAKEBASE_STATE_DIR", state_dir, 1);
    if (chdir(state_dir) == 0)
        execl("/proc/self/exe", "lakebase-workspace", "run", "--ready-fd", "3", "--port", port_text, (char *)NULL);
    _exit(1);
}

/* What the new server says: "ok" and a newline, an error, or nothing when it died. */
static bool hear(int fd, struct err *e)
{
    char text[sizeof e->text + sizeof e->hint + 2];
    size_t n = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t end = clock_mono_ms() + START_LIMIT_MS;
    while (n < sizeof text - 1) {
        int64_t left = end - clock_mono_ms();
        int rc = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (rc < 0 && errno == EINTR)
            continue;
        ssize_t got = rc > 0 ? read(fd, text + n, sizeof text - 1 - n) : 0;
        if (rc == 0)
            return err_set(e, ERR_TIMEOUT, "the workspace did not come up within %d s", START_LIMIT_MS / 1000);
        if (got <= 0)
            break;
        n += (size_t)got;
        if (n == strlen(up) && memcmp(text, up, n) == 0) /* its servers may hold the pipe open */
            return true;
    }
    text[n] = '\0';
    const char *hint = memchr(text, '\0', n); /* behind the error, see say_err */
    err_set(e, ERR_INTERNAL, "%s", n ? text : "the workspace ended while it started");
    if (hint && hint[1])
        err_hint(e, "%s", hint + 1);
    return false;
}

static bool launch(const char *state_dir, int port, struct err *e)
{
    int ends[2], log_fd = open_log(state_dir, e);
    if (log_fd < 0)
        return false;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        close(log_fd);
        return err_errno(e, errno, "cannot make a pipe");
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        become_server(state_dir, port, log_fd, ends[1]);
    close(log_fd);
    close(ends[1]);
    bool ok = child > 0 || err_errno(e, errno, "cannot start a process");
    if (ok) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            continue;
        ok = hear(ends[0], e);
    }
    close(ends[0]);
    return ok;
}

static bool port_fits(const struct running *now, int port, struct err *e)
{
    if (!port || port == port_of(now->url))
        return true;
    err_set(e, ERR_CONFLICT, "the workspace runs on %s (pid %d), not on port %d", now->url, (int)now->pid, port);
    err_hint(e, "to move it: lakebase-workspace stop, then lakebase-workspace start --port %d", port);
    return false;
}

bool control_start(const char *state_dir, int port, bool *started, struct running *out, struct err *e)
{
    int64_t end = clock_mono_ms() + START_LIMIT_MS;
    *started = false;
    for (;;) {
        if (!control_find(state_dir, out, e))
            return false;
        if (out->ready && listens(out->url))
            return port_fits(out, port, e);
        struct err why = {0}, now = {0};
        if (!out->pid && launch(state_dir, port, &why)) {
            *started = true;
            continue;
        }
        /* Another start may have been faster; its server is then the one to wait for. */
        if (why.code && control_find(state_dir, out, &now) && !out->pid) {
            *e = why;
            err_hint(e, "see %s/workspace.log", state_dir);
            return false;
        }
        if (clock_mono_ms() > end)
            return err_set(e, ERR_TIMEOUT, "the workspace (pid %d) does not answer", (int)out->pid);
        cancel_poll(NULL, -1, 0, LOOK_AGAIN_MS, e);
    }
}

/* ---- run ---- */

static void say(int ready_fd, const char *text, size_t len)
{
    if (ready_fd < 0)
        return;
    ssize_t n = write(ready_fd, text, len);
    (void)n;
    close(ready_fd);
}

/* The error and its hint, each with its NUL. */
static void say_err(int ready_fd, const struct err *e)
{
    char both[sizeof e->text + sizeof e->hint];
    size_t text = strlen(e->text) + 1, hint = strlen(e->hint) + 1;
    memcpy(both, e->text, text);
    memcpy(both + text, e->hint, hint);
    say(ready_fd, both, text + hint);
}

/* Wait for the signal to end; true: PostgreSQL servers end too. */
static bool wait_for_end(const sigset_t *mask)
{
    for (;;) {
        int sig = sigwaitinfo(mask, NULL);
        if (sig == SIGUSR1)
            return false;
        if (sig == SIGTERM || sig == SIGINT)
            return true;
    }
}

static bool serve(const char *state_dir, int port, int ready_fd, const sigset_t *mask, struct err *e)
{
    struct workspace *ws = workspace_open(state_dir, e);
    bool ok = ws && workspace_serve(ws, port, e) && card_write(ws, e);
    if (ok) {
        say(ready_fd, up, strlen(up));
        log_line(LOG_INFO, "workspace", "serving on %s", workspace_url(ws));
        if (ready_fd < 0) {
            printf("lakebase-workspace serves on %s (Ctrl-C ends it and its PostgreSQL servers)\n", workspace_url(ws));
            fflush(stdout);
        }
        bool all = wait_for_end(mask);
        card_remove(state_dir);
        ok = !all || workspace_stop_servers(ws, e);
    }
    workspace_close(ws);
    return ok;
}

bool control_run(const char *state_dir, int port, int ready_fd, struct err *e)
{
    int lock;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGUSR1);
    /* Before the first thread, so that all of them leave these to this one. */
    sigprocmask(SIG_BLOCK, &mask, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (ready_fd >= 0)
        fcntl(ready_fd, F_SETFD, FD_CLOEXEC);
    bool ok = lock_take(state_dir, &lock, e);
    if (ok && lock < 0)
        ok = err_set(e, ERR_CONFLICT, "a workspace runs in '%s' already", state_dir);
    if (ok) {
        card_remove(state_dir); /* of one that was killed */
        ok = serve(state_dir, port, ready_fd, &mask, e);
        close(lock);
    }
    if (!ok)
        say_err(ready_fd, e);
    return ok;
}
