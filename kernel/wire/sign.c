/* Message signatures (see sign.h). Knows nothing of JSON: it sees frames. */
#include "wire/sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { DIGEST = 32, TAG = 16 };

/* Half of a digest is unique enough to recognise a replay: only messages with a valid signature get
 * here. */
struct tag {
    unsigned char bytes[TAG];
};

/* An open-addressing set; an all-zero slot is free. Two generations of it: when the young one is
 * full, the old one is forgotten, so that between one and two times SIGN_REMEMBERED signatures are
 * known and memory stays small. */
struct generation {
    struct tag *slots;
    size_t cap, count;
};

struct signer {
    EVP_MAC *mac;
    EVP_MAC_CTX *ctx; /* keyed, never fed: each message gets a copy. NULL: no key */
    struct generation young, old;
};

static struct tag *slot_of(const struct generation *g, const struct tag *t)
{
    static const struct tag empty;
    size_t at;
    memcpy(&at, t->bytes, sizeof at);
    for (;; at++) {
        struct tag *slot = &g->slots[at & (g->cap - 1)];
        if (memcmp(slot, t, TAG) == 0 || memcmp(slot, &empty, TAG) == 0)
            return slot;
    }
}

static bool generation_has(const struct generation *g, const struct tag *t)
{
    return g->cap && memcmp(slot_of(g, t), t, TAG) == 0;
}

static void generation_add(struct generation *g, const struct tag *t)
{
    if (g->count * 2 >= g->cap) {
        struct generation bigger = {.cap = g->cap ? g->cap * 2 : 64, .count = g->count};
        static const struct tag empty;
        bigger.slots = xcalloc(bigger.cap, sizeof *bigger.slots);
        for (size_t i = 0; i < g->cap; i++) {
            if (memcmp(&g->slots[i], &empty, TAG) != 0)
                *slot_of(&bigger, &g->slots[i]) = g->slots[i];
        }
        free(g->slots);
        *g = bigger;
    }
    *slot_of(g, t) = *t;
    g->count++;
}

/* false: it is known already. */
static bool remember(struct signer *s, const unsigned char digest[DIGEST])
{
    struct tag t;
    memcpy(t.bytes, digest, TAG);
    if (generation_has(&s->young, &t) || generation_has(&s->old, &t))
        return false;
    if (s->young.count == SIGN_REMEMBERED) {
        free(s->old.slots);
        s->old = s->young;
        s->young = (struct generation){0};
    }
    generation_add(&s->young, &t);
    return true;
}

struct signer *signer_new(const char *key, struct err *e)
{
    struct signer *s = xcalloc(1, sizeof *s);
    if (!*key)
        return s;
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                           OSSL_PARAM_construct_end()};
    s->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    s->ctx = s->mac ? EVP_MAC_CTX_new(s->mac) : NULL;
    if (s->ctx && EVP_MAC_init(s->ctx, (const unsigned char *)key, strlen(key), params))
        return s;
    signer_free(s);
    err_set(e, ERR_INTERNAL, "libcrypto offers no HMAC-SHA256");
    return NULL;
}

void signer_free(struct signer *s)
{
    if (!s)
        return;
    EVP_MAC_CTX_free(s->ctx);
    EVP_MAC_free(s->mac);
    free(s->young.slots);
    free(s->old.slots);
    free(s);
}

static void hmac(struct signer *s, const struct frame parts[SIGN_PARTS],
                 unsigned char digest[DIGEST])
{
    size_t n = 0;
    /* A copy, not EVP_MAC_init(ctx, NULL, 0, NULL): before OpenSSL 3.0.3 (Ubuntu 22.04 has 3.0.2)
     * that does not start over, and the digest is wrong. */
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(s->ctx);
    bool ok = ctx != NULL;
    for (int i = 0; ok && i < SIGN_PARTS; i++)
        ok = EVP_MAC_update(ctx, parts[i].data, parts[i].len);
    if (!ok || !EVP_MAC_final(ctx, digest, &n, DIGEST) || n != DIGEST)
        bug("HMAC-SHA256 failed");
    EVP_MAC_CTX_free(ctx);
}

static void to_hex(const unsigned char digest[DIGEST], char hex[SIGN_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < DIGEST; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[SIGN_HEX] = '\0';
}

void signer_sign(struct signer *s, const struct frame parts[SIGN_PARTS], char hex[SIGN_HEX + 1])
{
    hex[0] = '\0';
    if (!s->ctx)
        return;
    unsigned char digest[DIGEST];
    hmac(s, parts, digest);
    to_hex(digest, hex);
}

bool signer_verify(struct signer *s, struct frame signature, const struct frame parts[SIGN_PARTS],
                   struct err *e)
{
    if (!s->ctx)
        return true;
    if (signature.len == 0)
        return err_set(e, ERR_PERMISSION, "the message is not signed");
    if (signature.len != SIGN_HEX)
        return err_set(e, ERR_PERMISSION, "the signature is not %d hex digits", SIGN_HEX);
    unsigned char digest[DIGEST];
    char hex[SIGN_HEX + 1];
    hmac(s, parts, digest);
    to_hex(digest, hex);
    if (CRYPTO_memcmp(hex, signature.data, SIGN_HEX) != 0)
        return err_set(e, ERR_PERMISSION, "the signature is wrong");
    return remember(s, digest) ||
           err_set(e, ERR_PERMISSION, "the message was received before (a replay)");
}
