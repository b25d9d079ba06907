/*
 * The few LDAP messages that PostgreSQL's login sends and expects: BindRequest (simple), UnbindRequest, BindResponse.
 * Bytes in, values out; no sockets. Sources: RFC 4511 §4.1.1, §4.2, §4.3; BER by liblber.
 */
#ifndef WORKSPACE_LDAP_MESSAGE_H
#define WORKSPACE_LDAP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { LDAP_MESSAGE_MAX = 65536 };

/* How long the message at data[0..len) is, header included: > 0; 0: more bytes are needed to tell; -1: no LDAP message,
 * or larger than LDAP_MESSAGE_MAX. Six bytes always suffice. */
long ldap_message_size(const uint8_t *data, size_t len);

enum ldap_kind { LDAP_BAD, LDAP_BIND, LDAP_UNBIND, LDAP_OTHER };

struct ldap_request {
    enum ldap_kind kind;
    int32_t id;          /* message id, to be repeated in the answer */
    bool simple;         /* a bind by password, LDAP version 3 */
    const char *name;    /* borrowed from the message; not NUL-terminated */
    size_t name_len;
    const char *password;
    size_t password_len;
};
/* Decode one whole message of the size that ldap_message_size told. LDAP_BAD: it is not one. data has a writable byte behind
 * its end: liblber puts a NUL behind every string, over the tag that follows. So a message is parsed once. */
void ldap_message_parse(uint8_t *data, size_t len, struct ldap_request *out);

/* RFC 4511 §4.1.9 */
enum ldap_result {
    LDAP_RESULT_SUCCESS = 0,
    LDAP_RESULT_PROTOCOL_ERROR = 2,
    LDAP_RESULT_AUTH_METHOD_NOT_SUPPORTED = 7,
    LDAP_RESULT_INVALID_CREDENTIALS = 49,
    LDAP_RESULT_UNAVAILABLE = 52,
    LDAP_RESULT_UNWILLING = 53
};
/* Append a BindResponse. false: out of memory. */
bool ldap_message_bind_response(int32_t id, enum ldap_result result, const char *text, struct buf *out);

/*
 * Split a bind name of ours, "<instance uid>:<user>", as pg_hba.conf has PostgreSQL make it (ldapprefix "<uid>:" in front of
 * the user name, as sent by the client, nothing behind). The uid comes first and has no colon, so whatever a client puts
 * into its user name stays in the user name. false: not of that form; lengths are capped.
 */
bool ldap_name_split(const char *name, size_t len, char uid[64], char user[256]);

#endif
