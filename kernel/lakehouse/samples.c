/* The rows of the samples (see samples.h): SQL that makes them, and version 0 of their tables. */
#include "lakehouse/samples.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"
#include "lakehouse/dml.h"

/* s_h(i, salt): an even spread over 0 … 2147483646, the same on every machine and version of the engine. s_lines: the lines of all
 * orders, for lineitem itself and for the totals of orders. */
static const char *const macros[] = {
    "CREATE TEMP MACRO s_mix(a, f) AS (xor(a, a >> 15) * f) % 2147483647",
    "CREATE TEMP MACRO s_h(i, salt) AS s_mix(s_mix((i * 1103515245 + salt * 69069 + 12345) % 2147483647, 48271), 69621)",
    "CREATE TEMP MACRO s_pick(list, h) AS list[1 + h % len(list)]",
    "CREATE TEMP MACRO s_text(i, salt) AS s_pick(['quickly', 'slyly', 'carefully', 'blithely', 'furiously'], s_h(i, salt)) || ' ' || "
    "s_pick(['final', 'regular', 'ironic', 'pending', 'special', 'bold', 'even', 'express'], s_h(i, salt + 1)) || ' ' || "
    "s_pick(['deposits', 'requests', 'packages', 'accounts', 'theodolites', 'pinto beans', 'ideas'], s_h(i, salt + 2)) || ' ' || "
    "s_pick(['sleep', 'nag', 'wake', 'haggle', 'cajole', 'boost', 'detect'], s_h(i, salt + 3))",
    "CREATE TEMP MACRO s_phone(nation, i, salt) AS printf('%d-%03d-%03d-%04d', 10 + nation, 100 + s_h(i, salt) % 900, "
    "100 + s_h(i, salt + 1) % 900, 1000 + s_h(i, salt + 2) % 9000)",
    "CREATE TEMP MACRO s_address(i, salt) AS printf('%d %s Street', 1 + s_h(i, salt) % 9999, s_pick(['Oak', 'Maple', 'Cedar', 'Elm', "
    "'Lake', 'Hill', 'Main', 'Park'], s_h(i, salt + 1)))",
    "CREATE TEMP MACRO s_balance(i, salt) AS (s_h(i, salt) % 1099999 - 99999) / 100",
    "CREATE TEMP MACRO s_price(part) AS (90000 + (part // 10) % 20001 + 100 * (part % 1000)) / 100",
    "CREATE TEMP MACRO s_orderkey(i) AS (i // 8) * 32 + i % 8 + 1",
    "CREATE TEMP MACRO s_orderdate(i) AS DATE '1992-01-01' + CAST(s_h(i, 2) % 2406 AS INTEGER)",
    "CREATE TEMP MACRO s_supplier(part, n) AS 1 + (part + n * (250 + (part - 1) // 1000)) % 1000",
    "CREATE TEMP MACRO s_lines() AS TABLE SELECT i, n, 1 + s_h(i * 8 + n, 3) % 20000 AS part, 1 + s_h(i * 8 + n, 4) % 50 AS quantity, "
    "s_h(i * 8 + n, 5) % 11 AS discount, s_h(i * 8 + n, 6) % 9 AS tax, s_orderdate(i) + CAST(1 + s_h(i * 8 + n, 7) % 121 AS INTEGER) AS shipped "
    "FROM range(150000) AS o(i), range(7) AS l(n) WHERE n <= s_h(i, 1) % 7",
};

static const struct sample_table tables[] = {
    {"nyctaxi", "trips", "Taxi trips in New York City; the rows are generated",
     "tpep_pickup_datetime TIMESTAMP, tpep_dropoff_datetime TIMESTAMP, trip_distance DOUBLE, fare_amount DOUBLE, pickup_zip INT, dropoff_zip INT",
     "SELECT began, began + to_seconds(CAST(120 + distance * (140 + s_h(i, 14) % 160) AS BIGINT)), distance, "
     "round((2.5 + distance * 2.5 + (s_h(i, 15) % 8) * 0.5) * 2) / 2, s_pick(zips, s_h(i, 16)), "
     "s_pick(zips, CASE WHEN distance < 1 THEN s_h(i, 16) ELSE s_h(i, 17) END) FROM (SELECT i, TIMESTAMPTZ '2016-01-01 00:00:00+00' + "
     "to_seconds(CAST(i * 236 + s_h(i, 11) % 236 AS BIGINT)) AS began, round(0.3 + 20 * pow(s_h(i, 12) / 2147483647.0, 5) + "
     "2 * (s_h(i, 13) / 2147483647.0), 2) AS distance, [10001, 10002, 10003, 10009, 10010, 10011, 10012, 10013, 10014, 10016, 10017, 10018, 10019, "
     "10021, 10022, 10023, 10024, 10025, 10028, 10036, 10065, 10110, 10128, 10153, 10199, 11101, 11201, 11211, 11371, 11422] AS zips "
     "FROM range(21932) AS r(i)) ORDER BY i"},
    {"tpch", "region", "TPC-H: regions of the world", "r_regionkey BIGINT, r_name STRING, r_comment STRING",
     "SELECT i, ['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'][1 + i], s_text(i, 20) FROM range(5) AS r(i)"},
    {"tpch", "nation", "TPC-H: 25 nations", "n_nationkey BIGINT, n_name STRING, n_regionkey BIGINT, n_comment STRING",
     "SELECT i, ['ALGERIA', 'ARGENTINA', 'BRAZIL', 'CANADA', 'EGYPT', 'ETHIOPIA', 'FRANCE', 'GERMANY', 'INDIA', 'INDONESIA', 'IRAN', 'IRAQ', "
     "'JAPAN', 'JORDAN', 'KENYA', 'MOROCCO', 'MOZAMBIQUE', 'PERU', 'CHINA', 'ROMANIA', 'SAUDI ARABIA', 'VIETNAM', 'RUSSIA', "
     "'UNITED KINGDOM', 'UNITED STATES'][1 + i], [0, 1, 1, 1, 4, 0, 3, 3, 2, 2, 4, 4, 2, 4, 0, 0, 0, 1, 2, 3, 4, 2, 3, 3, 1][1 + i], "
     "s_text(i, 24) FROM range(25) AS r(i)"},
    {"tpch", "supplier", "TPC-H: 1,000 suppliers",
     "s_suppkey BIGINT, s_name STRING, s_address STRING, s_nationkey BIGINT, s_phone STRING, s_acctbal DECIMAL(18,2), s_comment STRING",
     "SELECT i, printf('Supplier#%09d', i), s_address(i, 30), s_h(i, 32) % 25, s_phone(s_h(i, 32) % 25, i, 33), s_balance(i, 36), s_text(i, 37) "
     "FROM range(1, 1001) AS r(i)"},
    {"tpch", "customer", "TPC-H: 15,000 customers; a third of them never ordered",
     "c_custkey BIGINT, c_name STRING, c_address STRING, c_nationkey BIGINT, c_phone STRING, c_acctbal DECIMAL(18,2), c_mktsegment STRING, "
     "c_comment STRING",
     "SELECT i, printf('Customer#%09d', i), s_address(i, 40), s_h(i, 42) % 25, s_phone(s_h(i, 42) % 25, i, 43), s_balance(i, 46), "
     "s_pick(['AUTOMOBILE', 'BUILDING', 'FURNITURE', 'MACHINERY', 'HOUSEHOLD'], s_h(i, 47)), s_text(i, 48) FROM range(1, 15001) AS r(i)"},
    {"tpch", "part", "TPC-H: 20,000 parts",
     "p_partkey BIGINT, p_name STRING, p_mfgr STRING, p_brand STRING, p_type STRING, p_size INT, p_container STRING, "
     "p_retailprice DECIMAL(18,2), p_comment STRING",
     "SELECT i, s_pick(colours, s_h(i, 52)) || ' ' || s_pick(colours, s_h(i, 53)) || ' ' || s_pick(colours, s_h(i, 54)), "
     "printf('Manufacturer#%d', m), printf('Brand#%d%d', m, 1 + s_h(i, 55) % 5), "
     "s_pick(['STANDARD', 'SMALL', 'MEDIUM', 'LARGE', 'ECONOMY', 'PROMO'], s_h(i, 56)) || ' ' || "
     "s_pick(['ANODIZED', 'BURNISHED', 'PLATED', 'POLISHED', 'BRUSHED'], s_h(i, 57)) || ' ' || "
     "s_pick(['TIN', 'NICKEL', 'BRASS', 'STEEL', 'COPPER'], s_h(i, 58)), 1 + s_h(i, 59) % 50, "
     "s_pick(['SM', 'LG', 'MED', 'JUMBO', 'WRAP'], s_h(i, 60)) || ' ' || "
     "s_pick(['CASE', 'BOX', 'BAG', 'JAR', 'PKG', 'PACK', 'CAN', 'DRUM'], s_h(i, 61)), s_price(i), s_text(i, 62) "
     "FROM (SELECT i, 1 + s_h(i, 51) % 5 AS m, ['almond', 'azure', 'blue', 'chocolate', 'coral', 'forest', 'goldenrod', 'ivory', 'lemon', "
     "'linen', 'navy', 'olive', 'plum', 'red', 'salmon', 'snow', 'tan', 'turquoise', 'violet', 'wheat'] AS colours FROM range(1, 20001) AS r(i))"},
    {"tpch", "partsupp", "TPC-H: which supplier has which part, four for each",
     "ps_partkey BIGINT, ps_suppkey BIGINT, ps_availqty INT, ps_supplycost DECIMAL(18,2), ps_comment STRING",
     "SELECT i, s_supplier(i, n), 1 + s_h(i * 4 + n, 71) % 9999, (100 + s_h(i * 4 + n, 72) % 99901) / 100, s_text(i * 4 + n, 73) "
     "FROM range(1, 20001) AS r(i), range(4) AS s(n) ORDER BY i, n"},
    {"tpch", "orders", "TPC-H: 150,000 orders from 1992 to 1998",
     "o_orderkey BIGINT, o_custkey BIGINT, o_orderstatus STRING, o_totalprice DECIMAL(18,2), o_orderdate DATE, o_orderpriority STRING, "
     "o_clerk STRING, o_shippriority INT, o_comment STRING",
     "SELECT s_orderkey(i), 3 * ((s_h(i, 81) % 10000) // 2) + 1 + (s_h(i, 81) % 10000) % 2, CASE WHEN max(shipped) <= DATE '1995-06-17' THEN 'F' "
     "WHEN min(shipped) > DATE '1995-06-17' THEN 'O' ELSE 'P' END, sum(CAST(quantity * s_price(part) AS DECIMAL(18,2)) * (100 - discount) "
     "* (100 + tax)) / 10000, s_orderdate(i), "
     "s_pick(['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'], s_h(i, 82)), printf('Clerk#%09d', 1 + s_h(i, 83) % 100), 0, "
     "s_text(i, 84) FROM s_lines() GROUP BY i ORDER BY i"},
    {"tpch", "lineitem", "TPC-H: the lines of the orders",
     "l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT, l_linenumber INT, l_quantity DECIMAL(18,2), l_extendedprice DECIMAL(18,2), "
     "l_discount DECIMAL(18,2), l_tax DECIMAL(18,2), l_returnflag STRING, l_linestatus STRING, l_shipdate DATE, l_commitdate DATE, "
     "l_receiptdate DATE, l_shipinstruct STRING, l_shipmode STRING, l_comment STRING",
     "SELECT s_orderkey(i), part, s_supplier(part, s_h(i * 8 + n, 91) % 4), 1 + n, quantity, quantity * s_price(part), discount / 100, tax / 100, "
     "CASE WHEN received > DATE '1995-06-17' THEN 'N' WHEN s_h(i * 8 + n, 92) % 2 = 0 THEN 'R' ELSE 'A' END, "
     "CASE WHEN shipped > DATE '1995-06-17' THEN 'O' ELSE 'F' END, shipped, s_orderdate(i) + CAST(30 + s_h(i * 8 + n, 93) % 61 AS INTEGER), received, "
     "s_pick(['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'], s_h(i * 8 + n, 94)), "
     "s_pick(['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'], s_h(i * 8 + n, 95)), s_text(i * 8 + n, 96) "
     "FROM (SELECT *, shipped + CAST(1 + s_h(i * 8 + n, 97) % 30 AS INTEGER) AS received FROM s_lines()) ORDER BY i, n"},
};

const struct sample_table *sample_tables(size_t *count)
{
    *count = ARRAY_LEN(tables);
    return tables;
}

const struct sample_table *sample_find(const char *name)
{
    const char *dot = strchr(name, '.');
    for (size_t i = 0; dot && i < ARRAY_LEN(tables); i++)
        if (strlen(tables[i].schema) == (size_t)(dot - name) && !strncmp(tables[i].schema, name, (size_t)(dot - name)) &&
            !strcmp(tables[i].name, dot + 1))
            return &tables[i];
    return NULL;
}

bool sample_schema(const struct sample_table *t, struct delta_schema *out, struct err *e)
{
    static const char between[] = ", ";
    char *text = xstrdup(t->columns);
    bool ok = true;
    *out = (struct delta_schema){0};
    for (char *at = text; ok && at;) {
        char *next = strstr(at, between), *type = strchr(at, ' ');
        if (next)
            *next = '\0';
        *type++ = '\0';
        ok = delta_schema_add(out, at, type, true, NULL, e);
        at = next ? next + strlen(between) : NULL;
    }
    free(text);
    return ok;
}

/* ---- making one ---- */
static void put_copy(const struct sample_table *t, const struct delta_schema *schema, const char *path, struct buf *sql)
{
    buf_puts(sql, "COPY (SELECT ");
    for (size_t i = 0; i < schema->count; i++) {
        buf_printf(sql, "%sCAST(#%zu AS ", i ? ", " : "", i + 1);
        lake_duck_type(sql, schema->columns[i].type_json);
        buf_puts(sql, ") AS ");
        lake_quote_name(sql, schema->columns[i].name);
    }
    buf_printf(sql, " FROM (%s)) TO ", t->sql);
    lake_quote_text(sql, path);
    buf_puts(sql, " (FORMAT parquet, COMPRESSION snappy, RETURN_STATS)");
}

static bool write_rows(struct lake *l, const struct sample_table *t, const struct dml_shape *shape, const char *path, struct delta_file *out,
                       struct cancel *cancel, struct err *e)
{
    struct buf sql;
    struct duck_conn *c = duck_connect(l->db, e);
    bool ok = c != NULL;
    for (size_t i = 0; ok && i < ARRAY_LEN(macros); i++)
        ok = duck_run(c, macros[i], duck_no_params, cancel, e);
    buf_init(&sql, LAKE_SQL_MAX);
    put_copy(t, shape->schema, path, &sql);
    struct duck_rows *rows = ok && buf_ok(&sql, "the statement", e) ? duck_query(c, buf_str(&sql), duck_no_params, cancel, e) : NULL;
    ok = rows && duck_next_row(rows, cancel, e) && dml_file_of(shape, rows, out, e);
    duck_rows_free(rows);
    duck_disconnect(c);
    buf_release(&sql);
    return ok;
}

/* Version 0. Whoever is later finds it there: the same rows. */
static bool publish(const struct sample_table *t, const struct dml_shape *shape, struct delta_file *file, struct err *e)
{
    struct err why;
    char id[37];
    err_init(&why);
    ids_uuid(id);
    struct delta_commit *c = delta_commit_new(shape->root, -1, "CREATE TABLE AS SELECT");
    delta_commit_metadata(c, id, t->name, t->comment, shape->schema, NULL, 0, NULL);
    file->data_change = true;
    delta_commit_add(c, file);
    bool ok = delta_commit_publish(c, NULL, &why);
    delta_commit_free(c);
    if (!ok)
        unlink(file->path);
    if (ok || why.code == ERR_CONFLICT)
        return true;
    *e = why;
    return false;
}

bool sample_make(struct lake *l, const char *name, const char *location, struct cancel *cancel, struct err *e)
{
    const struct sample_table *t = sample_find(name);
    char id[37], *first = delta_path_commit(location, 0);
    bool there = access(first, F_OK) == 0;
    free(first);
    if (there)
        return true;
    if (!t)
        return err_set(e, ERR_INTERNAL, "there is no sample '%s'", name);
    struct delta_schema schema;
    struct delta_file file = {0};
    ids_uuid(id);
    char *path = xasprintf("%s/part-00000-%s.c000.snappy.parquet", location, id);
    bool ok = sample_schema(t, &schema, e);
    struct dml_shape shape = {.root = location, .schema = &schema};
    ok = ok && write_rows(l, t, &shape, path, &file, cancel, e) && publish(t, &shape, &file, e);
    if (!ok)
        unlink(path);
    delta_file_release(&file);
    delta_schema_release(&schema);
    free(path);
    return ok || err_wrap(e, "making samples.%s", name);
}
