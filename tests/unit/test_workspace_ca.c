/* The certificate authority: what it makes is accepted by OpenSSL as it should be, and survives restarts and bad files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/xalloc.h"
#include "workspace/ca.h"

static char dir[] = "/tmp/lb-ca-XXXXXX", cert_path[64], key_path[64];

static int set_up(void **state)
{
    (void)state;
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    if (!mkdtemp(dir))
        return -1;
    snprintf(cert_path, sizeof cert_path, "%s/ca.crt", dir);
    snprintf(key_path, sizeof key_path, "%s/ca.key", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    return fs_remove_tree(dir, &e) ? 0 : -1;
}

static struct ca *open_ca(void)
{
    struct err e;
    err_init(&e);
    struct ca *ca = ca_open(cert_path, key_path, &e);
    if (!ca)
        fail_msg("%s", e.text);
    return ca;
}

static X509 *parse(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(cert);
    return cert;
}

static char *contents(const char *path)
{
    struct buf b;
    struct err e;
    err_init(&e);
    buf_init(&b, 65536);
    assert_true(fs_read(path, &b, &e));
    return buf_detach(&b);
}

/* 1: accepted as a TLS server for the address (or host) */
static int accepted(const char *leaf_pem, const char *root_pem, const char *ip, const char *host)
{
    X509 *leaf = parse(leaf_pem), *root = parse(root_pem);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, root);
    X509_STORE_CTX_init(ctx, store, leaf, NULL);
    X509_STORE_CTX_set_default(ctx, "ssl_server");
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT);
    if (ip)
        X509_VERIFY_PARAM_set1_ip_asc(p, ip);
    if (host)
        X509_VERIFY_PARAM_set1_host(p, host, 0);
    int ok = X509_verify_cert(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(leaf);
    X509_free(root);
    return ok;
}

static void test_certificates(void **state)
{
    (void)state;
    struct err e;
    struct ca_pair a, b;
    err_init(&e);
    struct ca *ca = open_ca();
    char *root = contents(cert_path);
    assert_true(ca_issue(ca, "Lakebase instance lab", "127.66.1.2", true, &a, &e));
    assert_true(ca_issue(ca, "login responder", "127.0.0.1", false, &b, &e));
    assert_int_equal(accepted(a.cert, root, "127.66.1.2", NULL), 1);
    assert_int_equal(accepted(a.cert, root, NULL, "localhost"), 1);
    assert_int_equal(accepted(a.cert, root, "127.0.0.1", NULL), 0);
    assert_int_equal(accepted(b.cert, root, "127.0.0.1", NULL), 1);
    assert_int_equal(accepted(b.cert, root, NULL, "localhost"), 0);
    assert_true(ca_signed(ca, a.cert, "127.66.1.2"));
    assert_false(ca_signed(ca, a.cert, "127.66.1.3"));
    assert_false(ca_signed(ca, "no certificate", "127.66.1.2"));
    X509 *x = parse(a.cert), *y = parse(b.cert);
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get_serialNumber(x), X509_get_serialNumber(y)), 0);
    X509_free(x);
    X509_free(y);
    ca_pair_release(&a);
    ca_pair_release(&b);
    free(root);
    ca_close(ca);
}

static void test_bad_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "localhost", "127.0.0.1,DNS:evil.example", "127.0.0.1\nDNS:x", "1.2.3"};
    struct ca *ca = open_ca();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ca_pair pair;
        struct err e;
        err_init(&e);
        assert_false(ca_issue(ca, "x", bad[i], true, &pair, &e));
        assert_int_equal(e.code, ERR_INVALID_PARAMETER);
    }
    ca_close(ca);
}

/* A name of any length and script becomes a subject of at most 64 bytes. */
static void test_long_name(void **state)
{
    (void)state;
    struct err e;
    struct ca_pair pair;
    char name[300], cn[128];
    err_init(&e);
    struct ca *ca = open_ca();
    for (size_t i = 0; i + 2 < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    name[298] = '\0';
    assert_true(ca_issue(ca, name, "127.0.0.1", false, &pair, &e));
    X509 *x = parse(pair.cert);
    assert_in_range(X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, cn, sizeof cn), 1, 64);
    X509_free(x);
    ca_pair_release(&pair);
    ca_close(ca);
}

static void test_kept_and_private(void **state)
{
    (void)state;
    struct stat st;
    ca_close(open_ca());
    char *first = contents(cert_path);
    ca_close(open_ca());
    char *second = contents(cert_path);
    assert_string_equal(first, second);
    assert_true(stat(key_path, &st) == 0 && (st.st_mode & 0777) == 0600);
    assert_true(stat(cert_path, &st) == 0 && (st.st_mode & 0777) == 0644);
    free(first);
    free(second);
}

/* A crash between the two files, a file cut short, a key of another CA: a new pair, that works. */
static void test_damage(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    for (int i = 0; i < 4; i++) {
        ca_close(open_ca());
        char *before = contents(cert_path);
        if (i == 0)
            unlink(cert_path);
        else if (i == 1)
            unlink(key_path);
        else if (i == 2)
            assert_int_equal(truncate(key_path, 20), 0);
        else
            assert_true(fs_write_atomic(cert_path, "-----BEGIN", 10, 0644, &e));
        struct ca *ca = open_ca();
        struct ca_pair pair;
        char *after = contents(cert_path);
        assert_string_not_equal(before, after);
        assert_true(ca_issue(ca, "x", "127.0.0.1", false, &pair, &e));
        assert_int_equal(accepted(pair.cert, after, "127.0.0.1", NULL), 1);
        ca_pair_release(&pair);
        ca_close(ca);
        free(before);
        free(after);
    }
}

/* What cannot be read may be good: it is not replaced. */
static void test_unreadable(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    assert_int_equal(mkdir(key_path, 0700), 0);
    assert_true(fs_write_atomic(cert_path, "x", 1, 0644, &e));
    assert_null(ca_open(cert_path, key_path, &e));
    assert_int_equal(e.code, ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_certificates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kept_and_private, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unreadable, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
