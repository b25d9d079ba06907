/* Signed tokens: what is accepted where, and every way to tamper with one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/auth.h"
#include "workspace/store.h"
#include "workspace/tokens.h"

#define NOW 1800000000
#define USER "learner@example.com"
#define UID "11111111-1111-4111-8111-111111111111"
#define OTHER "22222222-2222-4222-8222-222222222222"

static char dir[] = "/tmp/lb-tokens-XXXXXX";
static char key[64], foreign_key[64];
static struct tokens *tokens, *foreign;

static int set_up(void **state)
{
    (void)state;
    struct err e = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(key, sizeof key, "%s/key", dir);
    snprintf(foreign_key, sizeof foreign_key, "%s/foreign", dir);
    tokens = tokens_open(key, "lakebase-workspace:1", &e);
    foreign = tokens_open(foreign_key, "lakebase-workspace:1", &e);
    assert_string_equal(e.text, "");
    return tokens && foreign ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    struct err e = {0};
    tokens_close(tokens);
    tokens_close(foreign);
    return fs_remove_tree(dir, &e) ? 0 : -1;
}

static char *database_token(void)
{
    struct token_instance named[] = {{"demo", UID}, {"quo\"te", OTHER}};
    return tokens_database(tokens, USER, named, 1, NOW);
}

static void login(const char *token, const char *user, const char *uid, int64_t now, const char *why)
{
    struct err e = {0};
    bool ok = tokens_check_login(tokens, token, strlen(token), user, uid, now, &e);
    assert_string_equal(e.text, why);
    assert_int_equal(ok, *why == '\0');
    if (!ok) {
        assert_int_equal(e.code, ERR_LOGIN);
        assert_null(strlen(token) > 20 ? strstr(e.text, token + 20) : NULL);
    }
}

static void a_credential_is_good_for_its_user_and_instances(void **state)
{
    (void)state;
    char *t = database_token();
    login(t, USER, UID, NOW, "");
    login(t, "other@example.com", UID, NOW, "the token is of another user than the login's 'other@example.com'");
    login(t, "LEARNER@example.com", UID, NOW, "the token is of another user than the login's 'LEARNER@example.com'");
    login(t, USER, OTHER, NOW, "the token is for other instances");
    login(t, USER, "", NOW, "the token is for other instances");
    xfree_secret(t);
}

static void a_credential_lives_an_hour(void **state)
{
    (void)state;
    char *t = database_token();
    login(t, USER, UID, NOW + TOKEN_LIFE_S - 1, "");
    login(t, USER, UID, NOW + TOKEN_LIFE_S, "the token expired 0 s ago");
    login(t, USER, UID, NOW + TOKEN_LIFE_S + 100, "the token expired 100 s ago");
    login(t, USER, UID, NOW - 30, ""); /* a clock that was set back a little */
    login(t, USER, UID, NOW - 61, "the token is not valid yet");
    xfree_secret(t);
}

static void two_tokens_are_never_the_same(void **state)
{
    (void)state;
    char *a = database_token(), *b = database_token();
    assert_string_not_equal(a, b);
    login(a, USER, UID, NOW, "");
    login(b, USER, UID, NOW, "");
    xfree_secret(a);
    xfree_secret(b);
}

static void foreign_tokens(void **state)
{
    (void)state;
    struct token_instance named = {"demo", UID};
    char *t = tokens_database(foreign, USER, &named, 1, NOW);
    login(t, USER, UID, NOW, "the token's signature does not hold: made elsewhere, or changed");
    xfree_secret(t);
    /* The same key under another name, as after a copy of a state folder. */
    struct err e = {0};
    struct tokens *copy = tokens_open(key, "lakebase-workspace:2", &e);
    t = tokens_database(copy, USER, &named, 1, NOW);
    login(t, USER, UID, NOW, "the token was issued by another workspace");
    xfree_secret(t);
    tokens_close(copy);
}

/* Every single character, changed: all of them matter. */
static void tampered_tokens(void **state)
{
    (void)state;
    char *t = database_token();
    size_t len = strlen(t);
    for (size_t i = 0; i < len; i++) {
        char was = t[i];
        t[i] = was == 'A' ? 'B' : 'A';
        struct err e = {0};
        bool ok = tokens_check_login(tokens, t, len, USER, UID, NOW, &e);
        /* The last character of a 256-byte signature carries two bits; the others of it are padding. */
        if (ok && i != len - 1)
            fail_msg("character %zu of %zu does not matter", i, len);
        t[i] = was;
    }
    for (size_t cut = 0; cut < len; cut += 7) {
        struct err e = {0};
        assert_false(tokens_check_login(tokens, t, cut, USER, UID, NOW, &e));
    }
    xfree_secret(t);
}

static void things_that_are_no_tokens(void **state)
{
    (void)state;
    static const char none[] = "this is not a token of this workspace";
    char *t = database_token(), *text;
    login("", USER, UID, NOW, none);
    login(".", USER, UID, NOW, none);
    login("..", USER, UID, NOW, none);
    login("a.b.c", USER, UID, NOW, none);
    login("dapi0123456789abcdef0123456789abcdef", USER, UID, NOW, "a personal access token is not a database credential");
    const char *payload = strchr(t, '.') + 1, *tail = strrchr(t, '.');
    /* {"alg":"none","typ":"JWT"}, with and without the signature */
    text = xasprintf("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.%s", payload);
    login(text, USER, UID, NOW, none);
    free(text);
    text = xasprintf("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.%.*s.", (int)(tail - payload), payload);
    login(text, USER, UID, NOW, none);
    free(text);
    text = xasprintf("%.*s.", (int)(tail - t), t);
    login(text, USER, UID, NOW, "the token's signature does not hold: made elsewhere, or changed");
    free(text);
    text = xasprintf("%s.%s", t, tail + 1);
    login(text, USER, UID, NOW, "the token's signature does not hold: made elsewhere, or changed");
    free(text);
    text = xcalloc(1, TOKEN_MAX + 2);
    memset(text, 'A', TOKEN_MAX + 1);
    memcpy(text, t, strlen(t));
    login(text, USER, UID, NOW, none); /* over the cap */
    text[TOKEN_MAX] = '\0';
    login(text, USER, UID, NOW, "the token's signature does not hold: made elsewhere, or changed");
    free(text);
    xfree_secret(t);
}

static void bearer(const char *token, int64_t now, const char *subject, const char *why)
{
    struct err e = {0};
    char got[256];
    bool ok = tokens_check_bearer(tokens, token, strlen(token), now, got, &e);
    assert_string_equal(e.text, why);
    assert_int_equal(ok, *why == '\0');
    if (ok)
        assert_string_equal(got, subject);
    else
        assert_int_equal(e.code, ERR_UNAUTHENTICATED);
}

static void oauth_tokens(void **state)
{
    (void)state;
    char *t = tokens_oauth(tokens, "client-1", NOW), *d = database_token();
    bearer(t, NOW, "client-1", "");
    bearer(t, NOW + TOKEN_LIFE_S, "", "the token expired 0 s ago");
    bearer(d, NOW, "", "the token is a database credential, not one for the API");
    /* The login of its own service principal, on any instance. */
    login(t, "client-1", UID, NOW, "");
    login(t, "client-1", OTHER, NOW, "");
    login(t, USER, UID, NOW, "the token is of another user than the login's 'learner@example.com'");
    xfree_secret(t);
    xfree_secret(d);
}

static void ten_instances_with_long_names_fit(void **state)
{
    (void)state;
    struct token_instance named[10];
    char names[10][64];
    for (int i = 0; i < 10; i++) {
        memset(names[i], 'a' + i, 63);
        names[i][63] = '\0';
        named[i] = (struct token_instance){names[i], i == 9 ? UID : OTHER};
    }
    char *t = tokens_database(tokens, USER, named, 10, NOW);
    assert_true(strlen(t) < 4096);
    login(t, USER, UID, NOW, "");
    xfree_secret(t);
}

static void the_key_stays_and_is_private(void **state)
{
    (void)state;
    struct err e = {0};
    struct stat st;
    char *t = database_token();
    struct tokens *again = tokens_open(key, "lakebase-workspace:1", &e);
    assert_true(tokens_check_login(again, t, strlen(t), USER, UID, NOW, &e));
    tokens_close(again);
    xfree_secret(t);
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void keys_that_are_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};
    char path[64];
    snprintf(path, sizeof path, "%s/bad", dir);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = {0};
        assert_true(fs_write_atomic(path, texts[i], strlen(texts[i]), 0600, &e));
        assert_null(tokens_open(path, "x", &e));
        assert_int_equal(e.code, ERR_CONFIG);
    }
}

static void digests(void **state)
{
    (void)state;
    char sha[65];
    tokens_sha256("abc", 3, sha);
    assert_string_equal(sha, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(tokens_same("a", "a"));
    assert_false(tokens_same("a", "b"));
    assert_false(tokens_same("a", "ab"));
    assert_true(tokens_same("", ""));
}

/* A store that cannot be read says nothing about a token: 401 would make a client throw a good one away. */
static void a_broken_store_is_not_a_bad_token(void **state)
{
    (void)state;
    struct err e = {0};
    struct principal out;
    sqlite3 *db;
    char path[64], bearer[4096], *token = tokens_oauth(tokens, "app", time(NULL));
    snprintf(path, sizeof path, "%s/store", dir);
    snprintf(bearer, sizeof bearer, "Bearer %s", token);
    struct store *store = store_open(path, &e);
    assert_non_null(store);
    assert_false(auth_check(store, tokens, bearer, &out, &e));
    assert_int_equal(e.code, ERR_UNAUTHENTICATED);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE principal", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    const char *const headers[] = {bearer, "Bearer dapi0123"};
    for (size_t i = 0; i < 2; i++) {
        err_init(&e);
        assert_false(auth_check(store, tokens, headers[i], &out, &e));
        assert_int_equal(e.code, ERR_IO);
    }
    store_close(store);
    free(token);
}

int main(void)
{
    jx_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_credential_is_good_for_its_user_and_instances), cmocka_unit_test(a_credential_lives_an_hour),
        cmocka_unit_test(two_tokens_are_never_the_same), cmocka_unit_test(foreign_tokens), cmocka_unit_test(tampered_tokens),
        cmocka_unit_test(things_that_are_no_tokens), cmocka_unit_test(oauth_tokens),
        cmocka_unit_test(ten_instances_with_long_names_fit), cmocka_unit_test(the_key_stays_and_is_private),
        cmocka_unit_test(keys_that_are_none), cmocka_unit_test(digests),
        cmocka_unit_test(a_broken_store_is_not_a_bad_token),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
