/* The superuser's part: what a sync needs in a database before its writer can work, and what goes when it ends. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "pg/exec.h"
#include "sync/internal.h"
#include "sync/sql.h"

static bool end_transaction(struct pg_conn *admin, bool ok, struct err *e)
{
    struct err ignored;
    err_init(&ignored);
    if (ok)
        ok = pg_run(admin, "COMMIT", NULL, e);
    if (!ok && pg_alive(admin))
        pg_run(admin, "ROLLBACK", NULL, &ignored);
    return ok;
}

static bool schema_exists(struct pg_conn *admin, const char *schema, struct err *e)
{
    const char *params[] = {schema};
    char *found = NULL;
    bool ok = pg_scalar(admin, "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1", params, 1, &found, NULL, e);
    if (ok && strcmp(found, "0") == 0) {
        ok = err_set(e, ERR_SCHEMA_NOT_FOUND, "schema %s does not exist in the database", schema);
        err_hint(e, "create it, or set create_database_objects_if_missing");
    }
    free(found);
    return ok;
}

bool sync_prepare(struct pg_conn *admin, const char *schema, const char *creator, bool create, char **writer, struct err *e)
{
    char *name = NULL;
    if ((!create && !schema_exists(admin, schema, e)) ||
        !pg_scalar(admin, "SELECT 'databricks_writer_' || oid FROM pg_catalog.pg_database "
                          "WHERE datname = pg_catalog.current_database()", NULL, 0, &name, NULL, e))
        return false;
    const char *params[] = {name, creator, schema};
    char *ignored = NULL;
    bool ok = pg_run(admin, "BEGIN", NULL, e) &&
              pg_run(admin, "SELECT pg_catalog.pg_advisory_xact_lock(723519640551)", NULL, e) && /* one at a time */
              pg_scalar(admin, "SELECT pg_catalog.set_config('lakebase.writer', $1, true), "
                               "pg_catalog.set_config('lakebase.creator', $2, true), "
                               "pg_catalog.set_config('lakebase.schema', $3, true)", params, 3, &ignored, NULL, e) &&
              pg_run(admin, sql_prepare, NULL, e);
    if (!ok && strcmp(e->sqlstate, "42704") == 0) { /* undefined_object: the schema's owner */
        err_init(e);
        err_set(e, ERR_PERMISSION, "'%s' has no role in the database, so schema %s cannot be made theirs", creator, schema);
        err_hint(e, "make the role (roles of the instance) or the schema first");
    }
    free(ignored);
    ok = end_transaction(admin, ok, e);
    if (ok)
        *writer = name;
    else
        free(name);
    return ok;
}

bool sync_forget(struct pg_conn *admin, const char *id, const char *schema, const char *table, const char *creator,
                 bool purge, struct err *e)
{
    struct buf sql;
    buf_init(&sql, 64 << 10);
    const char *params[] = {schema, table};
    char *owned = NULL, *state = NULL;
    bool ok = pg_run(admin, "BEGIN", NULL, e) &&
              pg_scalar(admin, "SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c "
                               "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                               "WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r' "
                               "AND pg_catalog.pg_get_userbyid(c.relowner) LIKE 'databricks\\_writer\\_%'",
                        params, 2, &owned, NULL, e) &&
              pg_scalar(admin, "SELECT pg_catalog.to_regclass('databricks_sync.tables') IS NOT NULL", NULL, 0, &state, NULL, e);
    if (ok && strcmp(owned, "0") != 0) {
        buf_puts(&sql, purge ? "DROP TABLE " : "DROP TRIGGER IF EXISTS synced_table_is_read_only ON ");
        pg_quote_ident(&sql, schema);
        buf_putc(&sql, '.');
        pg_quote_ident(&sql, table);
        if (!purge) {
            buf_puts(&sql, "; ALTER TABLE ");
            pg_quote_ident(&sql, schema);
            buf_putc(&sql, '.');
            pg_quote_ident(&sql, table);
            buf_puts(&sql, " OWNER TO ");
            pg_quote_ident(&sql, creator);
        }
        ok = pg_run(admin, buf_str(&sql), NULL, e);
        if (!ok && strcmp(e->sqlstate, "2BP01") == 0)
            e->code = ERR_BAD_REQUEST;
    }
    if (ok && strcmp(state, "t") == 0) {
        buf_clear(&sql);
        buf_puts(&sql, "SET LOCAL session_replication_role = replica; DELETE FROM databricks_sync.tables WHERE id = ");
        pg_quote_literal(&sql, id);
        ok = pg_run(admin, buf_str(&sql), NULL, e);
    }
    free(owned);
    free(state);
    buf_release(&sql);
    return end_transaction(admin, ok, e);
}
