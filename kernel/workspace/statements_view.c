/* A statement as the API shows it: status, manifest, parts of the result. Source: StatementResponse of the SDKs. */
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/statements_parts.h"

static const char *const names[] = {[ST_PENDING] = "PENDING", [ST_RUNNING] = "RUNNING", [ST_SUCCEEDED] = "SUCCEEDED",
                                    [ST_FAILED] = "FAILED", [ST_CANCELED] = "CANCELED"};

static struct opt_int number(int64_t n) { return (struct opt_int){true, n}; }

/* The service error codes of a failed statement are a list of their own; what is not in it is the statement's fault. */
static const char *error_code(const struct err *e)
{
    static const char *const known[] = {"ABORTED", "ALREADY_EXISTS", "BAD_REQUEST", "CANCELLED", "DEADLINE_EXCEEDED",
                                        "INTERNAL_ERROR", "NOT_FOUND", "TEMPORARILY_UNAVAILABLE", "UNAUTHENTICATED"};
    const char *wire = err_info(e->code)->wire;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i], wire) == 0)
            return wire;
    }
    return e->code == ERR_RATE_LIMIT ? "RESOURCE_EXHAUSTED" : "BAD_REQUEST";
}

static void put_error(const struct statement *st, struct statement_status *out)
{
    const struct err *e = &st->error;
    out->error = xcalloc(1, sizeof *out->error);
    out->error->error_code = xstrdup(error_code(e));
    out->error->message = xasprintf("%s%s%s%s%s%s", e->text, e->detail[0] ? ": " : "", e->detail, e->hint[0] ? "; " : "",
                                    e->hint, st->place);
    if (e->sqlstate[0])
        out->sql_state = xstrdup(e->sqlstate);
}

static bool put_columns(const struct statement *st, struct result_schema *out, struct err *e)
{
    out->column_count = number(0);
    json_t *list = st->columns ? jx_parse(st->columns, strlen(st->columns), STATEMENTS_INLINE_MAX, e) : NULL, *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        struct result_column *c = model_list_add(&model_result_column, &out->columns);
        if (!model_decode(&model_result_column, MODEL_CLIENT, one, c, e))
            break;
        c->position = number((int64_t)i);
    }
    out->column_count = number((int64_t)out->columns.count);
    json_decref(list);
    return !e->code;
}

static bool put_manifest(const struct statement *st, struct result_manifest *m, struct err *e)
{
    m->format = xstrdup("JSON_ARRAY");
    m->schema = xcalloc(1, sizeof *m->schema);
    m->total_row_count = number(st->rows);
    m->total_chunk_count = number((int64_t)st->n_chunks);
    m->truncated = tri_of(st->truncated);
    for (size_t i = 0; i < st->n_chunks; i++) {
        struct result_chunk *c = model_list_add(&model_result_chunk, &m->chunks);
        c->chunk_index = number((int64_t)i);
        c->row_offset = number(st->chunks[i].row_offset);
        c->row_count = number(st->chunks[i].row_count);
    }
    return put_columns(st, m->schema, e);
}

bool statement_put_chunk(const struct statement *st, size_t index, struct result_data *out, struct err *e)
{
    const struct statement_chunk *c = &st->chunks[index];
    char *text = xasprintf("[%s]", buf_str(&c->text));
    out->data_array = jx_parse(text, strlen(text), STATEMENTS_INLINE_MAX + 2, e);
    free(text);
    out->chunk_index = number((int64_t)index);
    out->row_offset = number(c->row_offset);
    out->row_count = number(c->row_count);
    if (index + 1 < st->n_chunks) {
        out->next_chunk_index = number((int64_t)index + 1);
        out->next_chunk_internal_link =
            xasprintf("/api/2.0/sql/statements/%s/result/chunks/%zu?row_offset=%lld", st->id, index + 1,
                      (long long)st->chunks[index + 1].row_offset);
    }
    return out->data_array || err_wrap(e, "the result of statement %s", st->id);
}

bool statement_describe(const struct statement *st, enum statement_state state, struct statement_response *out,
                        struct err *e)
{
    out->statement_id = xstrdup(st->id);
    out->status = xcalloc(1, sizeof *out->status);
    out->status->state = xstrdup(names[state]);
    if (state == ST_FAILED)
        put_error(st, out->status);
    if (state != ST_SUCCEEDED)
        return true;
    out->manifest = xcalloc(1, sizeof *out->manifest);
    out->result = xcalloc(1, sizeof *out->result);
    return put_manifest(st, out->manifest, e) && (st->n_chunks == 0 || statement_put_chunk(st, 0, out->result, e));
}
