/* Figures of pg/pool.h and, in the same process, of libpq without a pool. Usage: pool_bench CONNINFO MS; one "name value" a line.
 * Built and run by bench_pool.py. */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/exec.h"
#include "pg/pool.h"
#include "pg/prepared.h"

enum { CLIENTS = 8, ROUNDS = 500000 };

static const char *conninfo;
static atomic_bool stop;
static bool as_text; /* the statement is sent as text; else it is prepared at its first run, as pgxpool and psycopg_pool do */

struct client {
    struct pool *pool; /* NULL: a connection of its own, and libpq's simplest call */
    PGconn *pg;
    struct pg_conn *own; /* a connection of its own, and our own call */
    pthread_t thread;
    long long calls;
};

static struct pg_conn *connect_here(void *self, struct cancel *c, struct err *e)
{
    (void)self;
    struct pg_params p = {.conninfo = conninfo};
    return pg_open(&p, c, e);
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "pool_bench: %s: %s\n", what, why);
    exit(1);
}

static struct pool *open_pool(int min, int max)
{
    struct err e;
    err_init(&e);
    struct pool_options o = {.name = "bench", .min_size = min, .max_size = max, .connect = connect_here};
    struct pool *p = pool_open(&o, &e);
    if (!p || !pool_wait(p, 30000, NULL, &e))
        die("pool", e.text);
    return p;
}

static void *work(void *arg)
{
    struct client *me = arg;
    struct err e;
    err_init(&e);
    for (; !atomic_load(&stop); me->calls++) {
        if (me->pg) {
            PQclear(as_text ? PQexec(me->pg, "SELECT 1") : PQexecPrepared(me->pg, "one", 0, NULL, NULL, NULL, 0));
            continue;
        }
        struct pg_conn *conn = me->own ? me->own : pool_checkout(me->pool, -1, NULL, &e);
        if (!conn || !(as_text ? pg_run(conn, "SELECT 1", NULL, &e) : pg_exec_prepared(conn, "SELECT 1", NULL, 0, NULL, NULL, &e)))
            die("client", e.text);
        if (!me->own)
            pool_return(me->pool, conn);
    }
    return NULL;
}

/* Queries a second of so many threads. */
static double rate(struct pool *pool, bool own, int threads, int ms)
{
    struct client clients[CLIENTS] = {0};
    struct err e;
    long long calls = 0;
    err_init(&e);
    for (int i = 0; i < threads; i++) {
        clients[i].pool = pool;
        if (own && !(clients[i].own = connect_here(NULL, NULL, &e)))
            die("connect", e.text);
        if (!pool && !own && PQstatus(clients[i].pg = PQconnectdb(conninfo)) != CONNECTION_OK)
            die("libpq", PQerrorMessage(clients[i].pg));
        if (clients[i].pg)
            PQclear(PQprepare(clients[i].pg, "one", "SELECT 1", 0, NULL));
    }
    atomic_store(&stop, false);
    int64_t start = clock_mono_us();
    for (int i = 0; i < threads; i++)
        pthread_create(&clients[i].thread, NULL, work, &clients[i]);
    cancel_poll(NULL, -1, 0, ms, &e);
    atomic_store(&stop, true);
    for (int i = 0; i < threads; i++) {
        pthread_join(clients[i].thread, NULL);
        calls += clients[i].calls;
        PQfinish(clients[i].pg);
        pg_close(clients[i].own);
    }
    return (double)calls * 1e6 / (double)(clock_mono_us() - start);
}

static void with_pool(const char *name, int size, int ms)
{
    struct pool_stats s;
    struct pool *p = open_pool(size, size);
    printf("%s %.0f\n", name, rate(p, false, CLIENTS, ms));
    pool_stats(p, &s);
    if (size < CLIENTS)
        printf("wait_p50 %llu\nwait_p99 %llu\nwait_most %llu\n", (unsigned long long)pool_percentile(&s.wait, 50),
               (unsigned long long)pool_percentile(&s.wait, 99), (unsigned long long)s.wait.most_us);
    pool_free(p);
}

/* One thread is all clients: tickets, and statements in the background. */
static void with_tickets(const char *name, int size, int ms)
{
    struct pool_ticket *tickets[CLIENTS] = {0};
    struct pg_conn *conns[CLIENTS] = {0};
    struct pool *p = open_pool(size, size);
    struct err e;
    long long calls = 0;
    int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int64_t start = clock_mono_us(), end = start + (int64_t)ms * 1000;
    err_init(&e);
    while (clock_mono_us() < end) {
        struct pollfd polls[CLIENTS + 1] = {{.fd = wake, .events = POLLIN}};
        nfds_t n = 1;
        for (int i = 0; i < CLIENTS; i++) {
            if (conns[i] && pg_sent_ready(conns[i], 0, NULL)) {
                calls += pg_collect(conns[i], NULL, NULL, &e);
                pool_return(p, conns[i]);
                conns[i] = NULL;
            }
            if (!conns[i] && !tickets[i])
                tickets[i] = pool_checkout_start(p, NULL, -1, wake, &e);
            if (tickets[i] && pool_checkout_poll(tickets[i], &conns[i], &e)) {
                tickets[i] = NULL;
                if (!conns[i] || !pg_send(conns[i], "SELECT 1", NULL, 0, NULL, &e))
                    die("client", e.text);
            }
            if (conns[i])
                polls[n++] = (struct pollfd){.fd = pg_socket(conns[i]), .events = POLLIN};
        }
        uint64_t count;
        if (poll(polls, n, 1000) > 0 && polls[0].revents && read(wake, &count, sizeof count) < 0)
            die("eventfd", "not readable");
    }
    printf("%s %.0f\n", name, (double)calls * 1e6 / (double)(clock_mono_us() - start));
    for (int i = 0; i < CLIENTS; i++) {
        pool_checkout_abandon(tickets[i]);
        if (conns[i] && pg_collect(conns[i], NULL, NULL, &e))
            pool_return(p, conns[i]);
    }
    pool_free(p);
    close(wake);
}

static void bare(const char *name, enum pool_check check)
{
    struct err e;
    err_init(&e);
    struct pool_options o = {.name = "bench", .min_size = 1, .max_size = 1, .connect = connect_here, .check = check};
    struct pool *p = pool_open(&o, &e);
    if (!p || !pool_wait(p, 30000, NULL, &e))
        die("pool", e.text);
    int64_t start = clock_mono_us();
    for (int i = 0; i < ROUNDS; i++)
        pool_return(p, pool_checkout(p, -1, NULL, &e));
    printf("%s %.0f\n", name, (double)(clock_mono_us() - start) * 1000 / ROUNDS);
    pool_free(p);
}

static void fill(void)
{
    int64_t start = clock_mono_us();
    struct pool *p = open_pool(CLIENTS, CLIENTS);
    printf("fill_ms %.1f\n", (double)(clock_mono_us() - start) / 1000);
    pool_free(p);
}

/* ---- every backend is ended, while all idle and under load ---- */

struct survivor {
    struct pool *pool;
    pthread_t thread;
    bool once;               /* until its first success */
    long long errors;
    int64_t back_us;         /* its first success of a call that began after the end of the backends */
};

static _Atomic int64_t killed_us; /* 0: not yet */

static void *survive(void *arg)
{
    struct survivor *me = arg;
    while (!atomic_load(&stop) && !(me->once && me->back_us)) {
        struct err e;
        err_init(&e);
        int64_t began = clock_mono_us(), killed = atomic_load(&killed_us);
        struct pg_conn *conn = pool_checkout(me->pool, -1, NULL, &e);
        bool ok = conn && pg_run(conn, "SELECT 1", NULL, &e);
        if (conn)
            pool_return(me->pool, conn);
        me->errors += !ok;
        if (ok && killed && began > killed && !me->back_us)
            me->back_us = clock_mono_us();
    }
    return NULL;
}

/* gone: wait until each has ended (which takes 100 ms each under load). */
static void end_backends(struct pg_conn *admin, bool gone)
{
    struct err e;
    char sql[200];
    err_init(&e);
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(pid, %d) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
                              "backend_type = 'client backend'", gone ? 5000 : 0);
    if (!pg_run(admin, sql, NULL, &e))
        die("pg_terminate_backend", e.text);
    atomic_store(&killed_us, clock_mono_us());
}

/* Errors that clients saw, and milliseconds until each of them was served again. */
static void recovery(const char *name, bool idle, int ms)
{
    struct survivor all[CLIENTS] = {0};
    struct pool_stats s;
    struct err e;
    struct pg_conn *admin = connect_here(NULL, NULL, &e);
    struct pool *p = open_pool(CLIENTS, CLIENTS);
    long long errors = 0;
    int64_t last = 0;
    atomic_store(&stop, false);
    atomic_store(&killed_us, 0);
    err_init(&e);
    if (idle)
        end_backends(admin, true);
    for (int i = 0; i < CLIENTS; i++) {
        all[i] = (struct survivor){.pool = p, .once = idle};
        pthread_create(&all[i].thread, NULL, survive, &all[i]);
    }
    if (!idle) {
        cancel_poll(NULL, -1, 0, ms / 2, &e);
        end_backends(admin, false);
        cancel_poll(NULL, -1, 0, ms, &e);
        atomic_store(&stop, true);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(all[i].thread, NULL);
        errors += all[i].errors;
        last = all[i].back_us > last ? all[i].back_us : last;
    }
    pool_stats(p, &s);
    printf("%s_errors %lld\n%s_back_ms %.1f\n%s_pings %llu\n", name, errors, name, (double)(last - atomic_load(&killed_us)) / 1000, name,
           (unsigned long long)s.pings);
    pool_free(p);
    pg_close(admin);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage", "pool_bench CONNINFO MS");
    int ms = (int)strtol(argv[2], NULL, 10);
    conninfo = argv[1];
    printf("libpq_8 %.0f\n", rate(NULL, false, CLIENTS, ms));
    with_pool("pool_8_on_8", CLIENTS, ms);
    printf("no_pool_8 %.0f\n", rate(NULL, true, CLIENTS, ms));
    printf("libpq_2 %.0f\n", rate(NULL, false, 2, ms));
    with_pool("pool_8_on_2", 2, ms);
    as_text = true;
    printf("libpq_8_text %.0f\n", rate(NULL, false, CLIENTS, ms));
    with_pool("pool_8_on_8_text", CLIENTS, ms);
    with_tickets("pool_8_on_2_one_thread", 2, ms);
    bare("acquire_release_ns", POOL_CHECK_PASSIVE);
    bare("acquire_release_unchecked_ns", POOL_CHECK_NONE);
    fill();
    recovery("killed_idle", true, ms);
    recovery("killed_busy", false, ms);
    return 0;
}
