/*
 * The HTTP server (see server.h). One exchange per request: checks on the headers, then the body up to its cap, then the
 * handler. A request that is refused early still has its body read (and dropped), because a client that gets its
 * connection cut while it sends does not see the answer.
 */
#include "workspace/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/answer.h"
#include "workspace/api_files.h"
#include "workspace/auth.h"
#include "workspace/public.h"
#include "workspace/router.h"
#include "workspace/volume_files.h"

/* A body is dropped up to DROP_MAX bytes; a longer one is cut off. HEADER_MEMORY is what libmicrohttpd has for a request's
 * line and headers. Beyond it, and for what is no HTTP, it answers by itself, in HTML, and offers no way to have a say; so
 * it gets four times our own cap, which is refused as the service refuses. */
enum { DROP_MAX = 64 << 20, HEADER_MEMORY = 4 * SERVER_MAX_HEADERS, MAX_DEPTH = 64 };

struct server {
    struct workspace *ws;
    struct MHD_Daemon *daemon;
    int port;
    char url[64];
};

struct exchange {
    struct request r;
    public_fn *open; /* a route without token */
    struct files_call *files; /* a call of the Files API */
    const char *host, *authorization;
    char *uri; /* as it came; cut at '?' */
    struct buf body;
    size_t dropped;
    struct err refusal; /* decided from the headers */
    bool started;
    int64_t since_us;
};

/* ---- life of an exchange ---- */

static void *on_uri(void *self, const char *uri, struct MHD_Connection *conn)
{
    (void)self;
    (void)conn;
    struct exchange *x = xcalloc(1, sizeof *x);
    x->uri = xstrdup(uri);
    x->since_us = clock_mono_us();
    arena_init(&x->r.arena);
    buf_init(&x->body, SERVER_MAX_BODY);
    return x;
}

static void on_end(void *self, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode why)
{
    (void)self;
    (void)conn;
    (void)why;
    struct exchange *x = *state;
    if (!x)
        return;
    files_free(x->files);
    arena_release(&x->r.arena);
    buf_release_secret(&x->body); /* may be a form with a client secret */
    free(x->uri);
    free(x);
    *state = NULL;
}

/* ---- before the body ---- */

static enum MHD_Result take_query(void *self, enum MHD_ValueKind kind, const char *key, size_t key_len,
                                  const char *value, size_t value_len)
{
    (void)kind;
    struct exchange *x = self;
    struct request *r = &x->r;
    if (r->n_params >= REQUEST_MAX_PARAMS) {
        err_set(&x->refusal, ERR_BAD_REQUEST, "The query has more than %d parameters", REQUEST_MAX_PARAMS);
        return MHD_NO;
    }
    if (memchr(key, '\0', key_len) || (value && memchr(value, '\0', value_len))) {
        err_set(&x->refusal, ERR_INVALID_PARAMETER, "A query parameter holds a NUL character");
        return MHD_NO;
    }
    r->params[r->n_params++] =
        (struct request_param){arena_strndup(&r->arena, key, key_len), arena_strndup(&r->arena, value ? value : "", value_len)};
    return MHD_YES;
}

static bool length_ok(struct MHD_Connection *conn, unsigned long long most, struct err *e)
{
    const char *text = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Content-Length");
    unsigned long long n = text ? strtoull(text, NULL, 10) : 0;
    return n <= most || err_set(e, ERR_TOO_BIG, "The request body has %llu bytes; at most %llu are taken", n, most);
}

static enum MHD_Result count_header(void *self, enum MHD_ValueKind kind, const char *key, size_t key_len,
                                    const char *value, size_t value_len)
{
    (void)kind;
    (void)key;
    (void)value;
    *(size_t *)self += key_len + value_len + strlen(": \r\n");
    return MHD_YES;
}

static bool headers_ok(struct MHD_Connection *conn, struct err *e)
{
    size_t n = 0;
    MHD_get_connection_values_n(conn, MHD_HEADER_KIND, count_header, &n);
    return n <= SERVER_MAX_HEADERS ||
           err_set(e, ERR_TOO_BIG, "The request headers have %zu bytes; at most %d are taken", n, SERVER_MAX_HEADERS);
}

static void begin(struct server *s, struct exchange *x, struct MHD_Connection *conn, const char *method)
{
    struct request *r = &x->r;
    struct err *e = &x->refusal;
    x->started = true;
    r->ws = s->ws;
    r->method = arena_strdup(&r->arena, method);
    size_t uri_len = strlen(x->uri);
    x->uri[strcspn(x->uri, "?")] = '\0';
    r->path = x->uri;
    x->host = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Host");
    x->authorization = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Authorization");
    if (!auth_host_ok(x->host)) {
        err_set(e, ERR_PERMISSION, "This workspace answers to 127.0.0.1 and localhost only, not to the Host it was "
                                   "called by");
        return;
    }
    if (uri_len > SERVER_MAX_URI) {
        err_set(e, ERR_TOO_BIG, "The request address has %zu bytes; at most %d are taken", uri_len, SERVER_MAX_URI);
        return;
    }
    if (!headers_ok(conn, e))
        return;
    x->open = public_find(method, r->path);
    if (!x->open && !auth_check(s->ws->store, s->ws->tokens, x->authorization, &r->caller, e))
        return;
    bool files = !x->open && files_is(r->path);
    if (!length_ok(conn, files ? VOLUME_FILE_MAX : SERVER_MAX_BODY, e) || !files)
        return;
    MHD_get_connection_values_n(conn, MHD_GET_ARGUMENT_KIND, take_query, x);
    x->files = e->code ? NULL : files_begin(r, e);
}

/* ---- the call ---- */

/* jansson bounds its own recursion at 2048; the API's objects are flat, so far less is enough. */
static bool depth_ok(const json_t *v, int left)
{
    const char *key;
    json_t *child;
    size_t i;
    if (left == 0)
        return false;
    if (json_is_object(v)) {
        /* The iterator wants a pointer it may change through; nothing is changed here. */
        json_object_foreach((json_t *)(uintptr_t)v, key, child)
        {
            if (!depth_ok(child, left - 1))
                return false;
        }
    }
    json_array_foreach(v, i, child)
    {
        if (!depth_ok(child, left - 1))
            return false;
    }
    return true;
}

static bool read_body(const struct exchange *x, const struct model *m, void *in, struct err *e)
{
    memset(in, 0, m->size);
    if (m == &model_empty)
        return true; /* clients may send "{}" or nothing */
    if (x->body.len == 0)
        return err_set(e, ERR_MALFORMED, "The request body is missing; a JSON object is expected");
    json_t *doc = jx_parse(buf_str(&x->body), x->body.len, SERVER_MAX_BODY, e);
    bool ok = doc != NULL;
    if (ok && !json_is_object(doc))
        ok = err_set(e, ERR_MALFORMED, "The request body must be a JSON object");
    if (ok && !depth_ok(doc, MAX_DEPTH))
        ok = err_set(e, ERR_MALFORMED, "The request body is nested deeper than %d levels", MAX_DEPTH);
    ok = ok && model_decode(m, MODEL_SERVER, doc, in, e);
    json_decref(doc);
    return ok;
}

static void run_route(struct exchange *x, struct MHD_Connection *conn, struct answer *a)
{
    struct err e = {0};
    struct api_route route;
    bool found = router_find(&x->r, &route, &e);
    if (found) {
        /* After the path's parameters, so that those win. */
        MHD_get_connection_values_n(conn, MHD_GET_ARGUMENT_KIND, take_query, x);
        e = x->refusal;
    }
    if (e.code) {
        answer_error(a, &e);
        return;
    }
    void *in = xcalloc(1, route.info->request->size), *out = xcalloc(1, route.info->response->size);
    bool ok = read_body(x, route.info->request, in, &e) && route.run(&x->r, in, out, &e);
    if (ok)
        answer_json(a, 200, model_encode(route.info->response, MODEL_SERVER, out));
    else
        answer_error(a, &e);
    model_release(route.info->request, in);
    model_release(route.info->response, out);
    free(in);
    free(out);
    if (!ok && err_info(e.code)->http >= 500 && e.code != ERR_NOT_IMPLEMENTED)
        log_err("api", route.info->operation, &e);
}

static void respond(struct exchange *x, struct MHD_Connection *conn, struct answer *a)
{
    if (x->body.failed && !x->refusal.code)
        err_set(&x->refusal, ERR_TOO_BIG, "The request body is larger than %d bytes", SERVER_MAX_BODY);
    if (x->refusal.code) {
        answer_error(a, &x->refusal);
    } else if (x->files) {
        files_answer(x->files, a);
    } else if (x->open) {
        struct public_call call = {&x->r, x->host, x->authorization, buf_str(&x->body), x->body.len};
        x->open(&call, a);
    } else {
        run_route(x, conn, a);
    }
}

/* The response takes the file over and closes it. */
static struct MHD_Response *file_response(struct answer *a)
{
    char stamp[40];
    time_t s = (time_t)(a->modified_ms / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    strftime(stamp, sizeof stamp, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    struct MHD_Response *out = MHD_create_response_from_fd64((uint64_t)a->size, a->fd);
    MHD_add_response_header(out, "Last-Modified", stamp);
    a->is_file = false;
    return out;
}

static enum MHD_Result send_answer(struct server *s, struct exchange *x, struct MHD_Connection *conn)
{
    struct answer a = {0};
    respond(x, conn, &a);
    bool file = a.is_file;
    struct MHD_Response *out = file ? file_response(&a) : MHD_create_response_from_buffer(strlen(a.body), a.body, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(out, "Content-Type", file ? "application/octet-stream" : "application/json");
    MHD_add_response_header(out, "Cache-Control", "no-store");
    MHD_add_response_header(out, "X-Databricks-Org-Id", s->ws->org_id);
    if (a.status == 401)
        MHD_add_response_header(out, "WWW-Authenticate", "Bearer realm=\"lakebase-workspace\"");
    enum MHD_Result rc = MHD_queue_response(conn, (unsigned)a.status, out);
    MHD_destroy_response(out);
    log_line(LOG_DEBUG, "http", "%s %.200s %d %lld us", x->r.method, x->r.path, a.status,
             (long long)(clock_mono_us() - x->since_us));
    answer_release(&a);
    return rc;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *conn, const char *url, const char *method,
                                  const char *version, const char *data, size_t *len, void **state)
{
    (void)url;
    (void)version;
    struct server *s = self;
    struct exchange *x = *state;
    if (!x->started) {
        begin(s, x, conn, method);
        return MHD_YES;
    }
    if (*len > 0) {
        if (x->refusal.code || x->body.failed) {
            x->dropped += *len;
            if (x->dropped > DROP_MAX)
                return MHD_NO;
        } else if (x->files) {
            files_take(x->files, data, *len, &x->refusal);
        } else {
            buf_add(&x->body, data, *len);
        }
        *len = 0;
        return MHD_YES;
    }
    return send_answer(s, x, conn);
}

/* ---- listening ---- */

static int listen_on(int port, struct err *e)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_errno(e, errno, "cannot open a socket");
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 128) == 0)
        return fd;
    int why = errno;
    close(fd);
    err_errno(e, why, "cannot listen on 127.0.0.1:%d", port);
    return -1;
}

static void on_mhd_log(void *self, const char *fmt, va_list ap)
{
    (void)self;
    char line[512];
    vsnprintf(line, sizeof line, fmt, ap);
    log_line(LOG_DEBUG, "http", "%s", line);
}

struct server *server_open(struct workspace *ws, int port, struct err *e)
{
    int fd = listen_on(port, e);
    if (fd < 0)
        return NULL;
    struct server *s = xcalloc(1, sizeof *s);
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    getsockname(fd, (struct sockaddr *)&a, &len);
    s->ws = ws;
    s->port = ntohs(a.sin_port);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
    s->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_NOTIFY_COMPLETED, on_end, s, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)SERVER_MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SERVER_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (s->daemon)
        return s;
    close(fd);
    free(s);
    err_set(e, ERR_INTERNAL, "the HTTP server does not start");
    return NULL;
}

void server_close(struct server *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    free(s);
}

int server_port(const struct server *s) { return s->port; }
const char *server_url(const struct server *s) { return s->url; }
