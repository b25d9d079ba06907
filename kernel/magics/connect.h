/* Opening a connection to an instance of the workspace (with a fresh token) or to any PostgreSQL server by
 * conninfo. */
#ifndef MAGICS_CONNECT_H
#define MAGICS_CONNECT_H

#include <stdbool.h>

#include "base/err.h"
#include "magics/magic.h"
#include "magics/session.h"

/* What the words of %connect mean; texts in the cell's arena. Either instance or conninfo. */
struct target {
    const char *instance, *dbname; /* dbname NULL: databricks_postgres */
    const char *conninfo;
};

/* "INSTANCE", "INSTANCE/DATABASE"; a URI, or words "key=value". ERR_USAGE without repeating what may be a
 * password. */
bool target_parse(struct magic_ctx *ctx, const char *const *words, size_t n, struct target *out, struct err *e);

/* Connect; *out gets everything but an alias (release with connection_release). An instance that is starting or being
 * updated is waited for; a stopped one is ERR_INVALID_STATE. Asks for a password where a server wants one. */
bool connect_open(struct magic_ctx *ctx, const struct target *t, struct connection *out, struct err *e);

/* What its server says apart from results is shown with the running cell. */
void connect_show_notices(struct pg_conn *pg, struct session *s);

/* Before a statement: is the session there, and free (ERR_CONFLICT)? One that was lost is opened again, and stderr says so; but when it
 * was in a transaction this fails once (ERR_CONNECT), because its changes are gone. */
bool connect_ensure(struct magic_ctx *ctx, struct connection *c, struct err *e);

/* After a statement: note the state of the transaction; tell in the hint of an error that lost the session what
 * comes next. */
void connect_used(struct connection *c, bool ok, struct err *e);

/* "instance workshop" or "HOST:PORT"; in the cell's arena. */
const char *connect_where(struct magic_ctx *ctx, const struct connection *c);
/* "15", or "9.6" */
const char *connect_major(struct magic_ctx *ctx, const struct connection *c);

#endif
