/* How the kernel's messages leave: topic, parent, status. See state.h. What they say is decided
 * elsewhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "jupyter/state.h"

struct kept {
    char topic[128];
    size_t topic_len;
    struct packet packet;
    struct kept *next;
};

static void drop_first(struct backlog *b)
{
    struct kept *first = b->head;
    b->head = first->next;
    b->tail = b->head ? b->tail : NULL;
    b->count--;
    b->bytes -= strlen(first->packet.content);
    packet_release(&first->packet);
    free(first);
}

void backlog_release(struct backlog *b)
{
    while (b->head)
        drop_first(b);
}

static void keep(struct backlog *b, const char *topic, size_t len, struct packet *p)
{
    struct kept *new = xcalloc(1, sizeof *new);
    memcpy(new->topic, topic, len);
    new->topic_len = len;
    new->packet = *p;
    *(b->tail ? &b->tail->next : &b->head) = new;
    b->tail = new;
    b->count++;
    b->bytes += strlen(p->content);
    while (b->count > BACKLOG_MESSAGES || b->bytes > BACKLOG_BYTES)
        drop_first(b);
}

/* A client connects its sockets one by one, and a fast kernel may have answered on shell before the
 * subscription to iopub is here: its "idle" would be lost, and the client would wait for ever. So
 * until the first subscriber came, what is published is kept for it. */
static void publish(struct kernel *k, const char *topic, size_t len, struct packet *p)
{
    if (k->backlog.over)
        sockets_publish(&k->sockets, k->signer, topic, len, p);
    else
        keep(&k->backlog, topic, len, p);
}

static void send_backlog(struct kernel *k)
{
    struct kept *list = k->backlog.head;
    k->backlog = (struct backlog){.over = true};
    while (list) {
        struct kept *next = list->next;
        sockets_publish(&k->sockets, k->signer, list->topic, list->topic_len, &list->packet);
        free(list);
        list = next;
    }
}

void kernel_publish_text(struct kernel *k, const char *type, const struct msg *parent,
                         char *content)
{
    char topic[128];
    int n = snprintf(topic, sizeof topic, "kernel.%s.%s", k->author.session, type);
    struct packet p;
    packet_init(&p, &k->author, type, parent, NULL, content);
    publish(k, topic, (size_t)n, &p);
}

void kernel_publish(struct kernel *k, const char *type, const struct msg *parent, json_t *content)
{
    kernel_publish_text(k, type, parent, jx_dump(content));
    json_decref(content);
}

void kernel_status(struct kernel *k, const struct msg *parent, const char *state)
{
    kernel_publish(k, "status", parent, json_pack("{ss}", "execution_state", state));
}

/* "execute_request" -> "execute_reply" */
static void reply_type(const struct msg *m, char *out, size_t size)
{
    size_t len = strlen(m->type);
    const char *tail = "_request";
    if (len > strlen(tail) && strcmp(m->type + len - strlen(tail), tail) == 0)
        len -= strlen(tail);
    snprintf(out, size, "%.*s_reply", (int)len, m->type);
}

void kernel_reply(struct kernel *k, const struct msg *m, json_t *content, const json_t *metadata)
{
    char type[MSG_MAX_TEXT + 16];
    reply_type(m, type, sizeof type);
    if (!json_object_get(content, "status"))
        json_object_set_new(content, "status", json_string("ok"));
    struct packet p;
    packet_init(&p, &k->author, type, m, metadata, jx_dump(content));
    json_decref(content);
    sockets_reply(&k->sockets, m->channel, k->signer, m, &p);
}

void kernel_reply_err(struct kernel *k, const struct msg *m, const struct err *e)
{
    if (strcmp(m->type, "is_complete_request") == 0) { /* its reply knows no "error" */
        kernel_reply(k, m, json_pack("{ss}", "status", "unknown"), NULL);
        return;
    }
    const char *ename = err_info(e->code)->ename;
    char *line = xasprintf("%s: %s", ename, e->text);
    json_t *content = json_pack("{sssssoso}", "status", "error", "ename", ename, "evalue",
                                jx_str(e->text), "traceback", json_pack("[o]", jx_str(line)));
    free(line);
    if (strcmp(m->type, "execute_request") == 0)
        json_object_set_new(content, "execution_count", json_integer(k->count));
    kernel_reply(k, m, content, NULL);
}

void kernel_welcome(struct kernel *k)
{
    char topic[SOCKETS_MAX_TOPIC];
    size_t len;
    bool none = false;
    while (!none) {
        if (!sockets_subscription(&k->sockets, topic, &len, &none))
            continue;
        struct packet p;
        json_t *content = json_pack("{so}", "subscription", jx_text(topic, len));
        packet_init(&p, &k->author, "iopub_welcome", NULL, NULL, jx_dump(content));
        json_decref(content);
        sockets_publish(&k->sockets, k->signer, topic, len, &p);
        if (!k->backlog.over)
            send_backlog(k);
    }
}
