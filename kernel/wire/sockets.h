/*
 * The four ZeroMQ sockets that one thread owns: shell, control and stdin (ROUTER) and iopub (XPUB).
 * The heartbeat is wire/heartbeat.h. Source: Jupyter messaging protocol, "Introduction"; JEP 65
 * (iopub_welcome).
 */
#ifndef WIRE_SOCKETS_H
#define WIRE_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/connfile.h"
#include "wire/msg.h"

/* A larger frame makes libzmq hang up on its sender before it is in our memory. */
enum { SOCKETS_MAX_FRAME = 64 << 20, SOCKETS_MAX_TOPIC = 256 };

struct sockets {
    void *context;
    void *socket[CH_COUNT]; /* CH_HB stays NULL */
};

/* Bind all four; ports that are 0 in `c` are chosen and filled in (`hb` is left). On failure
 * nothing stays open. */
bool sockets_open(struct sockets *s, struct connfile *c, struct err *e);
/* Wait at most linger_ms for what is still to be sent. */
void sockets_close(struct sockets *s, int linger_ms);
/* Remove the Unix sockets of transport ipc that were bound; libzmq leaves them. After everything was closed. */
void sockets_unlink(const struct connfile *c);
/* Options that every socket of ours has, then bind; fills in c->port[ch]. For the heartbeat too. */
bool sockets_bind(void *socket, struct connfile *c, enum channel ch, struct err *e);

/* The other side: connect to all four sockets of a kernel, as a front end does (DEALER, and SUB to
 * everything). identity: of shell, control and stdin, which belong together. Frames are limited by
 * sockets_receive only: what hangs up here is a cell whose end is never heard of. */
bool sockets_connect(struct sockets *s, const struct connfile *c, const char *identity,
                     struct err *e);
/* Send on a connected channel. The packet is consumed. */
void sockets_send(struct sockets *s, enum channel ch, struct signer *signer, struct packet *p);

/* The next message of a ROUTER or connected channel. *m NULL and true: none is waiting. false: a bad one was
 * dropped (*e says why). */
bool sockets_receive(struct sockets *s, enum channel ch, struct signer *signer, struct msg **m,
                     struct err *e);
/* Send to the client that sent `to`, on a ROUTER channel. The packet is consumed. A client that is
 * gone is not an error. false: on stdin only, it is not connected (yet), and nothing was sent. */
bool sockets_reply(struct sockets *s, enum channel ch, struct signer *signer, const struct msg *to,
                   struct packet *p);
/* Broadcast on iopub. topic: first frame. The packet is consumed. */
void sockets_publish(struct sockets *s, struct signer *signer, const char *topic, size_t topic_len,
                     struct packet *p);

/* The next subscription that iopub saw; true: `topic` was subscribed to and a welcome is due.
 * Subscriptions take effect here (XPUB_MANUAL), so nothing reaches a subscriber before its welcome.
 * *none: no event is waiting. */
bool sockets_subscription(struct sockets *s, char topic[SOCKETS_MAX_TOPIC], size_t *len,
                          bool *none);

#endif
