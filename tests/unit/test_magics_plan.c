/* Plans as tables: shares and notes from given JSON, and what is no plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "magics/plan.h"
#include "render/text.h"

static const struct plan_options analyzed = {.analyze = true, .costs = true}, planned = {.costs = true};

/* The cells of a row, with bars between them. */
static void check_row(struct table *t, size_t row, const char *want)
{
    struct buf b;
    buf_init(&b, 100000);
    for (size_t i = 0; i < t->n_columns; i++)
        buf_printf(&b, "%s%s", i ? "|" : "", table_cell_at(t, row, i)->text);
    assert_string_equal(buf_str(&b), want);
    buf_release(&b);
}

static void read_plan(struct table *t, const char *json, const struct plan_options *o)
{
    struct err e = {0};
    bool writes;
    table_init(t);
    if (!plan_table(json, strlen(json), o, t, &writes, &e))
        fail_msg("%s", e.text);
}

static void workers_share_the_time(void **state)
{
    (void)state;
    static const char json[] =
        "[{\"Plan\":{\"Node Type\":\"Gather\",\"Workers Planned\":2,\"Workers Launched\":1,\"Plan Rows\":10,\"Actual Rows\":10,"
        "\"Actual Loops\":1,\"Actual Total Time\":100.0,\"Plans\":[{\"Node Type\":\"Seq Scan\",\"Relation Name\":\"t\",\"Alias\":\"x\","
        "\"Plan Rows\":5,\"Actual Rows\":5,\"Actual Loops\":2,\"Actual Total Time\":90.0,\"Rows Removed by Filter\":500,"
        "\"Filter\":\"(a > 1)\"}]},\"Planning Time\":1.0,\"Execution Time\":101.0}]";
    struct table t;
    read_plan(&t, json, &analyzed);
    check_row(&t, 0, "Gather||10|10|100.000|█ 10 %|1 of 2 workers");
    check_row(&t, 1, "└─ Seq Scan on t x|Filter: (a > 1)|10|10|90.000|█████████ 90 %|read 1010 rows to keep 10");
    assert_string_equal(table_footer(&t), "planning 1.000 ms, execution 101.000 ms");
    table_release(&t);
}

static void what_is_odd_is_noted(void **state)
{
    (void)state;
    static const char json[] =
        "[{\"Plan\":{\"Node Type\":\"Limit\",\"Plan Rows\":1,\"Actual Rows\":1,\"Actual Loops\":1,\"Actual Total Time\":10.0,\"Plans\":["
        "{\"Node Type\":\"Sort\",\"Sort Key\":[\"a\",\"b DESC\"],\"Plan Rows\":5000,\"Actual Rows\":1,\"Actual Loops\":1,"
        "\"Actual Total Time\":10.0,\"Sort Space Type\":\"Disk\",\"Sort Space Used\":2048,\"Plans\":["
        "{\"Node Type\":\"Hash Join\",\"Join Type\":\"Left\",\"Plan Rows\":5000,\"Actual Rows\":100,\"Actual Loops\":1,"
        "\"Actual Total Time\":5.0,\"Plans\":[{\"Node Type\":\"CTE Scan\",\"CTE Name\":\"w\",\"Alias\":\"w\",\"Plan Rows\":1,"
        "\"Actual Rows\":5000,\"Actual Loops\":1,\"Actual Total Time\":1.0},{\"Node Type\":\"Hash\",\"Hash Batches\":4,\"Plan Rows\":1,"
        "\"Actual Rows\":0,\"Actual Loops\":0,\"Actual Total Time\":0.0}]}]}]},\"Planning Time\":1,\"Execution Time\":2}]";
    struct table t;
    read_plan(&t, json, &analyzed);
    check_row(&t, 1, "└─ Sort|Sort Key: a, b DESC|5000|1|10.000|█████ 50 %|sorted on disk, 2048 kB");
    check_row(&t, 2, "   └─ Hash Left Join||5000|100|5.000|████ 40 %|50 times fewer rows than estimated");
    check_row(&t, 3, "      ├─ CTE Scan on w||1|5000|1.000|█ 10 %|5000 times more rows than estimated");
    check_row(&t, 4, "      └─ Hash||1|0|0.000|0 %|never run");
    table_release(&t);
}

static void costs_make_shares_without_a_run(void **state)
{
    (void)state;
    static const char json[] = "[{\"Plan\":{\"Node Type\":\"Aggregate\",\"Strategy\":\"Hashed\",\"Group Key\":[\"a\"],\"Plan Rows\":3,"
                               "\"Total Cost\":200.0,\"Plans\":[{\"Node Type\":\"Seq Scan\",\"Relation Name\":\"t\",\"Alias\":\"t\","
                               "\"Plan Rows\":9,\"Total Cost\":50.0}]}}]";
    struct table t;
    read_plan(&t, json, &planned);
    check_row(&t, 0, "HashAggregate|Group Key: a|3|200.00|████████ 75 %");
    check_row(&t, 1, "└─ Seq Scan on t||9|50.00|███ 25 %");
    table_release(&t);
}

static void long_conditions_are_cut_between_characters(void **state)
{
    (void)state;
    struct buf json;
    struct table t;
    buf_init(&json, 1 << 20);
    buf_puts(&json, "[{\"Plan\":{\"Node Type\":\"Seq Scan\",\"Filter\":\"");
    for (int i = 0; i < 1000; i++)
        buf_puts(&json, "é");
    buf_puts(&json, "\"}}]");
    read_plan(&t, buf_str(&json), &planned);
    const char *cell = table_cell_at(&t, 0, 1)->text;
    assert_true(strlen(cell) < 400);
    assert_string_equal(cell + strlen(cell) - strlen("é…"), "é…");
    table_release(&t);
    buf_release(&json);
}

static enum err_code refused(const char *json)
{
    struct err e = {0};
    struct table t;
    bool writes;
    table_init(&t);
    assert_false(plan_table(json, strlen(json), &analyzed, &t, &writes, &e));
    table_release(&t);
    return e.code;
}

static void what_is_no_plan_is_refused(void **state)
{
    (void)state;
    assert_int_equal(refused("[\"Utility Statement\"]"), ERR_INVALID_STATE);
    assert_int_equal(refused("[]"), ERR_INVALID_STATE);
    assert_int_equal(refused("{"), ERR_MALFORMED);
    struct buf json;
    buf_init(&json, 4 << 20);
    buf_puts(&json, "[{\"Plan\":");
    for (int i = 0; i <= PLAN_DEPTH_MAX; i++)
        buf_puts(&json, "{\"Node Type\":\"Append\",\"Plans\":[");
    for (int i = 0; i <= PLAN_DEPTH_MAX; i++)
        buf_puts(&json, "]}");
    buf_puts(&json, "}]");
    assert_int_equal(refused(buf_str(&json)), ERR_TOO_BIG);
    buf_release(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_share_the_time), cmocka_unit_test(what_is_odd_is_noted),
        cmocka_unit_test(costs_make_shares_without_a_run), cmocka_unit_test(long_conditions_are_cut_between_characters),
        cmocka_unit_test(what_is_no_plan_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
