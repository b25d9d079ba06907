/*
 * A server for tests of HTTP clients: answers one request after the other from a script and keeps what came. It reads
 * requests by Content-Length only, which is what libcurl sends.
 */
#ifndef TESTS_HTTP_SCRIPT_H
#define TESTS_HTTP_SCRIPT_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HTTP_SCRIPT_MOST = 16 };

struct http_step {
    int status;          /* 0: hang up after the request; -1: say nothing until the client goes */
    const char *headers; /* "Retry-After: 0\r\n" or NULL */
    const char *body;    /* NULL: none */
    size_t repeat;       /* the body so many times; 0 is 1 */
};

struct http_script {
    int fd, port;
    pthread_t thread;
    const struct http_step *steps; /* ended by an all-zero step with status 999 */
    int seen;                      /* requests that came */
    int answered;                  /* answers that went out; atomic */
    char requests[HTTP_SCRIPT_MOST][4096];
    int in_silence[2]; /* pipe: one byte when a silent step was reached */
};

static inline void http_script_read(int c, char *text, size_t size)
{
    size_t n = 0, want = 0;
    for (ssize_t got; n < size - 1 && (got = read(c, text + n, size - 1 - n)) > 0;) {
        n += (size_t)got;
        text[n] = '\0';
        char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length:");
        if (!end)
            continue;
        want = (size_t)(end + 4 - text) + (length ? strtoul(length + 17, NULL, 10) : 0);
        if (n >= want)
            return;
    }
}

static inline void http_script_write(int c, const struct http_step *s)
{
    char head[512];
    size_t len = s->body ? strlen(s->body) : 0, times = s->repeat ? s->repeat : 1;
    snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
             s->status, len * times, s->headers ? s->headers : "");
    ssize_t rc = send(c, head, strlen(head), MSG_NOSIGNAL);
    for (size_t i = 0; rc >= 0 && len && i < times; i++)
        rc = send(c, s->body, len, MSG_NOSIGNAL);
}

static inline void *http_script_run(void *arg)
{
    struct http_script *h = arg;
    for (const struct http_step *s = h->steps; s->status != 999; s++) {
        int c = accept(h->fd, NULL, NULL);
        if (c < 0)
            return NULL;
        char *text = h->requests[h->seen];
        http_script_read(c, text, sizeof h->requests[0]);
        h->seen++;
        if (s->status > 0) {
            http_script_write(c, s);
        } else if (s->status < 0) {
            char byte = 'x';
            ssize_t rc = write(h->in_silence[1], &byte, 1);
            rc = read(c, &byte, 1); /* until the client closes */
            (void)rc;
        }
        close(c);
        __atomic_add_fetch(&h->answered, 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

static inline void http_script_start(struct http_script *h, const struct http_step *steps)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(h, 0, sizeof *h);
    h->steps = steps;
    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (pipe(h->in_silence) != 0 || bind(h->fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(h->fd, 8) != 0 ||
        getsockname(h->fd, (struct sockaddr *)&a, &len) != 0 ||
        pthread_create(&h->thread, NULL, http_script_run, h) != 0)
        abort();
    h->port = ntohs(a.sin_port);
}

/* Ends the thread; `seen` and `requests` may be read then. */
static inline void http_script_stop(struct http_script *h)
{
    shutdown(h->fd, SHUT_RDWR);
    pthread_join(h->thread, NULL);
    close(h->fd);
    close(h->in_silence[0]);
    close(h->in_silence[1]);
}

#endif
