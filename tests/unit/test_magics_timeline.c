/* The timeline of a pool from given events: what it draws, and events that two threads noted out of order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/pool_timeline.h"

struct shown {
    char *text;
    json_t *spec;
};

static void show(void *self, enum sink_show how, json_t *data, json_t *metadata, const char *display_id)
{
    struct shown *s = self;
    (void)how;
    (void)metadata;
    (void)display_id;
    s->text = xstrdup(json_string_value(json_object_get(data, "text/plain")));
    s->spec = json_incref(json_object_get(data, "application/vnd.vegalite.v5+json"));
}

static struct shown draw(const struct pool_event *events, size_t n)
{
    struct shown s = {0};
    struct sink out = {.self = &s, .show = show};
    struct arena a;
    arena_init(&a);
    struct magic_ctx ctx = {.arena = &a, .out = &out};
    pool_timeline(&ctx, "app", events, n, n);
    arena_release(&a);
    return s;
}

static void release(struct shown *s)
{
    free(s->text);
    json_decref(s->spec);
}

static size_t bars(const struct shown *s)
{
    const json_t *loans = json_array_get(json_object_get(s->spec, "vconcat"), 0);
    return json_array_size(json_object_get(json_object_get(loans, "data"), "values"));
}

static void test_two_loans(void **state)
{
    (void)state;
    static const struct pool_event events[] = {
        {1000, POOL_LENT, 1, 1, 0}, {2000, POOL_QUEUED, 0, 1, 1}, {31000, POOL_RETURNED, 1, 0, 1},
        {31000, POOL_LENT, 1, 1, 0}, {61000, POOL_RETURNED, 1, 0, 0}};
    struct shown s = draw(events, 5);
    assert_non_null(strstr(s.text, "Pool app, 60.0 ms\n"));
    assert_non_null(strstr(s.text, "2 loans, lent 100 %"));
    assert_non_null(strstr(s.text, " 1 at most\n"));
    assert_int_equal(bars(&s), 2);
    release(&s);
}

/* The clock is read before the lock is taken, so a later event may carry an earlier time; also than the first one's, and
 * the last one's need not be the latest. */
static void test_out_of_order(void **state)
{
    (void)state;
    static const struct pool_event events[] = {
        {5000, POOL_LENT, 1, 1, 0},  {1000, POOL_LENT, 2, 2, 0},     {9000, POOL_RETURNED, 2, 1, 3},
        {4000, POOL_QUEUED, 0, 1, 4}, {4500, POOL_RETURNED, 1, 0, 0}, {8000, POOL_CLOSED, 2, 0, 0}};
    struct shown s = draw(events, 6);
    assert_non_null(strstr(s.text, "Pool app, 8.0 ms\n"));
    assert_non_null(strstr(s.text, " 4 at most\n"));
    assert_int_equal(bars(&s), 2);
    release(&s);
}

static void test_all_at_one_moment(void **state)
{
    (void)state;
    static const struct pool_event events[] = {{7, POOL_LENT, 1, 1, 0}, {7, POOL_RETURNED, 1, 0, 0}};
    struct shown s = draw(events, 2);
    assert_non_null(strstr(s.text, "1 loan, lent 0 %"));
    release(&s);
}

/* More connections than there are lines for, and one that is still lent at the end. */
static void test_many_connections(void **state)
{
    (void)state;
    struct pool_event events[200];
    for (int i = 0; i < 200; i++)
        events[i] = (struct pool_event){i * 1000, POOL_LENT, i + 1, i + 1, 0};
    struct shown s = draw(events, 200);
    assert_non_null(strstr(s.text, "connection 40 "));
    assert_null(strstr(s.text, "connection 41 "));
    assert_int_equal(bars(&s), 40);
    release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_loans), cmocka_unit_test(test_out_of_order),
                                       cmocka_unit_test(test_all_at_one_moment), cmocka_unit_test(test_many_connections)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
