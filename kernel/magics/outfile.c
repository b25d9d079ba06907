/* A file that a magic writes (see outfile.h). */
#include "magics/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

bool outfile_open(struct outfile *f, struct arena *a, const char *path, struct err *e)
{
    f->path = path;
    f->fresh = arena_printf(a, "%s.part-%ld", path, (long)getpid());
    f->fd = open(f->fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return f->fd >= 0 || err_errno(e, errno, "cannot write '%.300s'", path);
}

bool outfile_write(struct outfile *f, const void *data, size_t len, struct err *e)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(f->fd, at, len);
        if (n < 0 && errno != EINTR)
            return err_errno(e, errno, "cannot write '%.300s'", f->path);
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

bool outfile_close(struct outfile *f, bool ok, struct err *e)
{
    if (close(f->fd) != 0 && ok)
        ok = err_errno(e, errno, "cannot write '%.300s'", f->path);
    if (ok && rename(f->fresh, f->path) != 0)
        ok = err_errno(e, errno, "cannot write '%.300s'", f->path);
    if (!ok)
        unlink(f->fresh);
    return ok;
}
