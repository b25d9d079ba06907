/*
 * The prepared cluster that instances start from, and one warm copy of it that the next instance is made of by a rename.
 * Both are made in a background thread. The template is a cluster folder like an instance's (data/ inside); it is complete
 * when it has its name, so a crash leaves nothing half-made under that name.
 */
#include "workspace/cluster_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "pg/exec.h"
#include "workspace/sql.h"

/* ---- making it -------------------------------------------------------------------------------------------------- */

/* Checksums are on: no storage service below keeps a second copy, so a bad page should be told (PostgreSQL 18 has them
 * on by itself). */
static bool run_initdb(struct clusters *all, const char *dir, struct cancel *c, struct err *e)
{
    char *data = xasprintf("%s/data", dir), *log = xasprintf("%s/initdb.log", dir), **env = conf_env(all);
    const char *argv[] = {all->prefix.initdb, "-D", data, "-U", "cloud_admin", "-E", "UTF8", "--locale=C.UTF-8",
                          "--lc-messages=C", "--auth=reject", "--data-checksums", "--no-sync", "--no-instructions", NULL};
    server_user_enter(&all->user);
    int out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    server_user_leave(&all->user);
    struct spawn s = {.argv = argv, .envp = (const char *const *)env, .cwd = dir, .out = out, .keep = {-1, -1}, .tied = true,
                      .user = &all->user};
    bool ok = out >= 0 ? spawn_wait(&s, log, c, e) : err_errno(e, errno, "cannot write '%s'", log);
    if (out >= 0)
        close(out);
    conf_env_free(env);
    free(data);
    free(log);
    return ok;
}

static bool run_in(struct clusters *all, const char *dir, const char *dbname, const char *const *sql, size_t n,
                   struct cancel *c, struct err *e)
{
    struct pg_conn *conn = clusters_connect_dir(all, dir, dbname, c, e);
    bool ok = conn != NULL;
    for (size_t i = 0; i < n && ok; i++)
        ok = pg_run(conn, sql[i], c, e);
    pg_close(conn);
    return ok || err_wrap(e, "set-up of database %s", dbname);
}

static bool fill(struct clusters *all, const char *dir, struct cancel *c, struct err *e)
{
    const char *first[] = {sql_cluster_roles, sql_cluster_database}, *all_dbs[] = {sql_cluster_database};
    const char *make[] = {"CREATE DATABASE databricks_postgres", sql_cluster_database};
    return run_in(all, dir, "postgres", first, 2, c, e) && run_in(all, dir, "template1", all_dbs, 1, c, e) &&
           run_in(all, dir, "postgres", make, 1, c, e) &&
           run_in(all, dir, "databricks_postgres", all_dbs, 1, c, e);
}

static bool make_in(struct clusters *all, const char *dir, struct cancel *c, struct err *e)
{
    struct server server;
    struct err ignored;
    err_init(&ignored);
    if (!run_initdb(all, dir, c, e) || !conf_write_private(all, dir, e))
        return false;
    bool ok = process_start(all, dir, &server, c, e) && fill(all, dir, c, e);
    return process_stop(all, dir, !ok, ok ? e : &ignored) && ok;
}

static char *stamp_path(const struct template_part *t) { return xasprintf("%s.stamp", t->dir); }

static char *make_stamp(const struct clusters *all)
{
    return xasprintf("2 %s\n%s%s", all->prefix.version, sql_cluster_roles, sql_cluster_database);
}

static bool is_current(struct template_part *t)
{
    char *path = stamp_path(t);
    struct buf text;
    struct err ignored;
    err_init(&ignored);
    buf_init(&text, 1 << 20);
    bool same = fs_exists(t->dir) && fs_read(path, &text, &ignored) && strcmp(buf_str(&text), t->stamp) == 0;
    buf_release(&text);
    free(path);
    return same;
}

/* The stamp goes first and comes last: a template without it is made anew. */
static bool put_in_place(struct clusters *all, const char *fresh, struct err *e)
{
    struct template_part *t = &all->template;
    char *stamp = stamp_path(t);
    bool ok = (unlink(stamp) == 0 || errno == ENOENT || err_errno(e, errno, "cannot remove '%s'", stamp)) &&
              (!fs_exists(t->warm_dir) || own_dir_remove(&all->user, t->warm_dir, e)) &&
              (!fs_exists(t->dir) || own_dir_remove(&all->user, t->dir, e));
    if (ok && rename(fresh, t->dir) != 0)
        ok = err_errno(e, errno, "cannot make '%s'", t->dir);
    ok = ok && fs_write_atomic(stamp, t->stamp, strlen(t->stamp), 0600, e);
    free(stamp);
    return ok;
}

/* Folders that an earlier process was making; a server may still run in one. */
static void remove_leftovers(struct clusters *all)
{
    struct fs_names left;
    struct err e;
    err_init(&e);
    const char *name = strrchr(all->template.dir, '/');
    char *above = xstrndup(all->template.dir, (size_t)(name - all->template.dir)), *pattern = xasprintf("%s.new-*", name + 1);
    if (!fs_list(above, pattern, &left, &e))
        log_err("cluster", "cannot clear up", &e);
    for (size_t i = 0; i < left.count; i++) {
        char *path = xasprintf("%s/%s", above, left.names[i]);
        err_init(&e);
        if ((own_dir_has(&all->user, path, "data") && !process_stop(all, path, true, &e)) ||
            !own_dir_remove(&all->user, path, &e))
            log_err("cluster", "cannot clear up", &e);
        free(path);
    }
    fs_names_release(&left);
    free(above);
    free(pattern);
}

static bool make_template(struct clusters *all, struct err *e)
{
    struct template_part *t = &all->template;
    char id[17];
    remove_leftovers(all);
    if (is_current(t))
        return true;
    ids_hex(id, 8);
    char *fresh = xasprintf("%s.new-%s", t->dir, id);
    struct err ignored;
    err_init(&ignored);
    bool ok = own_dir_make(&all->user, fresh, e) && make_in(all, fresh, &t->stop, e) && tree_sync(fresh, e) &&
              put_in_place(all, fresh, e);
    if (!ok && fs_exists(fresh))
        own_dir_remove(&all->user, fresh, &ignored);
    free(fresh);
    return ok || err_wrap(e, "preparing the template cluster");
}

/* ---- copies ----------------------------------------------------------------------------------------------------- */

/* On disk before it gets its name: a server on it may trust what it finds after a power cut. */
static bool copy_to(struct clusters *all, const char *target, struct cancel *c, struct err *e)
{
    struct template_part *t = &all->template;
    char id[17];
    ids_hex(id, 8);
    char *fresh = xasprintf("%s.new-%s", t->dir, id);
    char *from = xasprintf("%s/data", t->dir), *to = xasprintf("%s/data", fresh);
    struct err ignored;
    err_init(&ignored);
    bool ok = own_dir_make(&all->user, fresh, e);
    if (ok) {
        server_user_enter(&all->user);
        ok = tree_copy(from, to, c, e) && tree_sync(to, e);
        server_user_leave(&all->user);
    }
    if (ok && rename(fresh, target) != 0)
        ok = err_errno(e, errno, "cannot make '%s'", target);
    if (!ok && fs_exists(fresh))
        own_dir_remove(&all->user, fresh, &ignored);
    free(fresh);
    free(from);
    free(to);
    return ok;
}

static bool wait_template(struct template_part *t, struct cancel *c, struct err *e)
{
    if (t->state == TEMPLATE_FAILED) { /* what failed may be mended by now: try once more */
        t->state = TEMPLATE_WANTED;
        pthread_cond_broadcast(&t->changed);
    }
    while (t->state != TEMPLATE_READY && t->state != TEMPLATE_FAILED && !t->ending) {
        /* A cancel token is no condition variable: look at it now and then. */
        clock_cond_until(&t->changed, &t->lock, clock_mono_ms() + 50);
        if (!cancel_check(c, e))
            return false;
    }
    if (t->state == TEMPLATE_FAILED)
        *e = t->why;
    else if (t->state != TEMPLATE_READY)
        err_set(e, ERR_CANCELLED, "the workspace is closing");
    return t->state == TEMPLATE_READY;
}

bool template_take(struct clusters *all, const char *target, struct cancel *c, struct err *e)
{
    struct template_part *t = &all->template;
    pthread_mutex_lock(&t->lock);
    bool ok = wait_template(t, c, e), warm = ok && t->warm;
    if (warm) {
        t->warm = false;
        warm = rename(t->warm_dir, target) == 0;
    }
    pthread_mutex_unlock(&t->lock);
    return ok && (warm || copy_to(all, target, c, e));
}

void template_creating(struct clusters *all, int change)
{
    struct template_part *t = &all->template;
    pthread_mutex_lock(&t->lock);
    t->creating += change;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* ---- the thread ------------------------------------------------------------------------------------------------- */

/* Called and returns with the lock; unlocked meanwhile. */
static void do_template(struct clusters *all)
{
    struct template_part *t = &all->template;
    struct err e;
    err_init(&e);
    t->state = TEMPLATE_BUSY;
    pthread_mutex_unlock(&t->lock);
    bool ok = make_template(all, &e);
    if (!ok && !err_is(&e, ERR_CANCELLED))
        log_err("cluster", "template", &e);
    pthread_mutex_lock(&t->lock);
    t->state = ok ? TEMPLATE_READY : TEMPLATE_FAILED;
    t->why = e;
    t->warm = ok && fs_exists(t->warm_dir);
}

static bool do_warm(struct clusters *all)
{
    struct template_part *t = &all->template;
    struct err e;
    err_init(&e);
    pthread_mutex_unlock(&t->lock);
    bool ok = copy_to(all, t->warm_dir, &t->stop, &e);
    if (!ok && !err_is(&e, ERR_CANCELLED))
        log_err("cluster", "warm copy", &e); /* the next create copies for itself */
    pthread_mutex_lock(&t->lock);
    t->warm = ok;
    return ok;
}

static void *prepare(void *arg)
{
    struct clusters *all = arg;
    struct template_part *t = &all->template;
    bool copies = true;
    pthread_mutex_lock(&t->lock);
    while (!t->ending) {
        if (t->state == TEMPLATE_WANTED) {
            do_template(all);
            pthread_cond_broadcast(&t->changed);
        } else if (t->state == TEMPLATE_READY && !t->warm && copies && t->creating == 0) {
            copies = do_warm(all);
        } else {
            pthread_cond_wait(&t->changed, &t->lock);
            copies = true;
        }
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

bool template_start(struct clusters *all, struct err *e)
{
    struct template_part *t = &all->template;
    char *above = xasprintf("%s/template", all->state_dir);
    t->dir = xasprintf("%s/%d", above, all->prefix.major);
    t->warm_dir = xasprintf("%s/%d.warm", above, all->prefix.major);
    t->stamp = make_stamp(all);
    bool ok = fs_mkdirs(above, 0711, e);
    if (ok && pthread_create(&t->thread, NULL, prepare, all) != 0)
        ok = err_set(e, ERR_IO, "cannot start the thread that prepares clusters");
    t->started = ok;
    free(above);
    return ok;
}

void template_stop(struct clusters *all)
{
    struct template_part *t = &all->template;
    if (t->started) {
        cancel_fire(&t->stop);
        pthread_mutex_lock(&t->lock);
        t->ending = true;
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->lock);
        pthread_join(t->thread, NULL);
    }
    free(t->dir);
    free(t->warm_dir);
    free(t->stamp);
}
