/*
 * Clusters as a whole (see cluster.h): opening what they share, and the operations on one of them, one at a time for each.
 * Every operation looks at what is there and completes it, so that it can be called again after a crash anywhere.
 */
#include "workspace/cluster.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "pg/exec.h"
#include "workspace/ca.h"
#include "workspace/cluster_parts.h"
#include "workspace/ldap.h"
#include "workspace/netaddr.h"
#include "workspace/sql.h"

enum { START_TRIES = 5 };
#define GONE ".gone-" /* a folder that is being removed */

/* ---- shared things ---------------------------------------------------------------------------------------------- */

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

char *clusters_dir(const struct clusters *all, const char *uid) { return xasprintf("%s/%s", all->instances_dir, uid); }

static bool is_there(struct clusters *all, const char *dir)
{
    return own_dir_has(&all->user, dir, "data/PG_VERSION");
}

/* Servers that live on ask the responder at the port in their pg_hba.conf. */
static void repoint(struct clusters *all, const char *uid)
{
    char *dir = clusters_dir(all, uid);
    struct server s;
    struct err e;
    bool changed;
    err_init(&e);
    bool there = is_there(all, dir);
    process_find(all, dir, &s);
    if (there && !conf_write_hba(all, dir, uid, &changed, &e))
        log_err("cluster", uid, &e);
    else if (there && changed && s.pid)
        kill(s.pid, SIGHUP);
    free(dir);
}

bool clusters_valid_uid(const char *uid)
{
    size_t n = strspn(uid, "0123456789abcdefghijklmnopqrstuvwxyz-");
    return n > 0 && n < 64 && uid[n] == '\0' && uid[0] != '-';
}

static bool remove_gone(struct clusters *all, const char *name, struct err *e)
{
    char *dir = clusters_dir(all, name);
    bool ok = own_dir_remove(&all->user, dir, e);
    free(dir);
    return ok;
}

/* What earlier processes left: servers that ask at another port, folders on their way out. */
static void take_over(struct clusters *all)
{
    DIR *d = opendir(all->instances_dir);
    for (struct dirent *f; d && (f = readdir(d)) != NULL;) {
        struct err e;
        err_init(&e);
        if (clusters_valid_uid(f->d_name))
            repoint(all, f->d_name);
        else if (strncmp(f->d_name, GONE, strlen(GONE)) == 0 && !remove_gone(all, f->d_name, &e))
            log_err("cluster", f->d_name, &e);
    }
    if (d)
        closedir(d);
}

struct clusters *clusters_open(const struct cluster_options *o, struct err *e)
{
    struct clusters *all = xcalloc(1, sizeof *all);
    all->state_fd = -1;
    all->template.stop.fd = -1;
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->changed, NULL);
    pthread_mutex_init(&all->template.lock, NULL);
    pthread_cond_init(&all->template.changed, NULL);
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

/* ---- one operation at a time for each cluster --------------------------------------------------------------------- */

static size_t find_busy(const struct clusters *all, const char *uid)
{
    size_t i = 0;
    while (i < all->n_busy && strcmp(all->busy[i], uid) != 0)
        i++;
    return i;
}

static char *claim(struct clusters *all, const char *uid, struct err *e)
{
    if (!clusters_valid_uid(uid)) {
        err_set(e, ERR_INVALID_PARAMETER, "'%s' is no instance uid", uid);
        return NULL;
    }
    pthread_mutex_lock(&all->lock);
    while (find_busy(all, uid) < all->n_busy)
        pthread_cond_wait(&all->changed, &all->lock);
    all->busy = xreallocarray(all->busy, all->n_busy + 1, sizeof *all->busy);
    snprintf(all->busy[all->n_busy++], sizeof *all->busy, "%s", uid);
    pthread_mutex_unlock(&all->lock);
    return clusters_dir(all, uid);
}

/* Also frees what claim returned. */
static void release(struct clusters *all, const char *uid, char *dir)
{
    pthread_mutex_lock(&all->lock);
    size_t i = find_busy(all, uid);
    memmove(all->busy + i, all->busy + i + 1, (--all->n_busy - i) * sizeof *all->busy);
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    free(dir);
}

/* ---- create, start ------------------------------------------------------------------------------------------------- */

static bool reserved_role(const char *name)
{
    static const char *const whole[] = {"cloud_admin", "postgres", "public", "none"};
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        if (strcmp(name, whole[i]) == 0)
            return true;
    }
    return strncmp(name, "pg_", 3) == 0 || strncmp(name, "databricks_", 11) == 0;
}

static bool check_spec(const struct cluster_spec *spec, struct err *e)
{
    struct cluster_memory m;
    size_t len = strlen(spec->owner);
    if (len == 0 || len > PG_NAME_MAX || !utf8_valid(spec->owner, len)) {
        return err_set(e, ERR_INVALID_PARAMETER, "'%s' cannot own an instance: a PostgreSQL role name has 1 to %d bytes",
                       spec->owner, PG_NAME_MAX);
    }
    if (reserved_role(spec->owner))
        return err_set(e, ERR_INVALID_PARAMETER, "'%s' cannot own an instance: the name is reserved", spec->owner);
    return cluster_memory_of(spec->capacity, &m) ||
           err_set(e, ERR_INVALID_PARAMETER, "capacity '%s' is not one of CU_1, CU_2, CU_4, CU_8", spec->capacity);
}

/* The cluster was made by this major version: another program cannot read its files. */
static bool same_version(struct clusters *all, const char *dir, const char *name, struct err *e)
{
    char *path = xasprintf("%s/data/PG_VERSION", dir);
    struct buf text;
    buf_init(&text, 64);
    server_user_enter(&all->user);
    bool ok = fs_read(path, &text, e);
    server_user_leave(&all->user);
    long major = ok ? strtol(buf_str(&text), NULL, 10) : 0;
    if (ok && major != all->prefix.major) {
        ok = err_set(e, ERR_INVALID_STATE, "instance '%s' was made by PostgreSQL %ld, and version %d is installed", name,
                     major, all->prefix.major);
        err_hint(e, "install PostgreSQL %ld and remove the newer one, or delete the instance", major);
    }
    buf_release(&text);
    free(path);
    return ok;
}

/* Running, at the address that spec names afterwards. */
static bool run_server(struct clusters *all, const char *dir, struct cluster_spec *spec, struct cancel *c, struct err *e)
{
    struct server s;
    process_find(all, dir, &s);
    for (int i = 0; i < START_TRIES; i++) {
        struct err why;
        err_init(&why);
        if (!s.pid && (!netaddr_choose(spec->address, &spec->port, spec->uid, e) || !conf_write(all, dir, spec, e)))
            return false;
        if (process_start(all, dir, &s, c, &why)) {
            snprintf(spec->address, sizeof spec->address, "%s", s.address);
            spec->port = s.port;
            return true;
        }
        if (!err_is(&why, ERR_CONFLICT) || i == START_TRIES - 1) {
            *e = why;
            return err_wrap(e, "instance '%s'", spec->name);
        }
        spec->address[0] = '\0'; /* somebody took it after we looked */
        spec->port = 0;
    }
    return false;
}

static bool set_up_owner(struct clusters *all, const char *dir, const char *owner, struct cancel *c, struct err *e)
{
    const char *params[] = {owner};
    char *ignored = NULL;
    struct pg_conn *conn = clusters_connect_dir(all, dir, "postgres", c, e);
    bool ok = conn && pg_scalar(conn, "SELECT set_config('lakebase.owner', $1, false)", params, 1, &ignored, c, e) &&
              pg_run(conn, sql_cluster_owner, c, e);
    free(ignored);
    pg_close(conn);
    return ok || err_wrap(e, "role of the owner");
}

bool cluster_create(struct clusters *all, struct cluster_spec *spec, struct cancel *c, struct err *e)
{
    if (!check_spec(spec, e))
        return false;
    char *dir = claim(all, spec->uid, e);
    if (!dir)
        return false;
    template_creating(all, 1);
    bool ok = (is_there(all, dir) || (own_dir_remove(&all->user, dir, e) && template_take(all, dir, c, e))) &&
              same_version(all, dir, spec->name, e) && run_server(all, dir, spec, c, e) &&
              set_up_owner(all, dir, spec->owner, c, e);
    template_creating(all, -1);
    release(all, spec->uid, dir);
    return ok;
}

bool cluster_start(struct clusters *all, struct cluster_spec *spec, struct cancel *c, struct err *e)
{
    if (!check_spec(spec, e))
        return false;
    char *dir = claim(all, spec->uid, e);
    if (!dir)
        return false;
    bool ok = is_there(all, dir) || err_set(e, ERR_NOT_FOUND, "the files of instance '%s' are gone", spec->name);
    ok = ok && same_version(all, dir, spec->name, e) && run_server(all, dir, spec, c, e);
    release(all, spec->uid, dir);
    return ok;
}

/* ---- stop, delete, look ---------------------------------------------------------------------------------------------- */

bool cluster_stop(struct clusters *all, const char *uid, struct err *e)
{
    char *dir = claim(all, uid, e);
    if (!dir)
        return false;
    bool ok = !is_there(all, dir) || process_stop(all, dir, false, e);
    release(all, uid, dir);
    return ok;
}

/* Renamed first: no crash leaves half a cluster under the name of a whole one. */
static bool remove_whole(struct clusters *all, const char *dir, struct err *e)
{
    char id[17], name[32];
    ids_hex(id, 8);
    snprintf(name, sizeof name, GONE "%s", id);
    char *gone = clusters_dir(all, name);
    bool ok = (rename(dir, gone) == 0 || err_errno(e, errno, "cannot rename '%s'", dir)) && remove_gone(all, name, e);
    free(gone);
    return ok;
}

bool cluster_delete(struct clusters *all, const char *uid, struct err *e)
{
    char *dir = claim(all, uid, e);
    if (!dir)
        return false;
    bool ok = !fs_exists(dir) || (process_stop(all, dir, true, e) && remove_whole(all, dir, e));
    release(all, uid, dir);
    return ok;
}

pid_t cluster_pid(struct clusters *all, const char *uid)
{
    if (!clusters_valid_uid(uid))
        return 0;
    char *dir = clusters_dir(all, uid);
    struct server s;
    process_find(all, dir, &s);
    free(dir);
    return s.ready ? s.pid : 0;
}

bool clusters_sweep(struct clusters *all, const char *const *keep, size_t n, struct err *e)
{
    DIR *d = opendir(all->instances_dir);
    if (!d)
        return err_errno(e, errno, "cannot read '%s'", all->instances_dir);
    bool ok = true;
    for (struct dirent *f; (f = readdir(d)) != NULL;) {
        bool wanted = !clusters_valid_uid(f->d_name);
        for (size_t i = 0; i < n && !wanted; i++)
            wanted = strcmp(keep[i], f->d_name) == 0;
        if (!wanted)
            ok = cluster_delete(all, f->d_name, e) && ok;
    }
    closedir(d);
    return ok;
}
