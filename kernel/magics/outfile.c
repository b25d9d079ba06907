/* A file that a magic writes (see outfile.h). */
#include "magics/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"

bool outfile_open(struct outfile *f, struct arena *a, const char *path, struct err *e)
{
    f->path = path;
    f->fresh = arena_printf(a, "%s.part-%ld", path, (long)getpid());
    f->fd = open(f->fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return f->fd >= 0 || err_errno(e, errno, "cannot write '%.300s'", path);
}

bool outfile_write(struct outfile *f, const void *data, size_t len, struct err *e)
{
    return fs_write_all(f->fd, data, len) || err_errno(e, errno, "cannot write '%.300s'", f->path);
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
