/*
 * The Files API (see api_files.h). Source: Databricks REST API reference, "Files"; the Python SDK's w.files 0.156.
 * Uploads in parts and presigned addresses, which clients try for large files, are refused: they fall back to one PUT.
 */
#include "workspace/api_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/volume.h"
#include "workspace/cluster_parts.h"
#include "workspace/router.h"
#include "workspace/volume_files.h"
#include "workspace/volumes.h"
#include "workspace/workspace.h"

static const char files_root[] = "/api/2.0/fs/files/", folders_root[] = "/api/2.0/fs/directories/";

typedef bool call_fn(struct files_call *c, struct answer *a, struct err *e);
struct files_call {
    struct request *r;
    call_fn *run;
    struct volume_path path;
    struct volume_upload *upload;
    bool overwrite;
};

static bool starts(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

bool files_is(const char *path) { return starts(path, files_root) || starts(path, folders_root); }

/* ---- the calls ---- */
static bool no_content(struct answer *a)
{
    *a = (struct answer){.status = 204, .body = xstrdup("")};
    return true;
}

static bool put_file(struct files_call *c, struct answer *a, struct err *e)
{
    return volume_upload_end(c->upload, c->overwrite, e) && no_content(a);
}

static bool get_file(struct files_call *c, struct answer *a, struct err *e)
{
    int64_t size, modified_ms;
    int fd = volume_file_open(c->path.row.location, c->path.rest, &size, &modified_ms, e);
    if (fd >= 0)
        *a = (struct answer){.status = 200, .is_file = true, .fd = fd, .size = size, .modified_ms = modified_ms};
    return fd >= 0;
}

static bool delete_file(struct files_call *c, struct answer *a, struct err *e)
{
    return volume_file_remove(c->path.row.location, c->path.rest, e) && no_content(a);
}

static bool put_folder(struct files_call *c, struct answer *a, struct err *e)
{
    return volume_folder_make(c->path.row.location, c->path.rest, e) && no_content(a);
}

static bool head_folder(struct files_call *c, struct answer *a, struct err *e)
{
    if (!volume_folder_is(c->path.row.location, c->path.rest, e))
        return false;
    *a = (struct answer){.status = 200, .body = xstrdup("")};
    return true;
}

static bool delete_folder(struct files_call *c, struct answer *a, struct err *e)
{
    return *c->path.rest ? volume_folder_remove(c->path.row.location, c->path.rest, e) && no_content(a)
                         : err_set(e, ERR_BAD_REQUEST, "The folder of a volume goes with the volume");
}

static json_t *entry_of(const struct files_call *c, const struct volume_file *f)
{
    const char *slash = strrchr(f->name, '/');
    json_t *one = json_pack("{s:o, s:o, s:b, s:I}", "path", jx_str(arena_printf(&c->r->arena, "%s/%s", c->path.shown, f->name)), "name",
                            jx_str(slash ? slash + 1 : f->name), "is_directory", (int)f->folder, "last_modified", (json_int_t)f->modified_ms);
    if (!f->folder)
        json_object_set_new(one, "file_size", json_integer(f->size));
    return one;
}

static bool get_folder(struct files_call *c, struct answer *a, struct err *e)
{
    struct server_user u;
    struct volume_files found;
    if (!volume_folder_is(c->path.row.location, c->path.rest, e) || !server_user_find(&u, e))
        return false;
    /* A name may hold what is a pattern elsewhere; a path of this API is none. */
    if (strpbrk(c->path.rest, "*?[{"))
        return err_set(e, ERR_INVALID_PARAMETER, "A folder whose name holds one of * ? [ { cannot be listed");
    server_user_enter(&u);
    bool ok = volume_list(c->path.row.location, c->path.rest, false, &c->r->arena, &found, e);
    server_user_leave(&u);
    if (!ok)
        return false;
    json_t *contents = json_array();
    for (size_t i = 0; i < found.count; i++)
        json_array_append_new(contents, entry_of(c, &found.list[i]));
    answer_json(a, 200, json_pack("{s:o}", "contents", contents));
    return true;
}

static const struct {
    const char *root, *method, *privilege;
    call_fn *run;
} calls[] = {
    {files_root, "PUT", "WRITE_VOLUME", put_file},       {files_root, "GET", "READ_VOLUME", get_file},
    {files_root, "HEAD", "READ_VOLUME", get_file},       {files_root, "DELETE", "WRITE_VOLUME", delete_file},
    {folders_root, "PUT", "WRITE_VOLUME", put_folder},   {folders_root, "GET", "READ_VOLUME", get_folder},
    {folders_root, "HEAD", "READ_VOLUME", head_folder},  {folders_root, "DELETE", "WRITE_VOLUME", delete_folder},
};

/* ---- one call ---- */
static bool begin(struct files_call *c, size_t i, struct err *e)
{
    struct request *r = c->r;
    const char *text = r->path + strlen(calls[i].root) - 1;
    char *path = router_decode(&r->arena, text, strlen(text));
    if (!path)
        return err_set(e, ERR_INVALID_PARAMETER, "The path is not properly percent-encoded");
    if (!request_bool(r, "overwrite", true, &c->overwrite, e) ||
        !volume_path_open(r->ws, r->caller.name, path, calls[i].privilege, &c->path, e))
        return false;
    if (calls[i].root == files_root && !*c->path.rest)
        return err_set(e, ERR_INVALID_PARAMETER, "'%.300s' is a volume, not a file in it", path);
    if (calls[i].run != put_file)
        return true;
    c->upload = volume_upload_new(c->path.row.location, c->path.rest, e);
    return c->upload != NULL;
}

struct files_call *files_begin(struct request *r, struct err *e)
{
    struct files_call *c = xcalloc(1, sizeof *c);
    c->r = r;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (!starts(r->path, calls[i].root) || strcmp(r->method, calls[i].method) != 0)
            continue;
        c->run = calls[i].run;
        if (begin(c, i, e))
            return c;
        files_free(c);
        return NULL;
    }
    files_free(c);
    err_set(e, ERR_NOT_IMPLEMENTED, "%s of files is not offered by this local workspace: PUT, GET, HEAD and DELETE are", r->method);
    return NULL;
}

bool files_take(struct files_call *c, const void *data, size_t len, struct err *e)
{
    return !c->upload || volume_upload_write(c->upload, data, len, e);
}

void files_answer(struct files_call *c, struct answer *a)
{
    struct err e = {0};
    if (!c->run(c, a, &e))
        answer_error(a, &e);
}

void files_free(struct files_call *c)
{
    if (!c)
        return;
    volume_upload_free(c->upload);
    volume_path_release(&c->path);
    free(c);
}
