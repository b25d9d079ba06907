/* LDAP messages of a login (see ldap_message.h). Not an LDAP library: every other operation is LDAP_OTHER. */
#include "workspace/ldap_message.h"

#include <lber.h>
#include <string.h>

#include "base/err.h"

enum {
    TAG_BIND_REQUEST = 0x60,
    TAG_BIND_RESPONSE = 0x61,
    TAG_UNBIND_REQUEST = 0x42,
    TAG_SIMPLE = 0x80, /* AuthenticationChoice simple [0] */
    VERSION = 3
};

long ldap_message_size(const uint8_t *data, size_t len)
{
    if (len < 1)
        return 0;
    if (data[0] != LBER_SEQUENCE)
        return -1;
    if (len < 2)
        return 0;
    if (data[1] < 0x80)
        return 2 + (long)data[1];
    size_t n = data[1] & 0x7f, size = 0;
    if (n == 0 || n > 4) /* indefinite lengths are not LDAP (RFC 4511 §5.1) */
        return -1;
    if (len < 2 + n)
        return 0;
    for (size_t i = 0; i < n; i++)
        size = size << 8 | data[2 + i];
    return size > LDAP_MESSAGE_MAX - 2 - n ? -1 : (long)(2 + n + size);
}

/* version, name, authentication; the rest of the message (controls) is ignored */
static bool parse_bind(BerElement *ber, struct ldap_request *out)
{
    ber_int_t version;
    struct berval name, password;
    ber_tag_t method;
    if (ber_scanf(ber, "{imt", &version, &name, &method) == LBER_ERROR)
        return false;
    out->kind = LDAP_BIND;
    out->name = name.bv_val;
    out->name_len = name.bv_len;
    if (method != TAG_SIMPLE || version != VERSION)
        return true;
    if (ber_scanf(ber, "m", &password) == LBER_ERROR)
        return false;
    out->simple = true;
    out->password = password.bv_val;
    out->password_len = password.bv_len;
    return true;
}

static void parse_in(BerElement *ber, struct ldap_request *out)
{
    ber_int_t id;
    ber_len_t ignored;
    if (ber_scanf(ber, "{i", &id) == LBER_ERROR || id < 0)
        return;
    ber_tag_t op = ber_peek_tag(ber, &ignored);
    out->id = id;
    if (op == TAG_BIND_REQUEST) {
        if (!parse_bind(ber, out))
            *out = (struct ldap_request){.kind = LDAP_BAD};
    } else if (op != LBER_DEFAULT) {
        out->kind = op == TAG_UNBIND_REQUEST ? LDAP_UNBIND : LDAP_OTHER;
    }
}

void ldap_message_parse(uint8_t *data, size_t len, struct ldap_request *out)
{
    *out = (struct ldap_request){.kind = LDAP_BAD};
    if (ldap_message_size(data, len) != (long)len)
        return;
    struct berval whole = {.bv_len = len, .bv_val = (char *)data};
    BerElement *ber = ber_alloc_t(LBER_USE_DER);
    if (!ber)
        bug("out of memory for a message");
    ber_init2(ber, &whole, LBER_USE_DER); /* reads where the bytes are */
    parse_in(ber, out);
    ber_free(ber, 0);
}

bool ldap_message_bind_response(int32_t id, enum ldap_result result, const char *text, struct buf *out)
{
    BerElement *ber = ber_alloc_t(LBER_USE_DER);
    struct berval bytes = {0, NULL};
    bool ok = ber &&
              ber_printf(ber, "{it{ess}}", (ber_int_t)id, (ber_tag_t)TAG_BIND_RESPONSE, (ber_int_t)result, "", text) >= 0 &&
              ber_flatten2(ber, &bytes, 0) == 0;
    if (ok)
        buf_add(out, bytes.bv_val, bytes.bv_len);
    ber_free(ber, 1);
    return ok && !out->failed;
}

bool ldap_name_split(const char *name, size_t len, char uid[64], char user[256])
{
    const char *colon = len > 0 ? memchr(name, ':', len) : NULL;
    size_t uid_len = colon ? (size_t)(colon - name) : 0, user_len = colon ? len - uid_len - 1 : 0;
    if (uid_len == 0 || uid_len > 63 || user_len == 0 || user_len > 255 || memchr(name, '\0', len))
        return false;
    for (size_t i = 0; i < uid_len; i++) {
        if (!memchr("0123456789abcdefghijklmnopqrstuvwxyz-", name[i], 37))
            return false;
    }
    memcpy(uid, name, uid_len);
    uid[uid_len] = '\0';
    memcpy(user, colon + 1, user_len);
    user[user_len] = '\0';
    return true;
}
