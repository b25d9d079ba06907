/* Types of text columns (see infer.h). */
#include "pg/infer.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pg/exec.h"
#include "pg/sql.h"

bool pg_infer_type(struct pg_conn *conn, struct arena *a, const char *column, const char **type, struct cancel *c, struct err *e)
{
    struct buf sql;
    char *found = NULL;
    const char *hole = strstr(sql_infer_type, "%s");
    buf_init(&sql, 64 << 10);
    buf_add(&sql, sql_infer_type, (size_t)(hole - sql_infer_type));
    pg_quote_ident(&sql, column);
    buf_puts(&sql, hole + 2);
    bool ok = buf_ok(&sql, "a column's name", e) && pg_scalar(conn, buf_str(&sql), NULL, 0, &found, c, e);
    if (ok)
        *type = arena_strdup(a, found);
    free(found);
    buf_release(&sql);
    return ok;
}
