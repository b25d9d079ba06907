/* Ending the workspace, with or without what it made (see control.h). */
#include "workspace/control.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/fs.h"
#include "base/xalloc.h"
#include "workspace/card.h"
#include "workspace/cluster.h"
#include "workspace/cluster_parts.h"
#include "workspace/instances.h"
#include "workspace/lock.h"

enum { STOP_LIMIT_MS = 90000, LOOK_AGAIN_MS = 20, LEFT_MOST = 2000 };

/* ---- stop ---- */

/* Ask pid to end with sig and wait until it is gone. A pidfd, so that no other process is ever meant. */
static bool end_process(const char *state_dir, pid_t pid, int sig, struct err *e)
{
    pid_t holder = 0;
    int fd = spawn_pidfd(pid);
    if (fd < 0)
        return errno == ESRCH || err_errno(e, errno, "cannot reach the workspace (pid %d)", (int)pid);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    bool ok = lock_holder(state_dir, &holder, e);
    if (ok && holder == pid) {
        if (syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0U) != 0 && errno != ESRCH)
            ok = err_errno(e, errno, "cannot end the workspace (pid %d)", (int)pid);
        if (ok && poll(&p, 1, STOP_LIMIT_MS) == 0) {
            ok = err_set(e, ERR_TIMEOUT, "the workspace (pid %d) did not end within %d s", (int)pid,
                         STOP_LIMIT_MS / 1000);
            err_hint(e, "see %s/workspace.log; kill -9 %d does no harm, the next start repairs", state_dir, (int)pid);
        }
    }
    close(fd);
    return ok;
}

/* Is there a cluster folder whose server may still run? */
static bool any_server(const char *state_dir)
{
    char *folder = xasprintf("%s/instances", state_dir);
    DIR *d = opendir(folder);
    bool found = false;
    for (struct dirent *one; d && !found && (one = readdir(d));) {
        char *path = xasprintf("%s/%s/data/postmaster.pid", folder, one->d_name);
        found = one->d_name[0] != '.' && fs_exists(path);
        free(path);
    }
    if (d)
        closedir(d);
    free(folder);
    return found;
}

static bool no_login(void *self, const char *user, const char *token, size_t token_len, const char *instance_uid,
                     struct err *e)
{
    (void)self;
    (void)user;
    (void)token;
    (void)token_len;
    (void)instance_uid;
    return err_set(e, ERR_LOGIN, "the workspace is being stopped");
}

/* The clusters without a workspace, for stopping and deleting what a killed one left. */
typedef bool clusters_fn(const char *state_dir, struct clusters *clusters, struct err *e);
static bool with_clusters(const char *state_dir, clusters_fn *work, struct err *e)
{
    struct cluster_options o = {.state_dir = state_dir, .login = no_login};
    struct clusters *clusters = clusters_open(&o, e);
    bool ok = clusters && work(state_dir, clusters, e);
    if (clusters)
        clusters_close(clusters);
    return ok;
}

static bool stop_left(const char *state_dir, struct clusters *clusters, struct err *e)
{
    char *path = xasprintf("%s/private/workspace.db", state_dir);
    struct store *store = store_open(path, e);
    bool ok = store && instances_stop_servers(store, clusters, e);
    store_close(store);
    free(path);
    return ok;
}

static bool delete_left(const char *state_dir, struct clusters *clusters, struct err *e)
{
    (void)state_dir;
    return clusters_delete_all(clusters, e);
}

/* End a workspace that runs, then do `work` (may be NULL) under the lock, so that no new one comes up meanwhile. */
static bool ended_then(const char *state_dir, int sig, bool *was_running, bool (*work)(const char *, struct err *),
                       struct err *e)
{
    int lock = -1;
    *was_running = false;
    for (;;) {
        struct running now;
        if (!control_find(state_dir, &now, e) || (now.pid && !end_process(state_dir, now.pid, sig, e)))
            return false;
        *was_running = *was_running || now.pid;
        if (!lock_take(state_dir, &lock, e))
            return false;
        if (lock >= 0)
            break;
        cancel_poll(NULL, -1, 0, LOOK_AGAIN_MS, e); /* another start was faster: end that one */
    }
    card_remove(state_dir);
    bool ok = !work || work(state_dir, e);
    close(lock);
    return ok;
}

static bool stop_servers(const char *state_dir, struct err *e)
{
    return !any_server(state_dir) || with_clusters(state_dir, stop_left, e);
}

bool control_stop(const char *state_dir, bool keep_servers, bool *was_running, struct err *e)
{
    return ended_then(state_dir, keep_servers ? SIGUSR1 : SIGTERM, was_running, keep_servers ? NULL : stop_servers, e);
}

/* Only what the workspace made, by name: the folder may be one that holds other things too. */
static bool remove_all(const char *state_dir, struct err *e)
{
    static const char *const names[] = {"template", "prefix", "lakehouse", "ca.crt", "private", "databrickscfg",
                                        "workspace.log", "workspace.log.1"};
    char *path = xasprintf("%s/instances", state_dir);
    bool ok = !fs_exists(path) || with_clusters(state_dir, delete_left, e);
    if (ok && rmdir(path) != 0 && errno != ENOENT && errno != ENOTEMPTY)
        ok = err_errno(e, errno, "cannot remove '%s'", path);
    free(path);
    for (size_t i = 0; ok && i < ARRAY_LEN(names); i++) {
        path = xasprintf("%s/%s", state_dir, names[i]);
        ok = fs_remove_tree(path, e);
        free(path);
    }
    return ok && lock_remove(state_dir, e);
}

static int no_dots(const struct dirent *d) { return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0; }

/* The names in state_dir/folder, as folder/name; of a folder instances/ the names in it. */
static void list_left(const char *state_dir, const char *folder, struct buf *out)
{
    struct dirent **names = NULL;
    char *path = xasprintf("%s/%s", state_dir, folder);
    int n = scandir(path, &names, no_dots, alphasort);
    for (int i = 0; i < n; i++) {
        if (!*folder && strcmp(names[i]->d_name, "instances") == 0)
            list_left(state_dir, "instances/", out);
        else if (out->len < LEFT_MOST)
            buf_printf(out, "%s%s%s", out->len ? ", " : "", folder, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    free(path);
}

bool control_reset(const char *state_dir, struct buf *left, struct err *e)
{
    bool was_running, ok = ended_then(state_dir, SIGTERM, &was_running, remove_all, e);
    if (ok)
        list_left(state_dir, "", left);
    return ok;
}
