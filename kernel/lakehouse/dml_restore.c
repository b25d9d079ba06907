/*
 * RESTORE TABLE: the files, columns and properties of an older version become the newest one. What came since is removed, what went
 * since comes back: so its files must still be there (VACUUM takes them away). The change feed follows from the files.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"
#include "lakehouse/dml.h"
#include "lakehouse/front_table.h"

struct restore {
    struct front_name table;
    size_t travel; /* token of VERSION or TIMESTAMP */
    int64_t size_after, files_after, removed, restored, removed_bytes, restored_bytes;
};

/* Which files of `of` are in `in` too, with the same rows masked. */
static bool *common_files(const struct delta_snapshot *of, const struct delta_snapshot *in)
{
    bool *common = xcalloc(of->n_files + 1, sizeof *common);
    json_t *places = json_object();
    for (size_t i = 0; i < in->n_files; i++)
        json_object_set_new(places, in->files[i].path, json_integer((json_int_t)i));
    for (size_t i = 0; i < of->n_files; i++) {
        const json_t *at = json_object_get(places, of->files[i].path);
        common[i] = at && delta_vector_same(of->files[i].deletion_vector, in->files[json_integer_value(at)].deletion_vector);
    }
    json_decref(places);
    return common;
}

static bool add_back(struct front *f, struct restore *r, struct delta_commit *c, const struct delta_snapshot *then, const bool *kept,
                     struct err *e)
{
    for (size_t i = 0; i < then->n_files; i++) {
        struct delta_file file = then->files[i];
        r->size_after += file.size;
        r->files_after++;
        if (kept[i])
            continue;
        if (!fs_exists(file.path)) {
            front_error(f, r->table.token, "DELTA_FILE_NOT_FOUND_DETAILED", "42K03", e,
                        "version %lld cannot be restored: its file %s is gone", (long long)then->version, file.uri);
            err_hint(e, "VACUUM has taken it away; DESCRIBE HISTORY shows when. A newer version may still be whole");
            return false;
        }
        file.data_change = true;
        delta_commit_add(c, &file);
        r->restored++;
        r->restored_bytes += file.size;
    }
    return true;
}

static void remove_newer(struct restore *r, struct delta_commit *c, const struct delta_snapshot *now, const bool *kept)
{
    for (size_t i = 0; i < now->n_files; i++) {
        struct delta_file file = now->files[i];
        if (kept[i])
            continue;
        file.data_change = true;
        delta_commit_remove(c, &file);
        r->removed++;
        r->removed_bytes += file.size;
    }
}

static bool same_partitions(const struct delta_snapshot *a, const struct delta_snapshot *b)
{
    bool same = a->n_partition_columns == b->n_partition_columns;
    for (size_t i = 0; same && i < a->n_partition_columns; i++)
        same = strcmp(a->partition_columns[i], b->partition_columns[i]) == 0;
    return same;
}

static bool same_metadata(const struct delta_snapshot *a, const struct delta_snapshot *b)
{
    char *x = delta_schema_format(&a->schema), *y = delta_schema_format(&b->schema);
    bool same = strcmp(x, y) == 0 && json_equal(a->configuration, b->configuration) && same_partitions(a, b);
    free(x);
    free(y);
    return same;
}

static void describe(struct dml *d, const struct restore *r, const struct delta_snapshot *then)
{
    char version[24];
    snprintf(version, sizeof version, "%lld", (long long)then->version);
    json_object_set_new(d->parameters, "version", json_string(version));
    const struct {
        const char *name;
        int64_t value;
    } metrics[] = {{"tableSizeAfterRestore", r->size_after},   {"numOfFilesAfterRestore", r->files_after},
                   {"numRemovedFiles", r->removed},            {"numRestoredFiles", r->restored},
                   {"removedFilesSize", r->removed_bytes},     {"restoredFilesSize", r->restored_bytes}};
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
        json_object_set_new(d->metrics, metrics[i].name, json_integer(metrics[i].value));
}

static bool publish(struct dml *d, struct restore *r, const struct delta_snapshot *then, struct err *e)
{
    const struct delta_snapshot *now = d->target->snapshot;
    struct delta_commit *c = delta_commit_new(now->root, now->version, "RESTORE");
    bool *kept = common_files(then, now), *stays = common_files(now, then), other = !same_metadata(now, then);
    bool ok = add_back(d->f, r, c, then, kept, e);
    remove_newer(r, c, now, stays);
    if (other)
        delta_commit_metadata(c, now->id, then->name, then->description, &then->schema, then->partition_columns,
                              then->n_partition_columns, then->configuration);
    describe(d, r, then);
    dml_describe(d, c);
    ok = ok && ((!r->restored && !r->removed && !other) || dml_publish_commit(d, c, e));
    if (ok && other)
        ok = front_tell_catalog(d->f, &r->table, &then->schema, then->partition_columns, then->n_partition_columns, then->configuration, e);
    delta_commit_free(c);
    free(kept);
    free(stays);
    return ok;
}

/* The log may begin later than version 0. */
static struct delta_snapshot *open_version(struct dml *d, const struct restore *r, int64_t version, struct err *e)
{
    struct delta_snapshot *then = delta_open(d->shape.root, version, e);
    if (!then && e->code == ERR_NOT_FOUND) {
        e->code = ERR_NONE;
        front_error(d->f, front_token(d->f, r->travel), "DELTA_CANNOT_RESTORE_TABLE_VERSION", "22003", e,
                    "%s has no version %lld to go back to: the newest is %lld", d->target->object.full_name, (long long)version,
                    (long long)d->target->snapshot->version);
    }
    return then;
}

static bool attempt(struct front *f, void *self, struct err *e)
{
    struct restore *r = self;
    struct dml d;
    int64_t version;
    *r = (struct restore){.table = r->table, .travel = r->travel};
    bool ok = dml_begin(&d, f, &r->table, true, e) && front_version(f, d.shape.root, r->travel, f->t.count, &version, e);
    struct delta_snapshot *then = ok ? open_version(&d, r, version, e) : NULL;
    ok = then && publish(&d, r, then, e);
    free(f->outcome->target);
    f->outcome->target = NULL;
    delta_close(then);
    dml_release(&d);
    return ok;
}

struct lake_stream *front_restore(struct front *f, struct err *e)
{
    static const char *const names[] = {"table_size_after_restore", "num_of_files_after_restore", "num_removed_files",
                                        "num_restored_files", "removed_files_size", "restored_files_size"};
    struct restore r = {0};
    f->at = 1;
    front_take(f, "table");
    if (!front_take_name(f, 3, &r.table, e))
        return NULL;
    front_take(f, "to");
    r.travel = f->at;
    if (!dml_retry(f, attempt, &r, e))
        return NULL;
    const int64_t values[] = {r.size_after, r.files_after, r.removed, r.restored, r.removed_bytes, r.restored_bytes};
    return dml_counts(f, names, values, ARRAY_LEN(names), e);
}
