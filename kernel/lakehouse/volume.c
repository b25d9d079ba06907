/* Looking into a volume's folder (see volume.h): every step is openat with O_NOFOLLOW from the folder above. */
#include "lakehouse/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

struct listing {
    struct arena *arena;
    struct volume_files *out;
    const char *pattern; /* NULL: everything */
    bool deep;
    struct err *e;
};

/* ---- patterns ---- */
/* {ab,cd} is tried alternative by alternative; depth bounds a pattern made of brackets only. */
static bool match(const char *pattern, const char *name, int depth)
{
    const char *open = strchr(pattern, '{'), *close = open ? strchr(open, '}') : NULL;
    if (!close || depth == 0)
        return fnmatch(pattern, name, FNM_PATHNAME) == 0;
    bool hit = false;
    for (const char *at = open + 1; !hit && at <= close;) {
        size_t n = strcspn(at, ",}");
        char *one = xasprintf("%.*s%.*s%s", (int)(open - pattern), pattern, (int)n, at, close + 1);
        hit = match(one, name, depth - 1);
        free(one);
        at += n + 1;
    }
    return hit;
}

bool volume_match(const char *pattern, const char *name)
{
    char *copy = xstrdup(pattern);
    for (char *p = copy; *p; p++)
        if (p[0] == '[' && p[1] == '^')
            p[1] = '!';
    bool hit = match(copy, name, 4);
    free(copy);
    return hit;
}

/* ---- walking ---- */
static bool add(struct listing *l, const char *name, const struct stat *st)
{
    struct volume_files *out = l->out;
    if (l->pattern && !volume_match(l->pattern, name))
        return true;
    if (out->count == VOLUME_FILES_MAX)
        return err_set(l->e, ERR_TOO_BIG, "there are more than %d files", VOLUME_FILES_MAX);
    if (out->count == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 64;
        struct volume_file *list = arena_alloc(l->arena, cap * sizeof *list);
        if (out->count)
            memcpy(list, out->list, out->count * sizeof *list);
        out->list = list;
        out->cap = cap;
    }
    out->list[out->count++] = (struct volume_file){
        .name = arena_strdup(l->arena, name), .size = (int64_t)st->st_size, .folder = S_ISDIR(st->st_mode),
        .modified_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000};
    return true;
}

static bool walk(struct listing *l, int fd, const char *prefix, int depth);

static bool enter(struct listing *l, int fd, const char *entry, const char *name, int depth)
{
    if (depth == VOLUME_DEPTH_MAX)
        return err_set(l->e, ERR_TOO_BIG, "folders lie deeper than %d", VOLUME_DEPTH_MAX);
    int below = openat(fd, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0)
        return err_errno(l->e, errno, "cannot read the folder '%s'", name);
    return walk(l, below, name, depth + 1);
}

/* Takes fd over. */
static bool walk(struct listing *l, int fd, const char *prefix, int depth)
{
    DIR *dir = fdopendir(fd);
    bool ok = dir || err_errno(l->e, errno, "cannot read the folder '%s'", prefix);
    if (!dir)
        close(fd);
    for (struct dirent *entry; ok && dir && (entry = readdir(dir));) {
        struct stat st;
        bool hidden = entry->d_name[0] == '.' || (entry->d_name[0] == '_' && (l->deep || l->pattern));
        if (hidden) /* also "." and "..", and files that are still being uploaded */
            continue;
        char *name = xasprintf("%s%s%s", prefix, *prefix ? "/" : "", entry->d_name);
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            ok = errno == ENOENT || err_errno(l->e, errno, "cannot look at '%s'", name);
        else if (S_ISDIR(st.st_mode) && (l->deep || l->pattern))
            ok = enter(l, dirfd(dir), entry->d_name, name, depth);
        else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
            ok = add(l, name, &st);
        else
            ok = err_set(l->e, ERR_INVALID_PARAMETER, "'%s' is no file and no folder, and links are not followed", name);
        free(name);
    }
    if (dir)
        closedir(dir);
    return ok;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct volume_file *)a)->name, ((const struct volume_file *)b)->name);
}

/* ---- the start ---- */
static bool part_ok(const char *part, size_t n, struct err *e)
{
    bool dots = n <= 2 && !strncmp(part, "..", n);
    return (n > 0 && n < 256 && !dots) ||
           err_set(e, ERR_INVALID_PARAMETER, "'%.*s' is no part of a path in a volume", (int)(n < 80 ? n : 80), part);
}

/* Every part of a path, also of a pattern, is looked at. */
static bool path_ok(const char *path, struct err *e)
{
    for (const char *at = path; *at;) {
        size_t n = strcspn(at, "/");
        if (!part_ok(at, n, e))
            return false;
        at += n;
        if (*at && !*++at)
            return part_ok("", 0, e);
    }
    return true;
}

/* The length of the folders of `path` that no pattern begins in. */
static size_t plain_length(const char *path)
{
    size_t special = strcspn(path, "*?[{");
    if (!path[special])
        return special;
    while (special > 0 && path[special] != '/')
        special--;
    return special;
}

/* Open what is at the first n bytes of path, step by step. -1 with *e. */
static int descend(const char *folder, const char *path, size_t n, struct err *e)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (size_t at = 0; fd >= 0 && at < n;) {
        size_t len = strcspn(path + at, "/");
        char *part = xstrndup(path + at, len < n - at ? len : n - at);
        int below = openat(fd, part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        int why = errno;
        free(part);
        close(fd);
        errno = why;
        fd = below;
        at += len + 1;
    }
    if (fd >= 0)
        return fd;
    if (errno == ENOENT || errno == ENOTDIR)
        err_set(e, ERR_NOT_FOUND, "there is nothing");
    else if (errno == ELOOP)
        err_set(e, ERR_INVALID_PARAMETER, "a symbolic link is on the way, and links are not followed");
    else
        err_errno(e, errno, "cannot open it");
    return -1;
}

bool volume_list(const char *folder, const char *path, bool deep, struct arena *arena, struct volume_files *out, struct err *e)
{
    *out = (struct volume_files){0};
    size_t n = plain_length(path);
    struct listing l = {.arena = arena, .out = out, .pattern = path[n] ? path : NULL, .deep = deep, .e = e};
    struct stat st;
    if (!path_ok(path, e))
        return false;
    int fd = descend(folder, path, n, e);
    if (fd < 0)
        return false;
    bool ok = fstat(fd, &st) == 0 || err_errno(e, errno, "cannot look at it");
    if (ok && S_ISDIR(st.st_mode)) {
        char *prefix = xstrndup(path, n);
        ok = walk(&l, fd, prefix, 0);
        free(prefix);
    } else {
        close(fd);
        ok = ok && (S_ISREG(st.st_mode) ? !path[n] || err_set(e, ERR_NOT_FOUND, "there is nothing")
                                        : err_set(e, ERR_INVALID_PARAMETER, "it is no file and no folder"));
        ok = ok && add(&l, path, &st);
    }
    if (out->count)
        qsort(out->list, out->count, sizeof *out->list, by_name);
    return ok;
}
