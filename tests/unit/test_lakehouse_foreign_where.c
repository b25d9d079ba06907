/* Filters of the engine as PostgreSQL's conditions: what is said means the same or lets more through; the rest is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lakehouse/lake_parts.h"

static struct lake_column columns[] = {
    {.name = (char *)"id", .type = DELTA_LONG}, {.name = (char *)"name", .type = DELTA_STRING},
    {.name = (char *)"price", .type = DELTA_DECIMAL, .precision = 12, .scale = 2}, {.name = (char *)"any", .type = DELTA_DECIMAL, .precision = 38, .scale = 18},
    {.name = (char *)"d", .type = DELTA_DATE}, {.name = (char *)"at", .type = DELTA_TIMESTAMP}, {.name = (char *)"od\"d", .type = DELTA_INTEGER},
    {.name = (char *)"ok", .type = DELTA_BOOLEAN}, {.name = (char *)"f", .type = DELTA_DOUBLE}};
static const struct lake_object table = {.columns = columns, .n_columns = sizeof columns / sizeof *columns};

static void gives(const char *filter, const char *expected)
{
    struct buf out;
    buf_init(&out, LAKE_WHERE_MAX);
    lake_foreign_where(&table, 7, filter, &out);
    if (strcmp(buf_str(&out), expected) != 0)
        fail_msg("%s\n  gives    %s\n  expected %s", filter, buf_str(&out), expected);
    buf_release(&out);
}

static void test_comparisons(void **state)
{
    (void)state;
    gives("(CAST(f7_0 AS BIGINT) = 5)", "(\"id\" = (5)::bigint)");
    gives("(CAST(f7_0 AS BIGINT) != -3)", "(\"id\" <> (-3)::bigint)");
    gives("(CAST(f7_0 AS DECIMAL(20,1)) >= 5.0)", "(\"id\" >= (5.0)::numeric)");
    gives("(CAST(f7_2 AS DECIMAL(12,2)) < -1.50)", "(\"price\" < (-1.50)::numeric)");
    gives("(CAST(f7_3 AS DECIMAL(38,18)) = 1.500000000000000000)", "(round(\"any\", 18) = (1.500000000000000000)::numeric)");
    gives("(CAST(f7_6 AS INTEGER) > 1)", "(\"od\"\"d\" > (1)::bigint)");
    gives("(f7_1 = 'a''b')", "(\"name\"::text = 'a''b')");
    gives("(CAST(f7_4 AS DATE) <= '2024-01-01'::DATE)", "(\"d\" <= '2024-01-01'::date)");
    gives("(CAST(f7_5 AS TIMESTAMP WITH TIME ZONE) > '2024-01-01 10:00:00+00'::TIMESTAMP WITH TIME ZONE)",
          "(\"at\" > '2024-01-01 10:00:00+00'::timestamptz)");
    gives("(CAST(f7_4 AS DATE) BETWEEN '2024-01-01'::DATE AND '2024-02-01'::DATE)",
          "(\"d\" >= '2024-01-01'::date AND \"d\" <= '2024-02-01'::date)");
    gives("(f7_1 IS NULL)", "(\"name\" IS NULL)");
    gives("(CAST(f7_8 AS DOUBLE) IS NOT NULL)", "(\"f\" IS NOT NULL)");
}

static void test_together(void **state)
{
    (void)state;
    gives("((CAST(f7_0 AS BIGINT) = 1) OR (CAST(f7_0 AS BIGINT) = 2) OR (f7_1 = 'x) OR (y'))",
          "((\"id\" = (1)::bigint) OR (\"id\" = (2)::bigint) OR (\"name\"::text = 'x) OR (y'))");
    gives("((NOT ((CAST(f7_0 AS BIGINT) = 1) OR (CAST(f7_0 AS BIGINT) = 2))) AND (f7_1 = 'q'))",
          "((NOT ((\"id\" = (1)::bigint) OR (\"id\" = (2)::bigint))) AND (\"name\"::text = 'q'))");
    gives("(((CAST(f7_0 AS BIGINT) >= 3) AND (CAST(f7_0 AS BIGINT) <= 7)) OR (f7_1 IS NULL))",
          "(((\"id\" >= (3)::bigint) AND (\"id\" <= (7)::bigint)) OR (\"name\" IS NULL))");
    /* one of two is better than none; of an OR both are wanted; in a NOT nothing may be left out */
    gives("((upper(f7_1) = 'A') AND (CAST(f7_0 AS BIGINT) > 4))", "((\"id\" > (4)::bigint))");
    gives("((CAST(f7_0 AS BIGINT) > 4) AND prefix(f7_1, 'a'))", "((\"id\" > (4)::bigint))");
    gives("((upper(f7_1) = 'A') OR (CAST(f7_0 AS BIGINT) > 4))", "");
    gives("(NOT ((upper(f7_1) = 'A') AND (CAST(f7_0 AS BIGINT) > 4)))", "");
    gives("(((upper(f7_1) = 'A') OR (f7_1 = 'b')) AND (CAST(f7_0 AS BIGINT) > 4))", "((\"id\" > (4)::bigint))");
}

static void test_left_out(void **state)
{
    (void)state;
    static const char *const filters[] = {
        "", "()", "(", ")", "'", "(f7_1 = 'a", "(f7_1 < 'a')", "(f7_1 != 'a')", "(NOT (f7_1 = 'a'))", "(f7_1 = 'blank ')", "(f7_1 = 'back\\slash')",
        "(f7_1 = 'line\nbreak')", "(f7_1 = 'a' || 'b')", "(f7_1 = f7_0)", "(f8_0 = 5)", "(f7_99 IS NULL)", "(CAST(f7_0 AS DOUBLE) = 5)",
        "(CAST(f7_0 AS BIGINT) = '5'::DATE)", "(CAST(f7_0 AS BIGINT) = 5; DROP TABLE x)", "(CAST(f7_0 AS BIGINT) = 1e5)", "(CAST(f7_8 AS DOUBLE) > 1.5)",
        "(CAST(f7_4 AS DATE) = '2024-01-01')", "(CAST(f7_7 AS BOOLEAN) = true)", "(CAST(f7_0 AS BIGINT) + 1 = 5)", "(5 = CAST(f7_0 AS BIGINT))",
        "(CAST(f7_0 AS BIGINT) BETWEEN 1 OR 2)", "(NOT (CAST(f7_4 AS DATE) BETWEEN '2024-01-01'::DATE AND '2024-02-01'::DATE))",
        "(CAST(f7_0 AS BIGINT) = 123456789012345678901234567890123456789)"};
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        gives(filters[i], "");
    struct buf deep; /* at the cap, and far beyond */
    for (int depth = 40; depth < 100000; depth *= 50) {
        buf_init(&deep, 4 << 20);
        for (int i = 0; i < depth; i++)
            buf_puts(&deep, "(NOT ");
        buf_puts(&deep, "(f7_1 IS NULL)");
        for (int i = 0; i < depth; i++)
            buf_puts(&deep, ")");
        struct buf out;
        buf_init(&out, LAKE_WHERE_MAX);
        lake_foreign_where(&table, 7, buf_str(&deep), &out);
        assert_int_equal(out.len > 0, depth == 40);
        buf_release(&out);
        buf_release(&deep);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_comparisons), cmocka_unit_test(test_together), cmocka_unit_test(test_left_out)};
    return cmocka_run_group_tests_name("lakehouse_foreign_where", tests, NULL, NULL);
}
