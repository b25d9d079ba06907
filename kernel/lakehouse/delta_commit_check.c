/* The rules that a commit has to keep, checked before anything is written; and its data files, made durable. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_commit.h"

/* ---- files ---- */
/* A commit may name a file only once it is on the disk: after a crash the log would name what is not there. */
static bool sync_file(struct delta_file *f, struct err *e)
{
    struct stat st = {0};
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && fsync(fd) == 0;
    if (!ok)
        err_errno(e, errno, "cannot make the data file '%s' durable", f->path);
    if (fd >= 0)
        close(fd);
    if (!ok)
        return false;
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return err_set(e, ERR_INVALID_PARAMETER, "the data file '%s' is %s", f->path, S_ISREG(st.st_mode) ? "empty" : "no file");
    if (f->size && f->size != st.st_size)
        return err_set(e, ERR_INVALID_PARAMETER, "the data file '%s' has %lld bytes, not %lld", f->path, (long long)st.st_size,
                       (long long)f->size);
    f->size = st.st_size;
    if (!f->modification_time)
        f->modification_time = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return true;
}

static bool sync_folder(const char *path, size_t len, struct err *e)
{
    char *folder = xstrndup(path, len);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        err_errno(e, errno, "cannot make the folder '%s' durable", folder);
    if (fd >= 0)
        close(fd);
    free(folder);
    return ok;
}

/* Folders from the file's up to the root: the engine may have made them. */
static bool sync_folders(const char *root, const char *path, struct err *e)
{
    size_t len = strlen(path), stop = strlen(root);
    while (len > stop) {
        while (len > stop && path[len] != '/')
            len--;
        if (!sync_folder(path, len, e))
            return false;
        len -= len > stop;
    }
    return true;
}

static bool same_folder(const char *a, const char *b)
{
    size_t n = (size_t)(strrchr(a, '/') - a);
    return !strncmp(a, b, n + 1) && !strchr(b + n + 1, '/');
}

static bool check_stats(const struct delta_file *f, struct err *e)
{
    if (!f->stats)
        return true;
    json_t *all = json_loads(f->stats, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
    bool ok = json_is_object(all);
    json_decref(all);
    return ok || err_set(e, ERR_INVALID_PARAMETER, "the statistics of '%s' are no JSON object", f->path);
}

/* A value, or NULL, for each partition column, and nothing else. */
static bool check_values(const struct delta_file *f, char *const *columns, size_t n, struct err *e)
{
    const char *key;
    json_t *value;
    for (size_t i = 0; i < n; i++)
        if (!json_object_get(f->partition_values, columns[i]))
            return err_set(e, ERR_INVALID_PARAMETER, "the data file '%s' has no value of partition column '%s'", f->path,
                           columns[i]);
    json_object_foreach(f->partition_values, key, value)
        if (!json_is_string(value) && !json_is_null(value))
            return err_set(e, ERR_INVALID_PARAMETER, "the partition value of '%s' is no text", key);
    return json_object_size(f->partition_values) == n ||
           err_set(e, ERR_INVALID_PARAMETER, "the data file '%s' has values of columns that do not partition the table", f->path);
}

static bool check_new_file(struct delta_commit *c, size_t i, char *const *columns, size_t n, struct err *e)
{
    struct delta_file *f = &c->files[i].file;
    if (!f->path)
        return err_set(e, ERR_INVALID_PARAMETER, "a data file has no path");
    free(f->uri);
    if (!(f->uri = delta_path_encode(c->root, f->path, e)))
        return false;
    bool change = !strncmp(f->uri, "_change_data/", 13);
    if (change != (c->files[i].kind == DELTA_ACTION_CDC) || (!change && f->uri[0] == '_'))
        return err_set(e, ERR_INVALID_PARAMETER, "the file '%s' lies in the wrong folder: change files are in _change_data/, and only "
                                                 "they", f->path);
    if (!check_stats(f, e) || !check_values(f, columns, n, e) || !sync_file(f, e))
        return false;
    /* neighbours mostly share a folder: sync it with the last of them */
    bool more = i + 1 < c->n_files && c->files[i + 1].file.path && c->files[i + 1].kind == c->files[i].kind &&
                same_folder(f->path, c->files[i + 1].file.path);
    return more || sync_folders(c->root, f->path, e);
}

static bool check_removed(const struct delta_commit *c, const struct delta_file *f, const struct delta_snapshot *base,
                          struct err *e)
{
    if (!f->uri || !base)
        return err_set(e, ERR_INVALID_PARAMETER, "a commit to '%s' removes a file that the table does not have", c->root);
    return !f->data_change || !delta_flag(base->configuration, "delta.appendOnly") ||
           err_set(e, ERR_INVALID_STATE, "the table only takes new rows (its property delta.appendOnly is true): none may be changed "
                                         "or deleted");
}

static bool check_files(struct delta_commit *c, const struct delta_snapshot *base, struct err *e)
{
    char *const *columns = c->has_metadata ? c->partition_columns : base->partition_columns;
    size_t n = c->has_metadata ? c->n_partition_columns : base->n_partition_columns;
    bool ok = c->n_files <= DELTA_FILES_MAX ||
              err_set(e, ERR_TOO_BIG, "a commit has %zu files, more than %d", c->n_files, DELTA_FILES_MAX);
    for (size_t i = 0; ok && i < c->n_files; i++)
        ok = c->files[i].kind == DELTA_ACTION_REMOVE ? check_removed(c, &c->files[i].file, base, e)
                                                     : check_new_file(c, i, columns, n, e);
    return ok;
}

/* ---- metadata ---- */
static bool same_columns(const struct delta_commit *c, const struct delta_snapshot *base)
{
    bool same = c->n_partition_columns == base->n_partition_columns;
    for (size_t i = 0; same && i < c->n_partition_columns; i++)
        same = !strcmp(c->partition_columns[i], base->partition_columns[i]);
    return same;
}

/* Files that stay must keep their partition values. */
static bool check_partitions(const struct delta_commit *c, const struct delta_snapshot *base, struct err *e)
{
    size_t removed = 0;
    if (!base || same_columns(c, base))
        return true;
    for (size_t i = 0; i < c->n_files; i++)
        removed += c->files[i].kind == DELTA_ACTION_REMOVE;
    return removed == base->n_files ||
           err_set(e, ERR_INVALID_PARAMETER, "the partition columns of a table change only when all its rows are replaced");
}

/* In-commit timestamps are on in our tables, and stay on in others, also when the properties are set anew. */
static void keep_in_commit_time(struct delta_commit *c, const struct delta_snapshot *base)
{
    static const char *const names[] = {"delta.enableInCommitTimestamps", "delta.inCommitTimestampEnablementVersion",
                                        "delta.inCommitTimestampEnablementTimestamp"};
    if (!base) {
        json_object_set_new(c->configuration, names[0], json_string("true"));
        return;
    }
    bool on = delta_flag(base->configuration, names[0]);
    for (size_t i = 0; on && i < ARRAY_LEN(names); i++)
        if (delta_property(base, names[i]) && !json_object_get(c->configuration, names[i]))
            json_object_set(c->configuration, names[i], json_object_get(base->configuration, names[i]));
}

static bool check_metadata(struct delta_commit *c, const struct delta_snapshot *base, struct err *e)
{
    if (!c->has_metadata)
        return base || err_set(e, ERR_INVALID_PARAMETER, "a new table needs a schema");
    delta_properties_tidy(c->configuration);
    keep_in_commit_time(c, base);
    return delta_properties_check(c->configuration, base ? base->configuration : NULL, e) &&
           delta_schema_check(&c->schema, c->partition_columns, c->n_partition_columns, c->configuration, e) &&
           check_partitions(c, base, e);
}

bool delta_commit_check(struct delta_commit *c, const struct delta_snapshot *base, struct err *e)
{
    return (!base || delta_may_write(base, e)) && check_metadata(c, base, e) && check_files(c, base, e);
}
