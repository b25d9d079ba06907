/* Figures of pg/pool.h and, in the same process, of libpq without a pool. Usage: pool_bench CONNINFO MS; one "name value" a line.
 * Built and run by bench_pool.py. */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/exec.h"
#include "pg/pool.h"

enum { CLIENTS = 8, ROUNDS = 500000 };

static const char *conninfo;
static atomic_bool stop;

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
            PQclear(PQexec(me->pg, "SELECT 1"));
            continue;
        }
        struct pg_conn *conn = me->own ? me->own : pool_checkout(me->pool, -1, NULL, &e);
        if (!conn || !pg_run(conn, "SELECT 1", NULL, &e))
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

static void bare(void)
{
    struct err e;
    err_init(&e);
    struct pool *p = open_pool(1, 1);
    int64_t start = clock_mono_us();
    for (int i = 0; i < ROUNDS; i++)
        pool_return(p, pool_checkout(p, -1, NULL, &e));
    printf("acquire_release_ns %.0f\n", (double)(clock_mono_us() - start) * 1000 / ROUNDS);
    pool_free(p);
}

static void fill(void)
{
    int64_t start = clock_mono_us();
    struct pool *p = open_pool(CLIENTS, CLIENTS);
    printf("fill_ms %.1f\n", (double)(clock_mono_us() - start) / 1000);
    pool_free(p);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage", "pool_bench CONNINFO MS");
    int ms = (int)strtol(argv[2], NULL, 10);
    conninfo = argv[1];
    printf("libpq_8 %.0f\n", rate(NULL, false, CLIENTS, ms));
    printf("pg_run_8 %.0f\n", rate(NULL, true, CLIENTS, ms));
    printf("libpq_2 %.0f\n", rate(NULL, false, 2, ms));
    with_pool("pool_8_on_8", CLIENTS, ms);
    with_pool("pool_8_on_2", 2, ms);
    bare();
    fill();
    return 0;
}
