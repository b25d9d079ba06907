/* Watch over the parent process (see parent.h). Only looks; ending is the loop's decision. */
#include "jupyter/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DEPTH_MAX = 64 };

/* The parent of a process; 0: it cannot be known. */
static pid_t parent_of(pid_t pid)
{
    char path[40], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *name_end = strrchr(text, ')'); /* "PID (NAME) STATE PARENT ..." */
    return name_end && strlen(name_end) > 4 ? (pid_t)strtol(name_end + 4, NULL, 10) : 0;
}

static bool is_above(pid_t said, pid_t pid)
{
    for (int i = 0; i < DEPTH_MAX && pid > 1 && pid != said; i++)
        pid = parent_of(pid);
    return pid == said;
}

void parent_init(struct parent *p, const char *variable)
{
    char *end = NULL;
    long said = variable && *variable ? strtol(variable, &end, 10) : 0;
    *p = (struct parent){.first = getppid(), .said = (pid_t)said, .fd = -1};
    /* 1 is a legitimate parent in a container, and it never goes. */
    p->watched = said > 1 && *end == '\0' && p->first > 1;
    p->exact = p->watched && said == p->first;
    p->above = p->watched && !p->exact && is_above(p->said, p->first);
    if (p->watched)
        p->fd = (int)syscall(SYS_pidfd_open, p->above ? p->said : p->first, 0);
}

void parent_release(struct parent *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

bool parent_gone(const struct parent *p)
{
    struct pollfd end = {.fd = p->fd, .events = POLLIN};
    if (!p->watched)
        return false;
    if (p->above)
        return p->fd >= 0 ? poll(&end, 1, 0) == 1 : kill(p->said, 0) != 0 && errno == ESRCH;
    return p->exact ? getppid() != p->first : getppid() == 1;
}
