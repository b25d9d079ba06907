/* Running a child to its end (see child.h): output, interrupts. How it is started: child_start.c. What its output means
 * is the caller's business. */
#include "magics/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/xalloc.h"

enum { STEP_MS = 2000, TICK_MS = 200, DRAIN_MAX = 1 << 20, INPUT_FD = 3 };

enum { OUT, ERR, STREAMS };

struct running {
    const struct child *c;
    struct child_process process;
    int fd[STREAMS];         /* our ends; -1: closed */
    char held[STREAMS][4];   /* the beginning of a character whose rest has not come yet */
    size_t n_held[STREAMS];
    int signals;             /* how many were sent */
    int64_t signalled_ms;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* What the child reads from descriptor 3: in memory, not in an argument, which everybody can read. -1: failed. */
static int input_file(const struct child *c, struct err *e)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    size_t done = 0;
    while (fd >= 0 && done < c->input_len) {
        ssize_t n = write(fd, c->input + done, c->input_len - done);
        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0 && done == c->input_len && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    err_errno(e, errno, "cannot write the input of %s", c->argv[0]);
    close_fd(&fd);
    return -1;
}

/* theirs: stdin, stdout, stderr and the input of the child, to be closed here after the start. */
static bool make_files(struct running *r, int theirs[4], struct err *e)
{
    for (int i = 0; i < STREAMS; i++) {
        int p[2];
        if (pipe2(p, O_CLOEXEC) != 0)
            return err_errno(e, errno, "cannot make a pipe");
        r->fd[i] = p[0];
        theirs[i + 1] = p[1];
        fcntl(p[0], F_SETFL, O_NONBLOCK);
    }
    return !r->c->input || (theirs[INPUT_FD] = input_file(r->c, e)) >= 0;
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
        kill(-r->process.pid, signals[r->signals++]);
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
                             {.fd = r->process.pidfd, .events = POLLIN},
                             {.fd = cancel && !r->signals ? cancel->fd : -1, .events = POLLIN}};
        int n = poll(p, ARRAY_LEN(p), r->c->tick ? TICK_MS : r->signals ? STEP_MS / 4 : -1);
        if (r->c->tick)
            r->c->tick(r->c->self);
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
    struct running r = {.c = c, .fd = {-1, -1}};
    int theirs[4] = {-1, -1, -1, -1};
    struct child_start how = {.argv = c->argv, .fds = theirs, .n_fds = c->input ? 4 : 3};
    bool ok = make_files(&r, theirs, e) && child_start(&r.process, &how, e);
    for (int i = 0; i < 4; i++)
        close_fd(&theirs[i]);
    if (ok) {
        ok = serve(&r, cancel, e);
        if (!ok)
            kill(-r.process.pid, SIGKILL);
        drain(&r);
        child_release(&r.process, status);
        if (ok && r.signals)
            ok = err_set(e, ERR_CANCELLED, "interrupted");
    }
    for (int i = 0; i < STREAMS; i++)
        close_fd(&r.fd[i]);
    return ok;
}
