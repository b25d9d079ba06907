/*
 * One thread that serves all clients of a load (see pool_load.h), as an event loop does: tickets instead of waiting for a
 * connection, statements in the background instead of waiting for answers, and one poll(2) for all of them. An answer is read
 * to its end once it has begun to come, so a long result holds the others up.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "magics/pool_crew.h"
#include "pg/exec.h"

enum { LOOK_MS = 500 };

enum step { THINKS, QUEUES, RUNS, DONE };

struct task {
    enum step step;
    struct call *calls;
    int at;                     /* the call that is being made */
    int64_t since_us, next_ms;  /* since_us: of the call; next_ms: it thinks until then */
    struct pool_ticket *ticket; /* QUEUES */
    struct pg_conn *conn;       /* RUNS */
};

struct loop {
    struct crew *crew;
    struct task *tasks;
    int n, wake;
};

static void finish_call(struct loop *l, struct task *t, bool ok, const struct err *e)
{
    struct call *out = &t->calls[t->at];
    out->total_us = ok ? clock_mono_us() - t->since_us : -1;
    if (!ok && e->code != ERR_CANCELLED)
        load_failed(l->crew, e);
    atomic_fetch_add(&l->crew->finished, 1);
    t->at++;
    t->next_ms = clock_mono_ms() + l->crew->load->think_ms;
    t->step = t->at == l->crew->load->calls || cancel_fired(l->crew->cancel) ? DONE : THINKS;
}

static void collect(struct loop *l, struct task *t)
{
    struct err e;
    err_init(&e);
    bool ok = pg_collect(t->conn, NULL, l->crew->cancel, &e);
    pool_return(l->crew->load->pool->pool, t->conn);
    t->conn = NULL;
    finish_call(l, t, ok, &e);
}

static void got(struct loop *l, struct task *t, struct pg_conn *conn, struct err *e)
{
    struct call *call = &t->calls[t->at];
    const struct bound *b = l->crew->load->bound;
    call->wait_us = clock_mono_us() - t->since_us;
    t->ticket = NULL;
    if (conn) {
        call->backend = pg_backend_pid(conn);
        if (pg_send(conn, b->sql, b->params, b->n_params, l->crew->cancel, e)) {
            t->conn = conn;
            t->step = RUNS;
            return;
        }
        pool_return(l->crew->load->pool->pool, conn);
    }
    finish_call(l, t, false, e);
}

/* One step of a client, if it can make one. */
static void advance(struct loop *l, struct task *t)
{
    struct err e;
    struct pg_conn *conn;
    err_init(&e);
    if (t->step == THINKS && clock_mono_ms() >= t->next_ms) {
        t->since_us = clock_mono_us();
        t->ticket = pool_checkout_start(l->crew->load->pool->pool, NULL, l->crew->load->timeout_ms, l->wake, &e);
        t->step = QUEUES;
        if (!t->ticket)
            got(l, t, NULL, &e);
    }
    if (t->step == QUEUES && pool_checkout_poll(t->ticket, &conn, &e))
        got(l, t, conn, &e);
    if (t->step == RUNS && (cancel_fired(l->crew->cancel) || pg_sent_ready(t->conn, 0, NULL)))
        collect(l, t);
}

/* Everything that can go on: an answer, a turn in the queue, the end of a pause, an interrupt. */
static void wait_for_something(struct loop *l, struct pollfd *polls)
{
    nfds_t n = 0;
    int64_t now = clock_mono_ms();
    int ms = LOOK_MS;
    polls[n++] = (struct pollfd){.fd = l->wake, .events = POLLIN};
    if (l->crew->cancel)
        polls[n++] = (struct pollfd){.fd = l->crew->cancel->fd, .events = POLLIN};
    for (int i = 0; i < l->n; i++) {
        const struct task *t = &l->tasks[i];
        int left = t->step == THINKS ? (int)(t->next_ms > now ? t->next_ms - now : 0)
                   : t->step == QUEUES ? pool_ticket_left_ms(t->ticket) + 1 : LOOK_MS;
        ms = left < ms ? left : ms;
        if (t->step == RUNS)
            polls[n++] = (struct pollfd){.fd = pg_socket(t->conn), .events = POLLIN};
    }
    if (poll(polls, n, ms) > 0 && polls[0].revents) {
        uint64_t count;
        ssize_t got = read(l->wake, &count, sizeof count);
        (void)got;
    }
}

static bool unfinished(const struct loop *l)
{
    for (int i = 0; i < l->n; i++) {
        if (l->tasks[i].step != DONE)
            return true;
    }
    return false;
}

/* After an interrupt: what runs is cancelled, who waits goes. */
static void give_up(struct loop *l)
{
    for (int i = 0; i < l->n; i++) {
        struct task *t = &l->tasks[i];
        if (t->step == RUNS)
            collect(l, t);
        if (t->step == QUEUES)
            pool_checkout_abandon(t->ticket);
        t->step = DONE;
    }
}

void *load_loop(void *client)
{
    struct client *first = client;
    struct crew *c = first->crew;
    struct loop l = {.crew = c, .n = c->load->clients, .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    struct pollfd *polls = xcalloc((size_t)l.n + 2, sizeof *polls);
    l.tasks = xcalloc((size_t)l.n, sizeof *l.tasks);
    for (int i = 0; i < l.n; i++)
        l.tasks[i].calls = first->calls + (size_t)i * (size_t)c->load->calls;
    while (unfinished(&l) && !cancel_fired(c->cancel)) {
        for (int i = 0; i < l.n; i++)
            advance(&l, &l.tasks[i]);
        if (unfinished(&l))
            wait_for_something(&l, polls);
    }
    give_up(&l);
    close(l.wake);
    free(polls);
    free(l.tasks);
    load_ended(c);
    return NULL;
}
