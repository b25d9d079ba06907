/*
 * The responder that PostgreSQL servers ask whether a login is good: LDAP simple bind over TLS on 127.0.0.1. It knows the
 * protocol and the connection; who may log in is the callback's answer.
 */
#ifndef WORKSPACE_LDAP_H
#define WORKSPACE_LDAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct ldaps;

/* user and token are NUL-terminated copies; the token is overwritten afterwards. Called on threads of the responder, by
 * several at once. false: refused, the reason in *e, which is logged and not sent. */
typedef bool ldaps_login_fn(void *self, const char *user, const char *token, size_t token_len, const char *instance_uid,
                            struct err *e);

struct ldaps_options {
    const char *cert_pem, *key_pem;
    int port; /* 0, or taken: another is chosen */
    ldaps_login_fn *login;
    void *login_self;
    int timeout_ms; /* of a whole connection; 0: 10 s */
};

/* Listens when this returns. NULL: ERR_IO, ERR_INTERNAL. */
struct ldaps *ldaps_open(const struct ldaps_options *o, struct err *e);
int ldaps_port(const struct ldaps *l);
/* Ends connections under way and waits for their threads. NULL is fine. */
void ldaps_close(struct ldaps *l);

#endif
