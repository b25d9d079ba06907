/*
 * A TCP proxy for tests: it forwards to one address, and the line can break in the ways that lines break. stop: whoever is
 * connected is reset and nobody listens; swallow: what is connected now is never heard again, without a word of TCP; hold:
 * new ones are accepted and nothing comes; narrow: the next bytes to the clients end in the middle of something.
 *
 * One thread does everything with the sockets; a function here gives it one order and waits until that is done.
 */
#ifndef TESTS_TCP_PROXY_H
#define TESTS_TCP_PROXY_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PROXY_PAIRS = 32 };
enum proxy_order { PROXY_NONE, PROXY_STOP, PROXY_START, PROXY_SWALLOW, PROXY_HOLD, PROXY_NARROW, PROXY_RELEASE, PROXY_SAY, PROXY_QUIT };

struct proxy_pipe {
    int from, to;
    char bytes[16384];
    size_t at, len;
    size_t room; /* so many bytes more are forwarded, and then none until the release */
};

struct proxy_pair {
    bool used, swallows;
    struct proxy_pipe up, down; /* from the client, to the client */
};

struct proxy {
    char port[8]; /* of 127.0.0.1 */
    atomic_int accepted;
    /* the rest is the thread's, but for the order */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t done;
    enum proxy_order order;
    size_t amount;
    const char *text;
    int result;
    int wake; /* eventfd */
    int listener;
    bool holds;
    struct sockaddr_in target;
    struct proxy_pair pairs[PROXY_PAIRS];
};

/* ---- the thread ---- */

static inline void proxy_drop(struct proxy_pair *pair, bool reset)
{
    struct linger now = {.l_onoff = 1};
    if (reset) /* close() sends RST */
        setsockopt(pair->down.to, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(pair->up.from);
    close(pair->down.from);
    pair->used = false;
}

static inline bool proxy_listen(struct proxy *p)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof here;
    int on = 1;
    here.sin_port = htons((uint16_t)strtol(p->port, NULL, 10)); /* the same one again */
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(p->listener, (struct sockaddr *)&here, sizeof here) != 0 || listen(p->listener, 64) != 0 ||
        getsockname(p->listener, (struct sockaddr *)&here, &len) != 0)
        return false;
    if (!p->port[0]) /* those who connect read it */
        snprintf(p->port, sizeof p->port, "%d", ntohs(here.sin_port));
    return true;
}

static inline void proxy_stop(struct proxy *p)
{
    for (int i = 0; i < PROXY_PAIRS; i++) {
        if (p->pairs[i].used)
            proxy_drop(&p->pairs[i], true);
    }
    if (p->listener >= 0)
        close(p->listener);
    p->listener = -1;
}

static inline void proxy_accept(struct proxy *p)
{
    int client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), on = 1;
    if (client < 0)
        return;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), i = 0;
    while (i < PROXY_PAIRS && p->pairs[i].used)
        i++;
    atomic_fetch_add(&p->accepted, 1);
    if (i == PROXY_PAIRS || connect(server, (struct sockaddr *)&p->target, sizeof p->target) != 0) {
        close(server);
        close(client);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct proxy_pair *pair = &p->pairs[i];
    pair->used = true;
    pair->swallows = false;
    pair->up = (struct proxy_pipe){.from = client, .to = server, .room = p->holds ? 0 : SIZE_MAX};
    pair->down = (struct proxy_pipe){.from = server, .to = client, .room = p->holds ? 0 : SIZE_MAX};
}

static inline void proxy_each(struct proxy *p, enum proxy_order order)
{
    for (struct proxy_pair *pair = p->pairs; pair < p->pairs + PROXY_PAIRS; pair++) {
        if (!pair->used)
            continue;
        if (order == PROXY_SWALLOW)
            pair->swallows = true;
        else if (order == PROXY_NARROW)
            pair->down.room = p->amount;
        else if (order == PROXY_RELEASE)
            pair->up.room = pair->down.room = SIZE_MAX;
        else if (send(pair->down.to, p->text, p->amount, MSG_NOSIGNAL) != (ssize_t)p->amount)
            p->result = false;
    }
}

/* false: it ends. */
static inline bool proxy_obey(struct proxy *p)
{
    pthread_mutex_lock(&p->lock);
    enum proxy_order order = p->order;
    p->result = true;
    if (order == PROXY_STOP || order == PROXY_QUIT)
        proxy_stop(p);
    else if (order == PROXY_START)
        p->result = proxy_listen(p);
    else if (order != PROXY_NONE && order != PROXY_HOLD)
        proxy_each(p, order);
    p->holds = order == PROXY_HOLD || (p->holds && order != PROXY_RELEASE);
    p->order = PROXY_NONE;
    pthread_cond_broadcast(&p->done);
    pthread_mutex_unlock(&p->lock);
    return order != PROXY_QUIT;
}

/* What is there goes on, as far as it may; false: one end has hung up. */
static inline bool proxy_forward(struct proxy_pipe *s, bool swallows)
{
    if (s->len == 0) {
        ssize_t n = recv(s->from, s->bytes, sizeof s->bytes, MSG_DONTWAIT);
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        s->at = 0;
        s->len = swallows ? 0 : (size_t)n;
    }
    size_t may = s->len < s->room ? s->len : s->room;
    if (may == 0)
        return true;
    ssize_t n = send(s->to, s->bytes + s->at, may, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    s->at += (size_t)n;
    s->len -= (size_t)n;
    s->room -= s->room == SIZE_MAX ? 0 : (size_t)n;
    return true;
}

static inline void proxy_watch(const struct proxy_pair *pair, struct pollfd fds[2])
{
    const struct proxy_pipe *both[] = {&pair->up, &pair->down};
    fds[0] = (struct pollfd){.fd = pair->up.from};
    fds[1] = (struct pollfd){.fd = pair->down.from};
    for (int i = 0; i < 2; i++) {
        if (both[i]->len == 0)
            fds[i].events |= POLLIN;
        else if (both[i]->room > 0)
            fds[1 - i].events |= POLLOUT;
    }
    for (int i = 0; i < 2; i++) /* or its hang-up would be told again and again */
        fds[i].fd = fds[i].events ? fds[i].fd : -1;
}

static inline void *proxy_run(void *arg)
{
    struct proxy *p = arg;
    struct pollfd fds[2 + 2 * PROXY_PAIRS];
    uint64_t n;
    for (bool goes_on = true; goes_on;) {
        fds[0] = (struct pollfd){.fd = p->wake, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = p->listener, .events = POLLIN};
        for (int i = 0; i < PROXY_PAIRS; i++) {
            fds[2 + 2 * i].fd = fds[3 + 2 * i].fd = -1;
            if (p->pairs[i].used)
                proxy_watch(&p->pairs[i], &fds[2 + 2 * i]);
        }
        poll(fds, 2 + 2 * PROXY_PAIRS, -1);
        for (struct proxy_pair *pair = p->pairs; pair < p->pairs + PROXY_PAIRS; pair++) {
            if (pair->used && (!proxy_forward(&pair->up, pair->swallows) || !proxy_forward(&pair->down, pair->swallows)))
                proxy_drop(pair, false);
        }
        if (p->listener >= 0)
            proxy_accept(p);
        if (read(p->wake, &n, sizeof n) == sizeof n)
            goes_on = proxy_obey(p);
    }
    return NULL;
}

/* ---- orders ---- */

static inline bool proxy_tell(struct proxy *p, enum proxy_order order, const char *text, size_t amount)
{
    uint64_t one = 1;
    pthread_mutex_lock(&p->lock);
    p->order = order;
    p->text = text;
    p->amount = amount;
    bool ok = write(p->wake, &one, sizeof one) == sizeof one;
    while (ok && p->order != PROXY_NONE)
        pthread_cond_wait(&p->done, &p->lock);
    ok = ok && p->result;
    pthread_mutex_unlock(&p->lock);
    return ok;
}

/* Forward to address:5432; false: no socket or thread. */
static inline bool proxy_open(struct proxy *p, const char *address)
{
    memset(p, 0, sizeof *p);
    p->target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(5432)};
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->listener = -1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->done, NULL);
    return p->wake >= 0 && inet_pton(AF_INET, address, &p->target.sin_addr) == 1 && proxy_listen(p) &&
           pthread_create(&p->thread, NULL, proxy_run, p) == 0;
}

static inline void proxy_close(struct proxy *p)
{
    proxy_tell(p, PROXY_QUIT, NULL, 0);
    pthread_join(p->thread, NULL);
    close(p->wake);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->done);
}

#endif
