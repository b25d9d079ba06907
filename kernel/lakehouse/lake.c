/* The engine's life: libduckdb, one in-memory database, its macros, its locked configuration. */
#include "lakehouse/lake.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "lakehouse/lake_parts.h"

/* Functions of Databricks SQL that DuckDB has under another shape, then the lock. front_rewrite.c calls them by these names. */
static const char *const set_up_sql[] = {
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL parquet_metadata_cache = true",
    "CREATE MACRO spark_collect_list(x) AS coalesce(list(x) FILTER (x IS NOT NULL), [])",
    "CREATE MACRO spark_collect_set(x) AS coalesce(list(DISTINCT x) FILTER (x IS NOT NULL), [])",
    "CREATE MACRO spark_date_add(d, n) AS CAST(d AS DATE) + CAST(n AS INTEGER)",
    "CREATE MACRO spark_date_sub(d, n) AS CAST(d AS DATE) - CAST(n AS INTEGER)",
    "CREATE MACRO spark_datediff(a, b) AS CAST(a AS DATE) - CAST(b AS DATE)",
    "CREATE MACRO spark_add_months(d, n) AS CAST(CAST(d AS DATE) + to_months(CAST(n AS INTEGER)) AS DATE)",
    "CREATE MACRO spark_to_date(s) AS CAST(s AS DATE)",
    "CREATE MACRO spark_to_timestamp(s) AS CAST(s AS TIMESTAMPTZ)",
    "CREATE MACRO spark_isnull(x) AS x IS NULL",
    "CREATE MACRO spark_isnotnull(x) AS x IS NOT NULL",
    "CREATE MACRO spark_nvl2(a, b, c) AS CASE WHEN a IS NULL THEN c ELSE b END",
    "CREATE MACRO spark_dayofweek(d) AS dayofweek(CAST(d AS DATE)) + 1",
    "CREATE MACRO spark_unix_timestamp() AS CAST(floor(epoch(now())) AS BIGINT), (t) AS CAST(floor(epoch(CAST(t AS TIMESTAMPTZ))) AS BIGINT)",
    "CREATE MACRO spark_from_unixtime(n) AS strftime(make_timestamp(CAST(n AS BIGINT) * 1000000), '%Y-%m-%d %H:%M:%S')",
    "CREATE MACRO spark_sha2(s, bits) AS CASE WHEN bits IN (0, 256) THEN sha256(s) ELSE error('sha2 is offered with 256 "
    "bits only') END",
    "CREATE MACRO spark_regexp_replace(s, p, r) AS regexp_replace(s, p, r, 'g')",
    "CREATE MACRO spark_map() AS map(), (k1, v1) AS map([k1], [v1]), (k1, v1, k2, v2) AS map([k1, k2], "
    "[v1, v2]), (k1, v1, k2, v2, k3, v3) AS map([k1, k2, k3], [v1, v2, v3]), (k1, v1, k2, v2, k3, v3, k4, "
    "v4) AS map([k1, k2, k3, k4], [v1, v2, v3, v4]), (k1, v1, k2, v2, k3, v3, k4, v4, k5, v5) AS map([k1, "
    "k2, k3, k4, k5], [v1, v2, v3, v4, v5]), (k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6) AS map([k1, "
    "k2, k3, k4, k5, k6], [v1, v2, v3, v4, v5, v6]), (k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, "
    "v7) AS map([k1, k2, k3, k4, k5, k6, k7], [v1, v2, v3, v4, v5, v6, v7]), (k1, v1, k2, v2, k3, v3, k4, "
    "v4, k5, v5, k6, v6, k7, v7, k8, v8) AS map([k1, k2, k3, k4, k5, k6, k7, k8], [v1, v2, v3, v4, v5, "
    "v6, v7, v8])",
    "CREATE MACRO spark_pmod(a, b) AS ((a % b) + b) % b",
    "CREATE MACRO spark_range(a) AS TABLE (SELECT range AS id FROM range(a)), (a, b) AS TABLE (SELECT range AS id FROM "
    "range(a, b)), (a, b, c) AS TABLE (SELECT range AS id FROM range(a, b, c))",
    "SET GLOBAL lock_configuration = true",
};

/* Once the macros are there nothing may be changed any more. */
static bool set_up(struct lake *l, struct err *e)
{
    struct duck_conn *c = duck_connect(l->db, e);
    bool ok = c && lake_foreign_register(l, e);
    for (size_t i = 0; ok && i < ARRAY_LEN(set_up_sql); i++)
        ok = duck_run(c, set_up_sql[i], duck_no_params, NULL, e) || err_wrap(e, "setting up the lakehouse engine");
    duck_disconnect(c);
    return ok;
}

struct lake *lake_open(const struct lake_options *o, struct err *e)
{
    if (!duck_load(o->library, e))
        return NULL;
    struct lake *l = xcalloc(1, sizeof *l);
    l->root = xstrdup(o->root);
    l->temp = xstrdup(o->temp_dir);
    l->db = duck_open(o, e);
    if (l->db && set_up(l, e)) {
        lake_checkpoints(l, true);
        return l;
    }
    lake_close(l);
    return NULL;
}

void lake_close(struct lake *l)
{
    if (!l)
        return;
    lake_checkpoints(l, false);
    duck_close(l->db);
    free(l->root);
    free(l->temp);
    free(l);
}

const char *lake_library_version(const struct lake *l)
{
    (void)l;
    return duck->library_version();
}

void lake_object_release(struct lake_object *o)
{
    free(o->full_name);
    free(o->location);
    if (o->foreign && o->foreign_free)
        o->foreign_free(o->foreign);
    for (size_t i = 0; i < o->n_columns; i++)
        lake_column_release(&o->columns[i]);
    free(o->columns);
    json_decref(o->fields);
    json_decref(o->rows);
    *o = (struct lake_object){0};
}

void lake_outcome_release(struct lake_outcome *o)
{
    free(o->catalog);
    free(o->schema);
    free(o->target);
    json_decref(o->sources);
    *o = (struct lake_outcome){0};
}
