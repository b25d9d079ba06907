/*
 * Checkpoints, read: classic, in parts, and v2 with its sidecars. Rows come as JSON from the engine (struct delta_parquet); a v2
 * checkpoint in JSON needs it only for its sidecars. Source: PROTOCOL.md, "Checkpoints".
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

static _Atomic(const struct delta_parquet *) parquet;

void delta_use_parquet(const struct delta_parquet *p) { atomic_store(&parquet, p); }
const struct delta_parquet *delta_parquet(void) { return atomic_load(&parquet); }

/* ---- which ---- */
static bool readable(const struct delta_checkpoint *c) { return c->json || delta_parquet(); }

/* Does the checkpoint at this place have all its parts, one after the other? */
static bool complete(const struct delta_list *list, size_t at)
{
    const struct delta_checkpoint *first = &list->checkpoints[at];
    if (first->part != 1 || at + (size_t)first->parts > list->n_checkpoints)
        return false;
    for (int i = 1; i < first->parts; i++) {
        const struct delta_checkpoint *c = &list->checkpoints[at + (size_t)i];
        if (c->version != first->version || c->parts != first->parts || c->part != i + 1)
            return false;
    }
    return true;
}

ptrdiff_t delta_checkpoint_find(const struct delta_list *list, int64_t version)
{
    for (size_t i = list->n_checkpoints; i > 0; i--)
        if (list->checkpoints[i - 1].version <= version && readable(&list->checkpoints[i - 1]) && complete(list, i - 1))
            return (ptrdiff_t)i - 1;
    return -1;
}

/* ---- rows ---- */
struct reading {
    struct delta_replay *replay;
    json_t *sidecars; /* array of paths */
};

static bool take(void *self, const char *kind, json_t *body, struct err *e)
{
    struct reading *r = self;
    if (strcmp(kind, "sidecar") != 0)
        return delta_replay_action(r->replay, kind, body, e);
    const char *path = jx_get_str(body, "path", "");
    if (!*path || strchr(path, '/') || *path == '.')
        return err_set(e, ERR_NOT_IMPLEMENTED, "a checkpoint names the sidecar '%.200s', which is not in _sidecars", path);
    json_array_append_new(r->sidecars, jx_str(path));
    return json_array_size(r->sidecars) <= DELTA_NAMES_MAX || err_set(e, ERR_TOO_BIG, "a checkpoint has more than %d sidecars", DELTA_NAMES_MAX);
}

static bool take_row(void *arg, const char *text, size_t len, struct err *e) { return delta_line_read(text, len, NULL, take, arg, e); }

static bool read_parquet(struct reading *r, const char *path, struct err *e)
{
    static const char *const columns[] = {"protocol", "metaData", "txn", "domainMetadata", "add", "remove", "sidecar", NULL};
    const struct delta_parquet *p = delta_parquet();
    if (!p)
        return err_set(e, ERR_NOT_IMPLEMENTED, "only the lakehouse engine reads the checkpoint '%s'", path);
    return p->read(p->self, path, columns, take_row, r, e) || err_wrap(e, "the checkpoint '%s'", path);
}

static bool read_json(struct reading *r, const char *path, struct err *e)
{
    struct buf b;
    int line = 0;
    buf_init(&b, DELTA_COMMIT_MAX);
    bool ok = fs_read(path, &b, e);
    if (ok && !delta_lines_read(buf_str(&b), b.len, NULL, take, r, &line, e))
        ok = err_wrap(e, "%s, line %d", path, line);
    buf_release(&b);
    return ok;
}

static bool read_one(struct reading *r, const struct delta_checkpoint *c, struct err *e)
{
    char *path = xasprintf("%s/_delta_log/%s", r->replay->root, c->name);
    bool ok = c->json ? read_json(r, path, e) : read_parquet(r, path, e);
    free(path);
    return ok;
}

static bool read_sidecars(struct reading *r, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(r->sidecars); i++) {
        char *log = xasprintf("%s/_delta_log/_sidecars", r->replay->root);
        char *path = delta_path_decode(log, json_string_value(json_array_get(r->sidecars, i)), e);
        ok = path && read_parquet(r, path, e);
        free(path);
        free(log);
    }
    return ok;
}

bool delta_checkpoint_read(struct delta_replay *replay, const struct delta_list *list, ptrdiff_t at, struct err *e)
{
    struct reading r = {replay, json_array()};
    bool ok = true;
    for (int i = 0; ok && i < list->checkpoints[at].parts; i++)
        ok = read_one(&r, &list->checkpoints[at + i], e);
    ok = ok && read_sidecars(&r, e) && delta_replay_end(replay, e);
    json_decref(r.sidecars);
    return ok;
}
