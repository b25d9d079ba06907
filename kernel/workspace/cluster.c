/*
 * The operations on a cluster (see cluster.h), one at a time for each. Every operation looks at what is there and completes
 * it, so that it can be called again after a crash anywhere.
 */
#include "workspace/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "pg/exec.h"
#include "workspace/cluster_parts.h"
#include "workspace/netaddr.h"
#include "workspace/sql.h"

enum { START_TRIES = 5 };

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

/* A server that was shot before its owner was there gets a successor, as process_start does it. */
static bool run_owned_server(struct clusters *all, const char *dir, struct cluster_spec *spec, struct cancel *c, struct err *e)
{
    for (int i = 0; i < START_TRIES; i++) {
        struct server s;
        struct err why;
        err_init(&why);
        if (!run_server(all, dir, spec, c, e))
            return false;
        if (set_up_owner(all, dir, spec->owner, c, &why))
            return true;
        process_find(all, dir, &s);
        if ((s.pid && s.ready) || cancel_fired(c) || i == START_TRIES - 1) {
            *e = why;
            return false;
        }
    }
    return false;
}

bool cluster_create(struct clusters *all, struct cluster_spec *spec, struct cancel *c, struct err *e)
{
    if (!check_spec(spec, e))
        return false;
    char *dir = claim(all, spec->uid, e);
    if (!dir)
        return false;
    template_creating(all, 1);
    bool ok = (cluster_dir_whole(all, dir) || (own_dir_remove(&all->user, dir, e) && template_take(all, dir, c, e))) &&
              same_version(all, dir, spec->name, e) && run_owned_server(all, dir, spec, c, e);
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
    bool ok = cluster_dir_whole(all, dir) || err_set(e, ERR_NOT_FOUND, "the files of instance '%s' are gone", spec->name);
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
    bool ok = !cluster_dir_whole(all, dir) || process_stop(all, dir, false, e);
    release(all, uid, dir);
    return ok;
}

bool cluster_delete(struct clusters *all, const char *uid, struct err *e)
{
    char *dir = claim(all, uid, e);
    if (!dir)
        return false;
    bool ok = !fs_exists(dir) || (process_stop(all, dir, true, e) && cluster_dir_remove(all, dir, e));
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

bool cluster_crashed(struct clusters *all, const char *uid)
{
    struct server left, now;
    char *dir = clusters_dir(all, uid);
    bool crashed = process_read_pid_file(all, dir, &left);
    process_find(all, dir, &now);
    free(dir);
    return crashed && !now.pid;
}

bool clusters_folders(struct clusters *all, struct cluster_folders *out, struct err *e)
{
    return cluster_folders_list(all->state_dir, out, e);
}

bool clusters_delete_all(struct clusters *all, struct err *e)
{
    struct cluster_folders f;
    if (!clusters_folders(all, &f, e))
        return false;
    bool ok = true;
    for (size_t i = 0; i < f.count; i++) {
        struct err why; /* of this one: a set error ends waits */
        err_init(&why);
        if (cluster_delete(all, f.uids[i], &why))
            continue;
        if (ok)
            *e = why;
        ok = false;
    }
    cluster_folders_release(&f);
    return ok;
}
