/*
 * Opening and closing what all clusters of a workspace share (see cluster.h): folders, CA, prefix, template, responder; and
 * taking over the servers that an earlier workspace left.
 */
#include "workspace/cluster.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/ca.h"
#include "workspace/cluster_parts.h"
#include "workspace/ldap.h"

static bool make_folders(struct clusters *all, const char *state_dir, struct err *e)
{
    mode_t mode = all->user.switched ? 0711 : 0700;
    if (!fs_mkdirs(state_dir, mode, e))
        return false;
    if (!(all->state_dir = realpath(state_dir, NULL)))
        return err_errno(e, errno, "cannot find '%s'", state_dir);
    if (all->user.switched && chmod(all->state_dir, mode) != 0)
        return err_errno(e, errno, "cannot set the mode of '%s'", all->state_dir);
    all->instances_dir = xasprintf("%s/instances", all->state_dir);
    all->ca_path = xasprintf("%s/ca.crt", all->state_dir);
    all->state_fd = open(all->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return (all->state_fd >= 0 || err_errno(e, errno, "cannot open '%s'", all->state_dir)) &&
           fs_mkdirs(all->instances_dir, 0711, e) && server_user_reaches(&all->user, all->instances_dir, e);
}

static bool open_ca(struct clusters *all, struct err *e)
{
    char *dir = xasprintf("%s/private", all->state_dir), *key = xasprintf("%s/ca.key", dir);
    bool ok = fs_mkdirs(dir, 0700, e) && (all->ca = ca_open(all->ca_path, key, e)) != NULL;
    free(dir);
    free(key);
    return ok;
}

/* The responder's key exists in memory only. Its certificate is for 127.0.0.1, which no instance's is for: a stolen instance
 * key cannot pose as the responder. */
static bool open_responder(struct clusters *all, const struct cluster_options *o, struct err *e)
{
    struct ca_pair pem;
    if (!ca_issue(all->ca, "login responder", "127.0.0.1", false, &pem, e))
        return false;
    struct ldaps_options lo = {.cert_pem = pem.cert, .key_pem = pem.key, .port = o->ldaps_port, .login = o->login,
                               .login_self = o->login_self};
    all->ldaps = ldaps_open(&lo, e);
    ca_pair_release(&pem);
    return all->ldaps != NULL;
}

/* Servers that live on ask the responder at the port in their pg_hba.conf. */
static void repoint(struct clusters *all, const char *uid)
{
    char *dir = clusters_dir(all, uid);
    struct server s;
    struct err e;
    bool changed;
    err_init(&e);
    bool there = cluster_dir_whole(all, dir);
    process_find(all, dir, &s);
    if (there && !conf_write_hba(all, dir, uid, &changed, &e))
        log_err("cluster", uid, &e);
    else if (there && changed && s.pid)
        kill(s.pid, SIGHUP);
    free(dir);
}

/* What earlier processes left: servers that ask at another port, folders on their way out. */
static void take_over(struct clusters *all)
{
    DIR *d = opendir(all->instances_dir);
    for (struct dirent *f; d && (f = readdir(d)) != NULL;) {
        if (clusters_valid_uid(f->d_name))
            repoint(all, f->d_name);
    }
    if (d)
        closedir(d);
    cluster_dirs_clear(all);
}

struct clusters *clusters_open(const struct cluster_options *o, struct err *e)
{
    struct clusters *all = xcalloc(1, sizeof *all);
    all->state_fd = -1;
    all->template.stop.fd = -1;
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->changed, NULL);
    pthread_mutex_init(&all->template.lock, NULL);
    clock_cond_init(&all->template.changed);
    if (server_user_find(&all->user, e) && prefix_find(&all->prefix, e) && make_folders(all, o->state_dir, e) &&
        open_ca(all, e) && prefix_make(&all->prefix, all->state_dir, e) && cancel_init(&all->template.stop, e) &&
        open_responder(all, o, e)) {
        take_over(all);
        if (template_start(all, e))
            return all;
    }
    clusters_close(all);
    return NULL;
}

void clusters_close(struct clusters *all)
{
    if (!all)
        return;
    template_stop(all);
    ldaps_close(all->ldaps);
    ca_close(all->ca);
    prefix_release(&all->prefix);
    cancel_release(&all->template.stop);
    if (all->state_fd >= 0)
        close(all->state_fd);
    pthread_cond_destroy(&all->template.changed);
    pthread_mutex_destroy(&all->template.lock);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all->busy);
    free(all->children);
    free(all->state_dir);
    free(all->instances_dir);
    free(all->ca_path);
    free(all);
}

int clusters_ldaps_port(const struct clusters *all) { return ldaps_port(all->ldaps); }
const char *clusters_ca_path(const struct clusters *all) { return all->ca_path; }
const char *clusters_pg_version(const struct clusters *all) { return all->prefix.version_name; }
