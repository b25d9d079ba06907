/* A time limit as a cancel token (see deadline.h). One short-lived thread, which touches nothing but tokens. */
#include "magics/deadline.h"

#include <limits.h>
#include <poll.h>

#include "base/clock.h"

static void *watch(void *self)
{
    struct deadline *d = self;
    int64_t end = clock_mono_ms() + d->ms;
    struct pollfd p[] = {{.fd = d->stop.fd, .events = POLLIN},
                         {.fd = d->outer ? d->outer->fd : -1, .events = POLLIN}};
    for (;;) {
        int64_t left = end - clock_mono_ms();
        int n = left > 0 ? poll(p, 2, left > INT_MAX ? INT_MAX : (int)left) : 0;
        if (p[0].revents && n > 0)
            return NULL;
        d->passed = left <= 0;
        if (d->passed || (n > 0 && p[1].revents)) {
            cancel_fire(&d->token);
            return NULL;
        }
    }
}

bool deadline_begin(struct deadline *d, long long ms, struct cancel *outer, struct err *e)
{
    *d = (struct deadline){.outer = outer, .ms = ms, .token = {.fd = -1}, .stop = {.fd = -1}};
    bool ok = cancel_init(&d->token, e) && cancel_init(&d->stop, e);
    int failed = ok ? pthread_create(&d->thread, NULL, watch, d) : 0;
    if (failed)
        ok = err_errno(e, failed, "cannot start a thread");
    if (!ok) {
        cancel_release(&d->token);
        cancel_release(&d->stop);
    }
    return ok;
}

bool deadline_end(struct deadline *d)
{
    cancel_fire(&d->stop);
    pthread_join(d->thread, NULL);
    cancel_release(&d->token);
    cancel_release(&d->stop);
    return d->passed;
}
