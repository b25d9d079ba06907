/* Signatures: a known vector, every kind of wrong one, replays and how many are remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/sign.h"

static struct signer *make(const char *key)
{
    struct err e;
    err_init(&e);
    struct signer *s = signer_new(key, &e);
    assert_non_null(s);
    return s;
}

static enum err_code verify(struct signer *s, const char *hex, size_t len,
                            const struct frame parts[SIGN_PARTS])
{
    struct err e;
    err_init(&e);
    bool ok = signer_verify(s, (struct frame){hex, len}, parts, &e);
    assert_int_equal(ok, e.code == ERR_NONE);
    return e.code;
}

/* RFC 4231, test case 2, with its data cut into four frames. */
static void known_vector(void **unused)
{
    (void)unused;
    const struct frame parts[SIGN_PARTS] = {
        {"what do ya ", 11}, {"", 0}, {"want for ", 9}, {"nothing?", 8}};
    static const char expected[] =
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    char hex[SIGN_HEX + 1];
    struct signer *s = make("Jefe");
    signer_sign(s, parts, hex);
    assert_string_equal(hex, expected);
    signer_sign(s, parts, hex); /* the key stays */
    assert_string_equal(hex, expected);
    assert_int_equal(verify(s, expected, SIGN_HEX, parts), ERR_NONE);
    signer_free(s);
}

static void wrong_ones(void **unused)
{
    (void)unused;
    const struct frame parts[SIGN_PARTS] = {{"{}", 2}, {"{}", 2}, {"{}", 2}, {"{}", 2}};
    char hex[SIGN_HEX + 1], other[SIGN_HEX + 1], block[SIGN_HEX];
    struct signer *s = make("key"), *t = make("kez");
    signer_sign(s, parts, hex);
    signer_sign(t, parts, other);
    assert_string_not_equal(hex, other);
    assert_int_equal(verify(s, other, SIGN_HEX, parts), ERR_PERMISSION);
    assert_int_equal(verify(s, hex, 0, parts), ERR_PERMISSION);
    assert_int_equal(verify(s, hex, SIGN_HEX - 1, parts), ERR_PERMISSION);
    assert_int_equal(verify(s, hex, SIGN_HEX + 1, parts), ERR_PERMISSION);
    for (int i = 0; i < SIGN_HEX; i++) {
        memcpy(block, hex, SIGN_HEX);
        block[i] = block[i] == 'a' ? 'b' : 'a';
        assert_int_equal(verify(s, block, SIGN_HEX, parts), ERR_PERMISSION);
    }
    memset(block, 0, SIGN_HEX);
    assert_int_equal(verify(s, block, SIGN_HEX, parts), ERR_PERMISSION);
    /* none of those may have been taken for seen */
    assert_int_equal(verify(s, hex, SIGN_HEX, parts), ERR_NONE);
    assert_int_equal(verify(s, hex, SIGN_HEX, parts), ERR_PERMISSION);
    signer_free(s);
    signer_free(t);
}

static void without_a_key(void **unused)
{
    (void)unused;
    const struct frame parts[SIGN_PARTS] = {{"{}", 2}, {"{}", 2}, {"{}", 2}, {"{}", 2}};
    char hex[SIGN_HEX + 1] = "x";
    struct signer *s = make("");
    signer_sign(s, parts, hex);
    assert_string_equal(hex, "");
    assert_int_equal(verify(s, "", 0, parts), ERR_NONE);
    assert_int_equal(verify(s, "junk", 4, parts), ERR_NONE);
    assert_int_equal(verify(s, "junk", 4, parts), ERR_NONE);
    signer_free(s);
}

static enum err_code send_number(struct signer *s, int n)
{
    char text[32], hex[SIGN_HEX + 1];
    const struct frame parts[SIGN_PARTS] = {
        {text, (size_t)snprintf(text, sizeof text, "%d", n)}, {"", 0}, {"", 0}, {"", 0}};
    signer_sign(s, parts, hex);
    return verify(s, hex, SIGN_HEX, parts);
}

static void remembers_as_many_as_it_says(void **unused)
{
    (void)unused;
    struct signer *s = make("key");
    enum { ALL = 2 * SIGN_REMEMBERED + 1 };
    for (int i = 0; i < ALL; i++)
        assert_int_equal(send_number(s, i), ERR_NONE);
    for (int i = ALL - SIGN_REMEMBERED; i < ALL; i++)
        assert_int_equal(send_number(s, i), ERR_PERMISSION);
    assert_int_equal(send_number(s, 0), ERR_NONE); /* forgotten: memory has an end */
    signer_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_vector), cmocka_unit_test(wrong_ones),
                                       cmocka_unit_test(without_a_key),
                                       cmocka_unit_test(remembers_as_many_as_it_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
