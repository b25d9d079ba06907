/*
 * How the answers of a running statement are waited for: without blocking the cancel token, with a cap on the bytes of a row,
 * and after a cancel until the server has given up the statement or is given up itself. What the answers are is exec.c's business.
 */
#include "pg/exec_parts.h"

#include <netinet/in.h>
#include <linux/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>

#include "base/clock.h"

enum {
    COUNTED_AFTER = 3,             /* reads: what is shorter cannot be so long, and is not worth a system call */
    TICK_MS = 500,
    CANCEL_SEND_MS = 3000,         /* for one cancel request */
    CANCEL_AGAIN_MS = 250,         /* a request that came before the statement began is lost, so it is repeated */
    CANCEL_SILENCE_MS = 5000,      /* no byte for so long after a cancel: the server is not coming back */
    AWAKE_US = 20,                 /* for an answer that may come soon */
    SOON_US = 1000                 /* … as the last one did */
};

bool exec_give_up(struct run *r, enum err_code code, const char *text)
{
    err_set(r->e, code, "%s", text);
    err_hint(r->e, "connect again with %%connect; an open transaction was rolled back");
    pg_hang_up(r->conn);
    r->over = true;
    return false;
}

/* What a cancel may take, unless the whole statement has less. */
static int patience(const struct run *r, int ms) { return r->silence_ms >= 0 && r->silence_ms < ms ? r->silence_ms : ms; }

static bool request_cancel(struct run *r)
{
    r->cancelling = true;
    bool taken = pg_request_cancel(r->conn, patience(r, CANCEL_SEND_MS));
    r->asked_ms = clock_mono_ms();
    if (taken)
        return true;
    if (!pg_alive(r->conn))
        return true; /* the reader finds out */
    return exec_give_up(r, r->interrupted ? ERR_CANCELLED : ERR_CONNECT,
                   "the server did not take the cancel request; the connection was closed");
}

bool exec_begin_cancel(struct run *r)
{
    r->heard_ms = clock_mono_ms();
    return r->cancelling || request_cancel(r);
}

/* Wait for input (and room for output) while a cancel is out. Rows that come all the time do not say that it was heard. */
static bool wait_cancelled(struct run *r, int fd, short events)
{
    struct err e;
    err_init(&e);
    bool came = cancel_poll(NULL, fd, events, CANCEL_AGAIN_MS, &e);
    int64_t now = clock_mono_ms();
    if (came && now - r->asked_ms < CANCEL_AGAIN_MS)
        return true;
    if (!came && now - r->heard_ms > patience(r, CANCEL_SILENCE_MS))
        return exec_give_up(r, r->interrupted ? ERR_CANCELLED : ERR_CONNECT,
                       "the server does not react to the cancel request; the connection was closed");
    return request_cancel(r);
}

bool exec_wait_input(struct run *r, bool flush_pending)
{
    int fd = PQsocket(r->conn->pg);
    short events = (short)(POLLIN | (flush_pending ? POLLOUT : 0));
    if (!r->cancelling) {
        struct err e;
        err_init(&e);
        bool ticks = r->silence_ms < 0 && r->rows && r->rows->tick;
        if (cancel_poll(r->cancel, fd, events, ticks ? TICK_MS : r->silence_ms, &e))
            return true;
        if (ticks && e.code == ERR_TIMEOUT) {
            r->rows->tick(r->rows->self);
            return true; /* whoever waits looks again */
        }
        if (e.code != ERR_CANCELLED)
            return exec_give_up(r, e.code, e.text);
        r->interrupted = true;
        return exec_begin_cancel(r);
    }
    return wait_cancelled(r, fd, events);
}

/* Bytes that came in on a TCP connection so far; false on a unix socket, which does not count. */
static bool received(int fd, uint64_t *bytes)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    *bytes = 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        return false;
    *bytes = info.tcpi_bytes_received;
    return true;
}

void exec_starts_anew(struct run *r)
{
    r->counting = false;
    r->reads = 0;
}

bool exec_consume(struct run *r)
{
    int fd = PQsocket(r->conn->pg);
    uint64_t now;
    r->heard_ms = clock_mono_ms();
    if (++r->reads > COUNTED_AFTER && received(fd, &now)) {
        if (!r->counting)
            r->received = now;
        else if (now - r->received > ROW_BYTES_MAX)
            return exec_give_up(r, ERR_TOO_BIG, "a row is larger than 64 MiB; the connection was closed");
        r->counting = true;
    }
    PQconsumeInput(r->conn->pg); /* a failure becomes a result */
    return true;
}

/* A small statement is answered before a processor that went to sleep is awake again: look for a while, and let others run in
 * between (on the only processor, the server). */
static bool comes_at_once(const struct run *r, int64_t now)
{
    int64_t end = now + AWAKE_US;
    do {
        sched_yield();
        PQconsumeInput(r->conn->pg); /* a failure becomes a result */
        if (!PQisBusy(r->conn->pg))
            return true;
    } while (clock_mono_us() < end);
    return false;
}

bool exec_pump(struct run *r)
{
    PGconn *pg = r->conn->pg;
    if (!r->interrupted && cancel_fired(r->cancel)) {
        r->interrupted = true;
        if (!exec_begin_cancel(r))
            return false;
    }
    int64_t began = 0;
    for (;;) {
        bool pending = PQflush(pg) == 1;
        if (!PQisBusy(pg))
            break;
        bool first = !began;
        if (first)
            began = clock_mono_us();
        if (first && !pending && !r->conn->slow && comes_at_once(r, began))
            break;
        if (!exec_wait_input(r, pending) || !exec_consume(r))
            return false;
    }
    if (began)
        r->conn->slow = clock_mono_us() - began > SOON_US;
    return true;
}
