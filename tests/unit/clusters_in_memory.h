/*
 * The functions of workspace/cluster.h for tests of what stands in front of them: clusters are entries of a table, so a
 * test can hold an operation, let it fail, or end a "server", at the moment it wants. Including this file takes the
 * place of the real ones at link time. Real clusters: tests/unit/test_workspace_cluster*.c and tests/workspace/.
 */
#ifndef TESTS_CLUSTERS_IN_MEMORY_H
#define TESTS_CLUSTERS_IN_MEMORY_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "workspace/cluster.h"

struct memory_cluster {
    char uid[37], capacity[8];
    bool there, running;
    int starts; /* how often a server was started */
};

struct clusters {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct memory_cluster all[16];
    bool hold;         /* create, start, stop and delete wait until it is false */
    int waiting;       /* operations that do */
    const char *fail;  /* create and start fail with this text */
    cluster_login_fn *login;
    void *login_self;
    struct pg_conn *(*connect)(const char *dbname, struct cancel *c, struct err *e); /* NULL: refused */
};

static struct clusters memory = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static inline struct memory_cluster *memory_find(const char *uid, bool make)
{
    struct memory_cluster *free_one = NULL;
    for (size_t i = 0; i < 16; i++) {
        if (memory.all[i].there && strcmp(memory.all[i].uid, uid) == 0)
            return &memory.all[i];
        if (!memory.all[i].there && !free_one)
            free_one = &memory.all[i];
    }
    if (!make)
        return NULL;
    memset(free_one, 0, sizeof *free_one);
    snprintf(free_one->uid, sizeof free_one->uid, "%s", uid);
    free_one->there = true;
    return free_one;
}

static inline void memory_reset(void)
{
    memset(memory.all, 0, sizeof memory.all);
    memory.hold = false;
    memory.fail = NULL;
}

static inline void memory_hold(bool hold)
{
    pthread_mutex_lock(&memory.lock);
    memory.hold = hold;
    pthread_cond_broadcast(&memory.changed);
    pthread_mutex_unlock(&memory.lock);
}

/* Until n operations are held. */
static inline void memory_await_held(int n)
{
    pthread_mutex_lock(&memory.lock);
    while (memory.waiting != n)
        pthread_cond_wait(&memory.changed, &memory.lock);
    pthread_mutex_unlock(&memory.lock);
}

static inline struct memory_cluster memory_look(const char *uid)
{
    pthread_mutex_lock(&memory.lock);
    struct memory_cluster *m = memory_find(uid, false), copy = {0};
    if (m)
        copy = *m;
    pthread_mutex_unlock(&memory.lock);
    return copy;
}

/* The server of `uid` ends by itself. */
static inline void memory_crash(const char *uid)
{
    pthread_mutex_lock(&memory.lock);
    memory_find(uid, false)->running = false;
    pthread_mutex_unlock(&memory.lock);
}

/* With the lock held: the hold, ended by the cancel. */
static inline bool memory_gate(struct cancel *c, struct err *e)
{
    memory.waiting++;
    pthread_cond_broadcast(&memory.changed);
    while (memory.hold && !cancel_fired(c)) {
        int64_t end = clock_wall_ms() + 5;
        struct timespec until = {.tv_sec = end / 1000, .tv_nsec = end % 1000 * 1000000};
        pthread_cond_timedwait(&memory.changed, &memory.lock, &until);
    }
    memory.waiting--;
    pthread_cond_broadcast(&memory.changed);
    return cancel_check(c, e);
}

static inline bool memory_up(const struct cluster_spec *spec, bool make, struct cancel *c, struct err *e)
{
    pthread_mutex_lock(&memory.lock);
    bool ok = memory_gate(c, e) && (!memory.fail || err_set(e, ERR_IO, "%s", memory.fail));
    struct memory_cluster *m = ok ? memory_find(spec->uid, make) : NULL;
    if (ok && !m)
        ok = err_set(e, ERR_NOT_FOUND, "no cluster folder");
    if (ok) {
        m->starts += !m->running;
        m->running = true;
        snprintf(m->capacity, sizeof m->capacity, "%s", spec->capacity);
    }
    pthread_mutex_unlock(&memory.lock);
    return ok;
}

struct clusters *clusters_open(const struct cluster_options *o, struct err *e)
{
    (void)e;
    memory.login = o->login;
    memory.login_self = o->login_self;
    return &memory;
}

void clusters_close(struct clusters *all) { (void)all; }
int clusters_ldaps_port(const struct clusters *all) { return all ? 6360 : 0; }
const char *clusters_ca_path(const struct clusters *all) { return all ? "/tmp/ca.pem" : NULL; }
const char *clusters_pg_version(const struct clusters *all) { return all ? "PG_VERSION_15" : NULL; }

bool cluster_create(struct clusters *all, struct cluster_spec *spec, struct cancel *c, struct err *e)
{
    (void)all;
    if (!spec->address[0])
        snprintf(spec->address, sizeof spec->address, "%s", "127.77.0.1");
    spec->port = 5432;
    return memory_up(spec, true, c, e);
}

bool cluster_start(struct clusters *all, struct cluster_spec *spec, struct cancel *c, struct err *e)
{
    (void)all;
    return memory_up(spec, false, c, e);
}

bool cluster_stop(struct clusters *all, const char *uid, struct err *e)
{
    (void)all;
    pthread_mutex_lock(&memory.lock);
    bool ok = memory_gate(NULL, e);
    struct memory_cluster *m = memory_find(uid, false);
    if (m)
        m->running = false;
    pthread_mutex_unlock(&memory.lock);
    return ok;
}

bool cluster_delete(struct clusters *all, const char *uid, struct err *e)
{
    bool ok = cluster_stop(all, uid, e);
    pthread_mutex_lock(&memory.lock);
    struct memory_cluster *m = memory_find(uid, false);
    if (m)
        m->there = false;
    pthread_mutex_unlock(&memory.lock);
    return ok;
}

pid_t cluster_pid(struct clusters *all, const char *uid)
{
    (void)all;
    return memory_look(uid).running ? 4242 : 0;
}

bool cluster_crashed(struct clusters *all, const char *uid)
{
    (void)all;
    (void)uid;
    return false;
}

bool clusters_folders(struct clusters *all, struct cluster_folders *out, struct err *e)
{
    (void)all;
    (void)e;
    *out = (struct cluster_folders){0};
    buf_init(&out->foreign, 4096);
    pthread_mutex_lock(&memory.lock);
    for (size_t i = 0; i < 16; i++) {
        if (!memory.all[i].there)
            continue;
        out->uids = xreallocarray(out->uids, out->count + 1, sizeof *out->uids);
        out->uids[out->count++] = xstrdup(memory.all[i].uid);
    }
    pthread_mutex_unlock(&memory.lock);
    return true;
}

void clusters_trim_logs(struct clusters *all) { (void)all; }

struct pg_conn *cluster_connect(struct clusters *all, const char *uid, const char *dbname, struct cancel *c, struct err *e)
{
    (void)uid;
    if (all->connect)
        return all->connect(dbname, c, e);
    err_set(e, ERR_CONNECT, "no server behind this table");
    return NULL;
}

bool cluster_database_exists(struct clusters *all, const char *uid, const char *dbname, bool *exists, struct err *e)
{
    (void)all;
    (void)uid;
    (void)e;
    *exists = strcmp(dbname, "databricks_postgres") == 0 || strcmp(dbname, "postgres") == 0;
    return true;
}

bool cluster_create_database(struct clusters *all, const char *uid, const char *dbname, const char *owner, struct err *e)
{
    (void)all;
    (void)uid;
    return (*dbname && *owner) || err_set(e, ERR_SQL, "empty name");
}

bool cluster_memory_of(const char *capacity, struct cluster_memory *out)
{
    *out = (struct cluster_memory){.service_ram = 1 << 30, .max_connections = 1000};
    return *capacity != '\0';
}

#endif
