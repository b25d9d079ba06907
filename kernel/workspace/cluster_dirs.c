/*
 * The folders of clusters, instances/<uid>: their names, whether one is complete, and their removal. What is in them is the
 * business of others.
 */
#include "workspace/cluster_parts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/xalloc.h"

#define GONE ".gone-" /* a folder that is being removed */

bool clusters_valid_uid(const char *uid)
{
    size_t n = strspn(uid, "0123456789abcdefghijklmnopqrstuvwxyz-");
    return n > 0 && n < 64 && uid[n] == '\0' && uid[0] != '-';
}

char *clusters_dir(const struct clusters *all, const char *uid) { return xasprintf("%s/%s", all->instances_dir, uid); }

bool cluster_dir_ours(const struct clusters *all, const char *name)
{
    struct stat st;
    char *dir = clusters_dir(all, name);
    bool ours = clusters_valid_uid(name) && lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == all->user.uid;
    free(dir);
    return ours;
}

bool cluster_dir_whole(struct clusters *all, const char *dir)
{
    return own_dir_has(&all->user, dir, "data/PG_VERSION");
}

static bool remove_gone(struct clusters *all, const char *name, struct err *e)
{
    char *dir = clusters_dir(all, name);
    bool ok = own_dir_remove(&all->user, dir, e);
    free(dir);
    return ok;
}

bool cluster_dir_remove(struct clusters *all, const char *dir, struct err *e)
{
    char id[17], name[32];
    ids_hex(id, 8);
    snprintf(name, sizeof name, GONE "%s", id);
    char *gone = clusters_dir(all, name);
    bool ok = (rename(dir, gone) == 0 || err_errno(e, errno, "cannot rename '%s'", dir)) && remove_gone(all, name, e);
    free(gone);
    return ok;
}

void cluster_dirs_clear(struct clusters *all)
{
    DIR *d = opendir(all->instances_dir);
    for (struct dirent *f; d && (f = readdir(d)) != NULL;) {
        struct err e;
        err_init(&e);
        if (strncmp(f->d_name, GONE, strlen(GONE)) == 0 && !remove_gone(all, f->d_name, &e))
            log_err("cluster", f->d_name, &e);
    }
    if (d)
        closedir(d);
}
