/* Frames of the worker's connections: whole ones, broken ones, the cap, a side that goes away, errors there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/worker.h"
#include "workspace/worker_frame.h"

static int pair[2];

static int open_pair(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
}

static int close_pair(void **state)
{
    (void)state;
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static void *read_one(void *out)
{
    struct err e;
    err_init(&e);
    worker_frame_read(pair[1], out, NULL, &e);
    return NULL;
}

/* A frame of exactly the cap passes, though the socket takes a part at a time; one byte more is refused and nothing is sent. */
static void test_cap(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    size_t frame = strlen("{\"a\":\"\"}"), n = WORKER_FRAME_MAX - frame;
    char *text = xmalloc(n + 2);
    memset(text, 'x', n + 1);
    text[n + 1] = '\0';
    json_t *big = json_pack("{s:s}", "a", text), *got = NULL;
    assert_false(worker_frame_write(pair[0], big, NULL, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    json_decref(big);
    text[n] = '\0';
    big = json_pack("{s:s}", "a", text);
    pthread_t thread;
    pthread_create(&thread, NULL, read_one, &got);
    err_init(&e);
    assert_true(worker_frame_write(pair[0], big, NULL, &e));
    pthread_join(thread, NULL);
    assert_true(json_equal(big, got));
    json_decref(big);
    json_decref(got);
    free(text);
}

static void expect_refused(const void *data, size_t len, enum err_code code)
{
    struct err e;
    json_t *got;
    err_init(&e);
    assert_int_equal(send(pair[0], data, len, 0), (ssize_t)len);
    assert_false(worker_frame_read(pair[1], &got, NULL, &e));
    assert_null(got);
    assert_int_equal(e.code, code);
}

static void test_no_frames(void **state)
{
    (void)state;
    uint32_t length = htonl(WORKER_FRAME_MAX + 1);
    expect_refused(&length, sizeof length, ERR_TOO_BIG);
    expect_refused("\0\0\0\2{x", 6, ERR_MALFORMED);
    expect_refused("\0\0\0\2[]", 6, ERR_MALFORMED);
    expect_refused("\0\0\0\0", 4, ERR_MALFORMED);
}

static void test_gone(void **state)
{
    (void)state;
    struct err e;
    json_t *got, *frame = json_object();
    err_init(&e);
    assert_int_equal(send(pair[0], "\0\0\0\7{\"a", 7, 0), 7);
    close(pair[0]);
    pair[0] = -1;
    assert_false(worker_frame_read(pair[1], &got, NULL, &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    err_init(&e);
    assert_false(worker_frame_write(pair[1], frame, NULL, &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    json_decref(frame);
}

static void test_cancel(void **state)
{
    (void)state;
    struct err e;
    struct cancel cancel;
    json_t *got;
    err_init(&e);
    assert_true(cancel_init(&cancel, &e));
    cancel_fire(&cancel);
    assert_false(worker_frame_read(pair[1], &got, &cancel, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    cancel_release(&cancel);
}

static void test_errors(void **state)
{
    (void)state;
    struct err e, back;
    err_init(&e);
    err_init(&back);
    err_set(&e, ERR_SQL, "[X] what ä");
    memcpy(e.sqlstate, "42P01", 6);
    e.position = 7;
    err_hint(&e, "do this");
    json_t *error = worker_error_json(&e);
    assert_false(worker_error_read(error, &back));
    json_decref(error);
    assert_int_equal(back.code, ERR_SQL);
    assert_string_equal(back.text, e.text);
    assert_string_equal(back.sqlstate, "42P01");
    assert_string_equal(back.hint, "do this");
    assert_int_equal(back.position, 7);
    error = json_pack("{s:s, s:s}", "code", "NO_SUCH_CODE", "sqlstate", "far too long for it");
    err_init(&back);
    worker_error_read(error, &back);
    assert_int_equal(back.code, ERR_INTERNAL);
    assert_true(strlen(back.sqlstate) < sizeof back.sqlstate);
    json_decref(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cap, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_no_frames, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_gone, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_cancel, open_pair, close_pair),
        cmocka_unit_test(test_errors),
    };
    jx_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
