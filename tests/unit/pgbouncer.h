/*
 * A PgBouncer in front of the test's cluster, on a port of the cluster's own address. Its databases are its modes: "postgres" is in
 * transaction mode, "sessions" in session mode. It ends with the test.
 */
#ifndef TESTS_PGBOUNCER_H
#define TESTS_PGBOUNCER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "pg_record.h"

static struct {
    pid_t pid;
    const char *folder; /* of the program; NULL: it is not installed */
} bouncer;

#define BOUNCER_PORT "6432"

#define NEED_BOUNCER()                                                       \
    do {                                                                     \
        NEED_CLUSTER();                                                      \
        if (!bouncer.folder) {                                               \
            print_message("skipped: pgbouncer is not installed\n");          \
            skip();                                                          \
        }                                                                    \
        assert_true(bouncer.pid > 0);                                        \
    } while (0)

static inline bool bouncer_listens(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(BOUNCER_PORT, NULL, 10))};
    inet_pton(AF_INET, cluster.address, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* From the main thread, as pg_cluster_serve. `more`: lines for its [pgbouncer] section. */
static inline bool bouncer_start(const char *more)
{
    static const char *const folders[] = {"/usr/sbin", "/usr/bin"};
    char config[2048], path[128];
    struct pg_cluster as = cluster; /* the same user and folder */
    struct err e;
    err_init(&e);
    for (size_t i = 0; i < 2 && !bouncer.folder; i++) {
        snprintf(path, sizeof path, "%s/pgbouncer", folders[i]);
        bouncer.folder = access(path, X_OK) == 0 ? folders[i] : NULL;
    }
    if (!bouncer.folder)
        return true;
    snprintf(config, sizeof config,
             "[databases]\npostgres = host=%s port=5432\nsessions = host=%s port=5432 dbname=postgres pool_mode=session\n"
             "[pgbouncer]\nlisten_addr = %s\nlisten_port = " BOUNCER_PORT "\nunix_socket_dir =\nauth_type = trust\nauth_file = %s/users\n"
             "pool_mode = transaction\n%s\n", cluster.dir, cluster.dir, cluster.address, cluster.dir, more);
    snprintf(path, sizeof path, "%s/users", cluster.dir);
    bool ok = fs_write_atomic(path, "\"learner\" \"\"\n", 13, 0644, &e);
    snprintf(path, sizeof path, "%s/pgbouncer.ini", cluster.dir);
    ok = ok && fs_write_atomic(path, config, strlen(config), 0644, &e);
    snprintf(as.bin, sizeof as.bin, "%s", bouncer.folder);
    bouncer.pid = ok ? pg_cluster_spawn(&as, (const char *[]){"pgbouncer", "-q", path, NULL}) : -1;
    for (int i = 0; i < 1000 && bouncer.pid > 0; i++) {
        if (bouncer_listens())
            return true;
        err_init(&e);
        cancel_poll(NULL, -1, 0, 20, &e);
    }
    return false;
}

static inline void bouncer_stop(void)
{
    if (bouncer.pid > 0) {
        kill(bouncer.pid, SIGTERM);
        waitpid(bouncer.pid, NULL, 0);
    }
    bouncer.pid = 0;
}

static inline struct pg_conn *bouncer_open(const char *dbname, struct cancel *c, struct err *e)
{
    struct pg_params p = {.host = cluster.address, .port = BOUNCER_PORT, .dbname = dbname, .user = "learner", .sslmode = "disable",
                          .application_name = "pooled"};
    return pg_open(&p, c, e);
}

#endif
