/* The SQL front without an engine: tokens, places, which words name tables, the text that the engine would get; and fuzz. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "lakehouse/front.h"

static struct front f;
static struct lake_statement statement;

static void begin(const char *sql)
{
    struct err e;
    err_init(&e);
    statement = (struct lake_statement){.sql = sql, .catalog = "main", .schema = "default", .principal = "me@example.com"};
    f = (struct front){.s = &statement};
    arena_init(&f.arena);
    assert_true(front_lex(sql, &f.arena, &f.t, &e));
    f.tables = arena_alloc(&f.arena, FRONT_TABLES_MAX * sizeof *f.tables);
    f.table_at = arena_alloc(&f.arena, (f.t.count + 1) * sizeof *f.table_at);
}

static void end(void)
{
    arena_release(&f.arena);
}

static void expect_tables(const char *sql, const char *names)
{
    struct err e;
    struct buf found;
    err_init(&e);
    buf_init(&found, 4096);
    begin(sql);
    assert_true(front_find_tables(&f, 0, f.t.count, false, &e));
    for (size_t i = 0; i < f.n_tables; i++)
        buf_printf(&found, "%s%s.%s.%s", i ? " " : "", f.tables[i].parts[0], f.tables[i].parts[1], f.tables[i].parts[2]);
    assert_string_equal(buf_str(&found), names);
    buf_release(&found);
    end();
}

static void test_tables(void **state)
{
    (void)state;
    expect_tables("SELECT 1", "");
    expect_tables("SELECT a FROM t", "main.default.t");
    expect_tables("SELECT a FROM s.t, c.s.u x JOIN v USING (a, b), w", "main.s.t c.s.u main.default.v main.default.w");
    expect_tables("SELECT (SELECT max(a) FROM t), EXTRACT(YEAR FROM d) FROM (SELECT * FROM u) AS x WHERE a IN (SELECT b FROM v)",
                  "main.default.t main.default.u main.default.v");
    expect_tables("WITH c AS (SELECT * FROM t), d (x) AS (SELECT 1) SELECT * FROM c, d, e", "main.default.t main.default.e");
    expect_tables("SELECT a IS DISTINCT FROM b, trim(BOTH 'x' FROM y) FROM t ORDER BY a, b", "main.default.t");
    expect_tables("SELECT * FROM (t JOIN u ON t.a = u.a) LEFT JOIN `v w`", "main.default.t main.default.u main.default.v w");
    expect_tables("SELECT * FROM VALUES (1, 2), (3, 4) AS x(a, b), t UNION SELECT * FROM u", "main.default.t main.default.u");
    expect_tables("SELECT * FROM t VERSION AS OF 3 AS a, u TIMESTAMP AS OF '2026-01-01', range(3)",
                  "main.default.t main.default.u");
    expect_tables("SELECT * FROM table_changes('s.t', 1, 2) c JOIN t ON true", "main.s.t main.default.t");
    expect_tables("SELECT 'FROM x', \"FROM y\" -- FROM z\n/* FROM /* q */ r */ FROM t", "main.default.t");
    expect_tables("SELECT a FROM t WHERE b = 1 GROUP BY a, b HAVING c ORDER BY a, b LIMIT 3", "main.default.t");
}

static void expect_rewritten(const char *sql, const char *text)
{
    struct err e;
    struct buf out;
    err_init(&e);
    buf_init(&out, 1 << 20);
    begin(sql);
    assert_true(front_find_tables(&f, 0, f.t.count, false, &e));
    for (size_t i = 0; i < f.n_tables; i++)
        f.tables[i].sql = "Q";
    assert_true(front_rewrite(&f, 0, f.t.count, &out, NULL, &e));
    assert_string_equal(buf_str(&out), text);
    buf_release(&out);
    end();
}

static void test_rewriting(void **state)
{
    (void)state;
    expect_rewritten("SELECT `a``b\"c`, 'it''s', \"q\\\"\\n\", r'\\d'", "SELECT \"a`b\"\"c\",  'it''s',  'q\"\n',  '\\d'");
    expect_rewritten("SELECT * FROM t", "SELECT * FROM  (Q) AS \"t\" ");
    expect_rewritten("SELECT x.a FROM s.t AS x", "SELECT x.a FROM  (Q)  AS x");
    expect_rewritten("SELECT s.t.a FROM s.t", "SELECT t.a FROM  (Q) AS \"t\" ");
    expect_rewritten("SELECT CAST(a AS STRING), b::TIMESTAMP, CAST(c AS ARRAY<STRUCT<x: INT>>)",
                     "SELECT CAST(a AS VARCHAR), b::TIMESTAMPTZ, CAST(c AS STRUCT(\"x\" INTEGER)[])");
    expect_rewritten("SELECT TIMESTAMP'2026-01-01', a <=> b, 7 DIV 2, concat(a, b), nvl(a, 1), 5L, current_user()",
                     "SELECT TIMESTAMPTZ  '2026-01-01', a  IS NOT DISTINCT FROM  b, 7 // 2, (a ||  b), coalesce(a, 1), CAST(5 AS "
                     "BIGINT),  'me@example.com'");
    expect_rewritten("SELECT * EXCEPT (a) FROM t LEFT ANTI JOIN u ON true",
                     "SELECT * EXCLUDE (a) FROM  (Q) AS \"t\"   ANTI JOIN  (Q) AS \"u\"  ON true");
    expect_rewritten("SELECT e'x', b'y', n 'z'", "SELECT e  'x', b  'y', n  'z'"); /* no prefix ever touches a string */
}

static void expect_error(const char *sql, const char *class, int position)
{
    struct err e;
    struct tokens t;
    struct arena arena;
    err_init(&e);
    arena_init(&arena);
    assert_false(front_lex(sql, &arena, &t, &e));
    assert_int_equal(e.code, ERR_SQL);
    assert_int_equal(strncmp(e.text + 1, class, strlen(class)), 0);
    assert_int_equal(e.position, position);
    arena_release(&arena);
}

static void test_places(void **state)
{
    (void)state;
    expect_error("SELECT 'ä' 'x", "PARSE_SYNTAX_ERROR", 12);
    expect_error("SELECT 'äö' $ 1", "PARSE_SYNTAX_ERROR", 13);
    expect_error("SELECT /* a", "PARSE_SYNTAX_ERROR", 8);
    expect_error("SELECT `a", "PARSE_SYNTAX_ERROR", 8);
    expect_error("SELECT ?", "PARSE_SYNTAX_ERROR", 8);
    expect_error("SELECT a:b", "UNSUPPORTED_FEATURE", 9);
    expect_error("SELECT 1; SELECT 2", "PARSE_SYNTAX_ERROR", 11);
    expect_error("  ", "PARSE_SYNTAX_ERROR", 1);
    expect_error("SELECT x'0g'", "PARSE_SYNTAX_ERROR", 13);
    expect_error("SELECT '\\0'", "PARSE_SYNTAX_ERROR", 9);
}

static void test_caps(void **state)
{
    (void)state;
    struct err e;
    struct tokens t;
    struct arena arena;
    size_t n = (16 << 20) + 1;
    char *big = xmalloc(n + 1);
    memset(big, ' ', n);
    memcpy(big, "SELECT 1", 8);
    big[n] = '\0';
    arena_init(&arena);
    err_init(&e);
    assert_false(front_lex(big, &arena, &t, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    big[n - 1] = '\0';
    err_init(&e);
    assert_true(front_lex(big, &arena, &t, &e));
    arena_release(&arena);
    free(big);
    /* brackets: one level under the cap passes, at the cap it is refused */
    for (int deep = FRONT_DEPTH_MAX - 2; deep <= FRONT_DEPTH_MAX; deep += 2) {
        struct buf sql;
        buf_init(&sql, 1 << 20);
        buf_puts(&sql, "SELECT ");
        buf_fill(&sql, '(', (size_t)deep);
        buf_puts(&sql, "1");
        buf_fill(&sql, ')', (size_t)deep);
        err_init(&e);
        begin(buf_str(&sql));
        assert_int_equal(front_find_tables(&f, 0, f.t.count, false, &e), deep < FRONT_DEPTH_MAX);
        end();
        buf_release(&sql);
    }
}

/* Random statements from pieces that mean something: never a crash, and an error always has a class. */
static void test_fuzz(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "SELECT", "FROM", "(", ")", ",", ".", "t", "`x`", "'s'", "\"d\"", "WITH", "AS", "JOIN", "ON", "USING", "VALUES", "1", "1.5e3",
        "10L", "<=>", "::", "INT", "ARRAY<", ">", "STRUCT<a:", "MAP<", "CAST(", "VERSION AS OF", "TIMESTAMP AS OF", "table_changes(",
        "LATERAL", "LEFT ANTI JOIN", "*", "EXCEPT", "concat(", "date_format(", "'yyyy'", ":p", "-- c\n", "/* c */", "x'41'", "r'\\'",
        "DIV", "RLIKE", "current_user()", "[", "]", "{", "}", "'\\u00e4'", "CASE", "END", "DISTINCT", "IS", "UNION", "WHERE", "range(3)",
        "\xc3\xa4", "timestamp", "decimal(", "s.t.c", "c.s.t.a", "FOR VERSION", "not", "materialized", "\\", "'", "\"", "`", "/*"};
    unsigned seed = 20261123;
    int rounds = getenv("LAKEBASE_FUZZ") ? (int)strtol(getenv("LAKEBASE_FUZZ"), NULL, 10) : 20000;
    for (int round = 0; round < rounds; round++) {
        struct buf sql, out;
        struct err e;
        struct front_map map = {0};
        buf_init(&sql, 1 << 16);
        buf_init(&out, 1 << 20);
        seed = seed * 1664525u + 1013904223u;
        for (unsigned n = 1 + (seed >> 16) % 24; n > 0; n--) {
            seed = seed * 1664525u + 1013904223u;
            buf_puts(&sql, pieces[(seed >> 8) % ARRAY_LEN(pieces)]);
            buf_puts(&sql, (seed >> 5) % 5 ? " " : "");
        }
        struct lake_parameter p = {"p", "1", (seed & 64) ? "INT" : "DECIMAL(3"};
        statement = (struct lake_statement){.sql = buf_str(&sql), .catalog = "main", .schema = "default", .parameters = &p,
                                            .n_parameters = 1};
        f = (struct front){.s = &statement};
        arena_init(&f.arena);
        err_init(&e);
        if (front_lex(buf_str(&sql), &f.arena, &f.t, &e)) {
            f.tables = arena_alloc(&f.arena, FRONT_TABLES_MAX * sizeof *f.tables);
            f.table_at = arena_alloc(&f.arena, (f.t.count + 1) * sizeof *f.table_at);
            if (front_find_tables(&f, 0, f.t.count, seed & 1, &e)) {
                for (size_t i = 0; i < f.n_tables; i++)
                    f.tables[i].sql = "Q";
                front_rewrite(&f, 0, f.t.count, &out, &map, &e);
            }
        }
        if (e.code == ERR_SQL)
            assert_int_equal(e.text[0], '[');
        front_map_error(&f, &map, &e);
        free(map.places);
        arena_release(&f.arena);
        buf_release(&sql);
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables), cmocka_unit_test(test_rewriting), cmocka_unit_test(test_places),
        cmocka_unit_test(test_caps),   cmocka_unit_test(test_fuzz),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
