/* The \d family beside the real psql: the same titles, columns, rows and footers, in psql's unaligned form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/xalloc.h"
#include "pg/catalog.h"
#include "pg_cluster.h"

static struct pg_cluster cluster;
static const char *no_cluster;
static struct pg_conn *conn;

static const char zoo[] =
    "CREATE ROLE analyst; CREATE ROLE limited LOGIN CREATEDB CONNECTION LIMIT 3; GRANT analyst TO limited;"
    "CREATE ROLE until LOGIN VALID UNTIL '2031-01-01 00:00+00'; CREATE ROLE one CONNECTION LIMIT 1 NOINHERIT;"
    "CREATE SCHEMA sales; COMMENT ON SCHEMA sales IS 'what we sell'; GRANT USAGE ON SCHEMA sales TO analyst;"
    "CREATE SCHEMA \"Odd Name\";"
    "CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email varchar(80) NOT NULL UNIQUE,"
    " name text COLLATE \"C\", born date, balance numeric(10,2) DEFAULT 0 CHECK (balance >= 0),"
    " twice numeric GENERATED ALWAYS AS (balance * 2) STORED);"
    "CREATE TABLE orders (id serial PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers ON DELETE CASCADE,"
    " parent int REFERENCES orders, state text DEFAULT 'new', CONSTRAINT state_known CHECK (state IN ('new', 'paid')));"
    "CREATE INDEX orders_by_state ON orders (state, id DESC) WHERE state <> 'new';"
    "CREATE UNIQUE INDEX orders_lower ON orders (lower(state)) INCLUDE (parent);"
    "ALTER TABLE orders ADD CONSTRAINT later UNIQUE (customer_id, id) DEFERRABLE INITIALLY DEFERRED;"
    "CREATE TABLE bookings (room int, during int4range, EXCLUDE USING gist (during WITH &&));"
    "CREATE UNLOGGED TABLE scratch (x int); CREATE TABLE \"Mixed Case\" (\"Sp ace\" int, arr text[], j jsonb);"
    "CREATE VIEW paid AS SELECT * FROM orders WHERE state = 'paid'; COMMENT ON VIEW paid IS 'done';"
    "CREATE MATERIALIZED VIEW totals AS SELECT customer_id, count(*) AS n FROM orders GROUP BY 1;"
    "CREATE UNIQUE INDEX totals_key ON totals (customer_id);"
    "CREATE SEQUENCE tickets AS smallint START 5 INCREMENT 5 MAXVALUE 500 CYCLE CACHE 3;"
    "CREATE TABLE events (at date NOT NULL, what text) PARTITION BY RANGE (at);"
    "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');"
    "CREATE TABLE events_rest PARTITION OF events DEFAULT; CREATE INDEX events_at ON events (at);"
    "CREATE TABLE base_t (a int); CREATE TABLE child_t (b int) INHERITS (base_t); CREATE TABLE grand_t () INHERITS (child_t, base_t);"
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE FUNCTION add(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT a + b';"
    "CREATE PROCEDURE work(x text) LANGUAGE sql AS 'SELECT 1';"
    "CREATE TRIGGER t_touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();"
    "CREATE TABLE notes (owner text, body text); ALTER TABLE notes ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY own ON notes FOR SELECT TO analyst USING (owner = CURRENT_USER);"
    "CREATE POLICY pen ON notes AS RESTRICTIVE FOR INSERT WITH CHECK (owner <> ''); "
    "CREATE TABLE bare (x int); ALTER TABLE bare ENABLE ROW LEVEL SECURITY;"
    "CREATE TABLE sales.items (sku text PRIMARY KEY, customer bigint REFERENCES public.customers);"
    "COMMENT ON TABLE sales.items IS 'things'; COMMENT ON COLUMN sales.items.sku IS 'the key';"
    "GRANT SELECT ON sales.items TO analyst; GRANT UPDATE (customer) ON sales.items TO limited;"
    "CREATE TYPE pair AS (a int, b text); CREATE PUBLICATION pub FOR TABLE orders;";

/* The listing in psql's unaligned form. */
struct unaligned {
    struct buf text;
    unsigned long rows;
};

static void on_begin(void *self, const char *title)
{
    struct unaligned *u = self;
    u->rows = 0;
    buf_printf(&u->text, "%s\n", title);
}

static void on_columns(void *self, const struct pg_column *columns, size_t n)
{
    struct unaligned *u = self;
    for (size_t i = 0; i < n; i++)
        buf_printf(&u->text, "%s%s", i ? "|" : "", columns[i].name);
    buf_putc(&u->text, '\n');
}

static bool on_row(void *self, const struct pg_value *values, size_t n)
{
    struct unaligned *u = self;
    u->rows++;
    for (size_t i = 0; i < n; i++) {
        if (!values[i].text)
            fail_msg("a NULL in a listing: %s", buf_str(&u->text));
        buf_puts(&u->text, i ? "|" : "");
        buf_add(&u->text, values[i].text, values[i].len);
    }
    buf_putc(&u->text, '\n');
    return true;
}

static void on_end(void *self, const char *footer)
{
    struct unaligned *u = self;
    if (!footer)
        buf_printf(&u->text, "(%lu row%s)\n", u->rows, u->rows == 1 ? "" : "s");
    else if (*footer)
        buf_printf(&u->text, "%s\n", footer);
}

static bool ours(const char *command, const char *pattern, struct unaligned *u, struct err *e)
{
    u->rows = 0;
    buf_init(&u->text, 1 << 20);
    err_init(e);
    struct pg_listing out = {.self = u, .begin = on_begin, .end = on_end,
                             .rows = {.self = u, .columns = on_columns, .row = on_row}};
    return pg_describe(conn, command, pattern, &out, NULL, e);
}

/* What psql -A prints for a command. Empty: there is no psql. */
static void psqls(const char *command, struct buf *out)
{
    int fd[2];
    char path[300];
    buf_init(out, 1 << 20);
    snprintf(path, sizeof path, "%s/psql", cluster.bin);
    assert_int_equal(pipe(fd), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd[1], 1);
        setenv("PSQLRC", "/nonexistent", 1);
        setenv("PGTZ", "UTC", 1);
        execl(path, "psql", "-X", "-A", "-h", cluster.dir, "-p", "5432", "-U", "learner", "-d", "postgres", "-c", command,
              (char *)NULL);
        _exit(127);
    }
    close(fd[1]);
    char chunk[4096];
    for (ssize_t n; (n = read(fd[0], chunk, sizeof chunk)) > 0;)
        buf_add(out, chunk, (size_t)n);
    close(fd[0]);
    waitpid(pid, NULL, 0);
    /* Between two tables psql leaves a line free. */
    char *from = out->data, *to = out->data, *end = out->data ? out->data + out->len : NULL;
    for (; from && from < end; from++) {
        if (*from == '\n' && (to == out->data || to[-1] == '\n'))
            continue;
        *to++ = *from;
    }
    if (from) {
        *to = '\0';
        out->len = (size_t)(to - out->data);
    }
}

static void same(const char *command, const char *pattern)
{
    struct unaligned u;
    struct buf want;
    struct err e;
    char line[200];
    snprintf(line, sizeof line, "\\%s %s", command, pattern ? pattern : "");
    psqls(line, &want);
    if (!ours(command, pattern, &u, &e))
        fail_msg("%s: %s %s", line, e.sqlstate, e.text);
    if (strcmp(buf_str(&u.text), buf_str(&want)) != 0)
        fail_msg("%s\n---- psql\n%s---- we\n%s", line, buf_str(&want), buf_str(&u.text));
    buf_release(&want);
    buf_release(&u.text);
}

#define NEED_CLUSTER()                                  \
    do {                                                \
        if (no_cluster) {                               \
            print_message("skipped: %s\n", no_cluster); \
            skip();                                     \
        }                                               \
    } while (0)

static void test_lists(void **state)
{
    (void)state;
    NEED_CLUSTER();
    static const char *const commands[] = {"d", "dt", "dv", "dm", "ds", "di", "dtv", "dn", "dn+", "dp", "z", "df", "dt+",
                                           "di+", "d+", "dnS", "dvS"};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (pg_server_version(conn) < 180000) /* psql 18 calls them "List of tables" and so on */
            same(commands[i], NULL);
    }
    if (pg_server_version(conn) < 160000) { /* psql 16 dropped "Member of" */
        same("du", NULL);
        same("dg+", NULL);
        same("du", "pg_read*");
    }
    if (pg_server_version(conn) < 180000)
        same("dx", NULL);
}

static void test_patterns(void **state)
{
    (void)state;
    NEED_CLUSTER();
    if (pg_server_version(conn) >= 180000)
        skip();
    static const char *const patterns[] = {
        "orders", "ORDERS", "o*", "order?", "*.items", "sales.*", "sales.it*", "\"Mixed Case\"", "public.\"Mixed Case\"", "*",
        "*.*s", "pg_catalog.pg_am", "nothing*", "(orders|customers)", "events_[0-9]+", "\"o*\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        struct unaligned u;
        struct err e;
        assert_true(ours("dt", patterns[i], &u, &e));
        if (u.rows > 0) /* for nothing found psql has a message, we have an empty table */
            same("dt", patterns[i]);
        buf_release(&u.text);
    }
    same("dn", "s*");
    same("dn", "\"Odd Name\"");
    same("dtS", "pg_cl*");
    same("dS+", "pg_am");
    same("df", "add");
    same("df", "public.*");
    same("df", "pg_catalog.format_type");
}

static void test_relations(void **state)
{
    (void)state;
    NEED_CLUSTER();
    static const char *const names[] = {
        "customers", "orders", "bookings", "scratch", "\"Mixed Case\"", "paid", "totals", "tickets", "orders_id_seq",
        "customers_id_seq", "events", "events_2026", "events_rest", "events_at", "base_t", "child_t", "grand_t", "notes", "bare",
        "sales.items", "pair", "orders_pkey", "orders_by_state", "orders_lower", "later", "totals_key", "sales.*", "pg_class",
        "bookings*", "pg_stat_activity",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        same("d", names[i]);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        same("d+", names[i]);
}

static void test_messages(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct unaligned u;
    struct err e;
    assert_false(ours("d", "nope", &u, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_string_equal(e.text, "no relation is named \"nope\"");
    buf_release(&u.text);
    assert_true(ours("dt", "nope", &u, &e));
    assert_string_equal(buf_str(&u.text), "List of relations\nSchema|Name|Type|Owner\n(0 rows)\n");
    buf_release(&u.text);
    static const struct {
        const char *command, *pattern;
        enum err_code code;
    } bad[] = {{"dt", "a.b.c", ERR_USAGE}, {"dn", "a.b", ERR_USAGE}, {"l", "a.b", ERR_USAGE}, {"dy", NULL, ERR_USAGE},
               {"", NULL, ERR_USAGE}, {"dtt", NULL, ERR_USAGE}, {"+", NULL, ERR_USAGE}, {"d++", NULL, ERR_USAGE}, {"dtSS", NULL, ERR_USAGE}, {"S", NULL, ERR_USAGE},
               {"dtvmsiEq", NULL, ERR_USAGE}, {"dt", "(", ERR_SQL}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(ours(bad[i].command, bad[i].pattern, &u, &e));
        assert_int_equal(e.code, bad[i].code);
        buf_release(&u.text);
    }
    assert_true(ours("l", NULL, &u, &e));
    assert_non_null(strstr(buf_str(&u.text), "List of databases\nName|Owner|Encoding|Locale Provider|Collate|Ctype|"));
    assert_non_null(strstr(buf_str(&u.text), "\npostgres|learner|UTF8|libc|C.UTF-8|C.UTF-8|\n"));
    buf_release(&u.text);
    assert_true(ours("l+", "postgres", &u, &e));
    assert_non_null(strstr(buf_str(&u.text), "|pg_default|default administrative connection database\n(1 row)\n"));
    buf_release(&u.text);
    assert_true(ours("d+", "paid", &u, &e));
    assert_non_null(strstr(buf_str(&u.text), "View definition:\n SELECT"));
    buf_release(&u.text);
    assert_true(ours("d+", "sales.items", &u, &e));
    assert_non_null(strstr(buf_str(&u.text), "sku|text||not null||extended|||the key\n"));
    assert_non_null(strstr(buf_str(&u.text), "Access method: heap\n"));
    buf_release(&u.text);
}

static void check_pattern(const char *text, const char *schema, const char *name)
{
    struct arena a;
    struct pg_pattern p;
    struct err e;
    err_init(&e);
    arena_init(&a);
    assert_true(pg_pattern_parse(&a, text, &p, &e));
    if (schema)
        assert_string_equal(p.schema, schema);
    else
        assert_null(p.schema);
    if (name)
        assert_string_equal(p.name, name);
    else
        assert_null(p.name);
    arena_release(&a);
}

static void test_pattern_text(void **state)
{
    (void)state;
    check_pattern(NULL, NULL, NULL);
    check_pattern("", NULL, NULL);
    check_pattern("*", NULL, NULL);
    check_pattern("Abc", NULL, "^(abc)$");
    check_pattern("\"Abc\"", NULL, "^(Abc)$");
    check_pattern("\"a\"\"b\"", NULL, "^(a\"b)$");
    check_pattern("a*b?", NULL, "^(a.*b.)$");
    check_pattern("\"a*b?.c\"", NULL, "^(a\\*b\\?\\.c)$");
    check_pattern("s.t", "^(s)$", "^(t)$");
    check_pattern("*.t", NULL, "^(t)$");
    check_pattern("s.", "^(s)$", NULL);
    check_pattern("a$b", NULL, "^(a\\$b)$");
    check_pattern("_int4[]", NULL, "^(_int4\\[])$");
    check_pattern("\"open", NULL, "^(open)$");
    struct arena a;
    struct pg_pattern p;
    struct err e;
    char big[1002];
    arena_init(&a);
    memset(big, '"', sizeof big);
    big[1000] = '\0';
    err_init(&e);
    assert_true(pg_pattern_parse(&a, big, &p, &e));
    memset(big, '$', 1000);
    assert_true(pg_pattern_parse(&a, big, &p, &e));
    assert_int_equal(strlen(p.name), 2004);
    big[1000] = 'x';
    big[1001] = '\0';
    assert_false(pg_pattern_parse(&a, big, &p, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    arena_release(&a);
}

static int set_up(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    no_cluster = pg_cluster_start(&cluster, NULL);
    if (no_cluster)
        return 0;
    conn = pg_cluster_connect(&cluster, "learner", &e);
    if (!conn || !pg_run(conn, zoo, NULL, &e)) {
        print_error("cannot set up: %s\n", e.text);
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pg_close(conn);
    pg_cluster_stop(&cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pattern_text), cmocka_unit_test(test_lists), cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_relations), cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests_name("pg_catalog", tests, set_up, tear_down);
}
