/* The cancel token (see cancel.h). */
#include "base/cancel.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

bool cancel_init(struct cancel *c, struct err *e)
{
    atomic_init(&c->fired, false);
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return c->fd >= 0 || err_errno(e, errno, "cannot make an eventfd");
}

void cancel_release(struct cancel *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void cancel_fire(struct cancel *c)
{
    int saved = errno;
    uint64_t one = 1;
    atomic_store(&c->fired, true);
    /* A full counter means that it is readable already. */
    ssize_t n = write(c->fd, &one, sizeof one);
    (void)n;
    errno = saved;
}

void cancel_reset(struct cancel *c)
{
    uint64_t count;
    atomic_store(&c->fired, false);
    ssize_t n = read(c->fd, &count, sizeof count);
    (void)n;
}

bool cancel_check(struct cancel *c, struct err *e)
{
    return !cancel_fired(c) || err_set(e, ERR_CANCELLED, "interrupted");
}

bool cancel_poll(struct cancel *c, int fd, short events, int ms, struct err *e)
{
    int64_t end = ms < 0 ? 0 : clock_mono_ms() + ms;
    struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = c ? c->fd : -1, .events = POLLIN}};
    for (;;) {
        if (!cancel_check(c, e))
            return false;
        int64_t left = ms < 0 ? -1 : end - clock_mono_ms();
        if (ms >= 0 && left < 0)
            left = 0;
        int n = poll(p, 2, (int)left);
        if (n < 0 && errno != EINTR)
            return err_errno(e, errno, "cannot poll");
        if (n > 0 && p[0].revents)
            return true;
        if (n == 0)
            return fd < 0 || err_set(e, ERR_TIMEOUT, "no answer within %d ms", ms);
    }
}
