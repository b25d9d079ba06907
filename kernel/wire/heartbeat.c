/* The heartbeat thread (see heartbeat.h). The bytes are not looked at: anybody may send them. */
#include "wire/heartbeat.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

#include "wire/sockets.h"

/* Frame by frame: a ROUTER takes the sender's identity first, so the echo goes back where it came
 * from. */
static void *echo(void *arg)
{
    void *socket = arg;
    zmq_msg_t m;
    zmq_msg_init(&m);
    for (;;) {
        if (zmq_msg_recv(&m, socket, 0) < 0) {
            if (errno == EINTR)
                continue;
            break; /* ETERM: heartbeat_close */
        }
        if (zmq_msg_send(&m, socket, zmq_msg_more(&m) ? ZMQ_SNDMORE : 0) < 0 && errno == ETERM)
            break;
    }
    zmq_msg_close(&m);
    zmq_close(socket);
    return NULL;
}

bool heartbeat_open(struct heartbeat *h, struct connfile *c, struct err *e)
{
    *h = (struct heartbeat){.context = zmq_ctx_new()};
    if (!h->context)
        return err_set(e, ERR_INTERNAL, "cannot make a ZeroMQ context: %s", zmq_strerror(errno));
    zmq_ctx_set(h->context, ZMQ_MAX_SOCKETS, 4);
    h->socket = zmq_socket(h->context, ZMQ_ROUTER);
    bool ok = h->socket ? sockets_bind(h->socket, c, CH_HB, e)
                        : err_set(e, ERR_INTERNAL, "cannot make a socket: %s", zmq_strerror(errno));
    int rc = ok ? pthread_create(&h->thread, NULL, echo, h->socket) : 0;
    if (ok && rc == 0)
        return true;
    if (h->socket)
        zmq_close(h->socket);
    zmq_ctx_term(h->context);
    *h = (struct heartbeat){0};
    return !ok ? false : err_errno(e, rc, "cannot start the heartbeat thread");
}

void heartbeat_close(struct heartbeat *h)
{
    if (!h->context)
        return;
    zmq_ctx_shutdown(h->context); /* the only call here that may meet the thread's */
    pthread_join(h->thread, NULL);
    while (zmq_ctx_term(h->context) != 0 && errno == EINTR)
        continue;
    *h = (struct heartbeat){0};
}
