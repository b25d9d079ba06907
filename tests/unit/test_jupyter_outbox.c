/* The outbox: order, joining, torn code points, the wait of a writer, its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "jupyter/outbox.h"

static struct outbox box;

static int open_box(void **unused)
{
    (void)unused;
    struct err e;
    err_init(&e);
    return outbox_init(&box, &e) ? 0 : -1;
}

static int close_box(void **unused)
{
    (void)unused;
    outbox_release(&box);
    return 0;
}

static void put(bool to_stderr, const char *text)
{
    outbox_stream(&box, to_stderr, text, strlen(text));
}

static bool readable(void)
{
    struct pollfd p = {.fd = box.fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* "stdout:text|stderr:text|type:text|" of a list; frees it */
static void describe(struct out *list, char *text, size_t size)
{
    text[0] = '\0';
    while (list) {
        struct out *next = list->next;
        size_t n = strlen(text);
        snprintf(text + n, size - n, "%s:%.*s|", list->type ? list->type : "done",
                 (int)list->text.len, list->text.data ? list->text.data : "");
        out_free(list);
        list = next;
    }
}

static void takes(const char *expected)
{
    char text[1000];
    int ms;
    describe(outbox_take(&box, &ms), text, sizeof text);
    assert_string_equal(text, expected);
}

static void streams_wait_and_are_joined(void **unused)
{
    (void)unused;
    int ms;
    assert_null(outbox_take(&box, &ms));
    assert_int_equal(ms, -1);
    put(false, "a");
    assert_true(readable());
    put(false, "b");
    put(true, "c");
    put(true, "d");
    put(false, "e");
    takes("stdout:ab|stderr:cd|"); /* the last one may still grow */
    assert_null(outbox_take(&box, &ms));
    assert_in_range(ms, 0, OUTBOX_DELAY_MS);
    outbox_add(&box, OUT_MESSAGE, "display_data", strdup("{}"), NULL);
    put(false, "f");
    outbox_add(&box, OUT_DONE, NULL, NULL, NULL);
    takes("stdout:e|display_data:{}|stdout:f|done:|");
    assert_false(readable());
}

static void a_stream_is_due_after_a_while(void **unused)
{
    (void)unused;
    int ms;
    put(false, "late");
    struct out *o;
    while ((o = outbox_take(&box, &ms)) == NULL) {
        assert_true(ms >= 0);
        poll(NULL, 0, ms);
    }
    assert_int_equal(o->text.len, 4);
    out_free(o);
}

static void a_big_one_is_due_at_once(void **unused)
{
    (void)unused;
    int ms;
    static char big[OUTBOX_CHUNK + 5];
    memset(big, 'x', sizeof big);
    outbox_stream(&box, false, big, sizeof big);
    struct out *o = outbox_take(&box, &ms);
    assert_int_equal(o->text.len, OUTBOX_CHUNK);
    assert_null(o->next);
    assert_in_range(ms, 0, OUTBOX_DELAY_MS);
    out_free(o);
}

static void code_points_are_kept_whole(void **unused)
{
    (void)unused;
    int ms;
    put(false, "\xf0\x9f");
    assert_null(outbox_take(&box, &ms));
    assert_int_equal(ms, -1); /* alone it waits for its rest, however long that takes */
    put(false, "\x98\x80\xc3");
    assert_true(readable());
    struct out *o;
    while ((o = outbox_take(&box, &ms)) == NULL)
        poll(NULL, 0, ms);
    assert_int_equal(o->text.len, 4);
    assert_memory_equal(o->text.data, "\xf0\x9f\x98\x80", 4);
    out_free(o);
    outbox_add(&box, OUT_DONE, NULL, NULL, NULL);
    takes("stdout:\xc3|done:|"); /* nothing more will come */
}

static void a_torn_one_does_not_hold_up_the_other_stream(void **unused)
{
    (void)unused;
    int ms;
    put(false, "\xc3");
    assert_null(outbox_take(&box, &ms));
    assert_int_equal(ms, -1);
    assert_false(readable());
    put(true, "x");
    assert_true(readable());
    takes("stdout:\xc3|");
    outbox_add(&box, OUT_DONE, NULL, NULL, NULL);
    takes("stderr:x|done:|");
}

static void a_chunk_is_not_cut_inside_a_code_point(void **unused)
{
    (void)unused;
    int ms;
    static char text[OUTBOX_CHUNK * 3];
    for (size_t i = 0; i + 3 <= sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    outbox_stream(&box, false, "x", 1);
    outbox_stream(&box, false, text, sizeof text / 3 * 3);
    outbox_add(&box, OUT_DONE, NULL, NULL, NULL);
    size_t all = 0;
    struct out *o = outbox_take(&box, &ms);
    while (o->kind == OUT_STREAM) {
        struct out *next = o->next;
        assert_int_equal((o->text.len - (all == 0)) % 3, 0);
        all += o->text.len;
        out_free(o);
        o = next;
    }
    assert_int_equal(all, sizeof text / 3 * 3 + 1);
    out_free(o);
}

static atomic_long written;

static void *write_much(void *unused)
{
    (void)unused;
    static char piece[OUTBOX_CHUNK];
    for (int i = 0; i < 4 * OUTBOX_FULL / OUTBOX_CHUNK; i++) {
        outbox_stream(&box, false, piece, sizeof piece);
        atomic_fetch_add(&written, (long)sizeof piece);
    }
    outbox_add(&box, OUT_DONE, NULL, NULL, NULL);
    return NULL;
}

/* Memory is bounded: the writer waits for the reader, and nothing is lost. */
static void a_full_outbox_holds_the_writer(void **unused)
{
    (void)unused;
    pthread_t t;
    atomic_store(&written, 0);
    assert_int_equal(pthread_create(&t, NULL, write_much, NULL), 0);
    long read = 0;
    bool done = false;
    while (!done) {
        int ms;
        struct pollfd p = {.fd = box.fd, .events = POLLIN};
        poll(&p, 1, -1);
        assert_true(atomic_load(&written) - read <= OUTBOX_FULL + 2 * OUTBOX_CHUNK);
        for (struct out *o = outbox_take(&box, &ms), *next; o; o = next) {
            next = o->next;
            done = done || o->kind == OUT_DONE;
            read += (long)o->text.len;
            out_free(o);
        }
    }
    pthread_join(t, NULL);
    assert_int_equal(read, 4 * OUTBOX_FULL);
}

static void a_closed_outbox_lets_the_writer_go(void **unused)
{
    (void)unused;
    pthread_t t;
    int ms;
    assert_int_equal(pthread_create(&t, NULL, write_much, NULL), 0);
    outbox_close(&box);
    pthread_join(t, NULL);
    for (struct out *o = outbox_take(&box, &ms), *next; o; o = next) {
        next = o->next;
        assert_int_not_equal(o->kind, OUT_DONE);
        out_free(o);
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_box, close_box)
    const struct CMUnitTest tests[] = {
        CASE(streams_wait_and_are_joined),
        CASE(a_stream_is_due_after_a_while),
        CASE(a_big_one_is_due_at_once),
        CASE(code_points_are_kept_whole),
        CASE(a_torn_one_does_not_hold_up_the_other_stream),
        CASE(a_chunk_is_not_cut_inside_a_code_point),
        CASE(a_full_outbox_holds_the_writer),
        CASE(a_closed_outbox_lets_the_writer_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
