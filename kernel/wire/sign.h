/*
 * Message signatures: HMAC-SHA256 over the four JSON frames as they came, and the memory of
 * signatures seen, so that a message cannot be replayed. Source: Jupyter messaging protocol, "The
 * wire protocol". One thread only.
 */
#ifndef WIRE_SIGN_H
#define WIRE_SIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "wire/frame.h"

enum { SIGN_HEX = 64, SIGN_PARTS = 4, SIGN_REMEMBERED = 32768 };

struct signer;

/* key "": sign with an empty frame and accept everything. NULL with ERR_INTERNAL when libcrypto
 * refuses. */
struct signer *signer_new(const char *key, struct err *e);
void signer_free(struct signer *s);
/* Lower-case hex and a NUL; "" without a key. */
void signer_sign(struct signer *s, const struct frame parts[SIGN_PARTS], char hex[SIGN_HEX + 1]);
/* ERR_PERMISSION: unsigned, of the wrong length, wrong, or seen before (the last SIGN_REMEMBERED at
 * least). */
bool signer_verify(struct signer *s, struct frame signature, const struct frame parts[SIGN_PARTS],
                   struct err *e);

#endif
