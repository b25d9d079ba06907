/* Frames of the worker's connections (see worker_frame.h). A frame may hold a login, so buffers are overwritten. */
#include "workspace/worker_frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/worker.h"

static bool gone(struct err *e)
{
    return err_set(e, ERR_UNAVAILABLE, "the other side of the lakehouse worker's connection is gone");
}

/* errno of a send or receive that moved nothing: wait and go on (true), or give up. */
static bool wait_for(int fd, short events, struct cancel *cancel, struct err *e)
{
    if (errno == EINTR)
        return cancel_check(cancel, e);
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return cancel_poll(cancel, fd, events, -1, e);
    if (errno == EPIPE || errno == ECONNRESET)
        return gone(e);
    return err_errno(e, errno, "cannot use the lakehouse worker's connection");
}

static bool send_all(int fd, const char *data, size_t len, struct cancel *cancel, struct err *e)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            if (!wait_for(fd, POLLOUT, cancel, e))
                return false;
            continue;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool receive_all(int fd, char *data, size_t len, struct cancel *cancel, struct err *e)
{
    while (len > 0) {
        ssize_t n = recv(fd, data, len, MSG_DONTWAIT);
        if (n == 0)
            return gone(e);
        if (n < 0) {
            if (!wait_for(fd, POLLIN, cancel, e))
                return false;
            continue;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static int add_text(const char *text, size_t len, void *buf)
{
    buf_add(buf, text, len);
    return 0;
}

bool worker_frame_write(int fd, const json_t *frame, struct cancel *cancel, struct err *e)
{
    struct buf b;
    buf_init(&b, WORKER_FRAME_MAX + sizeof(uint32_t));
    buf_fill(&b, '\0', sizeof(uint32_t));
    json_dump_callback(frame, add_text, &b, JSON_COMPACT);
    bool ok = buf_ok(&b, "a frame of the lakehouse worker", e);
    if (ok) {
        uint32_t length = htonl((uint32_t)(b.len - sizeof length));
        memcpy(b.data, &length, sizeof length);
        ok = send_all(fd, b.data, b.len, cancel, e);
    }
    buf_release_secret(&b);
    return ok;
}

bool worker_frame_read(int fd, json_t **frame, struct cancel *cancel, struct err *e)
{
    uint32_t length;
    *frame = NULL;
    if (!receive_all(fd, (char *)&length, sizeof length, cancel, e))
        return false;
    length = ntohl(length);
    if (length > WORKER_FRAME_MAX)
        return err_set(e, ERR_TOO_BIG, "a frame of the lakehouse worker has %u bytes, more than %d", length,
                       WORKER_FRAME_MAX);
    struct buf b;
    buf_init(&b, WORKER_FRAME_MAX);
    buf_fill(&b, '\0', length);
    if (receive_all(fd, b.data, length, cancel, e)) {
        *frame = jx_parse(b.data, length, WORKER_FRAME_MAX, e);
        if (*frame && !json_is_object(*frame)) {
            json_decref(*frame);
            *frame = NULL;
            err_set(e, ERR_MALFORMED, "a frame of the lakehouse worker is no object");
        }
    }
    buf_release_secret(&b);
    return *frame != NULL;
}

json_t *worker_error_json(const struct err *e)
{
    return json_pack("{s:s, s:o, s:s, s:i, s:o, s:o}", "code", err_info(e->code)->symbol, "message", jx_str(e->text),
                     "sqlstate", e->sqlstate, "position", e->position, "detail", jx_str(e->detail), "hint",
                     jx_str(e->hint));
}

bool worker_error_read(const json_t *error, struct err *e)
{
    const char *symbol = jx_get_str(error, "code", "");
    enum err_code code = ERR_INTERNAL;
    for (int i = ERR_NONE + 1; i < ERR_CODE_COUNT; i++)
        if (!strcmp(err_info((enum err_code)i)->symbol, symbol))
            code = (enum err_code)i;
    const char *message = jx_get_str(error, "message", "the lakehouse worker gave no reason");
    if (e->code != ERR_NONE)
        return false;
    err_set(e, code, "%s", message);
    err_copy(e->sqlstate, sizeof e->sqlstate, jx_get_str(error, "sqlstate", ""),
             strlen(jx_get_str(error, "sqlstate", "")));
    e->position = (int)jx_get_int(error, "position", 0);
    err_copy(e->detail, sizeof e->detail, jx_get_str(error, "detail", ""), strlen(jx_get_str(error, "detail", "")));
    err_copy(e->hint, sizeof e->hint, jx_get_str(error, "hint", ""), strlen(jx_get_str(error, "hint", "")));
    return false;
}
