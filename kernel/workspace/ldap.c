/*
 * The ldaps responder (see ldap.h): one thread accepts, one short thread serves a connection, which is one bind. Many
 * logins at once (a pool that opens) wait in the listen queue once MAX_CONNECTIONS are under way; none is turned away. Any
 * local user can connect, so when they are too many, the oldest that only sits there makes room.
 */
#include "workspace/ldap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/ldap_message.h"

enum { MAX_CONNECTIONS = 64, BACKLOG = 2048, TIMEOUT_MS = 10000, STACK = 512 * 1024, MAX_BINDS = 3 };
/* A client of PostgreSQL has asked within milliseconds. When all places are taken, one that has not after so long loses
 * its own; looked for so often. */
enum { CROWDED_MS = 2000, CROWDED_LOOK_MS = 50 };

struct ldaps {
    SSL_CTX *tls;
    int fd, port, timeout_ms;
    ldaps_login_fn *login;
    void *login_self;
    struct cancel ending;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    int running; /* connections with a thread */
    struct connection *first, *last; /* the same, oldest first */
};

struct connection {
    struct ldaps *l;
    SSL *ssl;
    int fd;
    int64_t began, deadline;
    struct buf in; /* one message; may hold a token */
    struct connection *before, *after; /* under l->lock */
    bool asks;                         /* likewise: its login is being decided, or it was made to go */
};

/* ---- bytes --------------------------------------------------------------------------------------------- */

/* After SSL_accept, SSL_read or SSL_write returned `ret`: true to call again, false to give up. */
static bool wait_tls(struct connection *c, int ret)
{
    int why = SSL_get_error(c->ssl, ret);
    int64_t left = c->deadline - clock_mono_ms();
    struct err ignored;
    err_init(&ignored);
    if ((why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) || left <= 0)
        return false;
    return cancel_poll(&c->l->ending, c->fd, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, (int)left, &ignored);
}

static bool read_some(struct connection *c, size_t want)
{
    uint8_t chunk[4096];
    for (;;) {
        ERR_clear_error();
        int n = SSL_read(c->ssl, chunk, (int)(want < sizeof chunk ? want : sizeof chunk));
        if (n > 0) {
            buf_add(&c->in, chunk, (size_t)n);
            OPENSSL_cleanse(chunk, sizeof chunk);
            return !c->in.failed;
        }
        if (!wait_tls(c, n))
            return false;
    }
}

static bool write_all(struct connection *c, const char *data, size_t len)
{
    for (;;) {
        ERR_clear_error();
        int n = SSL_write(c->ssl, data, (int)len); /* all or nothing: no partial writes */
        if (n > 0)
            return true;
        if (!wait_tls(c, n))
            return false;
    }
}

static bool handshake(struct connection *c)
{
    for (;;) {
        ERR_clear_error();
        int n = SSL_accept(c->ssl);
        if (n == 1)
            return true;
        if (!wait_tls(c, n))
            return false;
    }
}

/* One whole message in c->in. */
static bool read_message(struct connection *c)
{
    if (c->in.len > 0)
        OPENSSL_cleanse(c->in.data, c->in.len);
    buf_clear(&c->in);
    long size;
    while ((size = ldap_message_size((const uint8_t *)buf_str(&c->in), c->in.len)) == 0) {
        if (!read_some(c, c->in.len < 2 ? 2 - c->in.len : 1))
            return false;
    }
    while (size > 0 && c->in.len < (size_t)size) {
        if (!read_some(c, (size_t)size - c->in.len))
            return false;
    }
    return size > 0;
}

/* ---- a login ------------------------------------------------------------------------------------------- */

static enum ldap_result decide(struct ldaps *l, const struct ldap_request *r)
{
    char uid[64], user[256];
    struct err e;
    err_init(&e);
    if (!r->simple)
        return LDAP_RESULT_AUTH_METHOD_NOT_SUPPORTED;
    if (r->password_len == 0) /* an "unauthenticated bind" would succeed by the book (RFC 4513 §5.1.2) */
        return LDAP_RESULT_UNWILLING;
    if (!ldap_name_split(r->name, r->name_len, uid, user) || memchr(r->password, '\0', r->password_len))
        return LDAP_RESULT_INVALID_CREDENTIALS;
    char *token = xstrndup(r->password, r->password_len);
    bool ok = l->login(l->login_self, user, token, r->password_len, uid, &e);
    xfree_secret(token);
    if (!ok)
        log_line(LOG_INFO, "login", "%s refused at instance %s: %s", user, uid, e.text);
    return ok ? LDAP_RESULT_SUCCESS : LDAP_RESULT_INVALID_CREDENTIALS;
}

static void set_asks(struct connection *c, bool asks)
{
    pthread_mutex_lock(&c->l->lock);
    c->asks = asks;
    pthread_mutex_unlock(&c->l->lock);
}

/* true: the connection goes on */
static bool answer(struct connection *c)
{
    struct ldap_request r;
    set_asks(c, true);
    struct buf out;
    ldap_message_parse((uint8_t *)c->in.data, c->in.len, &r);
    if (r.kind != LDAP_BIND)
        return false;
    enum ldap_result result = decide(c->l, &r);
    buf_init(&out, 1024);
    bool ok = ldap_message_bind_response(r.id, result, result ? "refused" : "", &out) && write_all(c, out.data, out.len);
    buf_release(&out);
    set_asks(c, false);
    return ok;
}

static void add_connection(struct connection *c)
{
    struct ldaps *l = c->l;
    pthread_mutex_lock(&l->lock);
    c->before = l->last;
    *(l->last ? &l->last->after : &l->first) = c;
    l->last = c;
    l->running++;
    pthread_mutex_unlock(&l->lock);
}

static void release_connection(struct connection *c)
{
    struct ldaps *l = c->l;
    pthread_mutex_lock(&l->lock); /* out of the list before its descriptor can be another's */
    *(c->before ? &c->before->after : &l->first) = c->after;
    *(c->after ? &c->after->before : &l->last) = c->before;
    pthread_mutex_unlock(&l->lock);
    SSL_free(c->ssl);
    close(c->fd);
    buf_release_secret(&c->in);
    free(c);
    OPENSSL_thread_stop();
    pthread_mutex_lock(&l->lock);
    l->running--;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

/* Its thread sees the end of the stream. Under the lock. */
static bool make_the_oldest_go(struct ldaps *l)
{
    struct connection *c = l->first;
    while (c && c->asks)
        c = c->after;
    if (!c || clock_mono_ms() - c->began < CROWDED_MS)
        return false;
    c->asks = true;
    shutdown(c->fd, SHUT_RDWR);
    return true;
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    if (handshake(c)) {
        for (int i = 0; i < MAX_BINDS + 1 && read_message(c) && answer(c); i++)
            continue;
        SSL_shutdown(c->ssl);
    }
    ERR_clear_error();
    release_connection(c);
    return NULL;
}

/* ---- accepting ----------------------------------------------------------------------------------------- */

static void start_connection(struct ldaps *l, int fd)
{
    pthread_attr_t attr;
    pthread_t thread;
    struct connection *c = xcalloc(1, sizeof *c);
    c->l = l;
    c->fd = fd;
    c->began = clock_mono_ms();
    c->deadline = c->began + l->timeout_ms;
    buf_init(&c->in, LDAP_MESSAGE_MAX);
    c->ssl = SSL_new(l->tls);
    add_connection(c);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (!c->ssl || !SSL_set_fd(c->ssl, fd) || pthread_create(&thread, &attr, serve, c) != 0)
        release_connection(c);
    pthread_attr_destroy(&attr);
}

static void wait_for_room(struct ldaps *l, int most)
{
    bool one_goes = false;
    pthread_mutex_lock(&l->lock);
    while (l->running > most) {
        one_goes = one_goes || make_the_oldest_go(l);
        clock_cond_until(&l->changed, &l->lock, clock_mono_ms() + CROWDED_LOOK_MS);
    }
    pthread_mutex_unlock(&l->lock);
}

static void *accept_all(void *arg)
{
    struct ldaps *l = arg;
    struct err e;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE); /* a client that hung up is an error of write(), also on the threads started here */
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    err_init(&e);
    while (cancel_poll(&l->ending, l->fd, POLLIN, -1, &e)) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            start_connection(l, fd);
            wait_for_room(l, MAX_CONNECTIONS - 1);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_line(LOG_WARN, "login", "no file descriptor for a login: it waits");
            cancel_poll(&l->ending, -1, 0, 50, &e);
        }
    }
    return NULL;
}

static int listen_on(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return -1;
}

static bool open_socket(struct ldaps *l, int port, struct err *e)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    l->fd = port > 0 && port < 65536 ? listen_on(port) : -1;
    if (l->fd < 0)
        l->fd = listen_on(0);
    if (l->fd < 0 || getsockname(l->fd, (struct sockaddr *)&a, &len) != 0)
        return err_errno(e, errno, "cannot listen for logins on 127.0.0.1");
    l->port = ntohs(a.sin_port);
    return true;
}

static bool open_tls(struct ldaps *l, const struct ldaps_options *o, struct err *e)
{
    BIO *c = BIO_new_mem_buf(o->cert_pem, -1), *k = BIO_new_mem_buf(o->key_pem, -1);
    X509 *cert = c ? PEM_read_bio_X509(c, NULL, NULL, NULL) : NULL;
    EVP_PKEY *key = k ? PEM_read_bio_PrivateKey(k, NULL, NULL, NULL) : NULL;
    l->tls = SSL_CTX_new(TLS_server_method());
    bool ok = cert && key && l->tls && SSL_CTX_set_min_proto_version(l->tls, TLS1_2_VERSION) &&
              SSL_CTX_use_certificate(l->tls, cert) == 1 && SSL_CTX_use_PrivateKey(l->tls, key) == 1;
    /* A client comes once: sessions would only cost memory. */
    if (ok) {
        SSL_CTX_set_session_cache_mode(l->tls, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(l->tls, 0);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(c);
    BIO_free(k);
    ERR_clear_error();
    return ok || err_set(e, ERR_INTERNAL, "cannot use the certificate of the login responder");
}

struct ldaps *ldaps_open(const struct ldaps_options *o, struct err *e)
{
    struct ldaps *l = xcalloc(1, sizeof *l);
    l->fd = -1;
    l->ending.fd = -1;
    l->login = o->login;
    l->login_self = o->login_self;
    l->timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_MS;
    pthread_mutex_init(&l->lock, NULL);
    clock_cond_init(&l->changed);
    bool ok = cancel_init(&l->ending, e) && open_tls(l, o, e) && open_socket(l, o->port, e);
    if (ok && pthread_create(&l->thread, NULL, accept_all, l) != 0)
        ok = err_set(e, ERR_IO, "cannot start the thread of the login responder");
    l->started = ok;
    if (ok)
        return l;
    ldaps_close(l);
    return NULL;
}

int ldaps_port(const struct ldaps *l) { return l->port; }

void ldaps_close(struct ldaps *l)
{
    if (!l)
        return;
    if (l->started) {
        cancel_fire(&l->ending);
        wait_for_room(l, 0);
        pthread_join(l->thread, NULL);
        wait_for_room(l, 0); /* one may have come in between */
    }
    if (l->fd >= 0)
        close(l->fd);
    cancel_release(&l->ending);
    SSL_CTX_free(l->tls);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
