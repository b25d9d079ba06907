/*
 * From files to a version: the target of a statement, its commit, and the second try after a conflict.
 *
 * Writers are optimists first. Who loses comes back with an exclusive lock on the table's folder and keeps it for the whole
 * second try, while optimists hold a shared one to publish: so a long UPDATE is not beaten by short INSERTs for ever. The
 * lock is between our own workers only, and only about fairness; what is right is decided by the log alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"
#include "lakehouse/dml.h"

enum { QUEUE_MS = 5 };

static bool is_true(const char *text)
{
    return text && !strcmp(text, "true");
}

/* What is known to fail later fails now, in SQL's terms, before anything is written. */
static bool may_change(struct dml *d, const struct front_name *name, bool change, struct err *e)
{
    const struct delta_snapshot *s = d->target->snapshot;
    if (!delta_may_write(s, e)) {
        char text[sizeof e->text];
        memcpy(text, e->text, sizeof text);
        e->code = ERR_NONE;
        return front_error(d->f, name->token, "DELTA_UNSUPPORTED_FEATURES_FOR_WRITE", "56038", e, "%s", text);
    }
    if (change && is_true(delta_property(s, "delta.appendOnly")))
        return front_error(d->f, name->token, "DELTA_CANNOT_MODIFY_APPEND_ONLY", "42809", e,
                           "%s only takes new rows: its property delta.appendOnly is true", d->target->object.full_name);
    return true;
}

/* ---- the queue ---- */
/* A lock on the folder; -1 with *e. flock has no time limit of its own, so we ask again and again. */
static int lock_table(struct front *f, const char *root, int how, struct err *e)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, how | LOCK_NB) != 0) {
        bool again = (errno == EWOULDBLOCK || errno == EINTR) && cancel_poll(f->cancel, -1, 0, QUEUE_MS, e);
        if (!again) {
            err_errno(e, errno, "cannot lock the table at '%s'", root);
            close(fd);
            return -1;
        }
    }
    if (fd < 0)
        err_errno(e, errno, "cannot open the table's folder '%s'", root);
    return fd;
}

/* On a second try: wait for our turn, then look at the table again. */
static bool queue_up(struct dml *d, struct err *e)
{
    if (!d->f->second_try || d->f->queue_fd >= 0)
        return true;
    d->f->queue_fd = lock_table(d->f, d->target->object.location, LOCK_EX, e);
    if (d->f->queue_fd < 0)
        return false;
    delta_close(d->target->snapshot);
    d->target->snapshot = delta_open(d->target->object.location, -1, e);
    return d->target->snapshot != NULL;
}

bool dml_publish_commit(struct dml *d, struct delta_commit *c, struct err *e)
{
    int64_t version;
    int fd = d->f->queue_fd < 0 ? lock_table(d->f, d->shape.root, LOCK_SH, e) : -1;
    bool ok = (fd >= 0 || d->f->queue_fd >= 0) && delta_commit_publish(c, &version, e);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool dml_begin(struct dml *d, struct front *f, const struct front_name *name, bool change, struct err *e)
{
    *d = (struct dml){.f = f, .started = clock_mono_ms(), .parameters = json_object(), .metrics = json_object()};
    d->target = front_open(f, name, true, e);
    if (!d->target || !queue_up(d, e))
        return false;
    const struct delta_snapshot *s = d->target->snapshot;
    d->shape = (struct dml_shape){s->root, &s->schema, s->partition_columns, s->n_partition_columns};
    d->feed = is_true(delta_property(s, "delta.enableChangeDataFeed"));
    free(f->outcome->target);
    f->outcome->target = xstrdup(d->target->object.full_name);
    return may_change(d, name, change, e);
}

void dml_describe(struct dml *d, struct delta_commit *c)
{
    const char *key;
    json_t *value;
    json_object_foreach(d->parameters, key, value)
        delta_commit_parameter(c, key, json_string_value(value));
    json_object_foreach(d->metrics, key, value)
        delta_commit_metric(c, key, json_integer_value(value));
    if (d->f->s->principal)
        delta_commit_user(c, d->f->s->principal);
}

static void add_counts(struct dml *d, struct delta_commit *c, size_t removed)
{
    if (strcmp(d->operation, "WRITE") != 0) {
        delta_commit_metric(c, !strcmp(d->operation, "MERGE") ? "numTargetFilesAdded" : "numAddedFiles", (int64_t)d->data.count);
        delta_commit_metric(c, !strcmp(d->operation, "MERGE") ? "numTargetFilesRemoved" : "numRemovedFiles", (int64_t)removed);
        delta_commit_metric(c, !strcmp(d->operation, "MERGE") ? "numTargetChangeFilesAdded" : "numAddedChangeFiles",
                            (int64_t)d->changes.count);
        delta_commit_metric(c, "executionTimeMs", clock_mono_ms() - d->started);
    } else {
        delta_commit_metric(c, "numFiles", (int64_t)d->data.count);
        delta_commit_metric(c, "numOutputRows", d->data.rows);
        delta_commit_metric(c, "numOutputBytes", d->data.bytes);
    }
}

bool dml_publish(struct dml *d, const bool *removed, struct err *e)
{
    const struct delta_snapshot *s = d->target->snapshot;
    struct delta_commit *c = delta_commit_new(s->root, s->version, d->operation);
    size_t gone = 0;
    for (size_t i = 0; removed && i < s->n_files; i++)
        if (removed[i]) {
            struct delta_file file = s->files[i];
            file.data_change = !d->same_rows;
            delta_commit_remove(c, &file);
            gone++;
        }
    for (size_t i = 0; i < d->data.count; i++) {
        d->data.list[i].data_change = !d->same_rows;
        delta_commit_add(c, &d->data.list[i]);
    }
    for (size_t i = 0; i < d->changes.count; i++)
        delta_commit_cdc(c, &d->changes.list[i]);
    dml_describe(d, c);
    add_counts(d, c, gone);
    if (!strcmp(d->operation, "WRITE") && !gone && json_array_size(d->f->outcome->sources) == 0)
        delta_commit_blind_append(c);
    bool ok = (!gone && !d->data.count) || dml_publish_commit(d, c, e);
    delta_commit_free(c);
    return ok;
}

void dml_release(struct dml *d)
{
    dml_files_release(&d->data);
    dml_files_release(&d->changes);
    json_decref(d->parameters);
    json_decref(d->metrics);
    *d = (struct dml){0};
}

bool dml_again(struct front *f, struct err *e)
{
    front_close_sources(f);
    lake_handles_free(f->handles);
    f->handles = NULL;
    for (size_t i = 0; i < f->n_tables; i++)
        f->tables[i].sql = NULL;
    duck_disconnect(f->conn); /* its temporary tables go with it */
    f->conn = duck_connect(f->lake->db, e);
    return f->conn != NULL;
}

bool dml_retry(struct front *f, bool (*attempt)(struct front *f, void *self, struct err *e), void *self, struct err *e)
{
    for (int i = 1;; i++) {
        bool ok = attempt(f, self, e);
        if (f->queue_fd >= 0)
            close(f->queue_fd);
        f->queue_fd = -1;
        f->second_try = true;
        if (ok)
            front_committed(f);
        if (ok || e->code != ERR_CONFLICT)
            return ok;
        if (i == DML_ATTEMPTS) {
            e->code = ERR_NONE;
            return front_error(f, front_token(f, 0), "DELTA_CONCURRENT_WRITE", "2D521", e,
                               "other writers were faster %d times in a row; run the statement again", DML_ATTEMPTS);
        }
        err_init(e);
        if (!cancel_check(f->cancel, e) || !dml_again(f, e))
            return false;
    }
}
