/*
 * VACUUM: files below the table's folder that no version of the last week needs are deleted, those of failed statements too. Folders
 * that begin with '_' or '.' are left alone, but for the change files, which live as long as removed rows do.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/dml.h"

enum { SHOWN_MAX = 1000, DEPTH_MAX = 64 }; /* files that DRY RUN lists; folders below each other: one a partition column */

struct vacuum {
    struct front_name table;
    const struct token *hours;
    bool dry;
    int64_t retain_ms, kept_ms; /* as asked, and as the table says */
    int64_t before;             /* what was written since stays */
    json_t *wanted, *found;     /* absolute paths: keys of an object; an array of what may go */
    int64_t bytes, deleted;
};

static bool parse(struct front *f, struct vacuum *v, struct err *e)
{
    f->at = 1;
    if (!front_take_name(f, 3, &v->table, e))
        return false;
    if (front_take(f, "retain")) {
        v->hours = front_now(f);
        if (v->hours->kind != TOKEN_NUMBER)
            return front_expected(f, "a number of hours", e);
        f->at++;
        if (!front_need(f, "hours", e))
            return false;
    }
    v->dry = front_take(f, "dry run");
    return front_need_end(f, e);
}

/* Nobody may take files from under readers of the time that the table promises. */
static bool choose_time(struct front *f, struct vacuum *v, const struct delta_snapshot *s, struct err *e)
{
    v->kept_ms = delta_retention(s->configuration);
    if (v->kept_ms < 0)
        return front_error(f, v->table.token, "DELTA_INVALID_INTERVAL", "22006", e,
                           "the table's property delta.deletedFileRetentionDuration is no interval such as 'interval 7 days'");
    double hours = v->hours ? strtod(v->hours->text, NULL) : 0;
    if (hours > 24 * 365 * 100)
        return front_error(f, v->hours, "DELTA_INVALID_INTERVAL", "22006", e, "at most a hundred years");
    v->retain_ms = v->hours ? (int64_t)(hours * 3600000) : v->kept_ms;
    v->before = clock_wall_ms() - v->retain_ms;
    if (v->retain_ms >= v->kept_ms)
        return true;
    front_error(f, v->hours, "DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT", "42000", e,
                "%s hours are less than the %.6g that the table keeps removed files for: who reads an older version, or writes "
                "right now, would lose files", v->hours->text, (double)v->kept_ms / 3600000);
    err_hint(e, "leave RETAIN out; or, when nobody else uses the table, set its property delta.deletedFileRetentionDuration to a "
                "shorter interval first");
    return false;
}

static void consider(struct vacuum *v, const char *path, const struct stat *st)
{
    int64_t written = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
    if (written >= v->before || json_object_get(v->wanted, path))
        return;
    json_array_append_new(v->found, jx_str(path));
    v->bytes += st->st_size;
}

static bool is_skipped(const char *name, int depth)
{
    return name[0] == '.' || (name[0] == '_' && !(depth == 0 && strcmp(name, "_change_data") == 0) && !strchr(name, '='));
}

static bool search(struct front *f, struct vacuum *v, const char *folder, int depth, struct err *e)
{
    struct fs_names names;
    if (!cancel_check(f->cancel, e) || !fs_list(folder, NULL, &names, e))
        return false;
    bool ok = depth < DEPTH_MAX || err_set(e, ERR_TOO_BIG, "the folders of the table are more than %d deep", DEPTH_MAX);
    for (size_t i = 0; ok && i < names.count; i++) {
        struct stat st;
        char *path = xasprintf("%s/%s", folder, names.names[i]);
        if (!is_skipped(names.names[i], depth) && lstat(path, &st) == 0) {
            if (S_ISDIR(st.st_mode))
                ok = search(f, v, path, depth + 1, e);
            else if (S_ISREG(st.st_mode))
                consider(v, path, &st);
        }
        free(path);
    }
    fs_names_release(&names);
    return ok;
}

/* A commit of its own, without files, as the service writes it before and after. Others may commit in between. */
static bool note(struct dml *d, const struct vacuum *v, bool start, struct err *e)
{
    char specified[24], kept[24];
    bool ok = false;
    snprintf(specified, sizeof specified, "%lld", (long long)v->retain_ms);
    snprintf(kept, sizeof kept, "%lld", (long long)v->kept_ms);
    for (int i = 0; !ok && i < DML_ATTEMPTS && (i == 0 || e->code == ERR_CONFLICT); i++) {
        err_init(e);
        int64_t newest = delta_newest(d->shape.root, e);
        if (newest < 0)
            return false;
        struct delta_commit *c = delta_commit_new(d->shape.root, newest, start ? "VACUUM START" : "VACUUM END");
        if (start) {
            delta_commit_parameter(c, "retentionCheckEnabled", "true");
            delta_commit_parameter(c, "specifiedRetentionMillis", specified);
            delta_commit_parameter(c, "defaultRetentionMillis", kept);
            delta_commit_metric(c, "numFilesToDelete", (int64_t)json_array_size(v->found));
            delta_commit_metric(c, "sizeOfDataToDelete", v->bytes);
        } else {
            delta_commit_parameter(c, "status", "COMPLETED");
            delta_commit_metric(c, "numDeletedFiles", v->deleted);
        }
        if (d->f->s->principal)
            delta_commit_user(c, d->f->s->principal);
        ok = dml_publish_commit(d, c, e);
        delta_commit_free(c);
    }
    return ok;
}

static bool delete_found(struct dml *d, struct vacuum *v, struct err *e)
{
    size_t i;
    json_t *path;
    if (json_array_size(v->found) == 0)
        return true;
    if (!note(d, v, true, e))
        return false;
    front_committed(d->f);
    json_array_foreach(v->found, i, path)
        v->deleted += unlink(json_string_value(path)) == 0;
    return note(d, v, false, e);
}

static struct lake_stream *answer(struct front *f, const struct vacuum *v, const char *root, struct err *e)
{
    static const struct front_column columns[] = {{"path", "STRING"}};
    json_t *rows = json_array();
    if (!v->dry)
        json_array_append_new(rows, json_pack("[s]", root));
    for (size_t i = 0; v->dry && i < json_array_size(v->found) && i < SHOWN_MAX; i++)
        json_array_append_new(rows, json_pack("[O]", json_array_get(v->found, i)));
    struct lake_stream *s = front_rows(f, columns, 1, rows, e);
    json_decref(rows);
    return s;
}

struct lake_stream *front_vacuum(struct front *f, struct err *e)
{
    struct vacuum v = {0};
    struct dml d = {0};
    struct lake_stream *s = NULL;
    if (!parse(f, &v, e))
        return NULL;
    v.found = json_array();
    bool ok = dml_begin(&d, f, &v.table, false, e) && choose_time(f, &v, d.target->snapshot, e) &&
              (v.wanted = delta_files_wanted(d.shape.root, v.before, e)) && search(f, &v, d.shape.root, 0, e) &&
              (v.dry || delete_found(&d, &v, e));
    if (ok)
        s = answer(f, &v, d.shape.root, e);
    free(f->outcome->target);
    f->outcome->target = NULL;
    json_decref(v.wanted);
    json_decref(v.found);
    dml_release(&d);
    return s;
}
