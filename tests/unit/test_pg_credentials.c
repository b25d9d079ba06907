/* Tokens that end: one fetch for many threads, renewed ahead, the old one when the new one cannot be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/credentials.h"

enum { THREADS = 50 };

static struct {
    atomic_int fetches, inside, most_inside;
    atomic_bool fail;
    atomic_llong now;
    int64_t life_s;
    int slow_ms;
} server;

static int64_t now(void) { return atomic_load(&server.now); }

static bool fetch(void *self, char **token, int64_t *life_s, struct cancel *c, struct err *e)
{
    (void)self;
    int inside = atomic_fetch_add(&server.inside, 1) + 1;
    if (inside > atomic_load(&server.most_inside))
        atomic_store(&server.most_inside, inside);
    struct err none;
    err_init(&none);
    if (server.slow_ms && !cancel_poll(c, -1, 0, server.slow_ms, &none) && none.code == ERR_CANCELLED) {
        *e = none;
        atomic_fetch_sub(&server.inside, 1);
        return false;
    }
    int n = atomic_fetch_add(&server.fetches, 1) + 1;
    atomic_fetch_sub(&server.inside, 1);
    if (atomic_load(&server.fail))
        return err_set(e, ERR_CONNECT, "the token server is away");
    *token = xasprintf("token-%d", n);
    *life_s = server.life_s;
    return true;
}

static struct credentials *fresh(int64_t life_s)
{
    atomic_store(&server.fetches, 0);
    atomic_store(&server.most_inside, 0);
    atomic_store(&server.fail, false);
    atomic_store(&server.now, 5000000);
    server.life_s = life_s;
    server.slow_ms = 0;
    return credentials_new(&(struct credentials_options){.fetch = fetch, .now_ms = now});
}

static void expect(struct credentials *c, bool refused, const char *token)
{
    struct err e;
    err_init(&e);
    char *got = credentials_get(c, refused, NULL, &e);
    if (token)
        assert_string_equal(got, token);
    else
        assert_null(got);
    assert_int_equal(e.code, token ? ERR_NONE : ERR_CONNECT);
    xfree_secret(got);
}

static void test_lent_until_shortly_before_its_end(void **state)
{
    (void)state;
    struct credentials_stats s;
    struct credentials *c = fresh(3600);
    expect(c, false, "token-1");
    atomic_fetch_add(&server.now, (3600 - 133) * 1000);
    expect(c, false, "token-1");
    credentials_stats(c, &s);
    assert_true(s.fetched == 1 && s.left_s == 133);
    atomic_fetch_add(&server.now, 13 * 1000); /* two minutes before the end at the latest */
    expect(c, false, "token-2");
    expect(c, false, "token-2");
    credentials_free(c);

    c = fresh(20); /* a short life: a quarter of it */
    expect(c, false, "token-1");
    atomic_fetch_add(&server.now, 14 * 1000);
    expect(c, false, "token-1");
    atomic_fetch_add(&server.now, 1 * 1000);
    expect(c, false, "token-2");
    credentials_free(c);
}

static void test_the_old_one_while_it_holds(void **state)
{
    (void)state;
    struct credentials_stats s;
    struct credentials *c = fresh(100);
    expect(c, false, "token-1");
    atomic_store(&server.fail, true);
    atomic_fetch_add(&server.now, 90 * 1000);
    expect(c, false, "token-1");
    expect(c, false, "token-1");
    credentials_stats(c, &s);
    assert_true(s.failed == 1 && s.fetched == 1); /* no second question so soon */
    atomic_fetch_add(&server.now, 10 * 1000 / 8);
    expect(c, false, "token-1");
    credentials_stats(c, &s);
    assert_int_equal(s.failed, 2);
    atomic_fetch_add(&server.now, 9 * 1000);
    expect(c, false, NULL); /* it has ended: the reason is told */
    atomic_store(&server.fail, false);
    expect(c, false, "token-5");
    credentials_free(c);
}

static void test_refused(void **state)
{
    (void)state;
    struct credentials *c = fresh(3600);
    expect(c, false, "token-1");
    expect(c, true, "token-1"); /* new itself: asking again would not help */
    atomic_fetch_add(&server.now, 29999);
    expect(c, true, "token-1");
    atomic_fetch_add(&server.now, 1);
    expect(c, true, "token-2");
    expect(c, true, "token-2");
    assert_int_equal(atomic_load(&server.fetches), 2);
    atomic_fetch_add(&server.now, 60000);
    atomic_store(&server.fail, true);
    expect(c, true, NULL); /* the refused one is not handed out again */
    expect(c, false, "token-2");
    credentials_free(c);
}

static void test_one_without_a_life(void **state)
{
    (void)state;
    struct credentials *c = fresh(-5);
    expect(c, false, "token-1");
    expect(c, false, "token-2");
    credentials_free(c);
}

static void *get_one(void *c)
{
    struct err e;
    err_init(&e);
    return credentials_get(c, false, NULL, &e);
}

static struct cancel stop;

static void *get_until_stop(void *c)
{
    struct err e;
    err_init(&e);
    return credentials_get(c, false, &stop, &e);
}

/* 12: fifty makers at once, one request. */
static void test_one_asks_for_all(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct credentials *c = fresh(3600);
    server.slow_ms = 50;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_one, c), 0);
    for (int i = 0; i < THREADS; i++) {
        void *token;
        pthread_join(threads[i], &token);
        assert_string_equal((char *)token, "token-1");
        xfree_secret(token);
    }
    assert_int_equal(atomic_load(&server.fetches), 1);
    assert_int_equal(atomic_load(&server.most_inside), 1);
    credentials_free(c);
}

/* A question that gets no answer holds up nobody who has a token that holds. */
static void test_the_old_one_while_somebody_asks(void **state)
{
    (void)state;
    pthread_t asker;
    void *token;
    struct credentials *c = fresh(100);
    expect(c, false, "token-1");
    atomic_fetch_add(&server.now, 90 * 1000);
    server.slow_ms = 60000;
    assert_true(cancel_init(&stop, &(struct err){0}));
    assert_int_equal(pthread_create(&asker, NULL, get_until_stop, c), 0);
    while (atomic_load(&server.inside) == 0)
        sched_yield();
    expect(c, false, "token-1");
    cancel_fire(&stop);
    pthread_join(asker, &token);
    assert_null(token);
    cancel_release(&stop);
    credentials_free(c);
}

/* Those who wait for one question share its bad answer too. */
static void test_one_fails_for_all(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct credentials *c = fresh(3600);
    atomic_store(&server.fail, true);
    server.slow_ms = 300;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_one, c), 0);
    for (int i = 0; i < THREADS; i++) {
        void *token;
        pthread_join(threads[i], &token);
        assert_null(token);
    }
    assert_int_equal(atomic_load(&server.most_inside), 1);
    assert_true(atomic_load(&server.fetches) < THREADS / 2); /* one, but for threads that began late */
    credentials_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lent_until_shortly_before_its_end), cmocka_unit_test(test_the_old_one_while_it_holds),
        cmocka_unit_test(test_refused),                           cmocka_unit_test(test_one_without_a_life),
        cmocka_unit_test(test_one_asks_for_all),
        cmocka_unit_test(test_the_old_one_while_somebody_asks),   cmocka_unit_test(test_one_fails_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
