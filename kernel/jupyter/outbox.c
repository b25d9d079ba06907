/* The outbox (see outbox.h). The only structure that two threads of the kernel share, and its only
 * lock. */
#include "jupyter/outbox.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"

bool outbox_init(struct outbox *b, struct err *e)
{
    *b = (struct outbox){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (b->fd < 0)
        return err_errno(e, errno, "cannot make an eventfd");
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->drained, NULL);
    return true;
}

void out_free(struct out *o)
{
    if (!o)
        return;
    buf_release(&o->text);
    free(o->plain);
    free(o);
}

void outbox_release(struct outbox *b)
{
    while (b->head) {
        struct out *next = b->head->next;
        out_free(b->head);
        b->head = next;
    }
    close(b->fd);
    pthread_cond_destroy(&b->drained);
    pthread_mutex_destroy(&b->lock);
}

static void wake(struct outbox *b)
{
    uint64_t one = 1;
    ssize_t n = write(b->fd, &one, sizeof one);
    (void)n; /* a full counter is readable already */
}

static struct out *append_locked(struct outbox *b, enum out_kind kind, const char *type)
{
    struct out *o = xcalloc(1, sizeof *o);
    o->kind = kind;
    o->type = type;
    o->born_ms = clock_mono_ms();
    buf_init(&o->text, SIZE_MAX / 2);
    *(b->tail ? &b->tail->next : &b->head) = o;
    b->tail = o;
    return o;
}

/* Bytes at the end that begin a code point without finishing it (0 to 3): they wait for the rest of
 * it. */
static size_t torn_end(const char *text, size_t len)
{
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char c = (unsigned char)text[len - back];
        size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        if ((c & 0xC0) != 0x80)
            return need > back ? back : 0;
    }
    return 0;
}

/* The stream entry to append to; a full one is left behind without the torn end of its text. */
static struct out *stream_tail_locked(struct outbox *b, const char *type)
{
    struct out *last = b->tail;
    bool same = last && last->kind == OUT_STREAM && last->type == type;
    if (same && last->text.len < OUTBOX_CHUNK)
        return last;
    struct out *o = append_locked(b, OUT_STREAM, type);
    if (same) {
        size_t torn = torn_end(last->text.data, last->text.len);
        last->text.len -= torn;
        buf_add(&o->text, last->text.data + last->text.len, torn);
    }
    return o;
}

void outbox_stream(struct outbox *b, bool to_stderr, const char *text, size_t len)
{
    const char *type = to_stderr ? "stderr" : "stdout";
    while (len > 0) {
        size_t n = len < OUTBOX_CHUNK ? len : OUTBOX_CHUNK;
        pthread_mutex_lock(&b->lock);
        while (b->bytes > OUTBOX_FULL && !b->closed)
            pthread_cond_wait(&b->drained, &b->lock);
        bool look = false;
        if (!b->closed) {
            struct out *before = b->tail, *o = stream_tail_locked(b, type);
            /* New, or a torn code point that waited (and let nothing behind it wait with it). */
            look = o != before || (o == b->head && o->text.len < 4);
            buf_add(&o->text, text, n);
            b->bytes += n;
            look = look || o->text.len >= OUTBOX_CHUNK;
        }
        pthread_mutex_unlock(&b->lock);
        if (look)
            wake(b);
        text += n;
        len -= n;
    }
}

void outbox_add(struct outbox *b, enum out_kind kind, const char *type, char *text, char *plain)
{
    size_t len = text ? strlen(text) : 0;
    pthread_mutex_lock(&b->lock);
    while (b->bytes > OUTBOX_FULL && !b->closed)
        pthread_cond_wait(&b->drained, &b->lock);
    if (!b->closed) {
        struct out *o = append_locked(b, kind, type);
        o->text.data = text;
        o->text.len = len;
        o->text.cap = text ? len + 1 : 0;
        o->plain = plain;
        b->bytes += len;
        text = plain = NULL;
    }
    pthread_mutex_unlock(&b->lock);
    free(text);
    free(plain);
    wake(b);
}

/* How long the last entry may still wait; 0 or less: it is due. A torn code point alone waits for
 * its rest. */
static int64_t young_for_locked(const struct outbox *b)
{
    const struct out *o = b->tail;
    if (o->kind != OUT_STREAM || o->text.len >= OUTBOX_CHUNK)
        return 0;
    if (torn_end(o->text.data, o->text.len) == o->text.len)
        return INT_MAX;
    return o->born_ms + OUTBOX_DELAY_MS - clock_mono_ms();
}

/* Unlink all but the last entry, which stays with its age. */
static struct out *take_but_last_locked(struct outbox *b)
{
    struct out *list = NULL, **end = &list;
    while (b->head != b->tail) {
        *end = b->head;
        end = &b->head->next;
        b->bytes -= b->head->text.len;
        b->head = b->head->next;
    }
    *end = NULL;
    return list;
}

struct out *outbox_take(struct outbox *b, int *wait_ms)
{
    uint64_t count;
    ssize_t n = read(b->fd, &count, sizeof count);
    (void)n;
    *wait_ms = -1;
    struct out *list = NULL;
    pthread_mutex_lock(&b->lock);
    if (b->head) {
        int64_t left = young_for_locked(b);
        if (left > 0) {
            list = take_but_last_locked(b);
            *wait_ms = left == INT_MAX ? -1 : (int)left;
        } else {
            list = b->head;
            struct out *last = b->tail;
            b->head = b->tail = NULL;
            b->bytes = 0;
            size_t torn = last->kind == OUT_STREAM ? torn_end(last->text.data, last->text.len) : 0;
            if (torn) {
                struct out *rest = append_locked(b, OUT_STREAM, last->type);
                last->text.len -= torn;
                buf_add(&rest->text, last->text.data + last->text.len, torn);
                b->bytes = torn;
            }
        }
        pthread_cond_signal(&b->drained);
    }
    pthread_mutex_unlock(&b->lock);
    return list;
}

void outbox_close(struct outbox *b)
{
    pthread_mutex_lock(&b->lock);
    b->closed = true;
    pthread_cond_broadcast(&b->drained);
    pthread_mutex_unlock(&b->lock);
}
