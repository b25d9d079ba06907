/* One statement in the lakehouse worker: rows into chunks, errors with their place, lineage of what really ran. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/lake_catalog.h"
#include "workspace/lineage.h"
#include "workspace/statements_parts.h"
#include "workspace/worker.h"
#include "workspace/workspace.h"

enum { CHUNK_BYTES = 4 << 20 };

struct running {
    struct lake_session session; /* first: it is the self of lake_catalog_call */
    struct statement *st;
};

static struct statement_chunk *chunk_for(struct statement *st, size_t more)
{
    struct statement_chunk *last = st->n_chunks ? &st->chunks[st->n_chunks - 1] : NULL;
    if (last && last->text.len + more <= CHUNK_BYTES)
        return last;
    st->chunks = xreallocarray(st->chunks, st->n_chunks + 1, sizeof *st->chunks);
    last = &st->chunks[st->n_chunks++];
    *last = (struct statement_chunk){.row_offset = st->rows};
    buf_init(&last->text, STATEMENTS_INLINE_MAX);
    return last;
}

static bool take_rows(struct statement *st, const json_t *rows, struct err *e)
{
    size_t n = json_array_size(rows);
    if (n == 0)
        return true;
    char *text = jx_dump(rows);
    size_t len = strlen(text) - 2; /* without the outer brackets */
    st->bytes += len + 1;
    if (st->bytes > STATEMENTS_INLINE_MAX) {
        free(text);
        return err_set(e, ERR_TOO_BIG, "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a "
                                       "result size of at most %d bytes. Add a LIMIT, or set row_limit",
                       STATEMENTS_INLINE_MAX);
    }
    struct statement_chunk *c = chunk_for(st, len);
    if (c->text.len)
        buf_putc(&c->text, ',');
    buf_add(&c->text, text + 1, len);
    free(text);
    c->row_count += (int64_t)n;
    st->rows += (int64_t)n;
    return true;
}

static bool on_event(void *self, const char *name, const json_t *event, struct err *e)
{
    struct running *r = self;
    if (strcmp(name, "columns") == 0) {
        free(r->st->columns);
        r->st->columns = jx_dump(json_object_get(event, "columns"));
        return true;
    }
    return strcmp(name, "rows") != 0 || take_rows(r->st, json_object_get(event, "rows"), e);
}

static void record_lineage(struct workspace *ws, const struct statement *st, const json_t *done)
{
    const char *target = jx_get_str(done, "target", NULL);
    const json_t *sources = json_object_get(done, "sources");
    for (size_t i = 0; target && *target && i < json_array_size(sources); i++) {
        struct err e = {0};
        const char *source = json_string_value(json_array_get(sources, i));
        if (source && !lineage_record(ws, source, target, st->caller, &e))
            log_err("lakehouse", "lineage", &e);
    }
}

/* " SQLSTATE: 42P01; line 2 pos 7", as Databricks SQL ends its messages: the line from 1, the column from 0. */
static void tell_place(struct statement *st, const char *sql)
{
    const struct err *e = &st->error;
    size_t used = 0;
    if (e->sqlstate[0] && !strstr(e->text, "SQLSTATE"))
        used = (size_t)snprintf(st->place, sizeof st->place, " SQLSTATE: %s", e->sqlstate);
    if (e->position < 1)
        return;
    int line = 1, column = 0, at = 1;
    for (const char *p = sql; *p && at < e->position; p++) {
        bool next = (p[1] & 0xc0) != 0x80; /* the next byte begins a character */
        line += *p == '\n';
        column = *p == '\n' ? 0 : column + next;
        at += next;
    }
    snprintf(st->place + used, sizeof st->place - used, "; line %d pos %d", line, column);
}

bool statement_run(struct workspace *ws, struct statement *st)
{
    struct running r = {.session = {.ws = ws, .principal = st->caller}, .st = st};
    struct worker_job cb = {.self = &r, .call = lake_catalog_call, .event = on_event};
    json_t *done = NULL;
    bool ok = worker_run(ws->worker, st->job, &cb, &done, &st->cancel, &st->error);
    if (ok) {
        st->truncated = jx_get_bool(done, "truncated", false);
        record_lineage(ws, st, done);
    } else {
        tell_place(st, jx_get_str(st->job, "sql", ""));
    }
    json_decref(done);
    lake_session_release(&r.session);
    return ok;
}
