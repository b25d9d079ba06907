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
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/card.h"
#include "workspace/launch.h"
#include "workspace/lock.h"
#include "workspace/server.h"
#include "workspace/workspace.h"

enum { START_LIMIT_MS = 120000, LOOK_AGAIN_MS = 20 };

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

/* In the child: not the leader of its session, so that no terminal comes back. */
static _Noreturn void become_daemon(const char *state_dir, int port, int log_fd, int ready)
{
    setsid();
    if (fork() != 0)
        _exit(0);
    launch_become(state_dir, port, log_fd, ready, -1);
}

static bool launch(const char *state_dir, int port, struct err *e)
{
    int ends[2], log_fd = launch_log(state_dir, e);
    if (log_fd < 0)
        return false;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        close(log_fd);
        return err_errno(e, errno, "cannot make a pipe");
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        become_daemon(state_dir, port, log_fd, ends[1]);
    close(log_fd);
    close(ends[1]);
    bool ok = child > 0 || err_errno(e, errno, "cannot start a process");
    if (ok) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            continue;
        ok = launch_hear(ends[0], e);
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

/* Wait for the signal to end, or for the owner's end (owner_fd, or -1: it has none); true: PostgreSQL servers end too. */
static bool wait_for_end(const sigset_t *mask, int owner_fd)
{
    struct pollfd p[] = {{.fd = signalfd(-1, mask, SFD_CLOEXEC), .events = POLLIN}, {.fd = owner_fd, .events = POLLIN}};
    struct signalfd_siginfo came = {0};
    for (;;) {
        int rc = poll(p, ARRAY_LEN(p), -1);
        if (rc > 0 && p[1].revents)
            break;
        if (rc > 0 && p[0].revents && read(p[0].fd, &came, sizeof came) == sizeof came)
            break;
    }
    close(p[0].fd);
    return came.ssi_signo != SIGUSR1;
}

static bool serve(const char *state_dir, int port, int ready_fd, int owner_fd, const sigset_t *mask, struct err *e)
{
    struct workspace *ws = workspace_open(state_dir, e);
    bool ok = ws && workspace_serve(ws, port, e) && card_write(ws, e);
    if (ok) {
        launch_say(ready_fd, NULL);
        log_line(LOG_INFO, "workspace", "serving on %s", workspace_url(ws));
        if (ready_fd < 0) {
            printf("lakebase-workspace serves on %s (Ctrl-C ends it and its PostgreSQL servers)\n", workspace_url(ws));
            fflush(stdout);
        }
        bool all = wait_for_end(mask, owner_fd);
        card_remove(state_dir);
        ok = !all || workspace_stop_servers(ws, e);
    }
    workspace_close(ws);
    return ok;
}

/* Room for every connection of the server; a shell's soft limit is often 1024. */
static void allow_files(void)
{
    struct rlimit files;
    const rlim_t wanted = SERVER_MAX_CONNECTIONS * 4;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
        return;
    files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &files);
}

bool control_run(const char *state_dir, int port, int ready_fd, int owner_fd, struct err *e)
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
    if (owner_fd >= 0)
        fcntl(owner_fd, F_SETFD, FD_CLOEXEC);
    allow_files();
    bool ok = lock_take(state_dir, &lock, e);
    if (ok && lock < 0)
        ok = err_set(e, ERR_CONFLICT, "a workspace runs in '%s' already", state_dir);
    if (ok) {
        card_remove(state_dir); /* of one that was killed */
        ok = serve(state_dir, port, ready_fd, owner_fd, &mask, e);
        close(lock);
    }
    if (!ok)
        launch_say(ready_fd, e);
    return ok;
}
