/* What is sent to a sink: bundles of tables and Markdown, streams, progress watched and unwatched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/jx.h"
#include "render/sink.h"

/* Writes down what it is sent, one line each. */
struct recorder {
    struct sink sink;
    struct buf log;
    char display_id[40];
};

static void on_stream(void *self, bool to_stderr, const char *text, size_t len)
{
    struct recorder *r = self;
    buf_printf(&r->log, "%s:%.*s|", to_stderr ? "err" : "out", (int)len, text);
}

static void on_show(void *self, enum sink_show how, json_t *data, json_t *metadata, const char *display_id)
{
    struct recorder *r = self;
    static const char *const names[] = {"", "result", "display", "update"};
    assert_null(metadata);
    if (display_id)
        snprintf(r->display_id, sizeof r->display_id, "%s", display_id);
    buf_printf(&r->log, "%s%s:", names[how], display_id ? "#" : "");
    const char *mime;
    json_t *text;
    json_object_foreach(data, mime, text)
        buf_printf(&r->log, "%s=%s|", mime, json_string_value(text));
}

static void record(struct recorder *r, bool interactive)
{
    *r = (struct recorder){.sink = {.self = r, .interactive = interactive, .stream = on_stream, .show = on_show}};
    buf_init(&r->log, 1 << 20);
}

static void finish(struct recorder *r, const char *want)
{
    assert_string_equal(buf_str(&r->log), want);
    buf_release(&r->log);
}

static void test_streams(void **state)
{
    (void)state;
    struct recorder r;
    record(&r, false);
    sink_printf(&r.sink, "a %d\n", 1);
    sink_warn(&r.sink, "%s", "b");
    finish(&r, "out:a 1\n|err:b|");
}

static void test_bundles(void **state)
{
    (void)state;
    struct recorder r;
    struct table t;
    record(&r, false);
    table_init(&t);
    table_add_column(&t, "a", NULL, TABLE_RIGHT);
    table_add_texts(&t, (const char *const[]){"1"});
    sink_table(&r.sink, &t);
    table_release(&t);
    sink_markdown(&r.sink, "**x**", "x");
    sink_markdown(&r.sink, "**y**", NULL);
    finish(&r, "display:text/plain= a \n---\n 1\n(1 row)|text/html=<table>\n"
               "<thead><tr><th scope=\"col\" style=\"text-align:right\">a</th></tr></thead>\n"
               "<tbody>\n<tr><td style=text-align:right>1</td></tr>\n</tbody>\n"
               "<tfoot><tr><td colspan=\"1\" style=\"text-align:left;white-space:pre-wrap\">(1 row)</td></tr></tfoot>\n</table>|"
               "display:text/plain=x|text/markdown=**x**|display:text/plain=**y**|text/markdown=**y**|");
}

static void test_bytes_stay_valid(void **state)
{
    (void)state;
    struct recorder r;
    struct table t;
    record(&r, false);
    table_init(&t);
    table_add_column(&t, "\xff", "\xfe", TABLE_LEFT);
    table_add_row(&t, &(struct table_cell){"\0\xc3", 2, 0});
    sink_table(&r.sink, &t);
    table_release(&t);
    sink_markdown(&r.sink, "\xff", NULL);
    assert_true(r.log.len > 0);
    assert_null(memchr(r.log.data, '\xff', r.log.len));
    buf_release(&r.log);
}

/* Pretend that so many milliseconds passed since the last update. */
static void wait_for(struct progress *p, long long ms)
{
    p->started_ms -= ms;
    p->last_ms -= ms;
}

static void test_progress_watched(void **state)
{
    (void)state;
    struct recorder r;
    struct progress p;
    record(&r, true);
    progress_open(&p, &r.sink, "creating <x>");
    progress_update(&p, "STARTING", 0, 0); /* too early to show */
    assert_int_equal(r.log.len, 0);
    wait_for(&p, 1000);
    progress_update(&p, "STARTING", 0, 0);
    progress_update(&p, "STARTING", 0, 0); /* too soon after the last */
    wait_for(&p, 1000);
    progress_update(&p, "a&b", 5, 10);
    wait_for(&p, 1000);
    progress_update(&p, NULL, 99, 10);
    progress_close(&p, "created");
    assert_string_equal(r.display_id, p.id);
    finish(&r, "display#:text/plain=creating <x>: STARTING (1 s)|"
               "text/html=creating &lt;x&gt; <progress></progress> STARTING (1 s)|"
               "update#:text/plain=creating <x>: 50 %, a&b (2 s)|"
               "text/html=creating &lt;x&gt; <progress value=\"50\" max=\"100\"></progress> 50 % a&amp;b (2 s)|"
               "update#:text/plain=creating <x>: 100 % (3 s)|"
               "text/html=creating &lt;x&gt; <progress value=\"100\" max=\"100\"></progress> 100 % (3 s)|"
               "update#:text/plain=created|text/html=created|");
}

static void test_progress_quick(void **state)
{
    (void)state;
    struct recorder r;
    struct progress p;
    record(&r, true);
    progress_open(&p, &r.sink, "x");
    progress_close(&p, "done");
    progress_open(&p, &r.sink, "x");
    progress_close(&p, NULL);
    finish(&r, "out:done\n|");
}

/* Without a watcher every output is final, and the same in each run. */
static void test_progress_unwatched(void **state)
{
    (void)state;
    struct recorder r;
    struct progress p;
    record(&r, false);
    progress_open(&p, &r.sink, "x");
    wait_for(&p, 5000);
    progress_update(&p, "s", 1, 2);
    progress_close(&p, "done");
    finish(&r, "out:done\n|");
}

static void test_progress_vanishes(void **state)
{
    (void)state;
    struct recorder r;
    struct progress p;
    record(&r, true);
    char label[300];
    memset(label, 'l', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    progress_open(&p, &r.sink, label);
    assert_int_equal(strlen(p.label), sizeof p.label - 1);
    wait_for(&p, 1000);
    progress_update(&p, "s", 0, 0);
    buf_clear(&r.log);
    progress_close(&p, NULL);
    finish(&r, "update#:"); /* an empty text would stay as an empty output of a saved notebook */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams), cmocka_unit_test(test_bundles), cmocka_unit_test(test_bytes_stay_valid),
        cmocka_unit_test(test_progress_watched), cmocka_unit_test(test_progress_quick),
        cmocka_unit_test(test_progress_unwatched), cmocka_unit_test(test_progress_vanishes),
    };
    return cmocka_run_group_tests_name("render_sink", tests, NULL, NULL);
}
