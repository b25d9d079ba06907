/* The lines of a commit as actions, and file actions as values. Knows no order between commits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

/* ---- lines ---- */
static bool is_wanted(const char *const *kinds, const char *kind)
{
    for (size_t i = 0; kinds && kinds[i]; i++)
        if (!strcmp(kinds[i], kind))
            return true;
    return !kinds;
}

/* A line that has none of the names in it, nor an escape that may hide one, cannot be of those kinds. */
static bool may_be_wanted(const char *const *kinds, const char *text, size_t len)
{
    for (size_t i = 0; kinds && kinds[i]; i++)
        if (memmem(text, len, kinds[i], strlen(kinds[i])))
            return true;
    return !kinds || memmem(text, len, "\\u", 2);
}

bool delta_line_read(const char *text, size_t len, const char *const *kinds, delta_action_fn *fn, void *self, struct err *e)
{
    const char *kind;
    json_t *body;
    if (!may_be_wanted(kinds, text, len))
        return true;
    json_t *line = jx_parse(text, len, DELTA_LINE_MAX, e);
    bool ok = line && (json_is_object(line) || err_set(e, ERR_MALFORMED, "the line is no JSON object"));
    if (ok)
        json_object_foreach(line, kind, body)
            if (ok && !json_is_null(body) && is_wanted(kinds, kind))
                ok = json_is_object(body) ? fn(self, kind, body, e)
                                          : err_set(e, ERR_MALFORMED, "the action '%.60s' is no JSON object", kind);
    json_decref(line);
    return ok;
}

bool delta_lines_read(const char *text, size_t length, const char *const *kinds, delta_action_fn *fn, void *self, int *line,
                      struct err *e)
{
    const char *p = text, *end = p + length;
    size_t actions = 0;
    for (*line = 1; p < end; ++*line) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((stop ? stop : end) - p), blank = 0;
        while (blank < len && strchr(" \t\r", p[blank]) && p[blank])
            blank++;
        if (blank < len && (++actions, !delta_line_read(p, len, kinds, fn, self, e)))
            return false;
        p += len + 1;
    }
    return actions || err_set(e, ERR_MALFORMED, "the commit is empty");
}

bool delta_commit_read(const char *root, int64_t version, const char *const *kinds, delta_action_fn *fn, void *self,
                       struct err *e)
{
    struct buf b;
    int line = 1;
    char *path = delta_path_commit(root, version);
    buf_init(&b, DELTA_COMMIT_MAX);
    bool ok = fs_read(path, &b, e);
    if (ok && !delta_lines_read(buf_str(&b), b.len, kinds, fn, self, &line, e))
        ok = err_wrap(e, "%s, line %d", path, line);
    buf_release(&b);
    free(path);
    return ok;
}

/* ---- files ---- */
void delta_vector_id(const json_t *descriptor, struct buf *out)
{
    const char *path = jx_get_str(descriptor, "pathOrInlineDv", NULL);
    if (!path)
        return;
    buf_puts(out, jx_get_str(descriptor, "storageType", ""));
    buf_puts(out, path);
    if (json_is_integer(json_object_get(descriptor, "offset")))
        buf_printf(out, "@%lld", (long long)jx_get_int(descriptor, "offset", 0));
}

bool delta_file_key(const char *root, const json_t *body, struct buf *out, struct err *e)
{
    const char *uri = jx_get_str(body, "path", NULL);
    char *path = uri ? delta_path_decode(root, uri, e) : NULL;
    if (!uri)
        return err_set(e, ERR_MALFORMED, "a file action has no 'path'");
    if (!path)
        return false;
    buf_puts(out, path);
    buf_putc(out, '\n');
    delta_vector_id(json_object_get(body, "deletionVector"), out);
    free(path);
    return true;
}

/* numRecords of the statistics. They may hold numbers that no integer of ours takes: those become real numbers. */
static int64_t rows_of(const char *stats)
{
    json_t *all = stats ? json_loads(stats, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL) : NULL;
    const json_t *n = json_object_get(all, "numRecords");
    double rows = json_is_real(n) ? json_real_value(n) : -1;
    json_decref(all);
    return rows >= 0 && rows < 9e15 ? (int64_t)rows : -1;
}

static json_t *object_or_null(const json_t *body, const char *key)
{
    json_t *v = json_object_get(body, key);
    return json_is_object(v) ? json_incref(v) : NULL;
}

bool delta_file_parse(const char *root, const json_t *body, struct delta_file *out, struct err *e)
{
    const char *uri = jx_get_str(body, "path", NULL), *stats = jx_get_str(body, "stats", NULL);
    *out = (struct delta_file){.rows = -1};
    if (!uri)
        return err_set(e, ERR_MALFORMED, "a file action has no 'path'");
    if (!(out->path = delta_path_decode(root, uri, e)))
        return false;
    out->uri = xstrdup(uri);
    out->size = jx_get_int(body, "size", 0);
    out->modification_time = jx_get_int(body, "modificationTime", 0);
    out->rows = rows_of(stats);
    out->stats = xstrdup(stats);
    out->partition_values = object_or_null(body, "partitionValues");
    if (!out->partition_values)
        out->partition_values = json_object();
    out->deletion_vector = object_or_null(body, "deletionVector");
    out->data_change = jx_get_bool(body, "dataChange", true);
    return true;
}

void delta_file_release(struct delta_file *f)
{
    free(f->uri);
    free(f->path);
    free(f->stats);
    json_decref(f->partition_values);
    json_decref(f->deletion_vector);
    *f = (struct delta_file){.rows = -1};
}

void delta_file_copy(struct delta_file *to, const struct delta_file *from)
{
    *to = *from;
    to->uri = xstrdup(from->uri);
    to->path = xstrdup(from->path);
    to->stats = xstrdup(from->stats);
    to->partition_values = from->partition_values ? json_deep_copy(from->partition_values) : json_object();
    to->deletion_vector = json_deep_copy(from->deletion_vector);
}

/* ---- time ---- */
bool delta_commit_time(const char *root, int64_t version, const json_t *commit_info, int64_t *ms, struct err *e)
{
    struct stat st;
    *ms = jx_get_int(commit_info, "inCommitTimestamp", -1);
    if (*ms >= 0)
        return true;
    char *path = delta_path_commit(root, version);
    bool ok = stat(path, &st) == 0;
    if (ok)
        *ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    else if (errno == ENOENT)
        err_set(e, ERR_NOT_FOUND, "no file '%s'", path);
    else
        err_errno(e, errno, "cannot read '%s'", path);
    free(path);
    return ok;
}
