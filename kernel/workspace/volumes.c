/* Paths of volumes (see volumes.h). */
#include "workspace/volumes.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "workspace/grants.h"
#include "workspace/securable.h"
#include "workspace/workspace.h"

enum { PATH_BYTES_MAX = 4096 };

static bool wrong_path(const char *path, struct err *e)
{
    err_set(e, ERR_INVALID_PARAMETER, "'%.200s' is not the path of a file in a volume: /Volumes/<catalog>/<schema>/<volume>/…", path);
    err_hint(e, "no other file can be read or written; CREATE VOLUME makes one, and the Files API (w.files.upload) puts files there");
    return false;
}

/* Parts joined by '/', checked one by one; slashes at the end go. NULL: not a path. */
static char *tidy(const char *rest)
{
    size_t len = strlen(rest);
    while (len > 0 && rest[len - 1] == '/')
        len--;
    char *out = xstrndup(rest, len);
    for (char *at = out; *at;) {
        size_t n = strcspn(at, "/");
        if (n == 0 || n > SECURABLE_NAME_MAX || (n <= 2 && strncmp(at, "..", n) == 0) || (at[n] && !at[n + 1])) {
            free(out);
            return NULL;
        }
        at += n + (at[n] == '/');
    }
    return out;
}

/* "main/shop/in/2026/a.csv": names in parts, what follows in *rest. */
static bool cut(char *text, char *parts[3], const char **rest)
{
    for (int i = 0; i < 3; i++) {
        size_t n = strcspn(text, "/");
        parts[i] = text;
        text += n;
        if (n == 0 || (i < 2 && !*text))
            return false;
        if (*text)
            *text++ = '\0';
    }
    *rest = text;
    return true;
}

static bool find(struct workspace *ws, const char *caller, char *const parts[3], const char *privilege, struct volume_path *out,
                 struct err *e)
{
    struct err why = {0};
    char *names[3] = {securable_name(SECURABLE_CATALOG, parts[0], e), securable_name(SECURABLE_SCHEMA, parts[1], e),
                      securable_name(SECURABLE_VOLUME, parts[2], e)};
    char *full = names[0] && names[1] && names[2] ? securable_full_name(names[0], names[1], names[2]) : NULL;
    bool ok = full && grants_need(ws, caller, SECURABLE_VOLUME, full, privilege, e);
    if (ok && !store_securable(ws->store, SECURABLE_VOLUME, full, &out->row, &why))
        ok = why.code == ERR_NOT_FOUND ? securable_missing(SECURABLE_VOLUME, full, e) : (*e = why, false);
    if (ok)
        out->shown = xasprintf("/Volumes/%s/%s/%s", names[0], names[1], names[2]);
    for (int i = 0; i < 3; i++)
        free(names[i]);
    free(full);
    return ok;
}

bool volume_path_open(struct workspace *ws, const char *caller, const char *path, const char *privilege, struct volume_path *out,
                      struct err *e)
{
    static const char scheme[] = "dbfs:", root[] = "/Volumes/";
    const char *rest, *at = strncmp(path, scheme, strlen(scheme)) == 0 ? path + strlen(scheme) : path;
    char *parts[3];
    *out = (struct volume_path){0};
    if (strlen(path) > PATH_BYTES_MAX || !utf8_valid(path, strlen(path)) || strncmp(at, root, strlen(root)) != 0)
        return wrong_path(path, e);
    char *text = xstrdup(at + strlen(root));
    bool ok = cut(text, parts, &rest) && (out->rest = tidy(rest));
    if (!ok)
        wrong_path(path, e);
    ok = ok && find(ws, caller, parts, privilege, out, e);
    free(text);
    if (!ok)
        volume_path_release(out);
    return ok;
}

void volume_path_release(struct volume_path *p)
{
    securable_row_release(&p->row);
    free(p->rest);
    free(p->shown);
    *p = (struct volume_path){0};
}

void volume_put(struct workspace *ws, const struct securable_row *row, struct volume_info *out)
{
    const char *dot = strchr(row->parent, '.');
    *out = (struct volume_info){
        .name = xstrdup(row->name), .catalog_name = xstrndup(row->parent, (size_t)(dot - row->parent)),
        .schema_name = xstrdup(dot + 1), .full_name = xstrdup(row->full_name), .volume_id = xstrdup(row->id),
        .volume_type = xstrdup("MANAGED"), .comment = row->comment[0] ? xstrdup(row->comment) : NULL,
        .owner = xstrdup(row->owner), .metastore_id = xstrdup(ws->metastore_id),
        .storage_location = xasprintf("file://%s", row->location), .created_at = {true, row->created_ms},
        .updated_at = {true, row->updated_ms}, .created_by = xstrdup(row->created_by), .updated_by = xstrdup(row->updated_by)};
}
