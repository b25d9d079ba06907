/* What the tests of the pool over a real server share: the way to it, checkouts that must work or must fail, borrowers in
 * threads, and a look at what a test has left open. */
#ifndef TESTS_POOL_SERVER_H
#define TESTS_POOL_SERVER_H

#include <dirent.h>

#include "pg/internal.h"
#include "pg/pool.h"
#include "pg_record.h"
#include "tcp_proxy.h"

enum { LONG_MS = 20000 };

/* How the pool comes to its server; set before it is opened. */
static struct {
    const char *host, *port, *user, *sslmode;
    int connect_ms;
    atomic_int asked; /* attempts to connect */
} way;

static inline struct pg_conn *by_the_way(void *self, struct cancel *c, struct err *e)
{
    (void)self;
    atomic_fetch_add(&way.asked, 1);
    struct pg_params p = {.host = way.host, .port = way.port, .dbname = "postgres", .user = way.user, .sslmode = way.sslmode,
                          .application_name = "pooled", .connect_timeout_ms = way.connect_ms};
    return pg_open(&p, c, e);
}

/* The test's proxy to the cluster, if it wants one; the end of the test closes it. */
static struct proxy proxy;
static bool proxy_is_open;

static inline void need_proxy(void)
{
    assert_true(proxy_open(&proxy, cluster.address));
    proxy_is_open = true;
}

static inline void tell(enum proxy_order order, size_t amount) { assert_true(proxy_tell(&proxy, order, NULL, amount)); }

/* To a port of the loopback; NULL: to the cluster's socket. Full when it comes back, unless min_size is 0. */
static inline struct pool *open_pool(const char *port, struct pool_options o)
{
    struct err e;
    err_init(&e);
    way.host = port ? "127.0.0.1" : cluster.dir;
    way.port = port ? port : "5432";
    way.user = way.user ? way.user : "learner";
    way.sslmode = way.sslmode ? way.sslmode : "disable";
    way.connect_ms = way.connect_ms ? way.connect_ms : LONG_MS;
    atomic_store(&way.asked, 0);
    o.name = "real";
    o.connect = by_the_way;
    struct pool *p = pool_open(&o, &e);
    if (!p || !pool_wait(p, LONG_MS, NULL, &e))
        fail_msg("no pool: %s", e.text);
    return p;
}

static inline struct pool_stats stats_of(struct pool *p)
{
    struct pool_stats s;
    pool_stats(p, &s);
    return s;
}

static inline struct pg_conn *get(struct pool *p)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = pool_checkout(p, LONG_MS, NULL, &e);
    if (!conn)
        fail_msg("no checkout: %s (%s)", e.text, e.detail);
    return conn;
}

/* A checkout that must fail, for its reason. */
static inline struct err refused(struct pool *p, int timeout_ms)
{
    struct err e;
    err_init(&e);
    if (pool_checkout(p, timeout_ms, NULL, &e))
        fail_msg("a checkout that must fail did not");
    return e;
}

static inline void contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, text);
}

/* A little later; for loops that wait for a condition. */
static inline void breathe(void)
{
    struct err e;
    err_init(&e);
    cancel_poll(NULL, -1, 0, 5, &e);
}

/* Until it holds, for at most LONG_MS; the limit is for what is broken. */
#define UNTIL(condition) \
    do { \
        int64_t end_ = clock_mono_ms() + LONG_MS; \
        bool met_; \
        while (!(met_ = (condition)) && clock_mono_ms() < end_) \
            breathe(); \
        if (!met_) \
            fail_msg("not in time: %s", #condition); \
    } while (0)

/* When the server is back: somebody tries until it works. */
static inline struct pg_conn *get_again(struct pool *p)
{
    struct err e;
    struct pg_conn *conn = NULL;
    int64_t end = clock_mono_ms() + LONG_MS;
    do {
        err_init(&e);
        conn = pool_checkout(p, LONG_MS, NULL, &e);
        if (!conn)
            breathe();
    } while (!conn && clock_mono_ms() < end);
    if (!conn)
        fail_msg("the pool did not come back: %s", e.text);
    return conn;
}

static inline void run(struct pg_conn *conn, const char *sql)
{
    struct err e;
    err_init(&e);
    if (!pg_run(conn, sql, NULL, &e))
        fail_msg("%s: %s %s", sql, e.sqlstate, e.text);
}

static inline long long number(struct pg_conn *conn, const char *sql)
{
    struct err e;
    char *text = NULL;
    err_init(&e);
    if (!pg_scalar(conn, sql, NULL, 0, &text, NULL, &e) || !text)
        fail_msg("%s: %s", sql, e.text);
    long long n = strtoll(text, NULL, 10);
    free(text);
    return n;
}

/* Sessions of the pool, as the server counts them. */
static inline long long sessions(struct pg_conn *watcher)
{
    return number(watcher, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pooled'");
}

/* Bytes came for a connection that nobody reads. */
static inline bool has_mail(const struct pg_conn *conn)
{
    struct pollfd fd = {.fd = PQsocket(conn->pg), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

/* Close; everything came back, and a moment later the server has no session of the pool. */
static inline void end(struct pool *p)
{
    assert_true(pool_close(p, LONG_MS));
    pool_free(p);
    struct pg_conn *watcher = open_one();
    UNTIL(sessions(watcher) == 0);
    pg_close(watcher);
}

/* ---- threads ---- */

/* Checks out, runs sql (NULL: nothing) and gives back. */
struct borrower {
    struct pool *p;
    pthread_t thread;
    struct pg_conn *conn; /* for the test's own use */
    const char *sql;
    bool got;
    int pid; /* of its backend */
    struct err e;
};

static inline void *borrow(void *arg)
{
    struct borrower *b = arg;
    struct pg_conn *conn = pool_checkout(b->p, LONG_MS, NULL, &b->e);
    b->got = conn != NULL;
    if (!conn)
        return NULL;
    b->pid = pg_backend_pid(conn);
    if (b->sql)
        pg_run(conn, b->sql, NULL, &b->e);
    pool_return(b->p, conn);
    return NULL;
}

static inline void start(struct borrower *b, struct pool *p, const char *sql)
{
    *b = (struct borrower){.p = p, .sql = sql};
    err_init(&b->e);
    assert_int_equal(pthread_create(&b->thread, NULL, borrow, b), 0);
}

static inline void join(struct borrower *b) { pthread_join(b->thread, NULL); }

/* ---- what is left open: for the set-up and the end of each test ---- */

static inline int entries(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static int descriptors_before, threads_before;

static inline void *nothing(void *arg) { return arg; }

static inline int count_before(void **state)
{
    (void)state;
    pthread_t first; /* a sanitizer has a thread of its own from the first one on */
    if (pthread_create(&first, NULL, nothing, NULL) == 0)
        pthread_join(first, NULL);
    way.user = way.sslmode = NULL;
    way.connect_ms = 0;
    descriptors_before = entries("/proc/self/fd");
    threads_before = entries("/proc/self/task");
    return 0;
}

/* A thread that sends a cancel request may end a little later. */
static inline int count_after(void **state)
{
    (void)state;
    if (proxy_is_open)
        proxy_close(&proxy);
    proxy_is_open = false;
    int64_t until = clock_mono_ms() + LONG_MS;
    while ((entries("/proc/self/fd") > descriptors_before || entries("/proc/self/task") > threads_before) && clock_mono_ms() < until)
        breathe();
    bool left = entries("/proc/self/fd") > descriptors_before || entries("/proc/self/task") > threads_before;
    if (left)
        print_error("descriptors: %d, were %d; threads: %d, were %d\n", entries("/proc/self/fd"), descriptors_before,
                    entries("/proc/self/task"), threads_before);
    return left ? -1 : 0;
}

#define counted(test) cmocka_unit_test_setup_teardown(test, count_before, count_after)

#endif
