/* ZeroMQ sockets of the kernel (see sockets.h). What the messages mean is not known here. */
#include "wire/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "base/utf8.h"
#include "base/xalloc.h"

enum { LINGER_MS = 1000, MAX_SOCKETS = 16, BIG_FRAME = 16 << 10, RECONNECT_MS = 10 };

static bool set_int(void *socket, int option, int value, struct err *e)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0 ||
           err_set(e, ERR_INTERNAL, "cannot set socket option %d: %s", option, zmq_strerror(errno));
}

/* Unlimited send queue: libzmq drops what does not fit into a limited one, and the last message to
 * be dropped is the "idle" that every client waits for. HANDOVER: a client that reconnects under
 * its old identity takes it over. */
static bool set_options(void *socket, const struct connfile *c, enum channel ch, struct err *e)
{
    int64_t max_frame = SOCKETS_MAX_FRAME;
    if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max_frame, sizeof max_frame) != 0)
        return err_set(e, ERR_INTERNAL, "cannot limit the size of messages: %s",
                       zmq_strerror(errno));
    bool ok = set_int(socket, ZMQ_LINGER, LINGER_MS, e) && set_int(socket, ZMQ_SNDHWM, 0, e) &&
              (!strchr(c->ip, ':') || c->ipc || set_int(socket, ZMQ_IPV6, 1, e));
    if (ch == CH_IOPUB)
        return ok && set_int(socket, ZMQ_XPUB_VERBOSE, 1, e) &&
               set_int(socket, ZMQ_XPUB_MANUAL, 1, e);
    /* A prompt must not be lost because the client's stdin connects later than its shell. */
    return ok && set_int(socket, ZMQ_ROUTER_HANDOVER, 1, e) &&
           (ch != CH_STDIN || set_int(socket, ZMQ_ROUTER_MANDATORY, 1, e));
}

static bool bind_ipc(void *socket, struct connfile *c, enum channel ch, struct err *e)
{
    char path[CONNFILE_MAX_IP + 16], endpoint[CONNFILE_MAX_IP + 32];
    int port = c->port[ch], last = port ? port : 65535;
    /* For Unix sockets a port is only a suffix; a chosen one is the first that no file has yet. */
    for (port = port ? port : 1; port <= last; port++) {
        snprintf(path, sizeof path, "%s-%d", c->ip, port);
        if (!c->port[ch] && access(path, F_OK) == 0)
            continue;
        snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
        mode_t mask = umask(0077); /* nobody else may connect */
        int rc = zmq_bind(socket, endpoint);
        umask(mask);
        if (rc == 0) {
            c->port[ch] = port;
            c->bound[ch] = true;
            return true;
        }
        if (errno == ENAMETOOLONG) {
            err_set(e, ERR_CONFIG, "cannot bind %s: the path '%s' is too long for a Unix socket",
                    channel_name(ch), path);
            err_hint(e, "use a shorter runtime folder (JUPYTER_RUNTIME_DIR)");
            return false;
        }
        break;
    }
    return err_set(e, ERR_IO, "cannot bind %s to the Unix socket '%s': %s", channel_name(ch), path,
                   zmq_strerror(errno));
}

static bool bind_tcp(void *socket, struct connfile *c, enum channel ch, struct err *e)
{
    char endpoint[CONNFILE_MAX_IP + 64], port[8] = "*";
    const char *v6 = strchr(c->ip, ':');
    if (c->port[ch])
        snprintf(port, sizeof port, "%d", c->port[ch]);
    snprintf(endpoint, sizeof endpoint, "tcp://%s%s%s:%s", v6 ? "[" : "", c->ip, v6 ? "]" : "",
             port);
    if (zmq_bind(socket, endpoint) != 0) {
        err_set(e, ERR_IO, "cannot bind %s to %s: %s", channel_name(ch), endpoint + 6,
                zmq_strerror(errno));
        if (errno == EADDRINUSE)
            err_hint(e,
                     "another process has the port; start the kernel with a new connection file");
        return false;
    }
    size_t len = sizeof endpoint;
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &len) != 0 || !strrchr(endpoint, ':'))
        return err_set(e, ERR_INTERNAL, "libzmq does not say which port it bound");
    c->port[ch] = (int)strtol(strrchr(endpoint, ':') + 1, NULL, 10);
    return true;
}

bool sockets_bind(void *socket, struct connfile *c, enum channel ch, struct err *e)
{
    return set_options(socket, c, ch, e) &&
           (c->ipc ? bind_ipc(socket, c, ch, e) : bind_tcp(socket, c, ch, e));
}

bool sockets_open(struct sockets *s, struct connfile *c, struct err *e)
{
    *s = (struct sockets){.context = zmq_ctx_new()};
    if (!s->context)
        return err_set(e, ERR_INTERNAL, "cannot make a ZeroMQ context: %s", zmq_strerror(errno));
    zmq_ctx_set(s->context, ZMQ_MAX_SOCKETS, MAX_SOCKETS);
    zmq_ctx_set(s->context, ZMQ_IO_THREADS, 1);
    bool ok = true;
    for (int ch = 0; ok && ch < CH_HB; ch++) {
        s->socket[ch] = zmq_socket(s->context, ch == CH_IOPUB ? ZMQ_XPUB : ZMQ_ROUTER);
        ok = s->socket[ch]
                 ? sockets_bind(s->socket[ch], c, (enum channel)ch, e)
                 : err_set(e, ERR_INTERNAL, "cannot make a socket: %s", zmq_strerror(errno));
    }
    if (!ok)
        sockets_close(s, 0);
    return ok;
}

static bool connect_one(struct sockets *s, const struct connfile *c, enum channel ch,
                        const char *identity, struct err *e)
{
    char endpoint[CONNFILE_MAX_IP + 64];
    const char *v6 = !c->ipc && strchr(c->ip, ':') ? c->ip : NULL;
    void *socket = s->socket[ch] = zmq_socket(s->context, ch == CH_IOPUB ? ZMQ_SUB : ZMQ_DEALER);
    if (!socket)
        return err_set(e, ERR_INTERNAL, "cannot make a socket: %s", zmq_strerror(errno));
    if (c->ipc)
        snprintf(endpoint, sizeof endpoint, "ipc://%s-%d", c->ip, c->port[ch]);
    else
        snprintf(endpoint, sizeof endpoint, "tcp://%s%s%s:%d", v6 ? "[" : "", c->ip, v6 ? "]" : "",
                 c->port[ch]);
    bool ok = set_int(socket, ZMQ_LINGER, 0, e) && set_int(socket, ZMQ_SNDHWM, 0, e) &&
              set_int(socket, ZMQ_RCVHWM, 0, e) &&
              set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS, e) &&
              (!v6 || set_int(socket, ZMQ_IPV6, 1, e));
    if (!ok)
        return false;
    int rc = ch == CH_IOPUB ? zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0)
                            : zmq_setsockopt(socket, ZMQ_ROUTING_ID, identity, strlen(identity));
    return (rc == 0 && zmq_connect(socket, endpoint) == 0) ||
           err_set(e, ERR_IO, "cannot connect %s to a kernel: %s", channel_name(ch),
                   zmq_strerror(errno));
}

bool sockets_connect(struct sockets *s, const struct connfile *c, const char *identity,
                     struct err *e)
{
    *s = (struct sockets){.context = zmq_ctx_new()};
    if (!s->context)
        return err_set(e, ERR_INTERNAL, "cannot make a ZeroMQ context: %s", zmq_strerror(errno));
    zmq_ctx_set(s->context, ZMQ_MAX_SOCKETS, MAX_SOCKETS);
    bool ok = true;
    for (int ch = 0; ok && ch < CH_HB; ch++)
        ok = connect_one(s, c, (enum channel)ch, identity, e);
    if (!ok)
        sockets_close(s, 0);
    return ok;
}

void sockets_close(struct sockets *s, int linger_ms)
{
    for (int ch = 0; ch < CH_COUNT; ch++) {
        if (!s->socket[ch])
            continue;
        zmq_setsockopt(s->socket[ch], ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close(s->socket[ch]);
    }
    while (s->context && zmq_ctx_term(s->context) != 0 && errno == EINTR)
        continue;
    *s = (struct sockets){0};
}

void sockets_unlink(const struct connfile *c)
{
    char path[CONNFILE_MAX_IP + 16];
    for (int ch = 0; ch < CH_COUNT; ch++) {
        if (!c->bound[ch])
            continue;
        snprintf(path, sizeof path, "%s-%d", c->ip, c->port[ch]);
        unlink(path);
    }
}

/* All frames of the message that begins with `first`, so that the next receive starts at a message
 * again. */
static size_t receive_frames(void *socket, zmq_msg_t frames[MSG_MAX_FRAMES + 1])
{
    size_t n = 0;
    bool more = true;
    while (more) {
        zmq_msg_t *f = &frames[n < MSG_MAX_FRAMES ? n : MSG_MAX_FRAMES];
        if (n > MSG_MAX_FRAMES)
            zmq_msg_close(f);
        zmq_msg_init(f);
        int rc;
        do
            rc = zmq_msg_recv(f, socket, ZMQ_DONTWAIT);
        while (rc < 0 && errno == EINTR);
        if (rc < 0) {
            zmq_msg_close(f);
            return n < MSG_MAX_FRAMES ? n : MSG_MAX_FRAMES;
        }
        more = zmq_msg_more(f);
        n++;
    }
    return n <= MSG_MAX_FRAMES ? n : MSG_MAX_FRAMES + 1;
}

bool sockets_receive(struct sockets *s, enum channel ch, struct signer *signer, struct msg **m,
                     struct err *e)
{
    zmq_msg_t parts[MSG_MAX_FRAMES + 1];
    struct frame frames[MSG_MAX_FRAMES + 1];
    *m = NULL;
    size_t n = receive_frames(s->socket[ch], parts);
    if (n == 0)
        return true;
    for (size_t i = 0; i < n; i++) {
        frames[i] = (struct frame){zmq_msg_data(&parts[i]), zmq_msg_size(&parts[i])};
        if (frames[i].len > SOCKETS_MAX_FRAME)
            err_set(e, ERR_TOO_BIG, "a message is larger than %d MiB", SOCKETS_MAX_FRAME >> 20);
    }
    *m = e->code ? NULL : msg_decode(frames, n, signer, e);
    for (size_t i = 0; i < n; i++) {
        /* What a user types into a password prompt comes this way. */
        if (ch == CH_STDIN)
            explicit_bzero(zmq_msg_data(&parts[i]), zmq_msg_size(&parts[i]));
        zmq_msg_close(&parts[i]);
    }
    if (*m)
        (*m)->channel = ch;
    return *m != NULL;
}

static void free_text(void *data, void *hint)
{
    (void)hint;
    free(data);
}

/* false: the peer is gone (or the context); the rest of the message is not sent then. */
static bool send_bytes(void *socket, const void *data, size_t len, int flags)
{
    int rc;
    do
        rc = zmq_send(socket, data, len, flags | ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc >= 0;
}

/* A big content is handed over, not copied. */
static void send_content(void *socket, struct packet *p)
{
    size_t len = strlen(p->content);
    zmq_msg_t m;
    if (len < BIG_FRAME || zmq_msg_init_data(&m, p->content, len, free_text, NULL) != 0) {
        send_bytes(socket, p->content, len, 0);
        return;
    }
    p->content = NULL;
    int rc;
    do
        rc = zmq_msg_send(&m, socket, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        zmq_msg_close(&m);
}

static void send_packet(void *socket, struct signer *signer, struct packet *p)
{
    struct frame parts[SIGN_PARTS] = {{p->header, strlen(p->header)},
                                      {p->parent, p->parent_len},
                                      {p->metadata, strlen(p->metadata)},
                                      {p->content, strlen(p->content)}};
    char hex[SIGN_HEX + 1];
    signer_sign(signer, parts, hex);
    bool ok = send_bytes(socket, "<IDS|MSG>", 9, ZMQ_SNDMORE) &&
              send_bytes(socket, hex, strlen(hex), ZMQ_SNDMORE);
    for (int i = 0; ok && i < SIGN_PARTS - 1; i++)
        ok = send_bytes(socket, parts[i].data, parts[i].len, ZMQ_SNDMORE);
    if (ok)
        send_content(socket, p);
}

bool sockets_reply(struct sockets *s, enum channel ch, struct signer *signer, const struct msg *to,
                   struct packet *p)
{
    bool ok = to->n_ids > 0;
    /* Takes in peers that connected just now: a send alone may look for new ones only once a
     * millisecond, and a ROUTER drops what goes to a peer that it does not know. */
    int events;
    size_t size = sizeof events;
    zmq_getsockopt(s->socket[ch], ZMQ_EVENTS, &events, &size);
    for (size_t i = 0; ok && i < to->n_ids; i++)
        ok = send_bytes(s->socket[ch], to->ids[i].data, to->ids[i].len, ZMQ_SNDMORE);
    if (ok)
        send_packet(s->socket[ch], signer, p);
    packet_release(p);
    return ok;
}

void sockets_send(struct sockets *s, enum channel ch, struct signer *signer, struct packet *p)
{
    send_packet(s->socket[ch], signer, p);
    packet_release(p);
}

void sockets_publish(struct sockets *s, struct signer *signer, const char *topic, size_t topic_len,
                     struct packet *p)
{
    if (send_bytes(s->socket[CH_IOPUB], topic, topic_len, ZMQ_SNDMORE))
        send_packet(s->socket[CH_IOPUB], signer, p);
    packet_release(p);
}

bool sockets_subscription(struct sockets *s, char topic[SOCKETS_MAX_TOPIC], size_t *len, bool *none)
{
    zmq_msg_t m;
    zmq_msg_init(&m);
    void *socket = s->socket[CH_IOPUB];
    int rc;
    do
        rc = zmq_msg_recv(&m, socket, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    *none = rc < 0;
    bool subscribed = false;
    const char *bytes = zmq_msg_data(&m);
    size_t n = zmq_msg_size(&m);
    /* JEP 65: 1 and the topic; 0 and the topic to leave. What is not text is no topic. */
    if (rc > 0 && n - 1 < SOCKETS_MAX_TOPIC && (bytes[0] == 1 || bytes[0] == 0) &&
        utf8_valid(bytes + 1, n - 1)) {
        *len = n - 1;
        memcpy(topic, bytes + 1, n - 1);
        zmq_setsockopt(socket, bytes[0] ? ZMQ_SUBSCRIBE : ZMQ_UNSUBSCRIBE, topic, n - 1);
        subscribed = bytes[0] == 1;
    }
    zmq_msg_close(&m);
    return subscribed;
}
