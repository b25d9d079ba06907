/* Watch over the parent process (see parent.h). Only looks; ending is the loop's decision. */
#include "jupyter/parent.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

void parent_init(struct parent *p, const char *variable)
{
    char *end = NULL;
    long said = variable && *variable ? strtol(variable, &end, 10) : 0;
    *p = (struct parent){.first = getppid(), .fd = -1};
    /* 1 is a legitimate parent in a container, and it never goes. */
    p->watched = said > 1 && *end == '\0' && p->first > 1;
    p->exact = p->watched && said == p->first;
    if (p->watched)
        p->fd = (int)syscall(SYS_pidfd_open, p->first, 0);
}

void parent_release(struct parent *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

bool parent_gone(const struct parent *p)
{
    if (!p->watched)
        return false;
    return p->exact ? getppid() != p->first : getppid() == 1;
}
