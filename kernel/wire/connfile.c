/* The connection file (see connfile.h). Reads and checks; binding is wire/sockets.c. */
#include "wire/connfile.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"

static const char *const names[CH_COUNT] = {"shell", "iopub", "stdin", "control", "hb"};
static const char *const port_keys[CH_COUNT] = {"shell_port", "iopub_port", "stdin_port",
                                                "control_port", "hb_port"};

const char *channel_port_key(enum channel ch)
{
    return port_keys[ch];
}
const char *channel_name(enum channel ch)
{
    return names[ch];
}

/* JEP 106 allows a number or a numeric string. */
static bool take_port(struct connfile *c, const json_t *o, enum channel ch, struct err *e)
{
    const char *key = port_keys[ch];
    const json_t *v = json_object_get(o, key);
    if (!v)
        return err_set(e, ERR_CONFIG, "%s is missing", key);
    int64_t n = jx_get_int(o, key, -1);
    if (n < 0 || n > 65535)
        return err_set(e, ERR_CONFIG, "%s must be a port from 0 to 65535 (0: choose one)", key);
    c->port[ch] = (int)n;
    for (int other = 0; n != 0 && other < (int)ch; other++) {
        if (c->port[other] == n)
            return err_set(e, ERR_CONFIG, "%s and %s are both %d", port_keys[other], key, (int)n);
    }
    return true;
}

static bool take_address(struct connfile *c, const json_t *o, struct err *e)
{
    const char *transport =
        jx_get_str(o, "transport", json_object_get(o, "transport") ? "" : "tcp");
    if (strcmp(transport, "tcp") != 0 && strcmp(transport, "ipc") != 0)
        return err_set(e, ERR_CONFIG, "transport must be \"tcp\" or \"ipc\"");
    c->ipc = transport[0] == 'i';
    const char *ip = jx_get_str(o, "ip", NULL);
    if (!ip || !*ip)
        return err_set(e, ERR_CONFIG, "ip is missing: it must be %s",
                       c->ipc ? "the path prefix of the sockets" : "an address to listen on");
    /* libzmq takes the address as text up to the port: a ':' of ours would move that place. */
    if (strlen(ip) > CONNFILE_MAX_IP || (!c->ipc && strpbrk(ip, "/;# \n")))
        return err_set(e, ERR_CONFIG, "ip is not %s",
                       c->ipc ? "a path that fits a Unix socket" : "an address");
    memcpy(c->ip, ip, strlen(ip) + 1);
    return true;
}

static bool take_key(struct connfile *c, const json_t *o, struct err *e)
{
    const json_t *v = json_object_get(o, "key");
    const char *key = json_string_value(v);
    if (!key)
        return err_set(e, ERR_CONFIG, "key must be a string (\"\": messages are not signed)");
    if (json_string_length(v) > CONNFILE_MAX_KEY)
        return err_set(e, ERR_CONFIG, "key is longer than %d bytes", CONNFILE_MAX_KEY);
    const char *scheme =
        jx_get_str(o, "signature_scheme", json_object_get(o, "signature_scheme") ? "" : NULL);
    if (scheme && strcmp(scheme, "hmac-sha256") != 0)
        return err_set(e, ERR_CONFIG, "signature_scheme must be \"hmac-sha256\"");
    c->key = xstrdup(key);
    return true;
}

static bool take_all(struct connfile *c, const json_t *o, struct err *e)
{
    if (!json_is_object(o))
        return err_set(e, ERR_CONFIG, "it must hold a JSON object");
    if (json_object_get(o, "registration_ip")) {
        err_set(e, ERR_NOT_IMPLEMENTED,
                "this is a registration file; the handshake is not offered");
        err_hint(e, "start the kernel with a connection file");
        return false;
    }
    if (json_object_get(o, "curve_publickey") || json_object_get(o, "curve_secretkey")) {
        err_set(e, ERR_NOT_IMPLEMENTED, "it asks for CurveZMQ encryption, which is not offered");
        err_hint(e, "use transport \"ipc\", which other users cannot read");
        return false;
    }
    if (!take_address(c, o, e))
        return false;
    for (int ch = 0; ch < CH_COUNT; ch++) {
        if (!take_port(c, o, (enum channel)ch, e))
            return false;
    }
    return take_key(c, o, e);
}

bool connfile_parse(struct connfile *c, const char *text, size_t len, struct err *e)
{
    *c = (struct connfile){0};
    json_t *o = jx_parse(text, len, CONNFILE_MAX_BYTES, e);
    bool ok = o && take_all(c, o, e);
    json_decref(o);
    if (!ok)
        connfile_release(c);
    return ok;
}

bool connfile_load(struct connfile *c, const char *path, struct err *e)
{
    struct buf b;
    buf_init(&b, CONNFILE_MAX_BYTES);
    *c = (struct connfile){0};
    bool ok = fs_read(path, &b, e) && connfile_parse(c, buf_str(&b), b.len, e);
    buf_release_secret(&b);
    if (!ok)
        return err_wrap(e, "connection file '%s'", path);
    c->path = xstrdup(path);
    return true;
}

bool connfile_write_ports(const struct connfile *c, struct err *e)
{
    struct buf b;
    buf_init(&b, CONNFILE_MAX_BYTES);
    json_t *o =
        fs_read(c->path, &b, e) ? jx_parse(buf_str(&b), b.len, CONNFILE_MAX_BYTES, e) : NULL;
    buf_release_secret(&b);
    bool ok = false;
    if (json_is_object(o)) {
        for (int ch = 0; ch < CH_COUNT; ch++)
            json_object_set_new(o, port_keys[ch], json_integer(c->port[ch]));
        char *text = json_dumps(o, JSON_INDENT(2));
        ok = text && fs_write_atomic(c->path, text, strlen(text), 0600, e);
        xfree_secret(text);
    }
    json_decref(o);
    return ok || err_wrap(e, "cannot write the ports into the connection file");
}

void connfile_release(struct connfile *c)
{
    xfree_secret(c->key);
    free(c->path);
    *c = (struct connfile){0};
}
