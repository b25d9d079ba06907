/* The login responder: its messages, whatever a stranger sends, its limits, its ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/xalloc.h"
#include "fuzz_ldap.h"
#include "workspace/ca.h"
#include "workspace/ldap.h"

/* ---- messages ------------------------------------------------------------------------------------------------------- */

enum { ROOM = 70000 };

/* Definite lengths in their shortest form. Returns how many bytes were written. */
static size_t put_tlv(uint8_t *out, uint8_t tag, const void *value, size_t len)
{
    size_t n = 0;
    out[n++] = tag;
    if (len < 128) {
        out[n++] = (uint8_t)len;
    } else if (len < 65536) {
        out[n++] = 0x82;
        out[n++] = (uint8_t)(len >> 8);
        out[n++] = (uint8_t)len;
    } else {
        out[n++] = 0x83;
        out[n++] = (uint8_t)(len >> 16);
        out[n++] = (uint8_t)(len >> 8);
        out[n++] = (uint8_t)len;
    }
    memmove(out + n, value, len);
    return n + len;
}

static size_t bind_message(uint8_t *out, int version, const char *name, uint8_t method, const char *password, size_t len)
{
    static uint8_t op[ROOM + 100], body[ROOM + 100];
    uint8_t v = (uint8_t)version, id = 7;
    size_t n = put_tlv(op, 0x02, &v, 1);
    n += put_tlv(op + n, 0x04, name, strlen(name));
    n += put_tlv(op + n, method, password, len);
    size_t m = put_tlv(body, 0x02, &id, 1);
    m += put_tlv(body + m, 0x60, op, n);
    return put_tlv(out, 0x30, body, m);
}

static void test_bind_request(void **state)
{
    (void)state;
    uint8_t m[ROOM];
    struct ldap_request r;
    size_t len = bind_message(m, 3, "abc-1:learner@example.com", 0x80, "secret", 6);
    assert_int_equal(ldap_message_size(m, len), len);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(ldap_message_size(m, i), 0);
    ldap_message_parse(m, len, &r);
    assert_int_equal(r.kind, LDAP_BIND);
    assert_int_equal(r.id, 7);
    assert_true(r.simple);
    assert_int_equal(r.name_len, 25);
    assert_memory_equal(r.name, "abc-1:learner@example.com", 25);
    assert_int_equal(r.password_len, 6);
    assert_memory_equal(r.password, "secret", 6);
    ldap_message_parse(m, len - 1, &r);
    assert_int_equal(r.kind, LDAP_BAD);
}

static void test_other_requests(void **state)
{
    (void)state;
    uint8_t m[ROOM], unbind[] = {0x30, 5, 2, 1, 9, 0x42, 0}, search[] = {0x30, 7, 2, 1, 9, 0x63, 2, 4, 0};
    struct ldap_request r;
    ldap_message_parse(m, bind_message(m, 3, "a:b", 0xa3, "", 0), &r); /* SASL */
    assert_true(r.kind == LDAP_BIND && !r.simple);
    ldap_message_parse(m, bind_message(m, 2, "a:b", 0x80, "x", 1), &r); /* LDAP version 2 */
    assert_true(r.kind == LDAP_BIND && !r.simple);
    ldap_message_parse(unbind, sizeof unbind, &r);
    assert_int_equal(r.kind, LDAP_UNBIND);
    ldap_message_parse(search, sizeof search, &r);
    assert_int_equal(r.kind, LDAP_OTHER);
}

static void test_sizes(void **state)
{
    (void)state;
    const uint8_t not_sequence[] = {0x31, 1}, indefinite[] = {0x30, 0x80}, five[] = {0x30, 0x85, 0, 0, 0, 0, 1};
    const uint8_t huge[] = {0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, at_cap[] = {0x30, 0x83, 0x00, 0xff, 0xfb};
    const uint8_t over[] = {0x30, 0x83, 0x00, 0xff, 0xfc};
    assert_int_equal(ldap_message_size(not_sequence, 2), -1);
    assert_int_equal(ldap_message_size(indefinite, 2), -1);
    assert_int_equal(ldap_message_size(five, 7), -1);
    assert_int_equal(ldap_message_size(huge, 6), -1);
    assert_int_equal(ldap_message_size(at_cap, 5), LDAP_MESSAGE_MAX);
    assert_int_equal(ldap_message_size(over, 5), -1);
}

static void test_names(void **state)
{
    (void)state;
    char uid[64], user[256], longest[400];
    static const char *const bad[] = {"", ":", "a:", ":b", "nocolon", "A:b", "a b:c", "a,b:c"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(ldap_name_split(bad[i], strlen(bad[i]), uid, user));
    assert_true(ldap_name_split("u-1:a:b,dc=c", 12, uid, user));
    assert_string_equal(uid, "u-1");
    assert_string_equal(user, "a:b,dc=c");
    assert_false(ldap_name_split("u:a\0b", 5, uid, user));
    memset(longest, 'x', sizeof longest);
    longest[63] = ':';
    assert_true(ldap_name_split(longest, 64 + 255, uid, user));
    assert_false(ldap_name_split(longest, 64 + 256, uid, user));
    longest[63] = 'x';
    longest[64] = ':';
    assert_false(ldap_name_split(longest, 70, uid, user));
}

static void test_response(void **state)
{
    (void)state;
    static const uint8_t want[] = {0x30, 19, 2, 1, 7, 0x61, 14, 10, 1, 49, 4, 0, 4, 7, 'r', 'e', 'f', 'u', 's', 'e', 'd'};
    struct buf b;
    buf_init(&b, 100);
    assert_true(ldap_message_bind_response(7, LDAP_RESULT_INVALID_CREDENTIALS, "refused", &b));
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.data, want, sizeof want);
    buf_release(&b);
    buf_init(&b, 5);
    assert_false(ldap_message_bind_response(7, LDAP_RESULT_SUCCESS, "", &b));
    buf_release(&b);
}

/* The fuzz target over good messages that are cut, stretched and changed; same bytes each time. */
static void test_fuzz(void **state)
{
    (void)state;
    static uint8_t m[ROOM], copy[ROOM];
    uint32_t seed = 1;
    for (int round = 0; round < 40000; round++) {
        size_t len = bind_message(m, 3, "abc:learner@example.com", round % 3 ? 0x80 : 0xa3, "secret", 6);
        memcpy(copy, m, len);
        for (int changes = 0; changes < 1 + round % 4; changes++) {
            seed = seed * 1664525u + 1013904223u;
            size_t at = (seed >> 8) % len;
            if (round % 5 == 4)
                copy[at] = (uint8_t)(copy[at] + 1);
            else
                copy[at] = (uint8_t)(seed >> 24);
        }
        LLVMFuzzerTestOneInput(copy, round % 7 ? len : (size_t)round % len);
    }
}

/* ---- the responder ---------------------------------------------------------------------------------------------------- */

static struct ldaps *server;
static SSL_CTX *client_tls;
static struct ca *ca;
static struct ca_pair pair;
static char dir[] = "/tmp/lb-ldap-XXXXXX";
static atomic_int asked;
static atomic_bool slow;

static bool decide(void *self, const char *user, const char *token, size_t len, const char *uid, struct err *e)
{
    (void)self;
    atomic_fetch_add(&asked, 1);
    while (atomic_load(&slow))
        poll(NULL, 0, 1);
    if (strcmp(user, "learner@example.com") == 0 && strcmp(uid, "u-1") == 0 && len == strlen(token) &&
        strncmp(token, "good", 4) == 0)
        return true;
    return err_set(e, ERR_LOGIN, "no");
}

static void open_server(int timeout_ms)
{
    struct err e;
    err_init(&e);
    struct ldaps_options o = {.cert_pem = pair.cert, .key_pem = pair.key, .login = decide, .timeout_ms = timeout_ms};
    server = ldaps_open(&o, &e);
    assert_non_null(server);
}

static int set_up(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    signal(SIGPIPE, SIG_IGN); /* ours as a client; the responder must not need it */
    if (!mkdtemp(dir))
        return -1;
    char *cert = xasprintf("%s/ca.crt", dir), *key = xasprintf("%s/ca.key", dir);
    ca = ca_open(cert, key, &e);
    client_tls = SSL_CTX_new(TLS_client_method());
    int ok = ca && ca_issue(ca, "responder", "127.0.0.1", false, &pair, &e) &&
             SSL_CTX_load_verify_locations(client_tls, cert, NULL);
    SSL_CTX_set_verify(client_tls, SSL_VERIFY_PEER, NULL);
    free(cert);
    free(key);
    return ok ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    ca_pair_release(&pair);
    ca_close(ca);
    SSL_CTX_free(client_tls);
    return fs_remove_tree(dir, &e) ? 0 : -1;
}

static int start_server(void **state)
{
    (void)state;
    open_server(0);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    ldaps_close(server);
    return 0;
}

static int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)ldaps_port(server))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static SSL *dial_tls(void)
{
    SSL *ssl = SSL_new(client_tls);
    SSL_set_fd(ssl, dial());
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1");
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

static void hang_up(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    close(fd);
}

/* The result code of a bind; -1: the responder hung up. */
static int send_bind(SSL *ssl, const char *name, const char *password, size_t len)
{
    static uint8_t m[ROOM * 2];
    uint8_t answer[200];
    size_t n = bind_message(m, 3, name, 0x80, password, len);
    if (SSL_write(ssl, m, (int)n) <= 0 || SSL_read(ssl, answer, sizeof answer) <= 9)
        return -1;
    assert_int_equal(answer[4], 7);
    assert_int_equal(answer[5], 0x61);
    return answer[9];
}

static int bind_once(const char *name, const char *password)
{
    SSL *ssl = dial_tls();
    int result = send_bind(ssl, name, password, strlen(password));
    hang_up(ssl);
    return result;
}

static void test_answers(void **state)
{
    (void)state;
    assert_int_equal(bind_once("u-1:learner@example.com", "good"), LDAP_RESULT_SUCCESS);
    assert_int_equal(bind_once("u-1:learner@example.com", "bad"), LDAP_RESULT_INVALID_CREDENTIALS);
    assert_int_equal(bind_once("u-2:learner@example.com", "good"), LDAP_RESULT_INVALID_CREDENTIALS);
    int before = atomic_load(&asked);
    assert_int_equal(bind_once("u-1:learner@example.com", ""), LDAP_RESULT_UNWILLING);
    assert_int_equal(bind_once("", ""), LDAP_RESULT_UNWILLING);
    assert_int_equal(bind_once("learner@example.com", "good"), LDAP_RESULT_INVALID_CREDENTIALS);
    assert_int_equal(atomic_load(&asked), before);
    SSL *ssl = dial_tls();
    assert_int_equal(send_bind(ssl, "u-1:learner@example.com", "good\0x", 6), LDAP_RESULT_INVALID_CREDENTIALS);
    assert_int_equal(send_bind(ssl, "u-1:learner@example.com", "good", 4), LDAP_RESULT_SUCCESS);
    hang_up(ssl);
}

static void test_size_cap(void **state)
{
    (void)state;
    static char big[ROOM];
    memset(big, 'x', sizeof big);
    memcpy(big, "good", 4);

    SSL *ssl = dial_tls();
    size_t fits = LDAP_MESSAGE_MAX - 64;
    static uint8_t m[ROOM * 2];
    while (bind_message(m, 3, "u-1:learner@example.com", 0x80, big, fits) > LDAP_MESSAGE_MAX)
        fits--;
    while (bind_message(m, 3, "u-1:learner@example.com", 0x80, big, fits + 1) <= LDAP_MESSAGE_MAX)
        fits++;
    assert_int_equal(send_bind(ssl, "u-1:learner@example.com", big, fits), LDAP_RESULT_SUCCESS);
    assert_int_equal(send_bind(ssl, "u-1:learner@example.com", big, fits + 1), -1);
    hang_up(ssl);
}

static void test_guesses_are_few(void **state)
{
    (void)state;
    SSL *ssl = dial_tls();
    int n = 0;
    while (n < 100 && send_bind(ssl, "u-1:learner@example.com", "bad", 3) >= 0)
        n++;
    assert_in_range(n, 1, 10);
    hang_up(ssl);
}

/* Garbage before, instead of and after the handshake; then a good login still works. */
static void test_garbage(void **state)
{
    (void)state;
    char junk[3000];
    for (int i = 0; i < 60; i++) {
        memset(junk, i * 7, sizeof junk);
        if (i % 3 == 0) {
            int fd = dial();
            ssize_t n = write(fd, junk, (size_t)(i * 40));
            (void)n;
            close(fd);
        } else {
            SSL *ssl = dial_tls();
            junk[0] = i % 2 ? 0x30 : junk[0];
            SSL_write(ssl, junk, i * 40 + 1);
            hang_up(ssl);
        }
    }
    assert_int_equal(bind_once("u-1:learner@example.com", "good"), LDAP_RESULT_SUCCESS);
}

static bool is_closed(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};
    char c;
    return poll(&p, 1, ms) == 1 && read(fd, &c, 1) <= 0;
}

/* Who says nothing, or little by little, is cut off. */
static void test_silence(void **state)
{
    (void)state;
    open_server(150);
    int64_t start = clock_mono_ms();
    int silent = dial();
    SSL *ssl = dial_tls();
    uint8_t m[200];
    size_t n = bind_message(m, 3, "u-1:learner@example.com", 0x80, "good", 4);
    for (size_t i = 0; i + 1 < n && SSL_write(ssl, m + i, 1) == 1; i++)
        poll(NULL, 0, 10);
    assert_true(is_closed(silent, 20000));
    uint8_t answer[10];
    assert_true(SSL_read(ssl, answer, sizeof answer) <= 0);
    assert_true(clock_mono_ms() - start >= 150); /* a connection has its time */
    hang_up(ssl);
    close(silent);
    ldaps_close(server);
}

/* More silent strangers than there are places: a login waits for one of them to be cut off. */
static void test_crowd(void **state)
{
    (void)state;
    int fd[200];
    open_server(300);
    for (size_t i = 0; i < ARRAY_LEN(fd); i++)
        fd[i] = dial();
    assert_int_equal(bind_once("u-1:learner@example.com", "good"), LDAP_RESULT_SUCCESS);
    for (size_t i = 0; i < ARRAY_LEN(fd); i++)
        close(fd[i]);
    ldaps_close(server);
}

/* They have all day, also behind a handshake; a login does not wait that long. */
static void test_crowd_that_stays(void **state)
{
    (void)state;
    SSL *polite[32];
    int fd[32];
    open_server(24 * 3600 * 1000);
    for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
        fd[i] = dial();
        polite[i] = dial_tls();
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(bind_once("u-1:learner@example.com", "good"), LDAP_RESULT_SUCCESS);
    for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
        close(fd[i]);
        hang_up(polite[i]);
    }
    ldaps_close(server);
}

static void *bind_in_thread(void *arg)
{
    SSL *ssl = arg;
    send_bind(ssl, "u-1:learner@example.com", "good", 4);
    return NULL;
}

/* Closing ends what is under way: connections in silence at once, a decision when it is made. */
static void test_close_under_way(void **state)
{
    (void)state;
    pthread_t thread;
    open_server(0);
    int silent = dial();
    SSL *idle = dial_tls(), *busy = dial_tls();
    int before = atomic_load(&asked);
    atomic_store(&slow, true);
    pthread_create(&thread, NULL, bind_in_thread, busy);
    while (atomic_load(&asked) == before)
        poll(NULL, 0, 1);
    atomic_store(&slow, false);
    ldaps_close(server);
    assert_true(is_closed(silent, 0));
    pthread_join(thread, NULL);
    hang_up(idle);
    hang_up(busy);
    close(silent);
}

static void test_port_taken(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    struct ldaps_options o = {.cert_pem = pair.cert, .key_pem = pair.key, .login = decide, .port = ldaps_port(server)};
    struct ldaps *other = ldaps_open(&o, &e);
    assert_non_null(other);
    assert_int_not_equal(ldaps_port(other), ldaps_port(server));
    ldaps_close(other);
    o.key_pem = "no key";
    assert_null(ldaps_open(&o, &e));
    assert_int_equal(e.code, ERR_INTERNAL);
}

static void test_old_tls(void **state)
{
    (void)state;
    SSL *ssl = SSL_new(client_tls);
    SSL_set_fd(ssl, dial());
    SSL_set_security_level(ssl, 0);
    SSL_set_min_proto_version(ssl, TLS1_VERSION);
    SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
    assert_int_not_equal(SSL_connect(ssl), 1);
    ERR_clear_error();
    hang_up(ssl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bind_request),
        cmocka_unit_test(test_other_requests),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_response),
        cmocka_unit_test(test_fuzz),
        cmocka_unit_test_setup_teardown(test_answers, start_server, stop_server),
        cmocka_unit_test_setup_teardown(test_size_cap, start_server, stop_server),
        cmocka_unit_test_setup_teardown(test_guesses_are_few, start_server, stop_server),
        cmocka_unit_test_setup_teardown(test_garbage, start_server, stop_server),
        cmocka_unit_test_setup_teardown(test_port_taken, start_server, stop_server),
        cmocka_unit_test_setup_teardown(test_old_tls, start_server, stop_server),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_crowd_that_stays),
        cmocka_unit_test(test_close_under_way),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
