/* The job "statement": one Databricks SQL statement through the engine, its rows to the server. */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/worker_foreign.h"
#include "workspace/worker_job.h"
#include "workspace/worker_values.h"

enum { PARAMETERS_MAX = 256, EVENT_BYTES = 1 << 20, VALUE_MAX = 12 << 20 };

/* ---- Unity Catalog, asked over the connection ---- */

static json_t *name_json(const char *const parts[3])
{
    return json_pack("[s,s,s]", parts[0], parts[1], parts[2]);
}

static bool resolve(void *self, const char *const parts[3], bool write, struct lake_object *out, struct err *e)
{
    json_t *answer = NULL;
    *out = (struct lake_object){0};
    if (!worker_ask(self, "resolve", json_pack("{s:o,s:b}", "name", name_json(parts), "write", write), &answer, e))
        return false;
    out->full_name = xstrdup(jx_get_str(answer, "full_name", ""));
    bool ok = true;
    if (strcmp(jx_get_str(answer, "kind", ""), "postgres") == 0) {
        ok = worker_foreign_object(answer, out, e);
    } else {
        out->kind = LAKE_DELTA;
        out->location = xstrdup(jx_get_str(answer, "location", ""));
    }
    json_decref(answer);
    if (!ok)
        lake_object_release(out);
    return ok;
}

static bool call(void *self, const char *method, const json_t *args, json_t **answer, struct err *e)
{
    return worker_ask(self, method, json_deep_copy(args), answer, e);
}

/* ---- rows ---- */

static json_t *columns_json(const struct lake_column *columns, size_t n)
{
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *one = json_pack("{s:o,s:s,s:s,s:I}", "name", jx_str(columns[i].name), "type_name",
                                delta_type_name(columns[i].type), "type_text",
                                columns[i].type_text ? columns[i].type_text : "", "position", (json_int_t)i);
        if (columns[i].type == DELTA_DECIMAL) {
            json_object_set_new(one, "type_precision", json_integer(columns[i].precision));
            json_object_set_new(one, "type_scale", json_integer(columns[i].scale));
        }
        json_array_append_new(all, one);
    }
    return all;
}

struct sending {
    struct worker_ctx *x;
    const struct lake_column *columns;
    size_t n_columns;
    int64_t row_limit, byte_limit, rows, bytes; /* limits -1: none */
    json_t *batch;
    size_t batch_bytes;
    bool truncated;
};

static void send_batch(struct sending *s)
{
    if (json_array_size(s->batch)) {
        worker_tell(s->x, "rows", json_pack("{s:O}", "rows", s->batch));
        json_decref(s->batch);
        s->batch = json_array();
        s->batch_bytes = 0;
    }
}

static bool add_row(struct sending *s, const struct lake_batch *b, size_t row, struct buf *text, struct err *e)
{
    json_t *one = json_array();
    size_t bytes = 0;
    for (size_t i = 0; i < s->n_columns; i++) {
        if (lake_is_null(&b->vectors[i], row) || s->columns[i].type == DELTA_VOID) {
            json_array_append_new(one, json_null());
            continue;
        }
        buf_clear(text);
        worker_value(&s->columns[i], &b->vectors[i], row, text);
        if (!buf_ok(text, "a value of the result", e)) {
            json_decref(one);
            return false;
        }
        json_array_append_new(one, jx_text(buf_str(text), text->len));
        bytes += text->len + 3;
    }
    if (s->byte_limit >= 0 && s->bytes + (int64_t)bytes > s->byte_limit) {
        s->truncated = true;
        json_decref(one);
        return true;
    }
    if (s->batch_bytes + bytes > EVENT_BYTES)
        send_batch(s);
    json_array_append_new(s->batch, one);
    s->batch_bytes += bytes;
    s->bytes += (int64_t)bytes;
    s->rows++;
    return true;
}

static bool send_rows(struct sending *s, struct lake_stream *stream, struct err *e)
{
    struct lake_batch b;
    struct buf text;
    bool ok = true;
    buf_init(&text, VALUE_MAX);
    while (ok && !s->truncated) {
        ok = lake_next(stream, &b, worker_cancel(s->x), e);
        if (!ok || b.rows == 0)
            break;
        for (size_t i = 0; i < b.rows && ok && !s->truncated; i++) {
            s->truncated = s->row_limit >= 0 && s->rows >= s->row_limit;
            ok = s->truncated || add_row(s, &b, i, &text, e);
        }
    }
    buf_release(&text);
    if (ok)
        send_batch(s);
    return ok;
}

/* ---- the job ---- */

static size_t take_parameters(const json_t *list, struct lake_parameter *out)
{
    size_t n = 0, i;
    json_t *one;
    json_array_foreach(list, i, one) {
        if (n < PARAMETERS_MAX)
            out[n++] = (struct lake_parameter){jx_get_str(one, "name", ""), jx_get_str(one, "value", NULL),
                                               jx_get_str(one, "type", NULL)};
    }
    return n;
}

static void set_text(json_t *to, const char *name, const char *text)
{
    if (text)
        json_object_set_new(to, name, jx_str(text));
}

bool worker_statement(struct worker_ctx *x, const json_t *job, json_t **done, struct err *e)
{
    struct lake_parameter parameters[PARAMETERS_MAX];
    if (json_array_size(json_object_get(job, "parameters")) > PARAMETERS_MAX)
        return err_set(e, ERR_TOO_BIG, "a statement takes at most %d parameters", PARAMETERS_MAX);
    struct lake_catalog catalog = {.self = x, .resolve = resolve, .call = call, .foreign_scan = worker_foreign_scan};
    struct lake_statement st = {.sql = jx_get_str(job, "sql", ""), .catalog = jx_get_str(job, "catalog", NULL),
                                .schema = jx_get_str(job, "schema", NULL), .principal = jx_get_str(job, "principal", ""),
                                .parameters = parameters,
                                .n_parameters = take_parameters(json_object_get(job, "parameters"), parameters)};
    struct lake_outcome outcome = {0};
    struct lake_stream *rows = lake_execute(worker_lake(x), &catalog, &st, &outcome, worker_cancel(x), e);
    if (!rows) {
        lake_outcome_release(&outcome);
        return false;
    }
    struct sending s = {.x = x, .row_limit = jx_get_int(job, "row_limit", -1), .byte_limit = jx_get_int(job, "byte_limit", -1),
                        .batch = json_array()};
    s.columns = lake_stream_columns(rows, &s.n_columns);
    worker_tell(x, "columns", json_pack("{s:o}", "columns", columns_json(s.columns, s.n_columns)));
    bool ok = send_rows(&s, rows, e);
    lake_stream_close(rows);
    json_decref(s.batch);
    if (ok) {
        *done = json_pack("{s:I,s:b}", "row_count", (json_int_t)s.rows, "truncated", s.truncated);
        set_text(*done, "catalog", outcome.catalog);
        set_text(*done, "schema", outcome.schema);
        set_text(*done, "target", outcome.target);
        if (outcome.sources)
            json_object_set(*done, "sources", outcome.sources);
    }
    lake_outcome_release(&outcome);
    return ok;
}
