/* The lock of a state folder (see lock.h). */
#include "workspace/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

static char *lock_path(const char *state_dir) { return xasprintf("%s/workspace.lock", state_dir); }

static int open_file(const char *state_dir, int flags, struct err *e)
{
    char *path = lock_path(state_dir);
    int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);
    if (fd < 0 && (errno != ENOENT || flags))
        err_errno(e, errno, "cannot open '%s'", path);
    free(path);
    return fd;
}

/* The file still has its name: a reset may have removed it between our open and our lock. */
static bool is_current(const char *state_dir, int fd)
{
    struct stat ours, there;
    char *path = lock_path(state_dir);
    bool same = fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
                ours.st_ino == there.st_ino;
    free(path);
    return same;
}

bool lock_take(const char *state_dir, int *fd, struct err *e)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    for (;;) {
        *fd = open_file(state_dir, O_CREAT, e);
        if (*fd < 0)
            return false;
        bool taken = fcntl(*fd, F_SETLK, &l) == 0;
        int why = taken ? 0 : errno;
        if (taken && is_current(state_dir, *fd))
            return true;
        close(*fd);
        *fd = -1;
        if (!taken)
            return why == EACCES || why == EAGAIN || err_errno(e, why, "cannot lock the state folder '%s'", state_dir);
    }
}

bool lock_remove(const char *state_dir, struct err *e)
{
    char *path = lock_path(state_dir);
    bool ok = unlink(path) == 0 || errno == ENOENT || err_errno(e, errno, "cannot remove '%s'", path);
    free(path);
    return ok;
}

bool lock_holder(const char *state_dir, pid_t *pid, struct err *e)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open_file(state_dir, 0, e);
    *pid = 0;
    if (fd < 0)
        return !e->code; /* no file: nobody holds it */
    bool ok = fcntl(fd, F_GETLK, &l) == 0 || err_errno(e, errno, "cannot ask for the lock of '%s'", state_dir);
    close(fd);
    if (!ok || l.l_type == F_UNLCK)
        return ok;
    *pid = l.l_pid;
    if (l.l_pid > 0)
        return true;
    /* It has no number here: another pid namespace, or another machine on a network file system. */
    err_set(e, ERR_CONFLICT, "the state folder '%s' is in use by a workspace in another container or on another machine",
            state_dir);
    err_hint(e, "stop it there, or use another folder: LAKEBASE_STATE_DIR");
    return false;
}
