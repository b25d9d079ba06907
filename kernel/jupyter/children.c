/* Children of this process (see children.h), as /proc lists them for each thread. */
#include "jupyter/children.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

static void kill_those_of(const char *thread)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/self/task/%s/children", thread);
    FILE *f = fopen(path, "re");
    long pid;
    while (f && fscanf(f, "%ld", &pid) == 1)
        kill(getpgid((pid_t)pid) == pid ? -(pid_t)pid : (pid_t)pid, SIGKILL);
    if (f)
        fclose(f);
}

void children_kill(void)
{
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *t; d && (t = readdir(d)) != NULL;) {
        if (t->d_name[0] != '.')
            kill_those_of(t->d_name);
    }
    if (d)
        closedir(d);
}
