/* The line between the cell thread and the socket thread: one answer for each call, none after the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "jupyter/python_line.h"

static struct outbox box;
static struct python_line line;

static int open_both(void **state)
{
    struct err e;
    (void)state;
    jx_setup();
    err_init(&e);
    return outbox_init(&box, &e) && python_line_init(&line, &e) ? 0 : -1;
}

static int close_both(void **state)
{
    (void)state;
    python_line_release(&line);
    outbox_release(&box);
    return 0;
}

/* ---- the cell thread of these tests ---- */

struct asking {
    pthread_t thread;
    struct python_call call;
    struct python_answer answer;
    struct err e;
    bool ok;
    int ticks;
};

static void *ask(void *self)
{
    struct asking *a = self;
    a->ok = python_line_call(&line, &box, &a->call, &a->answer, &a->e);
    return NULL;
}

static void begin(struct asking *a, enum python_step step)
{
    *a = (struct asking){.call = {.step = step}};
    err_init(&a->e);
    assert_int_equal(pthread_create(&a->thread, NULL, ask, a), 0);
}

/* What the socket thread does: look into the outbox until the call is there. */
static const struct python_call *wait_for_call(void)
{
    for (;;) {
        int wait_ms;
        struct out *o = outbox_take(&box, &wait_ms);
        bool there = o && o->kind == OUT_PYTHON;
        out_free(o);
        if (there)
            return python_line_take(&line);
    }
}

static void test_a_call_gets_its_answer(void **state)
{
    (void)state;
    struct asking a;
    begin(&a, PYTHON_START);
    const struct python_call *call = wait_for_call();
    assert_ptr_equal(call, &a.call);
    struct python_answer answer = {.running = true, .pid = 42, .folder = xstrdup("/somewhere")};
    python_line_answer(&line, &answer, NULL);
    pthread_join(a.thread, NULL);
    assert_true(a.ok);
    assert_int_equal(a.answer.pid, 42);
    assert_string_equal(a.answer.folder, "/somewhere");
    assert_null(python_line_take(&line));
    python_answer_release(&a.answer);
}

static void test_a_failure_carries_its_texts(void **state)
{
    (void)state;
    struct asking a;
    struct err why;
    err_init(&why);
    err_set(&why, ERR_CHILD, "it ended");
    begin(&a, PYTHON_RUN);
    wait_for_call();
    struct python_answer answer = {.error = xstrdup("{}")};
    python_line_answer(&line, &answer, &why);
    pthread_join(a.thread, NULL);
    assert_false(a.ok);
    assert_int_equal(a.e.code, ERR_CHILD);
    assert_string_equal(a.answer.error, "{}");
    python_answer_release(&a.answer);
}

static void test_an_answer_that_nobody_waits_for_is_dropped(void **state)
{
    (void)state;
    struct asking a;
    struct python_answer answer = {.folder = xstrdup("/nobody")};
    python_line_answer(&line, &answer, NULL); /* leaks would be seen */
    begin(&a, PYTHON_LOOK);
    wait_for_call();
    python_line_answer(&line, &(struct python_answer){.pid = 7}, NULL);
    python_line_answer(&line, &(struct python_answer){.pid = 8}, NULL);
    pthread_join(a.thread, NULL);
    assert_int_equal(a.answer.pid, 7);
}

static void count_tick(void *self)
{
    struct asking *a = self;
    if (++a->ticks == 2)
        python_line_answer(&line, &(struct python_answer){0}, NULL);
}

static void test_a_waiting_call_ticks(void **state)
{
    (void)state;
    struct asking a = {.call = {.step = PYTHON_START, .tick = count_tick, .self = &a}};
    ask(&a);
    assert_int_equal(a.ticks, 2);
    assert_true(a.ok);
}

static void test_the_end_answers_all(void **state)
{
    (void)state;
    struct asking a;
    begin(&a, PYTHON_RUN);
    wait_for_call();
    python_line_close(&line);
    pthread_join(a.thread, NULL);
    assert_false(a.ok);
    assert_int_equal(a.e.code, ERR_CANCELLED);
    begin(&a, PYTHON_RUN);
    pthread_join(a.thread, NULL);
    assert_int_equal(a.e.code, ERR_CANCELLED);
    assert_null(python_line_take(&line));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_both, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_a_call_gets_its_answer), TEST(test_a_failure_carries_its_texts),
                                       TEST(test_an_answer_that_nobody_waits_for_is_dropped),
                                       TEST(test_a_waiting_call_ticks), TEST(test_the_end_answers_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
