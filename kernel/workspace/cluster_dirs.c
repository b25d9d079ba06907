/*
 * The folders of clusters, instances/<uid>: which there are, whether one is complete, and their removal. What is in them is the
 * business of others.
 */
#include "workspace/cluster_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static bool is_ours(int at, const char *name, uid_t owner)
{
    struct stat st;
    return clusters_valid_uid(name) && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == owner;
}

/* The first of them; a long list helps nobody. */
static void name_one(struct buf *out, const char *name)
{
    if (out->len < 1000)
        buf_printf(out, "%s%s", out->len ? ", " : "", out->len < 800 ? name : "…");
}

/* Names that begin with a dot are of passing things: a folder that is being removed. */
static int is_no_dot(const struct dirent *d) { return d->d_name[0] != '.'; }

bool cluster_folders_list(const char *state_dir, struct cluster_folders *out, struct err *e)
{
    struct server_user u;
    struct dirent **names = NULL;
    *out = (struct cluster_folders){0};
    buf_init(&out->foreign, 4096);
    if (!server_user_find(&u, e))
        return false;
    char *dir = xasprintf("%s/instances", state_dir);
    int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = at >= 0 ? scandir(dir, &names, is_no_dot, alphasort) : -1;
    bool ok = n >= 0 || errno == ENOENT || err_errno(e, errno, "cannot read '%s'", dir);
    for (int i = 0; i < n; i++) {
        if (is_ours(at, names[i]->d_name, u.uid)) {
            out->uids = xreallocarray(out->uids, out->count + 1, sizeof *out->uids);
            out->uids[out->count++] = xstrdup(names[i]->d_name);
        } else {
            name_one(&out->foreign, names[i]->d_name);
        }
        free(names[i]);
    }
    free(names);
    if (at >= 0)
        close(at);
    free(dir);
    return ok;
}

void cluster_folders_release(struct cluster_folders *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->uids[i]);
    free(f->uids);
    buf_release(&f->foreign);
    *f = (struct cluster_folders){0};
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
