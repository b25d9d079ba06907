/* Jupyter messages in memory (see msg.h). Every size is checked before the bytes are looked at. */
#include "wire/msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/xalloc.h"

static const char delimiter[] = "<IDS|MSG>";
enum { DELIMITER = sizeof delimiter - 1, PARTS_AFTER = 1 + SIGN_PARTS };

static bool find_delimiter(const struct frame *frames, size_t n, size_t *at, struct err *e)
{
    if (n > MSG_MAX_FRAMES)
        return err_set(e, ERR_MALFORMED, "a message has more than %d frames", MSG_MAX_FRAMES);
    for (size_t i = 0; i < n; i++) {
        if (frames[i].len != DELIMITER || memcmp(frames[i].data, delimiter, DELIMITER) != 0)
            continue;
        if (i > MSG_MAX_IDS)
            return err_set(e, ERR_MALFORMED, "a message has more than %d routing frames",
                           MSG_MAX_IDS);
        if (n - i - 1 < PARTS_AFTER)
            return err_set(e, ERR_MALFORMED,
                           "a message has %zu frames behind the delimiter, not %d or more",
                           n - i - 1, PARTS_AFTER);
        *at = i;
        return true;
    }
    return err_set(e, ERR_MALFORMED, "a message has no delimiter frame");
}

static char *copy_bytes(const void *data, size_t len)
{
    char *copy = xmalloc(len + 1);
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

/* \u0000 is allowed in values: the cell that holds one gets an answer like any other. */
static json_t *parse_object(struct frame f, const char *what, struct err *e)
{
    json_error_t je;
    json_t *v = json_loadb(f.data, f.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &je);
    if (json_is_object(v))
        return v;
    if (v)
        err_set(e, ERR_MALFORMED, "the %s of a message is not a JSON object", what);
    else
        err_set(e, ERR_MALFORMED, "the %s of a message is not valid JSON: %s", what, je.text);
    json_decref(v);
    return NULL;
}

static bool header_ok(struct msg *m, struct err *e)
{
    static const char *const required[] = {"msg_id", "msg_type", "session"};
    for (size_t i = 0; i < ARRAY_LEN(required); i++) {
        const json_t *v = json_object_get(m->header, required[i]);
        if (!json_is_string(v) || json_string_length(v) > MSG_MAX_TEXT)
            return err_set(e, ERR_MALFORMED,
                           "the header of a message needs %s, a string of at most %d bytes",
                           required[i], MSG_MAX_TEXT);
    }
    m->id = json_string_value(json_object_get(m->header, "msg_id"));
    m->type = json_string_value(json_object_get(m->header, "msg_type"));
    return *m->type || err_set(e, ERR_MALFORMED, "the header of a message has an empty msg_type");
}

static bool decode_parts(struct msg *m, const struct frame *part, struct err *e)
{
    m->header = parse_object(part[0], "header", e);
    if (!m->header || !header_ok(m, e))
        return false;
    m->parent = parse_object(part[1], "parent header", e);
    m->metadata = m->parent ? parse_object(part[2], "metadata", e) : NULL;
    if (!m->metadata)
        return false;
    m->header_text = copy_bytes(part[0].data, part[0].len);
    m->header_len = part[0].len;
    m->content = parse_object(part[3], "content", &m->content_err);
    m->content_bad = !m->content;
    if (m->content_bad)
        m->content = json_object();
    return true;
}

struct msg *msg_decode(const struct frame *frames, size_t n, struct signer *s, struct err *e)
{
    size_t at = 0;
    if (!find_delimiter(frames, n, &at, e))
        return NULL;
    const struct frame *part = frames + at + 2;
    if (!signer_verify(s, frames[at + 1], part, e))
        return NULL;
    struct msg *m = xcalloc(1, sizeof *m);
    err_init(&m->content_err);
    if (!decode_parts(m, part, e)) {
        msg_free(m);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        m->bytes += frames[i].len;
    for (; m->n_ids < at; m->n_ids++) {
        m->ids[m->n_ids].len = frames[m->n_ids].len;
        m->ids[m->n_ids].data = copy_bytes(frames[m->n_ids].data, frames[m->n_ids].len);
    }
    return m;
}

void msg_free(struct msg *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_ids; i++)
        free(m->ids[i].data);
    json_decref(m->header);
    json_decref(m->parent);
    json_decref(m->metadata);
    json_decref(m->content);
    free(m->header_text);
    free(m);
}

bool msg_same_sender(const struct msg *a, const struct msg *b)
{
    if (a->n_ids != b->n_ids)
        return false;
    for (size_t i = 0; i < a->n_ids; i++) {
        if (a->ids[i].len != b->ids[i].len ||
            memcmp(a->ids[i].data, b->ids[i].data, a->ids[i].len) != 0)
            return false;
    }
    return true;
}

void author_init(struct author *a)
{
    ids_uuid(a->session);
    a->count = 0;
}

void packet_init(struct packet *p, struct author *a, const char *type, const struct msg *parent,
                 const json_t *metadata, char *content)
{
    char date[40];
    snprintf(p->id, sizeof p->id, "%s_%llu", a->session, ++a->count);
    clock_rfc3339_micros(date);
    json_t *header = json_pack("{ssssssssssss}", "msg_id", p->id, "session", a->session, "username",
                               "kernel", "date", date, "msg_type", type, "version", MSG_PROTOCOL);
    p->header = jx_dump(header);
    json_decref(header);
    p->parent_len = parent ? parent->header_len : 2;
    p->parent = copy_bytes(parent ? parent->header_text : "{}", p->parent_len);
    p->metadata = metadata ? jx_dump(metadata) : xstrdup("{}");
    p->content = content;
}

void packet_release(struct packet *p)
{
    free(p->header);
    free(p->parent);
    free(p->metadata);
    free(p->content);
    *p = (struct packet){0};
}
