/*
 * Signed tokens (see tokens.h). The signature is checked before one byte of the payload is parsed, and the header must be
 * exactly ours, so that no other algorithm can be asked for.
 */
#include "workspace/tokens.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/xalloc.h"

#define AUD_DATABASE "databricks-database"
#define AUD_API "databricks-workspace-api"

enum { KEY_BITS = 2048, MAX_KEY_FILE = 16384, CLOCK_SLACK_S = 60 };

static const char header_json[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";

struct tokens {
    EVP_PKEY *key;
    char *issuer;
    char *header; /* header_json in base64url */
    int life_s;
};

/* ---- base64url without padding (RFC 7515 §2) ---- */

static char *b64_encode(const void *data, size_t len)
{
    char *out = xmalloc(4 * ((len + 2) / 3) + 1);
    int n = EVP_EncodeBlock((unsigned char *)out, data, (int)len);
    while (n > 0 && out[n - 1] == '=')
        n--;
    out[n] = '\0';
    for (char *p = out; *p; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
    return out;
}

/* NULL: not base64url. Caller frees. */
static unsigned char *b64_decode(const char *text, size_t len, size_t *out_len)
{
    size_t padded = (len + 3) / 4 * 4;
    unsigned char *in = xmalloc(padded + 1), *out = xmalloc(padded + 1);
    bool ok = len % 4 != 1 && len > 0;
    for (size_t i = 0; i < padded; i++) {
        char c = i < len ? text[i] : '=';
        ok = ok && (i >= len || (c != '+' && c != '/' && c != '='));
        in[i] = (unsigned char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    int n = ok ? EVP_DecodeBlock(out, in, (int)padded) : -1;
    free(in);
    if (n < 0) {
        free(out);
        return NULL;
    }
    *out_len = (size_t)n - (padded - len);
    out[*out_len] = '\0';
    return out;
}

/* ---- the key ---- */

static EVP_PKEY *make_key(const char *path, struct err *e)
{
    EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    bool ok = key && bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    long n = ok ? BIO_get_mem_data(bio, &pem) : 0;
    ok = ok ? fs_write_atomic(path, pem, (size_t)n, 0600, e) : err_set(e, ERR_INTERNAL, "cannot make a signing key");
    if (pem)
        explicit_bzero(pem, (size_t)n);
    BIO_free(bio);
    if (ok)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *read_key(const char *path, struct err *e)
{
    struct buf pem;
    struct err why = {0};
    buf_init(&pem, MAX_KEY_FILE);
    EVP_PKEY *key = NULL;
    if (fs_read(path, &pem, &why)) {
        BIO *bio = BIO_new_mem_buf(buf_str(&pem), (int)pem.len);
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        BIO_free(bio);
        if (!key || EVP_PKEY_base_id(key) != EVP_PKEY_RSA) {
            EVP_PKEY_free(key);
            key = NULL;
            err_set(e, ERR_CONFIG, "'%s' is not an RSA key in PEM form", path);
        }
    } else if (err_is(&why, ERR_NOT_FOUND)) {
        key = make_key(path, e);
    } else {
        *e = why;
    }
    buf_release_secret(&pem);
    return key;
}

static bool read_life(int *out, struct err *e)
{
    const char *text = getenv("LAKEBASE_TOKEN_SECONDS");
    char *end = NULL;
    long n = text && *text ? strtol(text, &end, 10) : TOKEN_LIFE_S;
    *out = (int)n;
    if (n >= TOKEN_LIFE_LEAST_S && n <= TOKEN_LIFE_S && (!end || !*end))
        return true;
    return err_set(e, ERR_CONFIG, "LAKEBASE_TOKEN_SECONDS is a number from %d to %d, not '%.40s'", TOKEN_LIFE_LEAST_S, TOKEN_LIFE_S,
                   text);
}

int tokens_life_s(const struct tokens *t) { return t->life_s; }

struct tokens *tokens_open(const char *key_path, const char *issuer, struct err *e)
{
    int life;
    EVP_PKEY *key = read_life(&life, e) ? read_key(key_path, e) : NULL;
    if (!key)
        return NULL;
    struct tokens *t = xcalloc(1, sizeof *t);
    t->key = key;
    t->life_s = life;
    t->issuer = xstrdup(issuer);
    t->header = b64_encode(header_json, sizeof header_json - 1);
    return t;
}

void tokens_close(struct tokens *t)
{
    if (!t)
        return;
    EVP_PKEY_free(t->key);
    free(t->issuer);
    free(t->header);
    free(t);
}

/* ---- making ---- */

static char *sign(const struct tokens *t, json_t *claims)
{
    char *json = jx_dump(claims);
    json_decref(claims);
    char *payload = b64_encode(json, strlen(json));
    char *head = xasprintf("%s.%s", t->header, payload);
    unsigned char signature[KEY_BITS / 8 * 4];
    size_t n = sizeof signature;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (!md || EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, t->key) != 1 ||
        EVP_DigestSign(md, signature, &n, (const unsigned char *)head, strlen(head)) != 1)
        bug("cannot sign a token");
    EVP_MD_CTX_free(md);
    char *tail = b64_encode(signature, n);
    char *token = xasprintf("%s.%s", head, tail);
    free(json);
    free(payload);
    xfree_secret(head);
    free(tail);
    return token;
}

static json_t *claims_of(const struct tokens *t, const char *subject, const char *audience, int64_t now)
{
    char id[37];
    ids_uuid(id);
    json_t *c = json_object();
    json_object_set_new(c, "iss", jx_str(t->issuer));
    json_object_set_new(c, "sub", jx_str(subject));
    json_object_set_new(c, "aud", jx_str(audience));
    json_object_set_new(c, "iat", json_integer(now));
    json_object_set_new(c, "exp", json_integer(now + t->life_s));
    json_object_set_new(c, "jti", jx_str(id));
    return c;
}

char *tokens_database_for(const struct tokens *t, const char *user, const struct token_instance *instances, size_t n,
                          int64_t now, int life_s)
{
    json_t *c = claims_of(t, user, AUD_DATABASE, now), *named = json_object();
    if (life_s < t->life_s)
        json_object_set_new(c, "exp", json_integer(now + life_s));
    for (size_t i = 0; i < n; i++)
        json_object_set_new(named, instances[i].name, jx_str(instances[i].uid));
    json_object_set_new(c, "instances", named);
    return sign(t, c);
}

char *tokens_database(const struct tokens *t, const char *user, const struct token_instance *instances, size_t n,
                      int64_t now)
{
    return tokens_database_for(t, user, instances, n, now, t->life_s);
}

char *tokens_oauth(const struct tokens *t, const char *client_id, int64_t now)
{
    json_t *c = claims_of(t, client_id, AUD_API, now);
    json_object_set_new(c, "client_id", jx_str(client_id));
    json_object_set_new(c, "scope", json_string("all-apis"));
    return sign(t, c);
}

/* ---- checking ---- */

static bool signature_holds(const struct tokens *t, const char *token, size_t signed_len, const char *tail,
                            size_t tail_len)
{
    size_t n = 0;
    unsigned char *signature = b64_decode(tail, tail_len, &n);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = signature && md && EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, t->key) == 1 &&
              EVP_DigestVerify(md, signature, n, (const unsigned char *)token, signed_len) == 1;
    EVP_MD_CTX_free(md);
    free(signature);
    return ok;
}

/* The claims of a token that we signed and that is not over; NULL with the reason. */
static json_t *open_token(const struct tokens *t, const char *token, size_t len, int64_t now, struct err *e)
{
    size_t head = strlen(t->header);
    const char *last = len <= TOKEN_MAX ? memrchr(token, '.', len) : NULL;
    if (!last || len <= head || memcmp(token, t->header, head) != 0 || token[head] != '.' || last <= token + head) {
        err_set(e, ERR_LOGIN, "this is not a token of this workspace");
        return NULL;
    }
    if (!signature_holds(t, token, (size_t)(last - token), last + 1, len - (size_t)(last - token) - 1)) {
        err_set(e, ERR_LOGIN, "the token's signature does not hold: made elsewhere, or changed");
        return NULL;
    }
    size_t n = 0;
    const char *payload = token + head + 1;
    unsigned char *json = b64_decode(payload, (size_t)(last - payload), &n);
    json_t *c = json ? jx_parse((char *)json, n, TOKEN_MAX, e) : NULL;
    free(json);
    int64_t until = jx_get_int(c, "exp", 0), from = jx_get_int(c, "iat", INT64_MAX);
    if (!c)
        err_set(e, ERR_LOGIN, "the token has no claims");
    else if (strcmp(jx_get_str(c, "iss", ""), t->issuer) != 0)
        err_set(e, ERR_LOGIN, "the token was issued by another workspace");
    else if (now >= until)
        err_set(e, ERR_LOGIN, "the token expired %lld s ago", (long long)(now - until));
    else if (from > now + CLOCK_SLACK_S)
        err_set(e, ERR_LOGIN, "the token is not valid yet");
    else
        return c;
    json_decref(c);
    return NULL;
}

bool tokens_check_bearer(const struct tokens *t, const char *token, size_t len, int64_t now, char subject[256],
                         struct err *e)
{
    struct err why = {0};
    json_t *c = open_token(t, token, len, now, &why);
    if (c && strcmp(jx_get_str(c, "aud", ""), AUD_API) != 0)
        err_set(&why, ERR_LOGIN, "the token is a database credential, not one for the API");
    const char *sub = jx_get_str(c, "sub", "");
    err_copy(subject, 256, sub, strlen(sub));
    json_decref(c);
    return !why.code || err_set(e, ERR_UNAUTHENTICATED, "%s", why.text);
}

static bool names_instance(const json_t *claims, const char *uid)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(claims, "instances"), name, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), uid) == 0)
            return true;
    }
    return false;
}

bool tokens_check_login(const struct tokens *t, const char *token, size_t len, const char *user,
                        const char *instance_uid, int64_t now, struct err *e)
{
    if (len >= 4 && memcmp(token, "dapi", 4) == 0)
        return err_set(e, ERR_LOGIN, "a personal access token is not a database credential");
    json_t *c = open_token(t, token, len, now, e);
    if (!c)
        return false;
    const char *aud = jx_get_str(c, "aud", "");
    bool ok = true;
    if (strcmp(jx_get_str(c, "sub", ""), user) != 0)
        ok = err_set(e, ERR_LOGIN, "the token is of another user than the login's '%.200s'", user);
    else if (strcmp(aud, AUD_DATABASE) == 0)
        ok = names_instance(c, instance_uid) || err_set(e, ERR_LOGIN, "the token is for other instances");
    else if (strcmp(aud, AUD_API) != 0)
        ok = err_set(e, ERR_LOGIN, "the token is for something else ('%.100s')", aud);
    json_decref(c);
    return ok;
}

void tokens_sha256(const char *text, size_t len, char out[65])
{
    unsigned char digest[32];
    if (EVP_Digest(text, len, digest, NULL, EVP_sha256(), NULL) != 1)
        bug("cannot make a digest");
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

bool tokens_same(const char *a, const char *b)
{
    size_t n = strlen(a);
    return n == strlen(b) && CRYPTO_memcmp(a, b, n) == 0;
}
