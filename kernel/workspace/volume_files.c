/* Files of volumes (see volume_files.h). */
#include "workspace/volume_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/ids.h"
#include "base/xalloc.h"
#include "workspace/cluster_parts.h"

enum { FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

struct volume_upload {
    struct server_user user;
    char *folder, *rest;
    char name[48]; /* ".upload-<uuid>" in the volume's folder */
    int root, fd;  /* of that folder, and of the file */
    int64_t bytes;
};

/* errno in our terms; `rest` is what users know the file by. */
static bool fail(const char *rest, int why, struct err *e)
{
    switch (why) {
    case ENOENT:
        return err_set(e, ERR_NOT_FOUND, "The file or folder '%.300s' does not exist in the volume.", rest);
    case EEXIST:
        return err_set(e, ERR_ALREADY_EXISTS, "The file '%.300s' already exists, and overwrite is false.", rest);
    case ENOTDIR: case EISDIR: case ELOOP:
        return err_set(e, ERR_INVALID_PARAMETER, "'%.300s' is, or leads through, something of another kind (a file, a folder, a link).", rest);
    case ENOTEMPTY:
        return err_set(e, ERR_BAD_REQUEST, "The folder '%.300s' is not empty.", rest);
    default:
        return err_errno(e, why, "'%.300s' in a volume", rest);
    }
}

/* The folder that path's last part lies in; make: with the folders on the way. *leaf: that part. -1 with errno. */
static int open_above(const char *folder, const char *path, bool make, const char **leaf)
{
    int fd = open(folder, FOLDER_FLAGS);
    const char *at = path;
    for (const char *slash; fd >= 0 && (slash = strchr(at, '/')); at = slash + 1) {
        char *part = xstrndup(at, (size_t)(slash - at));
        int below = make && mkdirat(fd, part, 0700) != 0 && errno != EEXIST ? -1 : openat(fd, part, FOLDER_FLAGS);
        int why = errno;
        free(part);
        close(fd);
        errno = why;
        fd = below;
    }
    *leaf = at;
    return fd;
}

/* ---- writing ---- */
struct volume_upload *volume_upload_new(const char *folder, const char *rest, struct err *e)
{
    char id[37];
    struct volume_upload *u = xcalloc(1, sizeof *u);
    u->folder = xstrdup(folder);
    u->rest = xstrdup(rest);
    u->root = u->fd = -1;
    ids_uuid(id);
    snprintf(u->name, sizeof u->name, ".upload-%s", id);
    if (!server_user_find(&u->user, e)) {
        volume_upload_free(u);
        return NULL;
    }
    server_user_enter(&u->user);
    u->root = open(folder, FOLDER_FLAGS);
    u->fd = u->root >= 0 ? openat(u->root, u->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    int why = errno;
    server_user_leave(&u->user);
    if (u->fd >= 0)
        return u;
    fail(rest, why, e);
    volume_upload_free(u);
    return NULL;
}

bool volume_upload_write(struct volume_upload *u, const void *data, size_t len, struct err *e)
{
    u->bytes += (int64_t)len;
    if (u->bytes > VOLUME_FILE_MAX)
        return err_set(e, ERR_TOO_BIG, "The file is larger than %d bytes", VOLUME_FILE_MAX);
    return fs_write_all(u->fd, data, len) || err_errno(e, errno, "cannot write '%.300s'", u->rest);
}

bool volume_upload_end(struct volume_upload *u, bool overwrite, struct err *e)
{
    const char *leaf;
    if (fsync(u->fd) != 0)
        return err_errno(e, errno, "cannot write '%.300s'", u->rest);
    server_user_enter(&u->user);
    int above = open_above(u->folder, u->rest, true, &leaf);
    bool ok = above >= 0 && (overwrite ? renameat(u->root, u->name, above, leaf) : linkat(u->root, u->name, above, leaf, 0)) == 0;
    int why = errno;
    if (ok)
        fsync(above);
    if (above >= 0)
        close(above);
    server_user_leave(&u->user);
    return ok || fail(u->rest, why, e);
}

void volume_upload_free(struct volume_upload *u)
{
    if (!u)
        return;
    if (u->fd >= 0) {
        server_user_enter(&u->user);
        unlinkat(u->root, u->name, 0); /* gone already when it was renamed */
        server_user_leave(&u->user);
        close(u->fd);
    }
    if (u->root >= 0)
        close(u->root);
    free(u->folder);
    free(u->rest);
    free(u);
}

/* ---- the rest ---- */
int volume_file_open(const char *folder, const char *rest, int64_t *size, int64_t *modified_ms, struct err *e)
{
    struct server_user u;
    struct stat st = {0};
    const char *leaf;
    if (!server_user_find(&u, e))
        return -1;
    server_user_enter(&u);
    int above = open_above(folder, rest, false, &leaf);
    int fd = above >= 0 ? openat(above, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1, why = errno;
    if (above >= 0)
        close(above);
    server_user_leave(&u);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        why = EISDIR;
        close(fd);
        fd = -1;
    }
    if (fd < 0)
        fail(rest, why, e);
    *size = (int64_t)st.st_size;
    *modified_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return fd;
}

static bool remove_leaf(const char *folder, const char *rest, int flags, struct err *e)
{
    struct server_user u;
    const char *leaf;
    if (!server_user_find(&u, e))
        return false;
    server_user_enter(&u);
    int above = open_above(folder, rest, false, &leaf);
    bool ok = above >= 0 && unlinkat(above, leaf, flags) == 0;
    int why = errno;
    if (above >= 0)
        close(above);
    server_user_leave(&u);
    return ok || fail(rest, why == EEXIST ? ENOTEMPTY : why, e);
}

bool volume_file_remove(const char *folder, const char *rest, struct err *e) { return remove_leaf(folder, rest, 0, e); }

bool volume_folder_remove(const char *folder, const char *rest, struct err *e) { return remove_leaf(folder, rest, AT_REMOVEDIR, e); }

static bool reach_folder(const char *folder, const char *rest, bool make, struct err *e)
{
    struct server_user u;
    const char *leaf;
    char *path = xasprintf("%s/", rest); /* so that its last part is a folder too */
    if (!server_user_find(&u, e))
        return free(path), false;
    server_user_enter(&u);
    int fd = *rest ? open_above(folder, path, make, &leaf) : open(folder, FOLDER_FLAGS), why = errno;
    if (fd >= 0)
        close(fd);
    server_user_leave(&u);
    free(path);
    return fd >= 0 || fail(rest, why, e);
}

bool volume_folder_make(const char *folder, const char *rest, struct err *e) { return reach_folder(folder, rest, true, e); }

bool volume_folder_is(const char *folder, const char *rest, struct err *e) { return reach_folder(folder, rest, false, e); }
