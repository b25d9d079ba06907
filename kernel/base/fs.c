/* Files and folders (see fs.h). */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

bool fs_read(const char *path, struct buf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT)
            return err_set(e, ERR_NOT_FOUND, "no file '%s'", path);
        return err_errno(e, errno, "cannot open '%s'", path);
    }
    char chunk[16384];
    ssize_t n;
    bool ok = true;
    while (ok && (n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            ok = err_errno(e, errno, "cannot read '%s'", path);
        } else {
            buf_add(out, chunk, (size_t)n);
            ok = buf_ok(out, path, e);
        }
    }
    close(fd);
    return ok;
}

bool fs_write_all(int fd, const void *bytes, size_t len)
{
    const char *data = bytes;
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

bool fs_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
    char *temp = xasprintf("%s.new-XXXXXX", path);
    int fd = mkostemp(temp, O_CLOEXEC);
    bool ok = fd >= 0 && fs_write_all(fd, data, len) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (ok && rename(temp, path) != 0) {
        ok = false;
        saved = errno;
    }
    if (!ok) {
        if (fd >= 0)
            unlink(temp);
        err_errno(e, saved, "cannot write '%s'", path);
    }
    free(temp);
    return ok;
}

/* errno is ENOTDIR when it is not. */
static bool is_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode);
}

bool fs_mkdirs(const char *path, mode_t mode, struct err *e)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len == 0)
        return err_set(e, ERR_IO, "cannot make a folder without a name");
    char *copy = xstrndup(path, len);
    bool ok = true;
    for (char *p = copy + 1; ok; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char was = *p;
        *p = '\0';
        if (mkdir(copy, was == '\0' ? mode & 0700 : 0755) == 0)
            ok = was != '\0' || chmod(copy, mode) == 0;
        else
            ok = errno == EEXIST && is_folder(copy);
        if (!ok)
            err_errno(e, errno, "cannot make the folder '%s'", copy);
        *p = was;
        if (was == '\0')
            break;
    }
    free(copy);
    return ok;
}

bool fs_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

bool fs_list(const char *dir, const char *pattern, struct fs_names *out, struct err *e)
{
    *out = (struct fs_names){0};
    DIR *d = opendir(dir);
    if (!d)
        return errno == ENOENT || err_errno(e, errno, "cannot read the folder '%s'", dir);
    struct dirent *f;
    while ((errno = 0, f = readdir(d)) != NULL) {
        bool passing = strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0;
        if (passing || (pattern && fnmatch(pattern, f->d_name, 0) != 0))
            continue;
        out->names = xreallocarray(out->names, out->count + 1, sizeof *out->names);
        out->names[out->count++] = xstrdup(f->d_name);
    }
    bool ok = errno == 0 || err_errno(e, errno, "cannot read the folder '%s'", dir);
    closedir(d);
    if (out->count)
        qsort(out->names, out->count, sizeof *out->names, by_name);
    if (!ok)
        fs_names_release(out);
    return ok;
}

void fs_names_release(struct fs_names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->names[i]);
    free(n->names);
    *n = (struct fs_names){0};
}

static bool copy_out(int from, const char *path, struct err *e)
{
    char chunk[65536];
    ssize_t n = 0, w = 0;
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (to >= 0 && (n = read(from, chunk, sizeof chunk)) > 0 && (w = write(to, chunk, (size_t)n)) == n)
        continue;
    bool ok = (to >= 0 && n == 0) || err_errno(e, w >= 0 && w < n ? ENOSPC : errno, "cannot write '%s'", path);
    if (to >= 0)
        close(to);
    return ok;
}

bool fs_trim_log(const char *path, long long most, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT || err_errno(e, errno, "cannot open '%s'", path);
    bool ok = true;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > most) {
        char *old = xasprintf("%s.1", path);
        ok = copy_out(fd, old, e);
        if (!ok)
            unlink(old);
        free(old);
        if (ftruncate(fd, 0) != 0)
            ok = err_errno(e, errno, "cannot empty '%s'", path);
    }
    close(fd);
    return ok;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

bool fs_remove_tree(const char *path, struct err *e)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
        return true;
    return err_errno(e, errno, "cannot remove '%s'", path);
}

char *fs_state_dir(struct err *e)
{
    const char *own = getenv("LAKEBASE_STATE_DIR");
    if (own && *own)
        return xstrdup(own);
    if (geteuid() == 0)
        return xstrdup("/var/lib/lakebase");
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (xdg && *xdg == '/')
        return xasprintf("%s/lakebase", xdg);
    if (home && *home == '/')
        return xasprintf("%s/.local/state/lakebase", home);
    err_set(e, ERR_CONFIG, "no folder for the state: none of LAKEBASE_STATE_DIR, XDG_STATE_HOME and HOME is set");
    return NULL;
}

char *fs_program_dir(struct err *e)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0) {
        err_errno(e, errno, "cannot read /proc/self/exe");
        return NULL;
    }
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    return xstrndup(path, slash ? (size_t)(slash - path) : 0);
}
