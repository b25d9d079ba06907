/* Data files: the engine writes Parquet, we describe it. The commit makes the files durable (delta_publish.c). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/ids.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"
#include "lakehouse/dml.h"

void dml_files_release(struct dml_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        delta_file_release(&files->list[i]);
    free(files->list);
    *files = (struct dml_files){0};
}

void dml_files_discard(struct dml_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        unlink(files->list[i].path);
    dml_files_release(files);
}

/* COPY (…) TO '…': one file, or one for each partition value in folders of Hive's form. */
static bool copy_sql(const struct dml *d, const char *select, bool changes, struct buf *sql, size_t *shift, struct err *e)
{
    char id[37];
    ids_uuid(id);
    char *folder = xasprintf("%s%s", d->shape.root, changes ? "/_change_data" : "");
    char *path = d->shape.n_partitions ? xstrdup(folder)
                                       : xasprintf("%s/%s-00000-%s.c000.snappy.parquet", folder, changes ? "cdc" : "part", id);
    bool ok = fs_mkdirs(folder, 0700, e);
    buf_puts(sql, "COPY (");
    *shift = sql->len;
    buf_printf(sql, "%s\n) TO ", select);
    lake_quote_text(sql, path);
    buf_puts(sql, " (FORMAT parquet, COMPRESSION snappy, RETURN_STATS");
    for (size_t i = 0; i < d->shape.n_partitions; i++) {
        buf_puts(sql, i ? ", " : ", APPEND, FILENAME_PATTERN '");
        if (!i)
            buf_puts(sql, changes ? "cdc-{uuid}', PARTITION_BY (" : "part-{uuid}', PARTITION_BY (");
        lake_quote_name(sql, d->shape.partitions[i]);
    }
    buf_puts(sql, d->shape.n_partitions ? "))" : ")");
    free(folder);
    free(path);
    return ok && buf_ok(sql, "the statement", e);
}

static bool take_file(struct dml *d, const struct duck_rows *row, struct dml_files *out, struct err *e)
{
    if (out->count == out->cap) {
        out->cap = out->cap ? out->cap * 2 : 4;
        out->list = xreallocarray(out->list, out->cap, sizeof *out->list);
    }
    struct delta_file *f = &out->list[out->count++];
    if (!dml_file_of(&d->shape, row, f, e))
        return false;
    if (f->rows == 0) {
        unlink(f->path);
        delta_file_release(f);
        out->count--;
        return true;
    }
    out->rows += f->rows;
    out->bytes += f->size;
    return true;
}

bool dml_write(struct dml *d, const char *select, const struct front_map *map, bool changes, struct dml_files *out,
               struct err *e)
{
    struct front *f = d->f;
    struct duck_params params = {f->s->parameters, f->s->n_parameters};
    struct buf sql;
    size_t shift = 0;
    buf_init(&sql, LAKE_SQL_MAX);
    bool ok = front_check(f, select, e) && copy_sql(d, select, changes, &sql, &shift, e);
    if (ok && f->handles)
        lake_foreign_push(f->conn, f->handles, select, params);
    struct duck_rows *rows = ok ? duck_query(f->conn, buf_str(&sql), params, f->cancel, e) : NULL;
    ok = rows != NULL;
    if (!ok && e->code == ERR_SQL && e->position > 0) {
        e->position = (size_t)e->position > shift ? e->position - (int)shift : 0;
        front_map_error(f, map, e);
    }
    while (ok && duck_next_row(rows, f->cancel, e))
        ok = take_file(d, rows, out, e);
    ok = ok && e->code == ERR_NONE;
    duck_rows_free(rows);
    buf_release(&sql);
    return ok;
}
