/* The certificate authority (see ca.h). Not a general one: no revocation, no intermediate, servers only. */
#include "workspace/ca.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/utf8.h"
#include "base/xalloc.h"

enum { DAY = 86400, CA_DAYS = 7300, LEAF_DAYS = 3650, LEFT_DAYS = 365, PEM_MAX = 65536 };

struct ca {
    X509 *cert;
    EVP_PKEY *key;
};

/* OpenSSL keeps a queue of reasons by thread: take the first, forget the rest. */
static bool fail(struct err *e, const char *what)
{
    char why[256] = "no reason given";
    unsigned long code = ERR_get_error();
    if (code)
        ERR_error_string_n(code, why, sizeof why);
    ERR_clear_error();
    return err_set(e, ERR_INTERNAL, "cannot %s: %s", what, why);
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    return ok;
}

static bool set_serial(X509 *cert)
{
    unsigned char raw[16];
    if (RAND_bytes(raw, sizeof raw) != 1)
        return false;
    raw[0] &= 0x7f; /* positive */
    raw[0] |= 0x40; /* and always 16 bytes */
    BIGNUM *n = BN_bin2bn(raw, sizeof raw, NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
    return ok;
}

/* What both kinds share. A day of the past in validity forgives clocks that disagree. */
static X509 *new_cert(EVP_PKEY *key, const char *cn, long days)
{
    X509 *cert = X509_new();
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;
    const unsigned char *text = (const unsigned char *)cn;
    int len = (int)utf8_floor(cn, strlen(cn), 64);
    if (cert && X509_set_version(cert, 2) && set_serial(cert) && X509_gmtime_adj(X509_getm_notBefore(cert), -DAY) &&
        X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL) && X509_set_pubkey(cert, key) &&
        X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"Lakebase local workspace", -1, -1,
                                   0) &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, len, -1, 0))
        return cert;
    X509_free(cert);
    return NULL;
}

static X509 *new_root(EVP_PKEY *key)
{
    X509 *cert = new_cert(key, "Lakebase local workspace CA", CA_DAYS);
    if (cert && X509_set_issuer_name(cert, X509_get_subject_name(cert)) &&
        add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(cert, cert, NID_subject_key_identifier, "hash") && X509_sign(cert, key, EVP_sha256()))
        return cert;
    X509_free(cert);
    return NULL;
}

static char *bio_text(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    return xstrndup(data, len > 0 ? (size_t)len : 0);
}

static bool to_pem(X509 *cert, EVP_PKEY *key, struct ca_pair *out, struct err *e)
{
    BIO *c = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_secmem());
    bool ok = c && k && PEM_write_bio_X509(c, cert) && PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL);
    if (ok)
        *out = (struct ca_pair){bio_text(c), bio_text(k)};
    else
        fail(e, "write a certificate as PEM");
    BIO_free(c);
    BIO_free(k);
    return ok;
}

void ca_pair_release(struct ca_pair *pair)
{
    free(pair->cert);
    xfree_secret(pair->key);
    *pair = (struct ca_pair){NULL, NULL};
}

static X509 *parse_cert(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return cert;
}

static bool lasts(const X509 *cert)
{
    time_t then = time(NULL) + (time_t)LEFT_DAYS * DAY;
    return X509_cmp_time(X509_get0_notAfter(cert), &then) > 0;
}

/* A file that is not there is no error; one that cannot be read is: its key may be good, so nothing is overwritten. */
static bool read_pem(const char *path, struct buf *out, struct err *e)
{
    struct err why;
    err_init(&why);
    if (fs_read(path, out, &why))
        return true;
    if (!err_is(&why, ERR_NOT_FOUND))
        *e = why;
    return false;
}

/* true: *ca is filled. false without an error: make a new one. */
static bool load(struct ca *ca, const char *cert_path, const char *key_path, struct err *e)
{
    struct buf cert, key;
    buf_init(&cert, PEM_MAX);
    buf_init(&key, PEM_MAX);
    if (read_pem(cert_path, &cert, e) && read_pem(key_path, &key, e)) {
        BIO *bio = BIO_new_mem_buf(buf_str(&key), -1);
        ca->cert = parse_cert(buf_str(&cert));
        ca->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
        BIO_free(bio);
        ERR_clear_error();
    }
    buf_release(&cert);
    buf_release_secret(&key);
    if (ca->cert && ca->key && X509_check_private_key(ca->cert, ca->key) == 1 && lasts(ca->cert))
        return true;
    ERR_clear_error();
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
    *ca = (struct ca){NULL, NULL};
    return false;
}

static bool make(struct ca *ca, const char *cert_path, const char *key_path, struct err *e)
{
    ca->key = EVP_EC_gen("P-256");
    ca->cert = ca->key ? new_root(ca->key) : NULL;
    struct ca_pair pem;
    if (!ca->cert)
        return fail(e, "make the certificate authority");
    if (!to_pem(ca->cert, ca->key, &pem, e))
        return false;
    /* The key first: a certificate without its key makes us start over, which is what a crash between should do. */
    bool ok = fs_write_atomic(key_path, pem.key, strlen(pem.key), 0600, e) &&
              fs_write_atomic(cert_path, pem.cert, strlen(pem.cert), 0644, e);
    ca_pair_release(&pem);
    return ok;
}

struct ca *ca_open(const char *cert_path, const char *key_path, struct err *e)
{
    struct ca *ca = xcalloc(1, sizeof *ca);
    if (load(ca, cert_path, key_path, e) || (err_is(e, ERR_NONE) && make(ca, cert_path, key_path, e)))
        return ca;
    ca_close(ca);
    return NULL;
}

void ca_close(struct ca *ca)
{
    if (!ca)
        return;
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
    free(ca);
}

/* Is it an address, and nothing else? The text goes into OpenSSL's little extension language. */
static bool is_address(const char *address)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(address);
    ASN1_OCTET_STRING_free(ip);
    ERR_clear_error();
    return ip != NULL;
}

static X509 *new_leaf(struct ca *ca, EVP_PKEY *key, const char *name, const char *address, bool localhost)
{
    char san[192]; /* as a name, too: libpq before 15 knows no addresses in certificates */
    snprintf(san, sizeof san, "IP:%s,DNS:%s%s", address, address, localhost ? ",DNS:localhost" : "");
    X509 *cert = new_cert(key, name, LEAF_DAYS);
    if (cert && X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)) &&
        add_extension(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(cert, ca->cert, NID_key_usage, "critical,digitalSignature") &&
        add_extension(cert, ca->cert, NID_ext_key_usage, "serverAuth") &&
        add_extension(cert, ca->cert, NID_subject_alt_name, san) &&
        add_extension(cert, ca->cert, NID_authority_key_identifier, "keyid") && X509_sign(cert, ca->key, EVP_sha256()))
        return cert;
    X509_free(cert);
    return NULL;
}

bool ca_issue(struct ca *ca, const char *name, const char *address, bool localhost, struct ca_pair *out, struct err *e)
{
    if (!is_address(address))
        return err_set(e, ERR_INVALID_PARAMETER, "'%s' is no IP address", address);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key ? new_leaf(ca, key, name, address, localhost) : NULL;
    bool ok = cert ? to_pem(cert, key, out, e) : fail(e, "make a server certificate");
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

bool ca_signed(struct ca *ca, const char *cert_pem, const char *address)
{
    X509 *cert = parse_cert(cert_pem);
    bool ok = cert && X509_verify(cert, ca->key) == 1 && X509_check_ip_asc(cert, address, 0) == 1 && lasts(cert);
    X509_free(cert);
    ERR_clear_error();
    return ok;
}
