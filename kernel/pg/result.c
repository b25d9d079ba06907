/* From libpq's failed result to an error value. Fields only: nothing is read out of formatted messages. */
#include <stdlib.h>
#include <string.h>

#include "pg/internal.h"

static void copy(char *to, size_t size, const char *text)
{
    if (text && !to[0])
        err_copy(to, size, text, strlen(text));
}

/* CONTEXT, and for an error inside a function the inner statement, which the position in it belongs to. */
static void copy_context(const PGresult *res, struct err *e)
{
    const char *context = PQresultErrorField(res, PG_DIAG_CONTEXT);
    const char *inner = PQresultErrorField(res, PG_DIAG_INTERNAL_QUERY);
    copy(e->context, sizeof e->context, context);
    size_t used = strlen(e->context);
    if (inner && used + 32 < sizeof e->context) {
        static const char label[] = "\nQUERY:  ";
        const char *from = used ? label : label + 1;
        memcpy(e->context + used, from, strlen(from) + 1);
        used += strlen(from);
        err_copy(e->context + used, sizeof e->context - used, inner, strlen(inner));
    }
}

bool pg_result_err(const PGresult *res, struct err *e)
{
    if (e->code != ERR_NONE)
        return false;
    const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *position = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);
    bool fatal = severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
    if (!text) {
        /* Made by libpq itself: the connection broke, or memory ran out. */
        const char *own = PQresultErrorMessage(res);
        size_t len = strcspn(own, "\n");
        return err_set(e, ERR_CONNECT, "%.*s", (int)len, len ? own : "the connection broke");
    }
    err_set(e, fatal ? ERR_CONNECT : ERR_SQL, "%s", text);
    if (state)
        err_copy(e->sqlstate, sizeof e->sqlstate, state, strnlen(state, 5));
    copy(e->detail, sizeof e->detail, PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL));
    copy(e->hint, sizeof e->hint, PQresultErrorField(res, PG_DIAG_MESSAGE_HINT));
    copy_context(res, e);
    e->position = position ? (int)strtol(position, NULL, 10) : 0;
    return false;
}

bool pg_lost(struct pg_conn *conn, struct err *e)
{
    if (e->code != ERR_NONE && e->code != ERR_CONNECT)
        return false;
    const struct err *said = conn->farewell.code != ERR_NONE ? &conn->farewell : &conn->last_words;
    if (said->code != ERR_NONE && !e->sqlstate[0]) {
        *e = *said;
    } else if (e->code == ERR_NONE) {
        err_set(e, ERR_CONNECT, "the connection to the server is lost");
        const char *why = PQerrorMessage(conn->pg);
        if (why && *why)
            err_detail(e, "%.*s", (int)strcspn(why, "\n"), why);
    }
    err_hint(e, "connect again with %%connect; an open transaction was rolled back");
    return false;
}
