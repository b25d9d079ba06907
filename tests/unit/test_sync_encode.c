/* Rows in DuckDB's memory layout through the encoder and COPY into a real server, read back as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/xalloc.h"
#include "pg/copy.h"
#include "pg_record.h"
#include "sync/internal.h"

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

#define COLUMN(name, type, p, s, null) {(char *)(uintptr_t)(name), type, p, s, NULL, null}

static const char *const key[] = {"k"};
static const struct sync_spec spec = {.key = key, .n_key = 1};

/* Columns, one row each time, into table t; the record of SELECT * FROM t. */
static void copy_rows(struct pg_conn *conn, const char *create, const struct lake_column *columns, size_t n,
                      const struct lake_vector *vectors, size_t rows, int64_t *skipped, struct err *e)
{
    struct err made;
    err_init(&made);
    assert_true(pg_run(conn, "DROP TABLE IF EXISTS t", NULL, &made) && pg_run(conn, create, NULL, &made));
    struct encoder *en = encoder_new(columns, n, &spec);
    struct lake_batch b = {.rows = rows, .columns = n, .vectors = vectors};
    assert_true(pg_copy_in(conn, "COPY t FROM STDIN (FORMAT binary)", NULL, e));
    encoder_begin(en);
    bool ok = true;
    for (size_t i = 0; i < rows && ok; i++)
        ok = encoder_row(en, &b, i, e);
    encoder_end(en);
    size_t len;
    const char *data = encoder_data(en, &len);
    int64_t copied = -1;
    if (ok)
        ok = pg_copy_put(conn, data, len, NULL, e) && pg_copy_done(conn, &copied, NULL, e);
    else
        pg_copy_stop(conn, e);
    if (ok)
        assert_int_equal(copied, (int64_t)rows - encoder_skipped(en));
    if (skipped)
        *skipped = encoder_skipped(en);
    encoder_free(en);
}

static struct lake_string far_or_near(const char *text, size_t len)
{
    struct lake_string s = {.length = (uint32_t)len};
    if (len <= 12)
        memcpy(s.value.inlined, text, len);
    else
        s.value.far.ptr = text;
    return s;
}

static void test_types(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    const struct lake_column columns[] = {
        COLUMN("k", DELTA_LONG, 0, 0, false), COLUMN("b", DELTA_BOOLEAN, 0, 0, true), COLUMN("y", DELTA_BYTE, 0, 0, true),
        COLUMN("s", DELTA_SHORT, 0, 0, true), COLUMN("i", DELTA_INTEGER, 0, 0, true), COLUMN("f", DELTA_FLOAT, 0, 0, true),
        COLUMN("d", DELTA_DOUBLE, 0, 0, true), COLUMN("t", DELTA_STRING, 0, 0, true), COLUMN("x", DELTA_BINARY, 0, 0, true),
        COLUMN("da", DELTA_DATE, 0, 0, true), COLUMN("ts", DELTA_TIMESTAMP, 0, 0, true),
        COLUMN("tn", DELTA_TIMESTAMP_NTZ, 0, 0, true), COLUMN("v", DELTA_VOID, 0, 0, true),
        COLUMN("j", DELTA_NESTED, 0, 0, true)};
    static const char longish[] = "a string of more than twelve bytes, ž€";
    static const char json[] = "{\"a\": [1, 2.50, null]}";
    int64_t k[] = {INT64_MIN, 7};
    uint8_t b[] = {1, 0};
    int8_t y[] = {-128, 0};
    int16_t s[] = {-32768, 0};
    int32_t i[] = {INT32_MIN, 0}, da[] = {-719162, 0}; /* 0001-01-01 */
    float f[] = {1.5F, 0};
    double d[] = {-0.1, 0};
    int64_t ts[] = {-1, 0}, tn[] = {253402300799999999, 0};
    struct lake_string t[] = {far_or_near(longish, sizeof longish - 1), far_or_near("", 0)};
    struct lake_string x[] = {far_or_near("\0\377", 2), far_or_near("", 0)};
    struct lake_string j[] = {far_or_near(json, sizeof json - 1), far_or_near("", 0)};
    uint64_t first = 1, both = 3;
    const struct lake_vector vectors[] = {
        {k, &both, 8}, {b, &first, 1}, {y, &first, 1}, {s, &first, 2}, {i, &first, 4}, {f, &first, 4}, {d, &first, 8},
        {t, &first, 16}, {x, &first, 16}, {da, &first, 4}, {ts, &first, 8}, {tn, &first, 8}, {t, &both, 16}, {j, &first, 16}};
    struct err e;
    err_init(&e);
    copy_rows(conn,
              "CREATE TABLE t (k bigint, b boolean, y smallint, s smallint, i integer, f real, d double precision, t text, "
              "x bytea, da date, ts timestamptz, tn timestamp, v text, j jsonb)",
              columns, ARRAY_LEN(columns), vectors, 2, NULL, &e);
    assert_string_equal(e.text, "");
    expect(conn, "SELECT (t.*)::text AS r FROM t ORDER BY k",
           "[r:25l]((-9223372036854775808,t,-128,-32768,-2147483648,1.5,-0.1,\"a string of more than twelve bytes, ž€\","
           "\"\\\\x00ff\",0001-01-01,\"1969-12-31 23:59:59.999999+00\",\"9999-12-31 23:59:59.999999\",,"
           "\"{\"\"a\"\": [1, 2.50, null]}\"))((7,,,,,,,,,,,,,))<SELECT 2*>");
    pg_close(conn);
}

/* Decimal text of an unscaled value, written in another way than the encoder's. */
static void decimal_text(int128 value, int scale, char *out)
{
    char digits[64];
    int n = 0;
    uint128 v = value < 0 ? -(uint128)value : (uint128)value;
    do {
        digits[n++] = (char)('0' + (int)(v % 10));
        v /= 10;
    } while (v || n <= scale);
    if (value < 0)
        *out++ = '-';
    while (n-- > 0) {
        *out++ = digits[n];
        if (n == scale && scale)
            *out++ = '.';
    }
    *out = 0;
}

static void test_decimals(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct err e;
    enum { ROWS = 400 };
    int64_t k[ROWS];
    int128 v[ROWS];
    uint64_t seed = 88172645463325252u;
    for (int scale = 0; scale <= 38; scale++) {
        int128 most = 1;
        for (int i = 0; i < 38; i++)
            most *= 10;
        for (int r = 0; r < ROWS; r++) {
            k[r] = r;
            v[r] = 0;
            for (int w = 0; w < 2; w++) {
                seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
                v[r] = (int128)((uint128)v[r] << 63 | (seed >> 1));
            }
            v[r] %= most;
            for (int cut = r % 39; cut > 0; cut--) /* all lengths */
                v[r] /= 10;
            for (int zeros = r % 7; r % 3 == 0 && zeros > 0 && v[r] < most / 10; zeros--)
                v[r] *= 10;
            if (r % 2)
                v[r] = -v[r];
        }
        v[0] = most - 1, v[1] = 1 - most, v[2] = 0, v[3] = 1;
        const struct lake_column columns[] = {COLUMN("k", DELTA_LONG, 0, 0, false),
                                              COLUMN("v", DELTA_DECIMAL, 38, scale, true)};
        const struct lake_vector vectors[] = {{k, NULL, 8}, {v, NULL, 16}};
        char create[96];
        snprintf(create, sizeof create, "CREATE TABLE t (k bigint, v numeric(38,%d))", scale);
        err_init(&e);
        copy_rows(conn, create, columns, 2, vectors, ROWS, NULL, &e);
        assert_string_equal(e.text, "");
        struct buf want;
        buf_init(&want, 1 << 20);
        for (int r = 0; r < ROWS; r++) {
            char text[64];
            decimal_text(v[r], scale, text);
            buf_printf(&want, "%s%s", r ? "," : "", text);
        }
        char *got = NULL;
        assert_true(pg_scalar(conn, "SELECT string_agg(v::text, ',' ORDER BY k) FROM t", NULL, 0, &got, NULL, &e));
        assert_string_equal(got, buf_str(&want));
        free(got);
        /* The same bytes as the server's own form: equal values hash alike, and arithmetic works on them. */
        assert_true(pg_scalar(conn, "SELECT count(*) FROM t WHERE v = v::text::numeric AND v - v::text::numeric = 0 "
                                    "AND hash_numeric(v) = hash_numeric(v::text::numeric)", NULL, 0, &got, NULL, &e));
        assert_string_equal(got, "400");
        free(got);
        buf_release(&want);
    }
    pg_close(conn);
}

static void test_narrow_decimals(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    int64_t k[] = {1, 2};
    int16_t a[] = {-999, 5};
    int32_t b[] = {123456789, -1};
    int64_t c[] = {-999999999999999999, 10000};
    const struct lake_column columns[] = {COLUMN("k", DELTA_LONG, 0, 0, false), COLUMN("a", DELTA_DECIMAL, 3, 1, true),
                                          COLUMN("b", DELTA_DECIMAL, 9, 4, true), COLUMN("c", DELTA_DECIMAL, 18, 0, true)};
    const struct lake_vector vectors[] = {{k, NULL, 8}, {a, NULL, 2}, {b, NULL, 4}, {c, NULL, 8}};
    struct err e;
    err_init(&e);
    copy_rows(conn, "CREATE TABLE t (k bigint, a numeric, b numeric, c numeric)", columns, 4, vectors, 2, NULL, &e);
    assert_string_equal(e.text, "");
    expect(conn, "SELECT a, b, c FROM t ORDER BY k",
           "[a:1700r,b:1700r,c:1700r](-99.9|12345.6789|-999999999999999999)(0.5|-0.0001|10000)<SELECT 2*>");
    pg_close(conn);
}

static void test_refused(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    static const char nul[] = "thirteen byte\0s";
    int64_t k[] = {1};
    struct lake_string t[] = {far_or_near(nul, sizeof nul - 1)};
    const struct lake_column columns[] = {COLUMN("k", DELTA_LONG, 0, 0, false), COLUMN("note", DELTA_STRING, 0, 0, true)};
    const struct lake_vector vectors[] = {{k, NULL, 8}, {t, NULL, 16}};
    struct err e;
    err_init(&e);
    copy_rows(conn, "CREATE TABLE t (k bigint, note text)", columns, 2, vectors, 1, NULL, &e);
    assert_int_equal(e.code, ERR_INVALID_STATE);
    assert_non_null(strstr(e.text, "CHARACTER_NOT_IN_REPERTOIRE"));
    assert_non_null(strstr(e.text, "note"));
    usable(conn);
    t[0] = far_or_near("\xc3(", 2);
    err_init(&e);
    copy_rows(conn, "CREATE TABLE t (k bigint, note text)", columns, 2, vectors, 1, NULL, &e);
    assert_int_equal(e.code, ERR_INVALID_STATE);
    expect(conn, "SELECT * FROM t", "[k:20r,note:25l]<SELECT 0*>");
    pg_close(conn);
}

static void test_null_keys(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    int64_t k[] = {1, 2, 3};
    uint64_t valid = 5;
    const struct lake_column columns[] = {COLUMN("K", DELTA_LONG, 0, 0, true)};
    const struct lake_vector vectors[] = {{k, &valid, 8}};
    struct err e;
    int64_t skipped = 0;
    err_init(&e);
    copy_rows(conn, "CREATE TABLE t (k bigint)", columns, 1, vectors, 3, &skipped, &e);
    assert_int_equal(skipped, 1);
    expect(conn, "SELECT k FROM t ORDER BY 1", "[k:20r](1)(3)<SELECT 2*>");
    pg_close(conn);
}

static void test_copy_errors(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pg_conn *conn = open_one();
    struct err e;
    err_init(&e);
    assert_false(pg_copy_in(conn, "COPY nowhere FROM STDIN", NULL, &e));
    assert_string_equal(e.sqlstate, "42P01");
    usable(conn);
    err_init(&e);
    assert_false(pg_copy_in(conn, "SELECT 1", NULL, &e));
    usable(conn);
    assert_true(pg_run(conn, "CREATE TEMP TABLE c (i int PRIMARY KEY)", NULL, (err_init(&e), &e)));
    assert_true(pg_copy_in(conn, "COPY c FROM STDIN", NULL, &e));
    assert_true(pg_copy_put(conn, "1\n1\n", 4, NULL, &e));
    assert_false(pg_copy_done(conn, NULL, NULL, &e));
    assert_string_equal(e.sqlstate, "23505");
    usable(conn);
    /* Given up half way: nothing of it stays. */
    struct cancel c;
    err_init(&e);
    assert_true(cancel_init(&c, &e));
    assert_true(pg_copy_in(conn, "COPY c FROM STDIN", &c, &e));
    assert_true(pg_copy_put(conn, "2\n", 2, &c, &e));
    cancel_fire(&c);
    assert_false(pg_copy_put(conn, "3\n", 2, &c, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    pg_copy_stop(conn, &e);
    assert_int_equal(e.code, ERR_CANCELLED);
    expect(conn, "SELECT count(*) FROM c", "[count:20r](0)<SELECT 1*>");
    cancel_release(&c);
    pg_close(conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types), cmocka_unit_test(test_decimals), cmocka_unit_test(test_narrow_decimals),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_null_keys), cmocka_unit_test(test_copy_errors),
    };
    return cmocka_run_group_tests_name("sync_encode", tests, set_up_cluster, tear_down_cluster);
}
