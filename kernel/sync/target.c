/*
 * The table in PostgreSQL: its columns and types, its DDL, and the state row that says which version it equals.
 * Type map: Databricks "Synced tables", data types.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "pg/exec.h"
#include "sync/internal.h"

bool user_error(struct err *e, const char *subclass, const char *fmt, ...)
{
    char text[768];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    err_set(e, ERR_INVALID_STATE, "[SYNCED_TABLE_USER_ERROR.%s] %s", subclass, text);
    if (!e->sqlstate[0])
        memcpy(e->sqlstate, "42000", 6);
    return false;
}

/* SQLSTATEs that the data or the table's users caused. */
static const struct {
    const char *state, *subclass, *text, *hint;
} reasons[] = {
    {"23505", "PRIMARY_KEY_CONSTRAINT_VIOLATION", "the source has several rows for one key",
     "make the key unique in the source, or create the synced table with a timeseries key, which keeps the newest row"},
    {"2BP01", "DEPENDENT_OBJECTS_STILL_EXIST", "other objects depend on the table in PostgreSQL",
     "drop them, run the sync, and create them again"},
    {"55P03", "LOCK_TIMEOUT", "a session in PostgreSQL kept the table locked for too long",
     "end the long transaction (pg_stat_activity) and run the sync again"},
    {"53100", "TARGET_DATABASE_FULL", "the disk of the database is full", "free space and run the sync again"},
    {"22P05", "CHARACTER_NOT_IN_REPERTOIRE", "a value has the character U+0000, which jsonb cannot hold",
     "remove the character in the source"},
    {"42P07", "TABLE_ALREADY_EXISTS", "a table of that name is in PostgreSQL already",
     "drop or rename it, or choose another name for the synced table"},
};

bool explain(struct sync_job *j, struct err *e)
{
    for (size_t i = 0; e->code == ERR_SQL && i < ARRAY_LEN(reasons); i++) {
        if (strcmp(e->sqlstate, reasons[i].state) != 0)
            continue;
        struct err told;
        err_init(&told);
        user_error(&told, reasons[i].subclass, "%s: %s.%s", reasons[i].text, j->spec->schema, j->spec->table);
        size_t len = strlen(e->detail);
        err_detail(&told, "%s%s%.*s", e->text, e->detail[0] ? "; " : "", (int)(len && e->detail[len - 1] == '.' ? len - 1 : len),
                   e->detail);
        err_hint(&told, "%s", reasons[i].hint);
        memcpy(told.sqlstate, e->sqlstate, sizeof told.sqlstate);
        *e = told;
    }
    return false;
}

static char *type_of(const struct delta_column *c)
{
    switch (c->type) {
    case DELTA_BOOLEAN: return xstrdup("boolean");
    case DELTA_BYTE: case DELTA_SHORT: return xstrdup("smallint");
    case DELTA_INTEGER: return xstrdup("integer");
    case DELTA_LONG: return xstrdup("bigint");
    case DELTA_FLOAT: return xstrdup("real");
    case DELTA_DOUBLE: return xstrdup("double precision");
    case DELTA_DECIMAL: return xasprintf("numeric(%d,%d)", c->precision, c->scale);
    case DELTA_STRING: case DELTA_VOID: return xstrdup("text");
    case DELTA_BINARY: return xstrdup("bytea");
    case DELTA_DATE: return xstrdup("date");
    case DELTA_TIMESTAMP: return xstrdup("timestamp with time zone");
    case DELTA_TIMESTAMP_NTZ: return xstrdup("timestamp without time zone");
    case DELTA_NESTED: return xstrdup("jsonb");
    }
    bug("delta type %d", (int)c->type);
}

static bool is_key(const struct sync_spec *s, const char *name)
{
    for (size_t i = 0; i < s->n_key; i++) {
        if (strcasecmp(s->key[i], name) == 0)
            return true;
    }
    return false;
}

static bool check_column(const struct sync_job *j, const char *what, const char *name, struct err *e)
{
    if (delta_schema_find(&j->source->schema, name))
        return true;
    user_error(e, "CHANGED_PRIMARY_KEY", "%s %s is not a column of %s", what, name, j->spec->source_name);
    err_hint(e, "delete the synced table and create it with columns that the source has");
    return false;
}

bool target_columns(struct sync_job *j, struct err *e)
{
    const struct delta_schema *s = &j->source->schema;
    for (size_t i = 0; i < j->spec->n_key; i++) {
        if (!check_column(j, "key column", j->spec->key[i], e))
            return false;
    }
    if (j->spec->timeseries_key && !check_column(j, "timeseries key", j->spec->timeseries_key, e))
        return false;
    j->columns = xcalloc(s->count, sizeof *j->columns);
    for (size_t i = 0; i < s->count; i++) {
        const struct delta_column *c = &s->columns[i];
        if (strlen(c->name) > SYNC_IDENT_MAX)
            return user_error(e, "COLUMN_NAME_TOO_LONG", "column name %s is longer than %d bytes", c->name,
                              SYNC_IDENT_MAX);
        j->columns[j->n_columns++] = (struct sync_column){
            .name = c->name, .type = type_of(c), .key = is_key(j->spec, c->name), .delta = c->type, .scale = c->scale};
    }
    return true;
}

char *target_columns_json(const struct sync_job *j)
{
    json_t *all = json_array();
    for (size_t i = 0; i < j->n_columns; i++) {
        json_t *one = json_array();
        json_array_append_new(one, jx_str(j->columns[i].name));
        json_array_append_new(one, jx_str(j->columns[i].type));
        json_array_append_new(all, one);
    }
    char *text = jx_dump(all);
    json_decref(all);
    return text;
}

void target_list(struct buf *b, const struct sync_job *j, const char *prefix, bool key_only)
{
    const char *comma = "";
    for (size_t i = 0; i < j->n_columns; i++) {
        if (key_only && !j->columns[i].key)
            continue;
        buf_printf(b, "%s%s", comma, prefix);
        pg_quote_ident(b, j->columns[i].name);
        comma = ", ";
    }
}

void target_upsert(struct buf *sql, const struct sync_job *j, const char *from)
{
    buf_printf(sql, "INSERT INTO %s AS t (", j->target);
    target_list(sql, j, "", false);
    buf_puts(sql, ") SELECT ");
    target_list(sql, j, "n.", false);
    buf_printf(sql, " FROM %s n ON CONFLICT (", from);
    target_list(sql, j, "", true);
    buf_puts(sql, ") DO UPDATE SET ");
    for (size_t i = 0; i < j->n_columns; i++) {
        buf_puts(sql, i ? ", " : "");
        pg_quote_ident(sql, j->columns[i].name);
        buf_puts(sql, " = excluded.");
        pg_quote_ident(sql, j->columns[i].name);
    }
    buf_puts(sql, " WHERE (");
    target_list(sql, j, "t.", false);
    buf_puts(sql, ") IS DISTINCT FROM (");
    target_list(sql, j, "excluded.", false);
    buf_puts(sql, ")");
}

void target_key_match(struct buf *b, const struct sync_job *j, const char *left, const char *right)
{
    const char *and = "";
    for (size_t i = 0; i < j->n_columns; i++) {
        if (!j->columns[i].key)
            continue;
        buf_printf(b, "%s%s.", and, left);
        pg_quote_ident(b, j->columns[i].name);
        buf_printf(b, " = %s.", right);
        pg_quote_ident(b, j->columns[i].name);
        and = " AND ";
    }
}

static void take_tag(void *self, const char *tag, bool has_rows)
{
    (void)has_rows;
    const char *number = strrchr(tag, ' ');
    *(int64_t *)self = number ? strtoll(number, NULL, 10) : 0;
}

bool target_count(struct sync_job *j, struct buf *sql, int64_t *rows, struct err *e)
{
    struct pg_rows take = {.self = rows, .done = take_tag};
    bool ok = buf_ok(sql, "a statement of the sync", e) &&
              pg_exec(j->pg, buf_str(sql), NULL, 0, &take, j->cancel, e);
    buf_clear(sql);
    return ok;
}

bool target_run(struct sync_job *j, struct buf *sql, struct err *e)
{
    int64_t ignored;
    return target_count(j, sql, &ignored, e);
}

bool target_create(struct sync_job *j, const char *table, bool temp, struct err *e)
{
    struct buf sql;
    buf_init(&sql, SYNC_SQL_MAX);
    buf_printf(&sql, "CREATE %sTABLE %s (", temp ? "TEMP " : "", table);
    for (size_t i = 0; i < j->n_columns; i++) {
        buf_puts(&sql, i ? ", " : "");
        pg_quote_ident(&sql, j->columns[i].name);
        buf_printf(&sql, " %s%s", j->columns[i].type, j->columns[i].key ? " NOT NULL" : "");
    }
    buf_printf(&sql, ")%s", temp ? " ON COMMIT DROP" : "");
    bool ok = target_run(j, &sql, e);
    buf_release(&sql);
    return ok;
}

/* Only the newest row of each key stays; of rows with the same time, one. */
static bool keep_newest(struct sync_job *j, const char *table, struct err *e)
{
    struct buf sql;
    buf_init(&sql, SYNC_SQL_MAX);
    buf_printf(&sql, "DELETE FROM %s t USING (SELECT ctid, row_number() OVER (PARTITION BY ", table);
    target_list(&sql, j, "", true);
    buf_puts(&sql, " ORDER BY ");
    pg_quote_ident(&sql, delta_schema_find(&j->source->schema, j->spec->timeseries_key)->name);
    buf_printf(&sql, " DESC NULLS LAST, ctid) AS place FROM %s) d WHERE d.place > 1 AND t.ctid = d.ctid", table);
    bool ok = target_run(j, &sql, e);
    buf_release(&sql);
    return ok;
}

bool target_key(struct sync_job *j, const char *table, const char *constraint, struct err *e)
{
    job_progress(j, SYNC_INDEXING, -1, true);
    if (j->spec->timeseries_key && !keep_newest(j, table, e))
        return false;
    struct buf sql;
    buf_init(&sql, SYNC_SQL_MAX);
    buf_printf(&sql, "ALTER TABLE %s ADD ", table);
    if (constraint) {
        buf_puts(&sql, "CONSTRAINT ");
        pg_quote_ident(&sql, constraint);
    }
    buf_puts(&sql, " PRIMARY KEY (");
    const char *comma = "";
    for (size_t i = 0; i < j->spec->n_key; i++) { /* in the order of the spec: it decides what the index is good for */
        buf_puts(&sql, comma);
        pg_quote_ident(&sql, delta_schema_find(&j->source->schema, j->spec->key[i])->name);
        comma = ", ";
    }
    buf_printf(&sql, "); ANALYZE %s", table);
    bool ok = target_run(j, &sql, e);
    buf_release(&sql);
    return ok;
}

bool target_protect(struct sync_job *j, const char *table, struct err *e)
{
    struct buf sql;
    buf_init(&sql, SYNC_SQL_MAX);
    buf_printf(&sql,
               "CREATE TRIGGER synced_table_is_read_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s "
               "FOR EACH STATEMENT EXECUTE FUNCTION databricks_sync.refuse_write(); GRANT SELECT ON %s TO ",
               table, table);
    pg_quote_ident(&sql, j->spec->creator);
    buf_puts(&sql, " WITH GRANT OPTION");
    bool ok = target_run(j, &sql, e);
    buf_release(&sql);
    return ok;
}

void state_release(struct sync_state *s)
{
    free(s->source_id);
    free(s->columns);
    free(s->update_id);
    *s = (struct sync_state){0};
}

static char *text_of(const struct pg_value *v)
{
    return xstrndup(v->text ? v->text : "", v->len);
}

static bool take_state(void *self, const struct pg_value *v, size_t n)
{
    struct sync_state *s = self;
    if (n != 7)
        bug("state row has %zu columns", n);
    state_release(s);
    s->exists = true;
    s->source_id = text_of(&v[0]);
    s->version = strtoll(v[1].text, NULL, 10);
    s->timestamp = strtoll(v[2].text, NULL, 10);
    s->columns = text_of(&v[3]);
    s->epoch = strtoll(v[4].text, NULL, 10);
    s->rows = strtoll(v[5].text, NULL, 10);
    s->update_id = text_of(&v[6]);
    return true;
}

bool state_read(struct sync_job *j, struct err *e)
{
    state_release(&j->state);
    const char *params[] = {j->spec->id};
    struct pg_rows rows = {.self = &j->state, .row = take_state};
    return pg_exec(j->pg,
                   "SELECT source_id, version, committed_ms, columns, epoch, row_count, update_id "
                   "FROM databricks_sync.tables WHERE id = $1 FOR UPDATE",
                   params, 1, &rows, j->cancel, e);
}

bool state_write(struct sync_job *j, struct err *e)
{
    char version[24], timestamp[24], epoch[24], rows[24];
    snprintf(version, sizeof version, "%lld", (long long)j->source->version);
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)j->source->timestamp);
    snprintf(epoch, sizeof epoch, "%lld", (long long)j->state.epoch);
    snprintf(rows, sizeof rows, "%lld", (long long)j->result.rows);
    char *columns = target_columns_json(j);
    const struct sync_spec *s = j->spec;
    const char *params[] = {s->id, s->schema, s->table, j->source->id, version, timestamp, columns, epoch, rows,
                            j->last && s->update_id ? s->update_id : j->last || !j->state.update_id ? "" : j->state.update_id};
    int64_t changed = 0;
    struct pg_rows take = {.self = &changed, .done = take_tag};
    /* A synced table of that name that was deleted while its instance was stopped has left its row. */
    const char *names[] = {s->schema, s->table, s->id};
    bool ok = j->state.exists || pg_exec(j->pg, "DELETE FROM databricks_sync.tables WHERE schema_name = $1 AND table_name = $2 AND id <> $3",
                                         names, ARRAY_LEN(names), NULL, j->cancel, e);
    ok = ok && pg_exec(j->pg,
                      "INSERT INTO databricks_sync.tables AS t (id, schema_name, table_name, source_id, version, "
                      "committed_ms, columns, epoch, row_count, update_id) "
                      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bigint + 1, $9, $10) "
                      "ON CONFLICT (id) DO UPDATE SET source_id = excluded.source_id, version = excluded.version, "
                      "committed_ms = excluded.committed_ms, columns = excluded.columns, epoch = excluded.epoch, "
                      "row_count = excluded.row_count, update_id = excluded.update_id, applied_at = clock_timestamp() "
                      "WHERE t.epoch = $8::bigint",
                      params, ARRAY_LEN(params), &take, j->cancel, e);
    free(columns);
    if (ok && changed != 1)
        return err_set(e, ERR_CONFLICT, "another run of the sync came first");
    j->result.version = j->source->version;
    j->result.timestamp = j->source->timestamp;
    return ok;
}
