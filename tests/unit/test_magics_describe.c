/* The \d family against psql itself: the same objects, the same text. Needs a PostgreSQL server and psql. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/child.h"
#include "magics_cells.h"
#include "pg_cluster.h"

static struct pg_cluster cluster;
static struct cells c;
static char psql[400];

static const char objects[] =
    "SET client_min_messages = warning;\n"
    "CREATE SCHEMA shop; CREATE SCHEMA \"Odd.Name\";\n"
    "CREATE TABLE shop.customers (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE \"C\" NOT NULL,\n"
    "  email varchar(80) NOT NULL UNIQUE, points numeric(10,2) DEFAULT 0 CHECK (points >= 0), at timestamptz DEFAULT now(),\n"
    "  twice numeric GENERATED ALWAYS AS (points * 2) STORED);\n"
    "CREATE TABLE shop.orders (id bigserial, customer_id integer REFERENCES shop.customers ON DELETE CASCADE,\n"
    "  tags text[] DEFAULT '{}', PRIMARY KEY (id, customer_id), CONSTRAINT later UNIQUE (id) DEFERRABLE INITIALLY DEFERRED);\n"
    "CREATE INDEX late ON shop.orders (customer_id DESC) INCLUDE (id) WHERE customer_id > 0;\n"
    "CREATE UNIQUE INDEX lower_name ON shop.customers (lower(name));\n"
    "ALTER TABLE shop.orders ADD EXCLUDE USING gist (int8range(id, id, '[]') WITH &&);\n"
    "CREATE TABLE \"Odd.Name\".\"My \"\"Table\" (\"a b\" int);\n"
    "CREATE TABLE parts (a int, b text) PARTITION BY RANGE (a); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);\n"
    "CREATE TABLE parent (x int); CREATE TABLE kid (y int) INHERITS (parent);\n"
    "CREATE VIEW shop.names AS SELECT c.name, c.email FROM shop.customers c; CREATE MATERIALIZED VIEW shop.frozen AS SELECT 1 AS one;\n"
    "CREATE SEQUENCE shop.numbers START 10 INCREMENT 5 CYCLE;\n"
    "CREATE FUNCTION shop.twice(n int, OUT m int) LANGUAGE sql AS 'SELECT n * 2'; CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n"
    "CREATE TRIGGER touched BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch();\n"
    "ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON shop.orders FOR SELECT USING (customer_id = 1);\n"
    "CREATE POLICY his ON shop.orders AS RESTRICTIVE TO learner, pg_monitor USING (true) WITH CHECK (customer_id > 1);\n"
    "COMMENT ON TABLE shop.orders IS 'what was bought';\n"
    "CREATE TYPE shop.pair AS (a int, b text)";

static int start(void **state)
{
    (void)state;
    char code[200];
    jx_setup();
    const char *why = pg_cluster_start(&cluster, NULL);
    if (why) {
        print_error("%s\n", why);
        return -1;
    }
    cells_open(&c);
    snprintf(psql, sizeof psql, "%s/psql", cluster.bin);
    snprintf(code, sizeof code, "%%connect host=%s user=learner dbname=postgres as here", cluster.dir);
    cells_run(&c, code);
    cells_run(&c, objects);
    if (c.error)
        print_error("%s\n", buf_str(&c.text));
    return c.error ? -1 : 0;
}

static int stop(void **state)
{
    (void)state;
    cells_close(&c);
    pg_cluster_stop(&cluster);
    return 0;
}

static void keep(void *self, bool is_stderr, const char *text, size_t len)
{
    if (!is_stderr)
        buf_add(self, text, len);
}

/* Without the blank line that psql puts behind each table. */
static void drop_blank_lines(struct buf *b)
{
    char *to = b->data;
    for (const char *p = b->data; p && *p; p++) {
        if (*p == '\n' && (p == b->data || p[-1] == '\n'))
            continue;
        *to++ = *p;
    }
    if (to) {
        *to = '\0';
        b->len = (size_t)(to - b->data);
    }
}

/* psql 18 words some titles differently; what is shown stays the same here on all majors. */
static void need_known_psql(void)
{
    long major = strtol(cluster.bin + strlen("/usr/lib/postgresql/"), NULL, 10);
    if (major < 14 || major > 17) {
        print_message("skipped: psql %ld is not one whose texts are compared\n", major);
        skip();
    }
}

static void same_as_psql(const char *command)
{
    struct err e = {0};
    struct buf want;
    int status = 0;
    const char *argv[] = {psql, "-X", "-h", cluster.dir, "-U", "learner", "-d", "postgres", "-c", command, NULL};
    struct child child = {.argv = argv, .self = &want, .output = keep};
    buf_init(&want, 1 << 20);
    assert_true(child_run(&child, &status, NULL, &e));
    assert_int_equal(status, 0);
    drop_blank_lines(&want);
    const char *got = cells_run(&c, command);
    bool same = strcmp(got, buf_str(&want)) == 0;
    if (!same) /* print_error of cmocka cuts what is long */
        fprintf(stderr, "%s\npsql shows\n%s\nwe show\n%s", command, buf_str(&want), got);
    buf_release(&want);
    assert_true(same);
}

static void test_lists(void **state)
{
    (void)state;
    need_known_psql();
    static const char *const commands[] = {"\\dt", "\\dt shop.*", "\\dt *.*s", "\\dt SHOP.Orders", "\\dv shop.*",
                                           "\\dn", "\\dn s*",
                                           "\\df shop.*", "\\d", "\\dt \"Odd.Name\".*",
                                               "\\dt \"Odd.Name\".\"My \"\"Table\""};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        same_as_psql(commands[i]);
}

static void test_relations(void **state)
{
    (void)state;
    need_known_psql();
    static const char *const commands[] = {
        "\\d shop.customers", "\\d shop.orders", "\\d shop.names", "\\d shop.frozen", "\\d shop.numbers",
            "\\d shop.late",
        "\\d shop.lower_name", "\\d parts", "\\d parts_1", "\\d parent", "\\d kid",
            "\\d \"Odd.Name\".\"My \"\"Table\"",
        "\\d shop.orders_id_seq", "\\d shop.customers_id_seq", "\\d shop.customers_pkey", "\\d shop.pair"};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        same_as_psql(commands[i]);
}

/* Results of SQL look as in psql too, where nothing is NULL. */
static void test_results(void **state)
{
    (void)state;
    need_known_psql();
    static const char *const commands[] = {
        "SELECT 1 AS n, 'ä€' AS text, true AS yes, 1.50::numeric AS m, '{1,2}'::int[] AS a, '1 day'::interval IS NOT NULL AS i",
        "SELECT", "SELECT WHERE false", "VALUES ('a' || chr(10) || 'b', 2)",
            "SELECT repeat('x', 100) AS \"two\nlines\"",
        "UPDATE shop.customers SET name = name RETURNING id", "EXPLAIN (COSTS OFF) SELECT 1", "SHOW server_encoding",
        "SELECT '\x01' AS c, E'\\t' AS tab, E'\\r' AS cr", "TABLE shop.frozen"};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        same_as_psql(commands[i]);
}

static void test_plus_and_failures(void **state)
{
    (void)state;
    assert_non_null(strstr(cells_run(&c, "\\dt+ shop.orders"), "what was bought"));
    assert_non_null(strstr(cells_run(&c, "\\d+ shop.names"), "View definition:"));
    assert_non_null(strstr(cells_run(&c, "\\du learner"), "Superuser"));
    assert_non_null(strstr(cells_run(&c, "\\l postgres"), "(1 row)"));
    assert_non_null(strstr(cells_run(&c, "\\dx"), "plpgsql"));
    assert_non_null(strstr(cells_run(&c, "\\d nope"), "NotFound: no relation is named \"nope\""));
    /* In a failed transaction the server refuses these too. */
    cells_run(&c, "BEGIN; SELECT nope");
    assert_non_null(strstr(cells_run(&c, "\\dt"), "InFailedSqlTransaction"));
    cells_run(&c, "ROLLBACK");
    /* More relations than are described. */
    cells_run(&c, "DO $$ BEGIN FOR i IN 1..21 LOOP EXECUTE format('CREATE TABLE many_%s (n int)', i); END LOOP; END $$");
    assert_non_null(strstr(cells_run(&c, "\\d many_*"), "(20 of 21 relations shown)"));
    assert_int_equal(c.results + c.displays, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists), cmocka_unit_test(test_relations),
                                       cmocka_unit_test(test_results),
                                       cmocka_unit_test(test_plus_and_failures)};
    return cmocka_run_group_tests(tests, start, stop);
}
