/*
 * The workspace's own certificate authority: one self-signed EC P-256 certificate that clients trust, and the server
 * certificates it signs. Keys of certificates are made here and handed out as PEM text. Any thread may issue.
 */
#ifndef WORKSPACE_CA_H
#define WORKSPACE_CA_H

#include <stdbool.h>

#include "base/err.h"

struct ca;

/* Read certificate and key, or make both when they are missing, unreadable as PEM, do not belong together or have less
 * than a year left. The certificate is world-readable, the key 0600. NULL on failure (ERR_IO, ERR_INTERNAL). */
struct ca *ca_open(const char *cert_path, const char *key_path, struct err *e);
void ca_close(struct ca *ca); /* NULL is fine */

/* A certificate with its private key, both PEM. */
struct ca_pair {
    char *cert, *key;
};
/*
 * A server certificate with subject CN=`name` (cut at 64 bytes) and subjectAltName IP:`address` and DNS:`address`, plus
 * DNS:localhost when asked: Node clients verify against "localhost" when the host is an address. `address` must be an IP literal.
 */
bool ca_issue(struct ca *ca, const char *name, const char *address, bool localhost, struct ca_pair *out, struct err *e);
void ca_pair_release(struct ca_pair *pair); /* the key is overwritten */
/* The PEM certificate was signed by this CA, carries this IP and has more than a year left. */
bool ca_signed(struct ca *ca, const char *cert_pem, const char *address);

#endif
