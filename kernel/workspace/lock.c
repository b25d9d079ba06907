/* The lock of a state folder (see lock.h). */
#include "workspace/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"

static int open_file(const char *state_dir, struct err *e)
{
    char *path = xasprintf("%s/workspace.lock", state_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        err_errno(e, errno, "cannot open '%s'", path);
    free(path);
    return fd;
}

bool lock_take(const char *state_dir, int *fd, struct err *e)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *fd = open_file(state_dir, e);
    if (*fd < 0)
        return false;
    if (fcntl(*fd, F_SETLK, &l) == 0)
        return true;
    int why = errno;
    close(*fd);
    *fd = -1;
    return why == EACCES || why == EAGAIN || err_errno(e, why, "cannot lock the state folder '%s'", state_dir);
}

bool lock_holder(const char *state_dir, pid_t *pid, struct err *e)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open_file(state_dir, e);
    if (fd < 0)
        return false;
    bool ok = fcntl(fd, F_GETLK, &l) == 0 || err_errno(e, errno, "cannot ask for the lock of '%s'", state_dir);
    close(fd);
    *pid = ok && l.l_type != F_UNLCK ? l.l_pid : 0;
    return ok;
}
