/* Delta tables as streams: a version's rows, and the change feed. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "lakehouse/lake_parts.h"

/* The schema's columns, or those named, in the order of the names. */
static struct lake_column *describe(const struct delta_schema *schema, const char *const *names, size_t extra, size_t *n)
{
    size_t wanted = schema->count;
    if (names)
        for (wanted = 0; names[wanted]; wanted++)
            ;
    struct lake_column *columns = xcalloc(wanted + extra + 1, sizeof *columns);
    for (*n = 0; *n < wanted; ++*n)
        lake_column_of_delta(names ? delta_schema_find(schema, names[*n]) : &schema->columns[*n], &columns[*n]);
    return columns;
}

/* SELECT "b", "a" FROM ( */
static void open_order(struct buf *sql, const char *const *names)
{
    for (size_t i = 0; names && names[i]; i++) {
        buf_puts(sql, i ? ", " : "SELECT ");
        lake_quote_name(sql, names[i]);
    }
    buf_puts(sql, names ? " FROM (" : "");
}

static bool known(const struct delta_schema *schema, const char *const *names, struct err *e)
{
    for (size_t i = 0; names && names[i]; i++)
        if (!delta_schema_find(schema, names[i]))
            return err_set(e, ERR_NOT_FOUND, "the table has no column '%s'", names[i]);
    return !names || names[0] || err_set(e, ERR_INVALID_PARAMETER, "a scan of no columns");
}

struct lake_stream *lake_scan(struct lake *l, const char *root, int64_t version, const char *const *columns,
                              int64_t *version_out, struct err *e)
{
    struct delta_snapshot *s = delta_open(root, version, e);
    struct duck_conn *c = s && known(&s->schema, columns, e) ? duck_connect(l->db, e) : NULL;
    struct lake_stream *stream = NULL;
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    struct lake_files_options o = {.text = true, .columns = columns};
    open_order(&sql, columns);
    if (c && lake_snapshot_sql(c, s, &o, NULL, &sql, e)) {
        size_t n;
        buf_puts(&sql, columns ? ")" : "");
        struct lake_column *list = describe(&s->schema, columns, 0, &n);
        stream = lake_stream_new(c, buf_str(&sql), duck_no_params, list, n, NULL, e);
    } else {
        duck_disconnect(c);
    }
    if (stream && version_out)
        *version_out = s->version;
    buf_release(&sql);
    delta_close(s);
    return stream;
}

struct lake_stream *lake_changes(struct lake *l, const char *root, int64_t from, int64_t to, struct err *e)
{
    struct duck_conn *c = duck_connect(l->db, e);
    struct lake_stream *stream = NULL;
    struct delta_schema schema = {0};
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    if (c && lake_changes_sql(c, root, from, to, true, &schema, &sql, e)) {
        size_t n;
        struct lake_column *list = describe(&schema, NULL, 3, &n);
        list[n++] = (struct lake_column){.name = xstrdup("_change_type"), .type = DELTA_STRING, .type_text = xstrdup("STRING")};
        list[n++] = (struct lake_column){.name = xstrdup("_commit_version"), .type = DELTA_LONG, .type_text = xstrdup("BIGINT")};
        list[n++] = (struct lake_column){.name = xstrdup("_commit_timestamp"), .type = DELTA_TIMESTAMP,
                                         .type_text = xstrdup("TIMESTAMP")};
        stream = lake_stream_new(c, buf_str(&sql), duck_no_params, list, n, NULL, e);
    } else {
        duck_disconnect(c);
    }
    delta_schema_release(&schema);
    buf_release(&sql);
    return stream;
}

/* ---- the feed, reduced ---- */

#define UPSERTS "_change_type IN ('insert', 'update_postimage')"

/* "k1", "k2"; with `null`: "k1" IS NULL OR "k2" IS NULL */
static void put_key(struct buf *sql, const struct delta_schema *schema, const char *const *key, size_t n_key, bool null)
{
    for (size_t i = 0; i < n_key; i++) {
        buf_puts(sql, !i ? "" : null ? " OR " : ", ");
        lake_quote_name(sql, delta_schema_find(schema, key[i])->name);
        buf_puts(sql, null ? " IS NULL" : "");
    }
}

static void put_net(struct buf *sql, const struct delta_schema *schema, const char *feed, const char *const *key, size_t n_key)
{
    buf_puts(sql, "SELECT ");
    for (size_t i = 0; i < schema->count; i++) {
        lake_quote_name(sql, schema->columns[i].name);
        buf_puts(sql, ", ");
    }
    buf_puts(sql, "_sync_upsert, _sync_balance FROM (SELECT *, " UPSERTS " AS _sync_upsert, CAST(sum(CASE WHEN " UPSERTS
                  " THEN 1 ELSE -1 END) OVER (PARTITION BY ");
    put_key(sql, schema, key, n_key, false);
    buf_puts(sql, ") AS BIGINT) AS _sync_balance, row_number() OVER (PARTITION BY ");
    put_key(sql, schema, key, n_key, false);
    buf_printf(sql, " ORDER BY _commit_version DESC, " UPSERTS " DESC) AS _sync_place FROM (%s)) WHERE _sync_place = 1 OR ", feed);
    put_key(sql, schema, key, n_key, true);
}

struct lake_stream *lake_changes_net(struct lake *l, const char *root, int64_t from, int64_t to, const char *const *key, size_t n_key,
                                     struct err *e)
{
    struct duck_conn *c = duck_connect(l->db, e);
    struct lake_stream *stream = NULL;
    struct delta_schema schema = {0};
    struct buf feed, sql;
    buf_init(&feed, LAKE_SQL_MAX);
    buf_init(&sql, LAKE_SQL_MAX + 4096);
    bool ok = c && lake_changes_sql(c, root, from, to, true, &schema, &feed, e);
    for (size_t i = 0; ok && i < n_key; i++)
        ok = delta_schema_find(&schema, key[i]) || err_set(e, ERR_NOT_FOUND, "the table has no column '%s'", key[i]);
    if (ok)
        put_net(&sql, &schema, buf_str(&feed), key, n_key);
    if (ok && buf_ok(&sql, "the query of the changes", e)) {
        size_t n;
        struct lake_column *list = describe(&schema, NULL, 2, &n);
        list[n++] = (struct lake_column){.name = xstrdup("_sync_upsert"), .type = DELTA_BOOLEAN, .type_text = xstrdup("BOOLEAN")};
        list[n++] = (struct lake_column){.name = xstrdup("_sync_balance"), .type = DELTA_LONG, .type_text = xstrdup("BIGINT")};
        stream = lake_stream_new(c, buf_str(&sql), duck_no_params, list, n, NULL, e);
    } else {
        duck_disconnect(c);
    }
    delta_schema_release(&schema);
    buf_release(&sql);
    buf_release(&feed);
    return stream;
}
