/*
 * /api/2.0/sql/statements: the SQL Statement Execution API. Inline results as JSON arrays; external links are refused.
 * Source: SDKs (ExecuteStatementRequest, StatementResponse), REST reference "Statement Execution".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "workspace/request.h"
#include "workspace/statements.h"
#include "workspace/warehouse.h"
#include "workspace/workspace.h"

enum { WAIT_DEFAULT_S = 10, WAIT_LEAST_S = 5, WAIT_MOST_S = 50, LOOK_MS = 1000, CANCEL_MS = 10000, PARAMETERS_MAX = 1000 };

/* "0s", or "5s" to "50s". */
static bool take_wait(const char *text, int *ms, struct err *e)
{
    *ms = WAIT_DEFAULT_S * 1000;
    if (!text || !*text)
        return true;
    char *end;
    errno = 0;
    long s = strtol(text, &end, 10);
    bool ok = errno == 0 && end != text && strcmp(end, "s") == 0 && (s == 0 || (s >= WAIT_LEAST_S && s <= WAIT_MOST_S));
    *ms = ok ? (int)s * 1000 : 0;
    return ok || err_set(e, ERR_INVALID_PARAMETER, "wait_timeout must be 0s, or between %ds and %ds, not '%.40s'",
                         WAIT_LEAST_S, WAIT_MOST_S, text);
}

static bool one_of(const char *field, const char *value, const char *const *allowed, struct err *e)
{
    for (size_t i = 0; value && allowed[i]; i++) {
        if (strcmp(value, allowed[i]) == 0)
            return true;
    }
    return !value || err_set(e, ERR_INVALID_PARAMETER, "Field '%s' is '%.60s'; possible: %s%s%s", field, value, allowed[0],
                             allowed[1] ? ", " : "", allowed[1] ? allowed[1] : "");
}

static bool check_form(const struct statement_request *in, struct err *e)
{
    static const char *const inlined[] = {"INLINE", "INLINE_OR_EXTERNAL_LINKS", NULL};
    static const char *const formats[] = {"JSON_ARRAY", NULL};
    if (in->disposition && strcmp(in->disposition, "EXTERNAL_LINKS") == 0)
        return err_set(e, ERR_NOT_IMPLEMENTED, "disposition EXTERNAL_LINKS is not offered by this local workspace; use INLINE");
    return one_of("disposition", in->disposition, inlined, e) && one_of("format", in->format, formats, e);
}

static bool check(struct request *r, const struct statement_request *in, struct err *e)
{
    static const char *const actions[] = {"CONTINUE", "CANCEL", NULL};
    const struct statement_parameter *p = in->parameters.items;
    if (!warehouse_check(r->ws, in->warehouse_id, e) || !check_form(in, e) ||
        !one_of("on_wait_timeout", in->on_wait_timeout, actions, e))
        return false;
    if (!in->statement[strspn(in->statement, " \t\r\n;")])
        return err_set(e, ERR_INVALID_PARAMETER, "Field 'statement' is required and holds no statement");
    if (in->parameters.count > PARAMETERS_MAX)
        return err_set(e, ERR_INVALID_PARAMETER, "parameters has %zu entries; at most %d are taken", in->parameters.count,
                       PARAMETERS_MAX);
    for (size_t i = 0; i < in->parameters.count; i++) {
        if (!*p[i].name)
            return err_set(e, ERR_INVALID_PARAMETER, "parameters[%zu]: 'name' is required", i);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(p[k].name, p[i].name) == 0)
                return err_set(e, ERR_INVALID_PARAMETER, "parameter '%.100s' is given twice", p[i].name);
        }
    }
    if ((in->row_limit.has && in->row_limit.value < 1) || (in->byte_limit.has && in->byte_limit.value < 1))
        return err_set(e, ERR_INVALID_PARAMETER, "row_limit and byte_limit must be 1 or more");
    return true;
}

bool api_execute_statement(struct request *r, const void *in_, void *out_, struct err *e)
{
    const struct statement_request *in = in_;
    struct statement_response *out = out_;
    struct statements *all = r->ws->statements;
    const char *caller = r->caller.name;
    char id[37];
    int wait_ms;
    if (!take_wait(in->wait_timeout, &wait_ms, e) || !check(r, in, e) || !statements_submit(all, in, caller, id, e) ||
        !statements_view(all, id, caller, wait_ms, out, e))
        return false;
    bool under_way = strcmp(out->status->state, "PENDING") == 0 || strcmp(out->status->state, "RUNNING") == 0;
    if (!under_way || !in->on_wait_timeout || strcmp(in->on_wait_timeout, "CANCEL") != 0)
        return true;
    model_release(&model_statement_response, out);
    return statements_cancel(all, id, caller, e) && statements_view(all, id, caller, CANCEL_MS, out, e);
}

/* Held until the statement ends or a second has passed: who polls learns of the end at once. */
bool api_get_statement(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    return statements_view(r->ws->statements, request_param(r, "id"), r->caller.name, LOOK_MS, out, e);
}

bool api_get_statement_chunk(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    const char *text = request_param(r, "index");
    char *end;
    errno = 0;
    long long index = strtoll(text, &end, 10);
    if (errno || *end || end == text)
        return err_set(e, ERR_INVALID_PARAMETER, "'%.60s' is no number of a chunk", text);
    return statements_chunk(r->ws->statements, request_param(r, "id"), r->caller.name, index, out, e);
}

bool api_cancel_statement(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)out;
    return statements_cancel(r->ws->statements, request_param(r, "id"), r->caller.name, e);
}
