/*
 * The kernel's life: open everything, serve from one poll loop that owns all sockets but the
 * heartbeat's, close. The messages are understood in dispatch.c; cells run in runner.c.
 */
#include "jupyter/kernel.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "jupyter/state.h"

/* A cell has so long to stop, then the session to close, then the last messages to leave. */
enum { STOP_MS = 400, SESSION_MS = 250, LINGER_MS = 250 };
/* The history is written when nothing has happened for so long. */
enum { QUIET_MS = 60 };

enum { P_OUTBOX, P_SIGNAL, P_PARENT, P_SOCKETS };
static const enum channel polled[] = {CH_IOPUB, CH_CONTROL, CH_STDIN, CH_SHELL};
enum { P_PYTHON = P_SOCKETS + 4, P_COUNT = P_PYTHON + PYTHON_ITEMS };

static bool open_signals(struct kernel *k, struct err *e)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    /* Blocked before any thread starts: none of them is interrupted in the middle of a call. */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    k->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return k->signal_fd >= 0 || err_errno(e, errno, "cannot take signals");
}

static struct history *open_history(void)
{
    struct err e;
    err_init(&e);
    char *folder = fs_state_dir(&e), *path = folder ? xasprintf("%s/history.sqlite", folder) : NULL;
    struct history *h = history_new(path);
    free(path);
    free(folder);
    return h;
}

static bool open_wire(struct kernel *k, const char *file, struct err *e)
{
    if (!connfile_load(&k->conn, file, e))
        return false;
    bool chosen = false;
    for (int ch = 0; ch < CH_COUNT; ch++)
        chosen = chosen || k->conn.port[ch] == 0;
    k->signer = signer_new(k->conn.key, e);
    author_init(&k->author);
    return k->signer && sockets_open(&k->sockets, &k->conn, e) && heartbeat_open(&k->heartbeat, &k->conn, e) &&
           (!chosen || connfile_write_ports(&k->conn, e));
}

static void close_wire(struct kernel *k)
{
    heartbeat_close(&k->heartbeat);
    sockets_close(&k->sockets, LINGER_MS);
    sockets_unlink(&k->conn);
    signer_free(k->signer);
    connfile_release(&k->conn);
}

void kernel_stop(struct kernel *k)
{
    if (!k->stop_ms)
        k->stop_ms = clock_mono_ms() + STOP_MS;
    runner_interrupt(&k->runner);
    python_interrupt(k);
}

static void take_signals(struct kernel *k)
{
    struct signalfd_siginfo s;
    while (read(k->signal_fd, &s, sizeof s) == (ssize_t)sizeof s) {
        if (s.ssi_signo == SIGTERM)
            kernel_stop(k);
        else
            execute_interrupt(k);
    }
}

static void check_parent(struct kernel *k)
{
    if (parent_gone(&k->parent)) {
        log_line(LOG_INFO, "jupyter", "the front end is gone");
        kernel_stop(k);
    }
    /* Its end was seen; when we are not to leave for it (adopted by another process), ask now and
     * then. */
    parent_release(&k->parent);
}

/* How long to sleep at most. */
static int wait_limit(const struct kernel *k, int ms)
{
    int64_t limit = -1;
    if (k->stop_ms)
        limit = k->stop_ms - clock_mono_ms();
    else if (history_pending(k->history) && !k->cell.request)
        limit = QUIET_MS;
    else if (k->parent.watched && k->parent.fd < 0)
        limit = PARENT_POLL_MS;
    int64_t python = python_wait_ms(k);
    if (python >= 0 && (limit < 0 || python < limit))
        limit = python;
    if (limit < 0)
        limit = k->stop_ms ? 0 : -1;
    return limit >= 0 && (ms < 0 || limit < ms) ? (int)limit : ms;
}

/* One round; false: the loop is over. iopub goes first, so that who subscribes and asks at once
 * sees the answer. */
static bool serve_once(struct kernel *k, zmq_pollitem_t *items)
{
    int ms;
    execute_outputs(k, &ms);
    if (k->stop_ms && (!k->cell.request || clock_mono_ms() >= k->stop_ms))
        return false;
    int python = (int)python_items(k, items + P_PYTHON);
    int n = zmq_poll(items, P_PYTHON + python, wait_limit(k, ms));
    if (n < 0 && errno != EINTR)
        bug("cannot poll the sockets: %s", zmq_strerror(errno));
    python_serve(k);
    if (n == 0) {
        if (history_pending(k->history) && !k->cell.request) {
            history_flush(k->history);
            malloc_trim(0); /* what a long queue or a big output took goes back to the system */
        }
        if (k->parent.fd < 0)
            check_parent(k);
        return true;
    }
    if (items[P_SIGNAL].revents)
        take_signals(k);
    if (items[P_PARENT].revents) {
        check_parent(k);
        items[P_PARENT].fd = -1;
    }
    kernel_welcome(k);
    for (size_t i = 1; i < ARRAY_LEN(polled); i++) {
        if (items[P_SOCKETS + i].revents)
            kernel_drain(k, polled[i]);
    }
    return true;
}

static void serve(struct kernel *k)
{
    zmq_pollitem_t items[P_COUNT] = {{.fd = k->outbox.fd, .events = ZMQ_POLLIN},
                                     {.fd = k->signal_fd, .events = ZMQ_POLLIN},
                                     {.fd = k->parent.fd, .events = ZMQ_POLLIN}};
    for (size_t i = 0; i < ARRAY_LEN(polled); i++)
        items[P_SOCKETS + i] =
            (zmq_pollitem_t){.socket = k->sockets.socket[polled[i]], .events = ZMQ_POLLIN};
    kernel_status(k, NULL, "starting");
    while (serve_once(k, items))
        continue;
}

/* Nothing that waits is left without an answer. */
static void finish_serving(struct kernel *k)
{
    outbox_close(&k->outbox);
    python_close(k);
    execute_abort_all(k);
    bool ended = runner_stop(&k->runner, SESSION_MS);
    history_free(k->history);
    msg_free(k->cell.request);
    json_decref(k->cell.error);
    json_decref(k->cell.payload);
    json_decref(k->cell.expressions);
    backlog_release(&k->backlog);
    close_wire(k);
    parent_release(&k->parent);
    close(k->signal_fd);
    if (!ended) { /* a cell that does not stop: leave without it, its memory is still in use; what it
                     started ends with us (magics/child.h) */
        log_line(LOG_INFO, "jupyter", "the running cell did not stop in time");
        _exit(0);
    }
    python_line_release(&k->python.line);
    outbox_release(&k->outbox);
}

bool kernel_serve(const char *connection_file, struct err *e)
{
    static struct kernel kernel; /* outlives main's frame when a cell does not stop */
    struct kernel *k = &kernel;
    parent_init(&k->parent, getenv("JPY_PARENT_PID"));
    bool ok = open_signals(k, e) && open_wire(k, connection_file, e);
    bool box = ok && outbox_init(&k->outbox, e), line = box && python_init(&k->python, e);
    if (!line || !runner_init(&k->runner, &k->outbox, &k->python.line, e)) {
        if (line)
            python_line_release(&k->python.line);
        if (box)
            outbox_release(&k->outbox);
        close_wire(k);
        parent_release(&k->parent);
        if (k->signal_fd >= 0)
            close(k->signal_fd);
        return false;
    }
    k->history = open_history();
    serve(k);
    finish_serving(k);
    return true;
}
