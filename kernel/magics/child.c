/* Running a child process (see child.h): spawn, read, interrupt. What its output means is the caller's business. */
#include "magics/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/xalloc.h"

enum { STEP_MS = 2000, DRAIN_MAX = 1 << 20, INPUT_FD = 3 };

extern char **environ;

enum { OUT, ERR, STREAMS };

struct running {
    const struct child *c;
    pid_t pid;
    int pidfd;
    int fd[STREAMS];         /* our ends; -1: closed */
    char held[STREAMS][4];   /* the beginning of a character whose rest has not come yet */
    size_t n_held[STREAMS];
    int signals;             /* how many were sent */
    int64_t signalled_ms;
};

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
static char **clean_environment(bool keep_secrets)
{
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **out = xcalloc(n + 1, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        if (keep_secrets || !child_is_secret(environ[i], strcspn(environ[i], "=")))
            out[kept++] = environ[i];
    }
    return out;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* theirs: stdin, stdout, stderr and the input of the child, to be closed here after the spawn. */
static bool make_files(struct running *r, int theirs[4], struct err *e)
{
    theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (theirs[0] < 0)
        return err_errno(e, errno, "cannot open /dev/null");
    for (int i = 0; i < STREAMS; i++) {
        int p[2];
        if (pipe2(p, O_CLOEXEC) != 0)
            return err_errno(e, errno, "cannot make a pipe");
        r->fd[i] = p[0];
        theirs[i + 1] = p[1];
        fcntl(p[0], F_SETFL, O_NONBLOCK);
    }
    if (!r->c->input)
        return true;
    /* In memory, not in an argument: command lines can be read by everybody. */
    theirs[INPUT_FD] = memfd_create("input", MFD_CLOEXEC);
    size_t done = 0;
    while (theirs[INPUT_FD] >= 0 && done < r->c->input_len) {
        ssize_t n = write(theirs[INPUT_FD], r->c->input + done, r->c->input_len - done);
        if (n < 0 && errno != EINTR)
            return err_errno(e, errno, "cannot write the input of %s", r->c->argv[0]);
        done += n > 0 ? (size_t)n : 0;
    }
    return lseek(theirs[INPUT_FD], 0, SEEK_SET) == 0 || err_errno(e, errno, "cannot make a file in memory");
}

static int spawn_with(struct running *r, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr)
{
    char **env = clean_environment(r->c->keep_secrets);
    int failed = posix_spawnp(&r->pid, r->c->argv[0], actions, attr, (char *const *)(uintptr_t)r->c->argv, env);
    free(env);
    return failed;
}

static bool spawn(struct running *r, const int theirs[4], struct err *e)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    /* Ours are above 2, and 3 is written last: none is overwritten before it was copied. */
    for (int i = 0; i <= INPUT_FD; i++) {
        if (theirs[i] >= 0)
            posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
    }
    posix_spawnattr_init(&attr);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int failed = spawn_with(r, &actions, &attr);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (failed)
        return err_errno(e, failed, "cannot run %s", r->c->argv[0]);
    r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
    if (r->pidfd >= 0)
        return true;
    err_errno(e, errno, "cannot watch process %d", (int)r->pid);
    kill(-r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    return false;
}

/* Bytes at the end that begin a character which is not complete; at most 3. */
static size_t unfinished(const char *text, size_t len)
{
    for (size_t n = 1; n <= 3 && n <= len; n++) {
        unsigned char b = (unsigned char)text[len - n];
        if (b < 0x80)
            return 0;
        if (b >= 0xc0) {
            size_t whole = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2;
            return whole > n ? n : 0;
        }
    }
    return 0;
}

static void show(struct running *r, int stream, const char *text, size_t len)
{
    if (len > 0 && r->c->output)
        r->c->output(r->c->self, stream == ERR, text, len);
}

/* One read. Returns the bytes that came; 0: nothing now, or the end. */
static size_t read_some(struct running *r, int stream)
{
    char chunk[16384];
    size_t held = r->n_held[stream];
    memcpy(chunk, r->held[stream], held);
    ssize_t n = read(r->fd[stream], chunk + held, sizeof chunk - held);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        show(r, stream, chunk, held);
        r->n_held[stream] = 0;
        close_fd(&r->fd[stream]);
        return 0;
    }
    size_t len = held + (size_t)n, rest = unfinished(chunk, len);
    show(r, stream, chunk, len - rest);
    memcpy(r->held[stream], chunk + len - rest, rest);
    r->n_held[stream] = rest;
    return (size_t)n;
}

/* SIGINT first, then stronger when it did not help. */
static void interrupt(struct running *r)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGKILL};
    int64_t now = clock_mono_ms();
    if (r->signals == 0 || (r->signals < (int)ARRAY_LEN(signals) && now - r->signalled_ms >= STEP_MS)) {
        kill(-r->pid, signals[r->signals++]);
        r->signalled_ms = now;
    }
}

/* Until the child has ended: output, interrupts. */
static bool serve(struct running *r, struct cancel *cancel, struct err *e)
{
    for (;;) {
        if (cancel_fired(cancel))
            interrupt(r);
        struct pollfd p[] = {{.fd = r->fd[OUT], .events = POLLIN},
                             {.fd = r->fd[ERR], .events = POLLIN},
                             {.fd = r->pidfd, .events = POLLIN},
                             {.fd = cancel && !r->signals ? cancel->fd : -1, .events = POLLIN}};
        int n = poll(p, ARRAY_LEN(p), r->signals ? STEP_MS / 4 : -1);
        if (n < 0 && errno != EINTR)
            return err_errno(e, errno, "cannot poll");
        if (n <= 0)
            continue;
        if (p[OUT].revents)
            read_some(r, OUT);
        if (p[ERR].revents)
            read_some(r, ERR);
        if (p[2].revents)
            return true;
    }
}

/* The child is gone: take what it wrote last. A background process may hold the pipe, so the end is not waited
 * for. */
static void drain(struct running *r)
{
    for (int stream = OUT; stream <= ERR; stream++) {
        size_t got = 0, n;
        while (r->fd[stream] >= 0 && got < DRAIN_MAX && (n = read_some(r, stream)) > 0)
            got += n;
        show(r, stream, r->held[stream], r->n_held[stream]);
    }
}

bool child_run(const struct child *c, int *status, struct cancel *cancel, struct err *e)
{
    struct running r = {.c = c, .pidfd = -1, .fd = {-1, -1}};
    int theirs[4] = {-1, -1, -1, -1};
    bool ok = make_files(&r, theirs, e) && spawn(&r, theirs, e);
    for (int i = 0; i < 4; i++)
        close_fd(&theirs[i]);
    if (ok) {
        ok = serve(&r, cancel, e);
        if (!ok)
            kill(-r.pid, SIGKILL);
        drain(&r);
        waitpid(r.pid, status, 0);
        if (ok && r.signals)
            ok = err_set(e, ERR_CANCELLED, "interrupted");
    }
    for (int i = 0; i < STREAMS; i++)
        close_fd(&r.fd[i]);
    close_fd(&r.pidfd);
    return ok;
}
