/* Job "statement" of the lakehouse worker: one statement, its rows as texts, its names looked up by the server. */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/samples.h"
#include "workspace/worker_foreign.h"
#include "workspace/worker_job.h"
#include "workspace/worker_rows.h"

enum { PARAMETERS_MAX = 1000, FRAME_ROWS = 5000, FRAME_BYTES = 1 << 20, ROW_BYTES_MAX = 4 << 20 };

/* ---- Unity Catalog ---- */
static bool on_resolve(void *self, const char *const parts[3], bool write, struct lake_object *out, struct err *e)
{
    struct worker_ctx *x = self;
    json_t *answer;
    if (!worker_ask(x, "resolve", json_pack("{s:[sss], s:b}", "name", parts[0], parts[1], parts[2], "write", write), &answer,
                    e))
        return false;
    const char *kind = jx_get_str(answer, "kind", "");
    bool ok = true;
    out->full_name = xstrdup(jx_get_str(answer, "full_name", ""));
    if (!strcmp(kind, "delta")) {
        out->kind = LAKE_DELTA;
        out->location = xstrdup(jx_get_str(answer, "location", ""));
        const char *sample = jx_get_str(answer, "sample", NULL);
        ok = !sample || sample_make(worker_lake(x), sample, out->location, worker_cancel(x), e);
    } else if (!strcmp(kind, "rows")) {
        out->kind = LAKE_ROWS;
        out->fields = json_incref(json_object_get(answer, "columns"));
        out->rows = json_incref(json_object_get(answer, "rows"));
    } else if (!strcmp(kind, "postgres")) {
        out->kind = LAKE_FOREIGN;
        ok = worker_foreign_fill(x, answer, out, e);
    } else {
        ok = err_set(e, ERR_INTERNAL, "the server says that %s is a '%s'", out->full_name, kind);
    }
    json_decref(answer);
    if (!ok)
        lake_object_release(out);
    return ok;
}

static bool on_call(void *self, const char *method, const json_t *args, json_t **answer, struct err *e)
{
    return worker_ask(self, method, json_incref((json_t *)(uintptr_t)args), answer, e);
}

/* ---- rows ---- */
struct output {
    struct worker_ctx *x;
    json_t *rows;
    int64_t count, bytes, frame_bytes, row_limit, byte_limit; /* limits: 0: none */
    bool truncated;
    struct buf text;
};

static void flush(struct output *o)
{
    if (json_array_size(o->rows) == 0)
        return;
    worker_tell(o->x, "rows", json_pack("{s:o}", "rows", o->rows));
    o->rows = json_array();
    o->frame_bytes = 0;
}

/* One row; false at a limit or a failure. */
static bool add_row(struct output *o, const struct lake_column *columns, const struct lake_batch *b, size_t row, struct err *e)
{
    int64_t bytes = 0;
    if (o->row_limit > 0 && o->count == o->row_limit)
        return o->truncated = true, false;
    json_t *values = json_array();
    for (size_t i = 0; i < b->columns; i++) {
        if (lake_is_null(&b->vectors[i], row)) {
            json_array_append_new(values, json_null());
            continue;
        }
        buf_clear(&o->text);
        worker_value_text(&o->text, &columns[i], &b->vectors[i], row);
        if (!buf_ok(&o->text, "a value of the result", e))
            return json_decref(values), false;
        json_array_append_new(values, jx_text(buf_str(&o->text), o->text.len));
        bytes += (int64_t)o->text.len;
    }
    if (bytes > ROW_BYTES_MAX)
        err_set(e, ERR_TOO_BIG, "a row of the result has more than %d bytes", ROW_BYTES_MAX);
    o->truncated = o->byte_limit > 0 && o->bytes + bytes > o->byte_limit;
    if (o->truncated || e->code != ERR_NONE)
        return json_decref(values), false;
    json_array_append_new(o->rows, values);
    o->count++;
    o->bytes += bytes;
    o->frame_bytes += bytes;
    if (json_array_size(o->rows) >= FRAME_ROWS || o->frame_bytes >= FRAME_BYTES)
        flush(o);
    return true;
}

static bool send_rows(struct output *o, struct lake_stream *s, struct cancel *cancel, struct err *e)
{
    size_t n;
    const struct lake_column *columns = lake_stream_columns(s, &n);
    struct lake_batch batch;
    worker_tell(o->x, "columns", json_pack("{s:o}", "columns", worker_columns_json(columns, n)));
    bool more = true;
    while (more && lake_next(s, &batch, cancel, e) && batch.rows > 0)
        for (size_t row = 0; more && row < batch.rows; row++)
            more = add_row(o, columns, &batch, row, e);
    if (e->code == ERR_NONE)
        flush(o);
    return e->code == ERR_NONE && cancel_check(cancel, e);
}

/* ---- the job ---- */
static size_t take_parameters(const json_t *job, struct lake_parameter **out)
{
    const json_t *list = json_object_get(job, "parameters");
    size_t n = json_array_size(list);
    *out = xcalloc(n + 1, sizeof **out);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        (*out)[i] = (struct lake_parameter){jx_get_str(one, "name", ""), jx_get_str(one, "value", NULL),
                                            jx_get_str(one, "type", NULL)};
    }
    return n;
}

static json_t *report(const struct output *o, const struct lake_outcome *r)
{
    json_t *done = json_pack("{s:I, s:b, s:O}", "row_count", (json_int_t)o->count, "truncated", o->truncated, "sources",
                             r->sources);
    const struct { const char *name, *value; } texts[] = {{"catalog", r->catalog}, {"schema", r->schema}, {"target", r->target}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].value)
            json_object_set_new(done, texts[i].name, jx_str(texts[i].value));
    return done;
}

bool worker_statement(struct worker_ctx *x, const json_t *job, json_t **done, struct err *e)
{
    struct lake_parameter *parameters;
    size_t n = take_parameters(job, &parameters);
    struct lake_catalog catalog = {x, on_resolve, on_call, worker_foreign_scan};
    struct lake_statement s = {.sql = jx_get_str(job, "sql", ""),
                               .catalog = jx_get_str(job, "catalog", NULL),
                               .schema = jx_get_str(job, "schema", NULL),
                               .principal = jx_get_str(job, "principal", NULL),
                               .parameters = parameters,
                               .n_parameters = n};
    struct output o = {.x = x, .rows = json_array(), .row_limit = jx_get_int(job, "row_limit", 0),
                       .byte_limit = jx_get_int(job, "byte_limit", 0)};
    struct lake_outcome outcome = {0};
    struct lake_stream *stream = NULL;
    buf_init(&o.text, 64 << 20);
    if (n > PARAMETERS_MAX)
        err_set(e, ERR_INVALID_PARAMETER, "a statement has at most %d parameters", PARAMETERS_MAX);
    else
        stream = lake_execute(worker_lake(x), &catalog, &s, &outcome, worker_cancel(x), e);
    bool ok = stream && send_rows(&o, stream, outcome.committed ? NULL : worker_cancel(x), e);
    if (ok)
        *done = report(&o, &outcome);
    lake_stream_close(stream);
    lake_outcome_release(&outcome);
    json_decref(o.rows);
    buf_release(&o.text);
    free(parameters);
    return ok;
}
