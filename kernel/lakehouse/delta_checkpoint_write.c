/*
 * Checkpoints, written: what holds at a version as JSON lines, which the engine makes a classic checkpoint of. Readers start
 * there instead of at version 0. Source: PROTOCOL.md, "Checkpoints" and "Last Checkpoint File".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

#define VECTOR "deletionVector STRUCT(storageType VARCHAR, pathOrInlineDv VARCHAR, \"offset\" INTEGER, sizeInBytes INTEGER, cardinality BIGINT)"
#define TEXTS "MAP(VARCHAR, VARCHAR)"

static const char *const columns[][2] = {
    {"txn", "STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)"},
    {"add", "STRUCT(path VARCHAR, partitionValues " TEXTS ", size BIGINT, modificationTime BIGINT, dataChange BOOLEAN, stats VARCHAR, tags "
            TEXTS ", " VECTOR ")"},
    {"remove", "STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, extendedFileMetadata BOOLEAN, partitionValues " TEXTS
               ", size BIGINT, " VECTOR ")"},
    {"metaData", "STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider VARCHAR, options " TEXTS "), "
                 "schemaString VARCHAR, partitionColumns VARCHAR[], configuration " TEXTS ", createdTime BIGINT)"},
    {"protocol", "STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])"},
    {"domainMetadata", "STRUCT(domain VARCHAR, configuration VARCHAR, removed BOOLEAN)"},
    {NULL, NULL},
};

struct writing {
    struct buf lines;
    int64_t actions, adds;
};

static void put(struct writing *w, const char *kind, json_t *body)
{
    json_t *line = json_pack("{so}", kind, body);
    char *text = jx_dump(line);
    buf_puts(&w->lines, text);
    buf_putc(&w->lines, '\n');
    w->actions++;
    free(text);
    json_decref(line);
}

/* A file as it stands in a checkpoint: it changes no row any more. */
static void put_file(struct writing *w, const char *kind, const json_t *body)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)body);
    json_object_set_new(copy, "dataChange", json_false());
    put(w, kind, copy);
}

/* Removes stay for as long as somebody may still read the files, so that VACUUM knows them; all, when nobody can say how long. */
static bool still_needed(const json_t *body, int64_t kept_ms, int64_t now)
{
    return kept_ms < 0 || jx_get_int(body, "deletionTimestamp", 0) > now - kept_ms;
}

static void put_all(struct writing *w, const struct delta_replay *r)
{
    const char *key;
    json_t *body;
    int64_t now = clock_wall_ms(), kept_ms = delta_retention(json_object_get(r->metadata, "configuration"));
    put(w, "protocol", json_incref(r->protocol));
    put(w, "metaData", json_incref(r->metadata));
    json_object_foreach(r->transactions, key, body)
        put(w, "txn", json_pack("{ss sO}", "appId", key, "version", body));
    json_object_foreach(r->domains, key, body)
        put(w, "domainMetadata", json_pack("{ss sO sb}", "domain", key, "configuration", body, "removed", 0));
    json_object_foreach(r->live, key, body) {
        put_file(w, "add", body);
        w->adds++;
    }
    json_object_foreach(r->removed, key, body)
        if (still_needed(body, kept_ms, now))
            put_file(w, "remove", body);
}

static bool sync_path(const char *path, int flags, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        err_errno(e, errno, "cannot make '%s' durable", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Beside its place first, then renamed: a reader sees all of it or none. Whoever writes the same version writes the same. */
static bool write_parquet(const char *log, int64_t version, struct writing *w, struct err *e)
{
    const struct delta_parquet *p = delta_parquet();
    char id[37];
    ids_uuid(id);
    char *lines = xasprintf("%s/.%020lld.lines.%s.tmp", log, (long long)version, id);
    char *temp = xasprintf("%s/.%020lld.checkpoint.%s.tmp", log, (long long)version, id);
    char *path = xasprintf("%s/%020lld.checkpoint.parquet", log, (long long)version);
    bool ok = fs_write_atomic(lines, buf_str(&w->lines), w->lines.len, 0600, e) && p->write(p->self, lines, columns, temp, e) &&
              sync_path(temp, 0, e) && (rename(temp, path) == 0 || err_errno(e, errno, "cannot publish '%s'", path)) &&
              sync_path(log, O_DIRECTORY, e);
    unlink(lines);
    unlink(temp);
    delta_sweep(log, "lines", version - 1); /* what crashed writers left */
    delta_sweep(log, "checkpoint", version - 1);
    free(lines);
    free(temp);
    free(path);
    return ok;
}

static bool write_hint(const char *log, int64_t version, const struct writing *w, struct err *e)
{
    char *path = xasprintf("%s/_last_checkpoint", log);
    char *text = xasprintf("{\"version\":%lld,\"size\":%lld,\"numOfAddFiles\":%lld}\n", (long long)version, (long long)w->actions,
                           (long long)w->adds);
    bool ok = fs_write_atomic(path, text, strlen(text), 0644, e);
    free(path);
    free(text);
    return ok;
}

static bool write_checkpoint(const struct delta_replay *r, int64_t version, struct err *e)
{
    struct writing w = {0};
    char *log = xasprintf("%s/_delta_log", r->root);
    buf_init(&w.lines, DELTA_COMMIT_MAX);
    put_all(&w, r);
    bool ok = buf_ok(&w.lines, "the checkpoint", e) && write_parquet(log, version, &w, e) && write_hint(log, version, &w, e);
    buf_release(&w.lines);
    free(log);
    return ok;
}

static bool is_turn(const json_t *properties, int64_t version)
{
    int64_t interval = jx_get_int(properties, "delta.checkpointInterval", 10);
    return delta_parquet() && delta_parquet()->write && version > 0 && interval > 0 && version % interval == 0 &&
           !strcasecmp(jx_get_str(properties, "delta.checkpointPolicy", "classic"), "classic");
}

void delta_checkpoint_turn(const char *root, int64_t version, const json_t *properties)
{
    struct delta_replay r;
    struct delta_list list;
    struct err e;
    if (!is_turn(properties, version))
        return;
    err_init(&e);
    delta_replay_init(&r, root);
    bool ok = delta_list_load(root, &list, &e);
    if (ok) {
        ok = delta_replay_to(&r, &list, version, &e) && write_checkpoint(&r, version, &e);
        delta_list_release(&list);
    }
    if (!ok)
        log_err("lakehouse", "writing a checkpoint", &e);
    delta_replay_release(&r);
}
