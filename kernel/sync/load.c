/* Streams of the lakehouse into PostgreSQL tables: batch by batch through the encoder into COPY, memory flat. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/copy.h"
#include "pg/exec.h"
#include "sync/internal.h"

enum { CHUNK = 256 << 10, TELL_MS = 300 };

void job_progress(struct sync_job *j, enum sync_phase phase, int64_t rows, bool now)
{
    int64_t ms = clock_mono_ms();
    if (!j->watch->progress || (!now && ms - j->told_ms < TELL_MS))
        return;
    j->told_ms = ms;
    int64_t total = 0;
    for (size_t i = 0; j->source && i < j->source->n_files && total >= 0; i++)
        total = j->source->files[i].rows < 0 ? -1 : total + j->source->files[i].rows;
    struct sync_progress p = {
        .phase = phase, .version = j->source ? j->source->version : -1, .rows = rows, .total = total};
    j->watch->progress(j->watch->self, &p);
}

static bool send_chunk(struct sync_job *j, struct encoder *en, size_t at_least, struct err *e)
{
    size_t len;
    const char *data = encoder_data(en, &len);
    if (len < at_least)
        return true;
    if (!pg_copy_put(j->pg, data, len, j->cancel, e))
        return false;
    encoder_drop(en);
    return true;
}

static bool send_rows(struct sync_job *j, struct lake_stream *s, struct encoder *en, enum sync_phase phase, struct err *e)
{
    struct lake_batch b;
    int64_t rows = 0;
    encoder_begin(en);
    for (;;) {
        if (!lake_next(s, &b, j->cancel, e))
            return false;
        if (b.rows == 0)
            break;
        for (size_t i = 0; i < b.rows; i++) {
            if (!encoder_row(en, &b, i, e) || !send_chunk(j, en, CHUNK, e))
                return false;
        }
        rows += (int64_t)b.rows;
        job_progress(j, phase, rows, false);
    }
    encoder_end(en);
    j->result.skipped += encoder_skipped(en);
    j->sent = rows - encoder_skipped(en);
    return send_chunk(j, en, 0, e);
}

/* Copy the stream into `table`; the stream is closed. */
static bool copy_stream(struct sync_job *j, struct lake_stream *s, const char *table, const char *options,
                        enum sync_phase phase, struct err *e)
{
    size_t n;
    const struct lake_column *columns = lake_stream_columns(s, &n);
    struct encoder *en = encoder_new(columns, n, j->spec);
    struct buf sql;
    buf_init(&sql, SYNC_SQL_MAX);
    buf_printf(&sql, "COPY %s (", table);
    for (size_t i = 0; i < n; i++) {
        buf_puts(&sql, i ? ", " : "");
        pg_quote_ident(&sql, columns[i].name);
    }
    buf_printf(&sql, ") FROM STDIN (FORMAT binary%s)", options);
    bool ok = buf_ok(&sql, "the COPY statement", e) && pg_copy_in(j->pg, buf_str(&sql), j->cancel, e);
    if (ok) {
        ok = send_rows(j, s, en, phase, e);
        if (ok)
            ok = pg_copy_done(j->pg, NULL, j->cancel, e);
        else
            pg_copy_stop(j->pg, e);
    }
    buf_release(&sql);
    encoder_free(en);
    lake_stream_close(s);
    return ok;
}

bool load_snapshot(struct sync_job *j, const char *table, bool freeze, struct err *e)
{
    const char **names = xcalloc(j->n_columns + 1, sizeof *names);
    for (size_t i = 0; i < j->n_columns; i++)
        names[i] = j->columns[i].name;
    job_progress(j, SYNC_COPYING, 0, true);
    struct lake_stream *s = lake_scan(j->lake, j->spec->source_root, j->source->version, names, NULL, e);
    free(names);
    return s && copy_stream(j, s, table, freeze ? ", FREEZE" : "", SYNC_COPYING, e);
}

bool load_net_changes(struct sync_job *j, const char *table, int64_t from, int64_t to, struct err *e)
{
    job_progress(j, SYNC_APPLYING, 0, true);
    struct lake_stream *s = lake_changes_net(j->lake, j->spec->source_root, from, to, j->spec->key, j->spec->n_key, e);
    return s && copy_stream(j, s, table, "", SYNC_APPLYING, e);
}

bool load_changes(struct sync_job *j, const char *table, int64_t from, int64_t to, struct err *e)
{
    job_progress(j, SYNC_APPLYING, 0, true);
    struct lake_stream *s = lake_changes(j->lake, j->spec->source_root, from, to, e);
    return s && copy_stream(j, s, table, "", SYNC_APPLYING, e);
}
