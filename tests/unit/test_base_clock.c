/* Clock and cancel token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/xalloc.h"

static void test_stamps(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t s;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0}, {"2026-01-02T03:04:05Z", 1767323045}, {"2026-01-02T03:04:05.5Z", 1767323045},
        {"2026-01-02T03:04:05.123456789Z", 1767323045}, {"2026-01-02T05:04:05+02:00", 1767323045},
        {"2026-01-01T21:34:05-05:30", 1767323045}, {"2026-01-02T05:04:05+0200", 1767323045}, {"1969-12-31T23:59:59Z", -1},
        {"2024-02-29T00:00:00Z", 1709164800}, {"2016-12-31T23:59:60Z", 1483228800},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t s = 0;
        if (!clock_parse_rfc3339(good[i].text, &s))
            fail_msg("refused: %s", good[i].text);
        assert_true(s == good[i].s);
    }
    static const char *const bad[] = {
        "", "2026", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-13-02T03:04:05Z",
        "2026-00-02T03:04:05Z", "2026-01-32T03:04:05Z", "2026-04-31T03:04:05Z", "2026-02-29T03:04:05Z", "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:05Z", "2026-01-02T03:04:61Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05Zx",
        "2026-01-02T03:04:05+02:00x", "2026-01-02T03:04:05+2", "2026-01-02T03:04:05+24:00", "2026-01-02T03:04:05+00:60",
        " 026-01-02T03:04:05Z", "+026-01-02T03:04:05Z", "2026- 1-02T03:04:05Z", "2026-1-2T3:4:5Z", "2026-01-02T03:04:05.123",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t s = 7;
        if (clock_parse_rfc3339(bad[i], &s))
            fail_msg("accepted: %s", bad[i]);
        assert_true(s == 7);
    }
    for (int64_t t = -86400 * 365; t < 86400LL * 365 * 80; t += 86400 * 17 + 4711) {
        char text[32];
        int64_t back = 0;
        clock_rfc3339(t, text);
        assert_true(clock_parse_rfc3339(text, &back));
        assert_true(back == t);
    }
}

static void test_shift(void **state)
{
    (void)state;
    int64_t mono = clock_mono_ms(), wall = clock_wall_s();
    clock_shift(3600000);
    assert_true(clock_wall_s() >= wall + 3600);
    char text[40];
    int64_t s;
    clock_rfc3339_micros(text);
    assert_int_equal(strlen(text), strlen("2026-01-02T03:04:05.000123Z"));
    assert_true(clock_parse_rfc3339(text, &s) && s >= wall + 3600);
    clock_shift(-3600000);
    assert_true(clock_wall_s() < wall + 3600);
    assert_true(clock_mono_ms() >= mono && clock_mono_us() / 1000 >= mono);
}

static void *fire(void *arg)
{
    cancel_fire(arg);
    return NULL;
}

static void test_cancel(void **state)
{
    (void)state;
    struct cancel c;
    struct err e;
    err_init(&e);
    assert_true(cancel_init(&c, &e));
    assert_true(cancel_check(&c, &e) && cancel_check(NULL, &e));
    assert_true(cancel_poll(&c, -1, 0, 0, &e)); /* only a pause: its end is success */
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    assert_false(cancel_poll(&c, fd[0], POLLIN, 1, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    err_init(&e);
    assert_int_equal(write(fd[1], "x", 1), 1);
    assert_true(cancel_poll(&c, fd[0], POLLIN, -1, &e));
    assert_true(cancel_poll(NULL, fd[0], POLLIN, 0, &e));
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, fire, &c), 0);
    assert_false(cancel_poll(&c, -1, 0, -1, &e)); /* would wait for ever */
    pthread_join(t, NULL);
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_true(cancel_fired(&c));
    err_init(&e);
    cancel_fire(&c); /* twice is fine, and being cancelled goes before having data */
    assert_false(cancel_poll(&c, fd[0], POLLIN, -1, &e));
    err_init(&e);
    cancel_reset(&c);
    assert_false(cancel_fired(&c));
    assert_true(cancel_poll(&c, fd[0], POLLIN, -1, &e));
    /* A hung-up peer wakes the waiter. */
    close(fd[1]);
    assert_int_equal(read(fd[0], &(char){0}, 1), 1);
    assert_true(cancel_poll(&c, fd[0], POLLIN, -1, &e));
    close(fd[0]);
    cancel_release(&c);
    cancel_release(&c);
}

static void test_ids(void **state)
{
    (void)state;
    char a[37], b[37], hex[129];
    ids_uuid(a);
    ids_uuid(b);
    assert_int_equal(strlen(a), 36);
    assert_string_not_equal(a, b);
    assert_int_equal(strspn(a, "0123456789abcdef-"), 36);
    assert_true(a[14] == '4');
    for (size_t n = 0; n <= 64; n += 32) {
        ids_hex(hex, n);
        assert_int_equal(strlen(hex), 2 * n);
        assert_int_equal(strspn(hex, "0123456789abcdef"), 2 * n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamps), cmocka_unit_test(test_shift), cmocka_unit_test(test_cancel), cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests_name("base_clock", tests, NULL, NULL);
}
