/* The line between the two threads (see python_line.h). What a call means is not known here. */
#include "jupyter/python_line.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TICK_MS = 250 };

bool python_line_init(struct python_line *l, struct err *e)
{
    *l = (struct python_line){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (l->fd < 0)
        return err_errno(e, errno, "cannot make an eventfd");
    pthread_mutex_init(&l->lock, NULL);
    return true;
}

void python_line_release(struct python_line *l)
{
    python_answer_release(&l->answer);
    pthread_mutex_destroy(&l->lock);
    close(l->fd);
}

static void wait_for_answer(struct python_line *l, const struct python_call *call)
{
    uint64_t count;
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    while (poll(&p, 1, call->tick ? TICK_MS : -1) < 1) {
        if (call->tick)
            call->tick(call->self);
    }
    ssize_t n = read(l->fd, &count, sizeof count);
    (void)n;
}

bool python_line_call(struct python_line *l, struct outbox *out, const struct python_call *call,
                      struct python_answer *answer, struct err *e)
{
    pthread_mutex_lock(&l->lock);
    bool closed = l->closed;
    if (!closed) {
        l->call = call;
    }
    pthread_mutex_unlock(&l->lock);
    *answer = (struct python_answer){0};
    if (closed)
        return err_set(e, ERR_CANCELLED, "the kernel ends");
    outbox_add(out, OUT_PYTHON, NULL, NULL, NULL);
    wait_for_answer(l, call);
    pthread_mutex_lock(&l->lock);
    *answer = l->answer;
    l->answer = (struct python_answer){0};
    bool ok = l->err.code == ERR_NONE;
    if (!ok)
        *e = l->err;
    pthread_mutex_unlock(&l->lock);
    return ok;
}

const struct python_call *python_line_take(struct python_line *l)
{
    pthread_mutex_lock(&l->lock);
    const struct python_call *call = l->call;
    pthread_mutex_unlock(&l->lock);
    return call;
}

static void answer_locked(struct python_line *l, const struct python_answer *answer, const struct err *why)
{
    uint64_t one = 1;
    l->call = NULL;
    l->answer = *answer;
    err_init(&l->err);
    if (why)
        l->err = *why;
    ssize_t n = write(l->fd, &one, sizeof one);
    (void)n;
}

void python_line_answer(struct python_line *l, const struct python_answer *answer, const struct err *why)
{
    pthread_mutex_lock(&l->lock);
    if (l->call) {
        answer_locked(l, answer, why);
    } else {
        struct python_answer unused = *answer;
        python_answer_release(&unused);
    }
    pthread_mutex_unlock(&l->lock);
}

void python_line_close(struct python_line *l)
{
    struct err why;
    err_init(&why);
    err_set(&why, ERR_CANCELLED, "the kernel ends");
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    if (l->call)
        answer_locked(l, &(struct python_answer){0}, &why);
    pthread_mutex_unlock(&l->lock);
}
