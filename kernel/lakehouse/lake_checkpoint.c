/* Checkpoints of the Delta log through the engine: their Parquet as JSON lines, and back. Knows no action. */
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "lakehouse/lake_parts.h"

enum { CHECKPOINT_SQL_MAX = 1 << 20 };

/* Append "a", "b" of the wanted columns that the file has. */
static bool add_columns(struct duck_conn *c, const char *path, const char *const *wanted, struct buf *out, struct err *e)
{
    struct buf sql;
    buf_init(&sql, CHECKPOINT_SQL_MAX);
    buf_puts(&sql, "SELECT * FROM read_parquet(");
    lake_quote_text(&sql, path);
    buf_puts(&sql, ", hive_partitioning = false)");
    duckdb_statement s = buf_ok(&sql, "the name of a checkpoint", e) ? duck_prepare(c, buf_str(&sql), e) : NULL;
    buf_release(&sql);
    if (!s)
        return false;
    bool any = false;
    for (idx_t i = 0; i < duck->prepared_statement_column_count(s); i++) {
        const char *name = duck->prepared_statement_column_name(s, i);
        for (size_t k = 0; wanted[k]; k++) {
            if (strcmp(wanted[k], name) != 0)
                continue;
            buf_puts(out, any ? ", " : "");
            lake_quote_name(out, name);
            any = true;
        }
        duck->free((void *)(uintptr_t)name);
    }
    duck->destroy_prepare(&s);
    return any || err_set(e, ERR_MALFORMED, "the file has none of a checkpoint's columns");
}

static bool read_rows(struct duck_conn *c, const char *sql, bool (*row)(void *, const char *, size_t, struct err *), void *arg,
                      struct err *e)
{
    struct duck_rows *rows = duck_query(c, sql, duck_no_params, NULL, e);
    bool ok = rows != NULL;
    while (ok && duck_next_row(rows, NULL, e)) {
        size_t len;
        const char *text = duck_text(rows, 0, &len);
        ok = !text || row(arg, text, len, e);
    }
    duck_rows_free(rows);
    return ok && e->code == ERR_NONE;
}

static bool read_checkpoint(void *self, const char *path, const char *const *columns,
                            bool (*row)(void *, const char *, size_t, struct err *), void *arg, struct err *e)
{
    struct lake *l = self;
    struct duck_conn *c = duck_connect(l->db, e);
    struct buf sql;
    buf_init(&sql, CHECKPOINT_SQL_MAX);
    buf_puts(&sql, "SELECT CAST(to_json(t) AS VARCHAR) FROM (SELECT ");
    bool ok = c && add_columns(c, path, columns, &sql, e);
    buf_puts(&sql, " FROM read_parquet(");
    lake_quote_text(&sql, path);
    buf_puts(&sql, ", hive_partitioning = false)) t");
    ok = ok && buf_ok(&sql, "the name of a checkpoint", e) && read_rows(c, buf_str(&sql), row, arg, e);
    buf_release(&sql);
    duck_disconnect(c);
    return ok;
}

static bool write_checkpoint(void *self, const char *lines, const char *const (*columns)[2], const char *path, struct err *e)
{
    struct lake *l = self;
    struct duck_conn *c = duck_connect(l->db, e);
    struct buf sql;
    buf_init(&sql, CHECKPOINT_SQL_MAX);
    buf_puts(&sql, "COPY (SELECT * FROM read_json(");
    lake_quote_text(&sql, lines);
    buf_puts(&sql, ", format = 'newline_delimited', maximum_object_size = 67108864, columns = {");
    for (size_t i = 0; columns[i][0]; i++) {
        buf_puts(&sql, i ? ", " : "");
        lake_quote_name(&sql, columns[i][0]);
        buf_puts(&sql, ": ");
        lake_quote_text(&sql, columns[i][1]);
    }
    buf_puts(&sql, "})) TO ");
    lake_quote_text(&sql, path);
    buf_puts(&sql, " (FORMAT parquet)");
    bool ok = c && buf_ok(&sql, "the name of a checkpoint", e) && duck_run(c, buf_str(&sql), duck_no_params, NULL, e);
    buf_release(&sql);
    duck_disconnect(c);
    return ok;
}

void lake_checkpoints(struct lake *l, bool on)
{
    l->parquet = (struct delta_parquet){l, read_checkpoint, write_checkpoint};
    delta_use_parquet(on ? &l->parquet : NULL);
}
