/* Waiting for the next commit: inotify on the log folder, and a slow poll, as inotify sees no change of a network mount. */
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "sync/internal.h"

enum { POLL_MS = 3000 };

struct follow {
    int fd;
};

struct follow *follow_open(const char *root, struct err *e)
{
    (void)e;
    struct follow *f = xcalloc(1, sizeof *f);
    char *log = xasprintf("%s/_delta_log", root);
    f->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (f->fd >= 0)
        inotify_add_watch(f->fd, log, IN_CREATE | IN_MOVED_TO); /* a failure leaves the poll */
    free(log);
    return f;
}

bool follow_wait(struct follow *f, struct cancel *cancel, struct err *e)
{
    struct err why;
    err_init(&why);
    if (!cancel_poll(cancel, f->fd, POLLIN, POLL_MS, &why) && why.code == ERR_CANCELLED)
        return err_set(e, ERR_CANCELLED, "interrupted");
    char events[4096];
    while (f->fd >= 0 && read(f->fd, events, sizeof events) > 0)
        continue;
    return true;
}

void follow_close(struct follow *f)
{
    if (f && f->fd >= 0)
        close(f->fd);
    free(f);
}
