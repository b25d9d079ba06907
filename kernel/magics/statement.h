/* Running SQL of a cell on a connection and showing what comes back, as psql would. */
#ifndef MAGICS_STATEMENT_H
#define MAGICS_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cell/args.h"
#include "cell/split.h"
#include "magics/magic.h"
#include "magics/bind.h"
#include "magics/session.h"

/* One statement, a slice of ctx->cell, with the data below it; s says how it is run and shown. Rows become a table, a command its tag,
 * notices go to stderr. On failure *e carries the place in the cell, and what came before is shown. */
bool statement_run(struct magic_ctx *ctx, struct connection *c, const char *sql, size_t len, const struct cell_data *data,
                   const struct settings *s, struct err *e);
/* All statements of a slice of ctx->cell, in order; the first error ends it, and its context says which one it
 * was. */
bool statement_run_all(struct magic_ctx *ctx, struct connection *c, const char *text, size_t len,
                       const struct settings *s,
                       struct err *e);

/* Give one statement to the server and do not wait for it: until statement_collect the connection takes no other. What
 * the server does at once (locks that it takes or waits for) has begun when this returns. */
bool statement_send(struct magic_ctx *ctx, struct connection *c, const char *sql, size_t len, const struct settings *s,
                    struct err *e);
/* Wait for it and show what came of it, as statement_run. ctx->cancel ends the statement, not only the wait. */
bool statement_collect(struct magic_ctx *ctx, struct connection *c, struct err *e);

/* What a magic such as "%sql" (`who`) was given: the argument "sql", which is the raw rest of its line, or the lines below
 * it, but not both. A slice of ctx->cell, which places of errors need; *sql NULL: neither. */
bool statement_given(struct magic_ctx *ctx, const struct args *args, const char *who, const char **sql, size_t *len, struct err *e);
/* *sql, *len: a slice of ctx->cell that must hold one statement; becomes its bytes. `who` is for the error. */
bool statement_single(struct magic_ctx *ctx, const char *who, const char **sql, size_t *len, struct err *e);
/* The error of a bound statement, which was not run by statement_run, in terms of the cell. */
void statement_place(struct magic_ctx *ctx, const struct bound *b, const char *sql, size_t len, struct err *e);

/* Send a bound statement; timeout in ms, 0: none (ERR_TIMEOUT). Rows go to the callbacks, nothing is shown. */
bool statement_exec(struct magic_ctx *ctx, struct connection *c, const struct bound *b, const struct pg_rows *rows,
                    long long timeout, struct err *e);

/* One statement of the cell on connection `on` (NULL: the current one), with the session's variables and time limit. Rows go to
 * the callbacks, nothing is shown; *e carries the place in the cell. */
bool statement_feed(struct magic_ctx *ctx, const char *on, const char *who, const char *sql, size_t len, const struct pg_rows *rows,
                    struct err *e);

/* A table as the cell's result when nothing follows it, else as a display. */
void statement_show(struct magic_ctx *ctx, struct table *t);
/* The same for what a magic has measured: it is also the last result, for %export, %plot and Python's _sqldf. */
void statement_show_kept(struct magic_ctx *ctx, struct table *t);

#endif
