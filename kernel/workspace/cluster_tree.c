/*
 * Folder trees: copying (by reference where the file system can, else inside the kernel; not for special files), and the
 * folders that belong to the server user.
 */
#include "workspace/cluster_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/xalloc.h"

static bool copy_bytes(int in, int out)
{
    char chunk[65536];
    for (;;) {
        ssize_t n = copy_file_range(in, NULL, out, NULL, (size_t)1 << 30, 0);
        if (n == 0)
            return true;
        if (n < 0 && errno != EINTR)
            break;
    }
    if (errno != EXDEV && errno != ENOSYS && errno != EINVAL && errno != EOPNOTSUPP)
        return false;
    ssize_t n; /* both offsets are where the kernel's copy ended */
    while ((n = read(in, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        for (ssize_t done = 0; done < n;) {
            ssize_t w = write(out, chunk + done, (size_t)(n - done));
            if (w < 0 && errno != EINTR)
                return false;
            done += w > 0 ? w : 0;
        }
        if (n < 0)
            return false;
    }
    return true;
}

static bool copy_file(const char *from, const char *to, mode_t mode)
{
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = out >= 0 && copy_bytes(in, out) && fchmod(out, mode) == 0;
    int saved = errno;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    errno = saved;
    return ok;
}

static bool copy_link(const char *from, const char *to)
{
    char target[4096];
    ssize_t n = readlink(from, target, sizeof target - 1);
    if (n < 0)
        return false;
    target[n] = '\0';
    return symlink(target, to) == 0;
}

static bool copy_entry(const FTSENT *f, const char *to)
{
    mode_t mode = f->fts_statp->st_mode & 07777;
    switch (f->fts_info) {
    case FTS_D:
        return mkdir(to, 0700) == 0;
    case FTS_DP: /* its mode at the end: it may forbid writing */
        return chmod(to, mode) == 0;
    case FTS_F:
        return copy_file(f->fts_accpath, to, mode);
    case FTS_SL:
    case FTS_SLNONE:
        return copy_link(f->fts_accpath, to);
    case FTS_DEFAULT: /* a socket, for example */
        return true;
    default:
        errno = f->fts_errno;
        return false;
    }
}

bool tree_copy(const char *from, const char *to, struct cancel *c, struct err *e)
{
    union {
        const char *in;
        char *out;
    } view = {.in = from}; /* fts_open does not change it */
    char *paths[] = {view.out, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!walk)
        return err_errno(e, errno, "cannot read '%s'", from);
    size_t skip = strlen(from);
    bool ok = true;
    for (FTSENT *f; ok && (f = fts_read(walk)) != NULL;) {
        char *target = xasprintf("%s%s", to, f->fts_path + skip);
        ok = cancel_check(c, e) && (copy_entry(f, target) || err_errno(e, errno, "cannot copy '%s'", f->fts_path));
        free(target);
    }
    fts_close(walk);
    return ok;
}

bool tree_sync(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && syncfs(fd) == 0;
    if (!ok)
        err_errno(e, errno, "cannot sync '%s'", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool own_dir_make(const struct server_user *u, const char *dir, struct err *e)
{
    if (mkdir(dir, 0700) != 0 || chmod(dir, 0700) != 0)
        return err_errno(e, errno, "cannot make the folder '%s'", dir);
    if (u->switched && chown(dir, u->uid, u->gid) != 0)
        return err_errno(e, errno, "cannot give '%s' to user %s", dir, u->name);
    return true;
}

/* The contents as the server user: whatever it put there, root does not walk it. */
bool own_dir_remove(const struct server_user *u, const char *dir, struct err *e)
{
    struct err inside;
    err_init(&inside);
    server_user_enter(u);
    fs_remove_tree(dir, &inside); /* ends at the folder itself, which is not the server user's to remove */
    server_user_leave(u);
    if (rmdir(dir) == 0 || errno == ENOENT)
        return true;
    if (errno == ENOTEMPTY && !err_is(&inside, ERR_NONE))
        *e = inside;
    else
        err_errno(e, errno, "cannot remove '%s'", dir);
    return false;
}

bool own_dir_has(const struct server_user *u, const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);
    server_user_enter(u);
    bool there = fs_exists(path);
    server_user_leave(u);
    free(path);
    return there;
}
