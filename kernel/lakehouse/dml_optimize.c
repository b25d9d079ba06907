/*
 * OPTIMIZE: small files of a partition become one, and rows that a deletion vector masks are left out for good. No row changes, so
 * who follows the table sees nothing of it (dataChange false).
 */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/dml.h"

/* As OPTIMIZE of Delta without a table property: what is larger than the first is left alone, what is made is about the second. */
static const int64_t SMALL_BYTES = 128LL << 20, TARGET_BYTES = 256LL << 20;

struct candidate {
    size_t file; /* in the snapshot */
    char *partition;
};

struct sizes {
    int64_t files, bytes, least, most;
};

struct optimize {
    struct front_name table;
    const char *location;
    struct sizes added, removed;
    int64_t considered, skipped, bins, partitions;
};

static void count(struct sizes *s, int64_t bytes)
{
    s->least = s->files == 0 || bytes < s->least ? bytes : s->least;
    s->most = bytes > s->most ? bytes : s->most;
    s->bytes += bytes;
    s->files++;
}

static bool is_masked(const struct delta_file *f) { return f->deletion_vector && !json_is_null(f->deletion_vector); }

static int by_partition(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int order = strcmp(x->partition, y->partition);
    return order ? order : (x->file > y->file) - (x->file < y->file);
}

/* Partition by partition, in the order of the log. */
static struct candidate *find_candidates(const struct delta_snapshot *s, struct optimize *o, size_t *n)
{
    struct candidate *all = xcalloc(s->n_files + 1, sizeof *all);
    *n = 0;
    for (size_t i = 0; i < s->n_files; i++) {
        if (s->files[i].size < SMALL_BYTES || is_masked(&s->files[i]))
            all[(*n)++] = (struct candidate){i, json_dumps(s->files[i].partition_values, JSON_COMPACT | JSON_SORT_KEYS)};
    }
    o->considered = (int64_t)s->n_files;
    qsort(all, *n, sizeof *all, by_partition);
    return all;
}

/* One new file of some old ones. */
static bool write_bin(struct dml *d, const struct candidate *bin, size_t n, bool *gone, struct optimize *o, struct err *e)
{
    const struct delta_snapshot *s = d->target->snapshot;
    struct lake_files_options options = {0};
    struct buf sql;
    bool *chosen = xcalloc(s->n_files + 1, sizeof *chosen);
    for (size_t i = 0; i < n; i++) {
        chosen[bin[i].file] = gone[bin[i].file] = true;
        count(&o->removed, s->files[bin[i].file].size);
    }
    o->bins++;
    buf_init(&sql, LAKE_SQL_MAX);
    bool ok = lake_snapshot_sql(d->f->conn, s, &options, chosen, &sql, e) && dml_write(d, buf_str(&sql), NULL, false, &d->data, e);
    buf_release(&sql);
    free(chosen);
    return ok;
}

/* Files side by side of one partition, until they are large enough. */
static size_t fill_bin(const struct delta_snapshot *s, const struct candidate *all, size_t n)
{
    int64_t bytes = 0;
    size_t i = 0;
    while (i < n && strcmp(all[i].partition, all[0].partition) == 0 && (i == 0 || bytes + s->files[all[i].file].size <= TARGET_BYTES))
        bytes += s->files[all[i++].file].size;
    return i;
}

static bool rewrite(struct dml *d, struct optimize *o, bool *gone, struct err *e)
{
    const struct delta_snapshot *s = d->target->snapshot;
    const char *last = NULL;
    size_t n;
    bool ok = true;
    struct candidate *all = find_candidates(s, o, &n);
    for (size_t i = 0, size; ok && i < n; i += size) {
        size = fill_bin(s, all + i, n - i);
        if (size == 1 && !is_masked(&s->files[all[i].file]))
            continue;
        o->partitions += !last || strcmp(last, all[i].partition) != 0;
        last = all[i].partition;
        ok = cancel_check(d->f->cancel, e) && write_bin(d, all + i, size, gone, o, e);
    }
    for (size_t i = 0; i < n; i++)
        free(all[i].partition);
    free(all);
    return ok;
}

static bool attempt(struct front *f, void *self, struct err *e)
{
    struct optimize *o = self;
    struct dml d;
    bool *gone = NULL, ok = dml_begin(&d, f, &o->table, false, e);
    *o = (struct optimize){.table = o->table};
    if (ok) {
        d.operation = "OPTIMIZE";
        d.same_rows = true;
        json_object_set_new(d.parameters, "predicate", json_string("[]"));
        json_object_set_new(d.parameters, "zOrderBy", json_string("[]"));
        o->location = arena_strndup(&f->arena, d.shape.root, strlen(d.shape.root));
        gone = xcalloc(d.target->snapshot->n_files + 1, sizeof *gone);
        ok = rewrite(&d, o, gone, e);
    }
    for (size_t i = 0; ok && i < d.data.count; i++)
        count(&o->added, d.data.list[i].size);
    o->skipped = o->considered - o->removed.files;
    ok = ok && dml_publish(&d, gone, e);
    if (!ok)
        dml_files_discard(&d.data);
    free(gone);
    free(f->outcome->target); /* no row has come from anywhere: no lineage */
    f->outcome->target = NULL;
    dml_release(&d);
    return ok;
}

static bool parse(struct front *f, struct optimize *o, struct err *e)
{
    f->at = 1;
    if (!front_take_name(f, 3, &o->table, e))
        return false;
    const struct token *t = front_now(f);
    if (t->kind == TOKEN_END)
        return true;
    front_error(f, t, "UNSUPPORTED_FEATURE", "0A000", e, "this workspace optimizes a whole table, and puts no rows in order");
    err_hint(e, "write OPTIMIZE and the table's name, without FULL, WHERE and ZORDER BY");
    return false;
}

static void add_sizes(struct buf *out, const char *name, const struct sizes *s)
{
    buf_printf(out, ", %s := struct_pack(min := %lld, max := %lld, avg := CAST(%.3f AS DOUBLE), totalFiles := CAST(%lld AS BIGINT), "
                    "totalSize := %lld)", name, (long long)s->least, (long long)s->most,
               s->files ? (double)s->bytes / (double)s->files : 0.0, (long long)s->files, (long long)s->bytes);
}

struct lake_stream *front_optimize(struct front *f, struct err *e)
{
    struct optimize o = {0};
    struct buf sql;
    if (!parse(f, &o, e) || !dml_retry(f, attempt, &o, e))
        return NULL;
    buf_init(&sql, LAKE_SQL_MAX);
    buf_puts(&sql, "SELECT ");
    lake_quote_text(&sql, o.location);
    buf_printf(&sql, " AS path, struct_pack(numFilesAdded := CAST(%lld AS BIGINT), numFilesRemoved := CAST(%lld AS BIGINT)",
               (long long)o.added.files, (long long)o.removed.files);
    add_sizes(&sql, "filesAdded", &o.added);
    add_sizes(&sql, "filesRemoved", &o.removed);
    buf_printf(&sql, ", partitionsOptimized := CAST(%lld AS BIGINT), numBatches := CAST(%lld AS BIGINT), totalConsideredFiles := "
                     "CAST(%lld AS BIGINT), totalFilesSkipped := CAST(%lld AS BIGINT)) AS metrics",
               (long long)o.partitions, (long long)o.bins, (long long)o.considered, (long long)o.skipped);
    struct lake_stream *s = buf_ok(&sql, "the answer", e) ? front_stream(f, buf_str(&sql), NULL, e) : NULL;
    buf_release(&sql);
    return s;
}
