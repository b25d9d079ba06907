/*
 * Cancel requests. PQcancel blocks (it opens a connection of its own), so a detached thread sends it, and the caller
 * waits with a limit. When the limit passes, the request may still arrive later and hit another statement: the caller
 * hangs up then.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "pg/internal.h"

struct pg_canceller {
    PGcancel *handle;
    atomic_int owners;
};

struct request {
    struct pg_canceller *canceller;
    int done_fd;       /* eventfd, readable when the thread is done */
    atomic_int owners; /* thread and caller; the last one frees */
    atomic_bool taken;
};

static void drop(struct request *r)
{
    if (atomic_fetch_sub(&r->owners, 1) > 1)
        return;
    pg_canceller_free(r->canceller);
    close(r->done_fd);
    free(r);
}

static void *send_it(void *arg)
{
    struct request *r = arg;
    char why[256];
    uint64_t one = 1;
    atomic_store(&r->taken, PQcancel(r->canceller->handle, why, sizeof why) == 1);
    ssize_t n = write(r->done_fd, &one, sizeof one);
    (void)n;
    drop(r);
    return NULL;
}

/* The new thread must not take signals that the process handles elsewhere. */
static bool start_thread(struct request *r)
{
    sigset_t all, was;
    pthread_attr_t attr;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    bool ok = pthread_create(&thread, &attr, send_it, r) == 0;
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return ok;
}

struct pg_canceller *pg_canceller_new(const struct pg_conn *conn)
{
    PGcancel *handle = PQgetCancel(conn->pg);
    if (!handle)
        return NULL;
    struct pg_canceller *c = xcalloc(1, sizeof *c);
    c->handle = handle;
    atomic_init(&c->owners, 1);
    return c;
}

void pg_canceller_free(struct pg_canceller *c)
{
    if (!c || atomic_fetch_sub(&c->owners, 1) > 1)
        return;
    PQfreeCancel(c->handle);
    free(c);
}

bool pg_canceller_send(struct pg_canceller *c, int wait_ms)
{
    struct request *r = xcalloc(1, sizeof *r);
    atomic_fetch_add(&c->owners, 1);
    r->canceller = c;
    r->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&r->owners, 2);
    if (r->done_fd < 0 || !start_thread(r)) {
        pg_canceller_free(c);
        if (r->done_fd >= 0)
            close(r->done_fd);
        free(r);
        return false;
    }
    struct pollfd p = {.fd = r->done_fd, .events = POLLIN};
    int n;
    do
        n = poll(&p, 1, wait_ms);
    while (n < 0);
    bool taken = n == 1 && atomic_load(&r->taken);
    drop(r);
    return taken;
}

bool pg_request_cancel(struct pg_conn *conn, int wait_ms)
{
    struct pg_canceller *c = pg_canceller_new(conn);
    bool taken = c && pg_canceller_send(c, wait_ms);
    pg_canceller_free(c);
    return taken;
}
