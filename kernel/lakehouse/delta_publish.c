/*
 * Publish a commit: its lines to a temporary file in the log's folder, synced, then linked under its version's name. link(2)
 * never replaces a file, so of two writers one gets the version and the other ERR_CONFLICT. Source: PROTOCOL.md, "Delta Log Entries".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_commit.h"

/* ---- lines ---- */
static void put_line(struct buf *out, const char *kind, json_t *body)
{
    json_t *line = json_pack("{so}", kind, body);
    char *text = jx_dump(line);
    buf_puts(out, text);
    buf_putc(out, '\n');
    free(text);
    json_decref(line);
}

static json_t *text_or_null(const char *text) { return text ? jx_str(text) : json_null(); }

static bool in_commit_time(const struct delta_commit *c, const struct delta_snapshot *base)
{
    return delta_flag(c->has_metadata ? c->configuration : base->configuration, "delta.enableInCommitTimestamps");
}

/* commitInfo is the first line, as in-commit timestamps want it. */
static void put_info(struct buf *out, const struct delta_commit *c, const struct delta_snapshot *base, int64_t now)
{
    char id[37];
    ids_uuid(id);
    json_t *info = json_object();
    if (in_commit_time(c, base))
        json_object_set_new(info, "inCommitTimestamp", json_integer(now));
    json_object_set_new(info, "timestamp", json_integer(now));
    if (c->user)
        json_object_set_new(info, "userName", jx_str(c->user));
    json_object_set_new(info, "operation", jx_str(c->operation));
    json_object_set(info, "operationParameters", c->parameters);
    if (c->read_version >= 0)
        json_object_set_new(info, "readVersion", json_integer(c->read_version));
    json_object_set_new(info, "isolationLevel", json_string("Serializable"));
    json_object_set_new(info, "isBlindAppend", json_boolean(c->blind_append));
    json_object_set(info, "operationMetrics", c->metrics);
    json_object_set_new(info, "engineInfo", json_string("lakebase/" LAKEBASE_VERSION));
    json_object_set_new(info, "txnId", json_string(id));
    put_line(out, "commitInfo", info);
}

static void put_metadata(struct buf *out, const struct delta_commit *c, const struct delta_snapshot *base, int64_t now)
{
    char id[37];
    ids_uuid(id);
    json_t *columns = json_array();
    for (size_t i = 0; i < c->n_partition_columns; i++)
        json_array_append_new(columns, jx_str(c->partition_columns[i]));
    char *schema = delta_schema_format(&c->schema);
    put_line(out, "metaData",
             json_pack("{ss so so s{ss s{}} ss so sO sI}", "id", base ? base->id : c->id ? c->id : id, "name",
                       text_or_null(c->name), "description", text_or_null(c->description), "format", "provider", "parquet",
                       "options", "schemaString", schema, "partitionColumns", columns, "configuration", c->configuration,
                       "createdTime", (json_int_t)(base ? base->created_time : now)));
    free(schema);
}

static json_t *values_of(const struct delta_file *f)
{
    return f->partition_values ? json_incref(f->partition_values) : json_object();
}

static json_t *add_body(const struct delta_file *f)
{
    json_t *body = json_pack("{ss so sI sI sb}", "path", f->uri, "partitionValues", values_of(f), "size", (json_int_t)f->size,
                             "modificationTime", (json_int_t)f->modification_time, "dataChange", (int)f->data_change);
    if (f->stats)
        json_object_set_new(body, "stats", jx_str(f->stats));
    else if (f->rows >= 0)
        json_object_set_new(body, "stats", json_sprintf("{\"numRecords\":%lld}", (long long)f->rows));
    if (f->deletion_vector) /* of a file that a RESTORE brings back */
        json_object_set(body, "deletionVector", f->deletion_vector);
    return body;
}

static json_t *remove_body(const struct delta_file *f, int64_t now)
{
    json_t *body = json_pack("{ss sI sb sb so sI}", "path", f->uri, "deletionTimestamp", (json_int_t)now, "dataChange",
                             (int)f->data_change, "extendedFileMetadata", 1, "partitionValues", values_of(f), "size",
                             (json_int_t)f->size);
    if (f->deletion_vector)
        json_object_set(body, "deletionVector", f->deletion_vector);
    return body;
}

static json_t *cdc_body(const struct delta_file *f)
{
    return json_pack("{ss so sI sb}", "path", f->uri, "partitionValues", values_of(f), "size", (json_int_t)f->size, "dataChange", 0);
}

static void put_files(struct buf *out, const struct delta_commit *c, int64_t now)
{
    for (size_t i = 0; i < c->n_files; i++) {
        const struct delta_file *f = &c->files[i].file;
        if (c->files[i].kind == DELTA_ACTION_ADD)
            put_line(out, "add", add_body(f));
        else if (c->files[i].kind == DELTA_ACTION_REMOVE)
            put_line(out, "remove", remove_body(f, now));
        else
            put_line(out, "cdc", cdc_body(f));
    }
}

static void put_transactions(struct buf *out, const struct delta_commit *c, int64_t now)
{
    const char *app;
    json_t *version;
    json_object_foreach(c->transactions, app, version)
        put_line(out, "txn", json_pack("{so sO sI}", "appId", jx_str(app), "version", version, "lastUpdated", (json_int_t)now));
}

/* Switched on later, in-commit timestamps say from where: before that the files' times count. */
static void mark_in_commit_time(struct delta_commit *c, const struct delta_snapshot *base, int64_t now)
{
    static const char flag[] = "delta.enableInCommitTimestamps";
    if (!base || !c->has_metadata || !delta_flag(c->configuration, flag) || delta_flag(base->configuration, flag))
        return;
    json_object_set_new(c->configuration, "delta.inCommitTimestampEnablementVersion",
                        json_sprintf("%lld", (long long)c->read_version + 1));
    json_object_set_new(c->configuration, "delta.inCommitTimestampEnablementTimestamp", json_sprintf("%lld", (long long)now));
}

static void put_all(struct buf *out, struct delta_commit *c, const struct delta_snapshot *base)
{
    int64_t now = clock_wall_ms();
    if (base && now <= base->timestamp)
        now = base->timestamp + 1; /* commits follow each other in time, whatever the clock does */
    mark_in_commit_time(c, base, now);
    put_info(out, c, base, now);
    if (c->has_metadata) {
        json_t *protocol = delta_protocol_needed(&c->schema, c->configuration, base);
        if (protocol)
            put_line(out, "protocol", protocol);
        put_metadata(out, c, base, now);
    }
    put_transactions(out, c, now);
    put_files(out, c, now);
}

/* ---- files ---- */
static bool write_synced(const char *path, const struct buf *text, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const char *p = buf_str(text);
    size_t left = text->len;
    bool ok = fd >= 0;
    while (ok && left > 0) {
        ssize_t n = write(fd, p, left);
        ok = n >= 0 || errno == EINTR;
        p += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    ok = ok && fsync(fd) == 0;
    if (!ok)
        err_errno(e, errno, "cannot write '%s'", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool sync_folder(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        err_errno(e, errno, "cannot make the folder '%s' durable", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Is it ".<version>.<kind>.<uuid>.tmp"? */
static bool is_temporary(const char *name, const char *kind, int64_t version)
{
    long long of;
    int n = 0;
    size_t len = strlen(kind);
    if (sscanf(name, ".%20lld.%n", &of, &n) != 1 || n != 22 || of > version || strncmp(name + n, kind, len) != 0)
        return false;
    const char *id = name + n + len;
    return *id == '.' && strspn(id + 1, "0123456789abcdef-") == 36 && !strcmp(id + 37, ".tmp");
}

void delta_sweep(const char *log, const char *kind, int64_t version)
{
    DIR *dir = opendir(log);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (is_temporary(entry->d_name, kind, version))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

static bool link_commit(const char *temp, const char *path, int64_t version, struct err *e)
{
    if (link(temp, path) == 0)
        return true;
    if (errno == EEXIST || (errno == ENOENT && fs_exists(path))) {
        err_set(e, ERR_CONFLICT, "somebody else wrote version %lld of the table first", (long long)version);
        err_hint(e, "run the statement again: it will see the table as it is now");
        return false;
    }
    return err_errno(e, errno, "cannot publish '%s'", path);
}

/* After the link the version is there for everybody, whatever fails then: it must not be reported as not written, for the
 * caller would take its data files away. What is needed to make the folder durable is opened before. */
static bool publish(const char *root, int64_t version, const struct buf *text, struct err *e)
{
    char id[37];
    ids_uuid(id);
    char *log = xasprintf("%s/_delta_log", root), *path = delta_path_commit(root, version);
    char *temp = xasprintf("%s/.%020lld.json.%s.tmp", log, (long long)version, id);
    bool ok = fs_mkdirs(log, 0755, e) && (version > 0 || sync_folder(root, e));
    int folder = ok ? open(log, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (ok && folder < 0)
        ok = err_errno(e, errno, "cannot open the folder '%s'", log);
    ok = ok && write_synced(temp, text, e) && link_commit(temp, path, version, e);
    unlink(temp);
    if (ok) {
        fsync(folder); /* it fails on a broken disk only, where nothing is sure any more */
        delta_sweep(log, "json", version); /* of commits that crashed or lost: nobody can link them any more */
    }
    if (folder >= 0)
        close(folder);
    free(temp);
    free(path);
    free(log);
    return ok;
}

bool delta_commit_publish(struct delta_commit *c, int64_t *version, struct err *e)
{
    struct delta_snapshot *base = NULL;
    struct buf text;
    buf_init(&text, DELTA_COMMIT_MAX);
    bool ok = c->read_version < 0 || (base = delta_open(c->root, c->read_version, e));
    ok = ok && delta_commit_check(c, base, e);
    if (ok) {
        put_all(&text, c, base);
        ok = buf_ok(&text, "the commit", e) && publish(c->root, c->read_version + 1, &text, e);
    }
    if (ok && version)
        *version = c->read_version + 1;
    if (ok)
        delta_checkpoint_turn(c->root, c->read_version + 1, c->has_metadata ? c->configuration : base->configuration);
    buf_release(&text);
    delta_close(base);
    return ok || err_wrap(e, "writing to the table at '%s'", c->root);
}
