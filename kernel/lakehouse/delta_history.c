/* What the commits say of themselves: history, and the version of a moment. */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

static const char *const info_only[] = {"commitInfo", NULL};

static bool keep_info(void *self, const char *kind, json_t *body, struct err *e)
{
    json_t **info = self;
    (void)kind;
    (void)e;
    json_decref(*info);
    *info = json_incref(body);
    return true;
}

/* A value of commitInfo, or null. */
static json_t *said(const json_t *info, const char *key)
{
    json_t *v = json_object_get(info, key);
    return v ? json_incref(v) : json_null();
}

static json_t *entry(const char *root, int64_t version, struct err *e)
{
    static const char *const keys[] = {"operation", "operationParameters", "operationMetrics", "userName",
                                       "readVersion", "isBlindAppend", "isolationLevel", "engineInfo"};
    int64_t ms;
    json_t *info = NULL, *out = NULL;
    if (delta_commit_read(root, version, info_only, keep_info, &info, e) && delta_commit_time(root, version, info, &ms, e)) {
        out = json_pack("{sI sI}", "version", (json_int_t)version, "timestamp", (json_int_t)ms);
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            json_object_set_new(out, keys[i], said(info, keys[i]));
    }
    json_decref(info);
    return out;
}

/* Commits that were cleaned away are no error: history begins where the log does. */
json_t *delta_history(const char *root, size_t limit, struct err *e)
{
    struct delta_list list;
    if (!delta_list_load(root, &list, e))
        return NULL;
    json_t *out = json_array();
    for (size_t i = list.n_commits; out && i > 0 && (limit == 0 || json_array_size(out) < limit); i--) {
        json_t *one = entry(root, list.commits[i - 1], e);
        if (one) {
            json_array_append_new(out, one);
        } else {
            json_decref(out);
            out = NULL;
        }
    }
    delta_list_release(&list);
    return out;
}

bool delta_version_at(const char *root, int64_t ms, int64_t *version, struct err *e)
{
    struct delta_list list;
    int64_t at = 0;
    if (!delta_list_load(root, &list, e))
        return false;
    bool ok = true, found = false;
    for (size_t i = list.n_commits; ok && !found && i > 0; i--) {
        json_t *info = NULL;
        *version = list.commits[i - 1];
        ok = delta_commit_read(root, *version, info_only, keep_info, &info, e) && delta_commit_time(root, *version, info, &at, e);
        found = ok && at <= ms;
        json_decref(info);
    }
    delta_list_release(&list);
    if (ok && !found)
        return err_set(e, ERR_NOT_FOUND, "the table has no version from before that moment: its first commit was made later");
    return ok;
}
