/*
 * A Jupyter message: frames in memory to a checked message, and a message to frames. Knows no
 * sockets. Source: Jupyter messaging protocol 5.5, "The wire protocol", "Message header", "Parent
 * header".
 */
#ifndef WIRE_MSG_H
#define WIRE_MSG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "wire/connfile.h"
#include "wire/frame.h"
#include "wire/sign.h"

#define MSG_PROTOCOL "5.5"

enum { MSG_MAX_IDS = 8, MSG_MAX_FRAMES = 256, MSG_MAX_TEXT = 256 };

struct routing_id {
    char *data;
    size_t len;
};

/* A received message. Owns everything in it; msg_free. One thread at a time. */
struct msg {
    enum channel channel;               /* set by the receiver */
    struct routing_id ids[MSG_MAX_IDS]; /* echoed whole on replies */
    size_t n_ids;
    char *header_text; /* as received: every reply carries it unchanged as its parent */
    size_t header_len;
    json_t *header, *parent, *metadata, *content; /* objects */
    const char *type, *id;                        /* of the header, borrowed */
    bool content_bad; /* the content cannot be read; it is {} then, and content_err says why */
    struct err content_err;
    size_t bytes;     /* of all frames, as received */
    struct msg *next; /* for the owner's queue */
};

/* Check and decode: delimiter, counts, signature, and only then JSON. NULL with ERR_MALFORMED or
 * ERR_PERMISSION: drop it. A header that is sound with a content that is not still gives a message
 * (content_bad), so that its sender gets an error instead of silence. */
struct msg *msg_decode(const struct frame *frames, size_t n, struct signer *s, struct err *e);
void msg_free(struct msg *m);
/* The same client: equal routing prefixes. */
bool msg_same_sender(const struct msg *a, const struct msg *b);

/* Makes headers: one session id for the life of the process, and a new msg_id for each message.
 * Only for the thread that owns the sockets. */
struct author {
    char session[37];
    unsigned long long count;
};
void author_init(struct author *a);

/* The four JSON texts of a message to send. */
struct packet {
    char *header, *parent, *metadata, *content;
    size_t parent_len;
    char id[64]; /* its msg_id */
};
/* parent: the request that caused it, or NULL for {}. metadata: borrowed, or NULL for {}. content:
 * taken; JSON text. */
void packet_init(struct packet *p, struct author *a, const char *type, const struct msg *parent,
                 const json_t *metadata, char *content);
void packet_release(struct packet *p);

#endif
