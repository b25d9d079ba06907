/* The pool when the machine refuses: threads that cannot be started, memory that runs out. (facts/pool.md §8, 22.) */
#include <dlfcn.h>
#include <sys/resource.h>

#include "base/xalloc.h"
#include "pg/pool_parts.h"
#include "pool_server.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true; /* they need terabytes of addresses, and end the program themselves when memory runs out */
#else
static const bool sanitized = false;
#endif

/* ---- threads ---- */

static struct {
    atomic_int before; /* so many still work */
    atomic_int refuse; /* then so many fail */
    atomic_int refused;
} creation;

/* In the place of the C library's, which does the work. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start_routine)(void *), void *arg)
{
    typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    create_fn *next;
    void *found = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&next, &found, sizeof next);
    if (atomic_load(&creation.refuse) > 0 && atomic_fetch_sub(&creation.before, 1) <= 0) {
        atomic_fetch_sub(&creation.refuse, 1);
        atomic_fetch_add(&creation.refused, 1);
        return EAGAIN;
    }
    return next(thread, attr, start_routine, arg);
}

static void let_fail(int before, int refuse)
{
    atomic_store(&creation.before, before);
    atomic_store(&creation.refused, 0);
    atomic_store(&creation.refuse, refuse);
}

/* 22: a clear error; count_after sees that no descriptor and no thread is left. */
static void test_no_thread_at_all(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        struct err e;
        err_init(&e);
        let_fail(0, 1);
        struct pool *p = pool_open(&(struct pool_options){.name = "threadless", .min_size = 2, .connect = by_the_way}, &e);
        assert_int_equal(atomic_load(&creation.refused), 1);
        assert_null(p);
        assert_int_equal(e.code, ERR_IO);
        contains(e.text, "no thread for pool 'threadless': Resource temporarily unavailable");
    }
}

/* One of its threads is enough, and it is the pool that says how many there are. */
static void test_one_thread_is_enough(void **state)
{
    (void)state;
    NEED_CLUSTER();
    let_fail(1, 1);
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 3, .max_size = 3});
    assert_int_equal(atomic_load(&creation.refused), 1);
    assert_int_equal(p->n_makers, 1);
    struct pg_conn *all[] = {get(p), get(p), get(p)};
    for (int i = 0; i < 3; i++) {
        usable(all[i]);
        pool_drain(p);
        pool_return(p, all[i]);
    }
    UNTIL(stats_of(p).connects >= 6 && stats_of(p).idle == 3);
    end(p);
}

/* ---- memory; each in a process of its own, which has its own pool ---- */

#define CHECK(condition)                                               \
    do {                                                               \
        if (!(condition)) {                                            \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);    \
            _exit(1);                                                  \
        }                                                              \
    } while (0)

static struct pool *own_pool(void)
{
    struct err e;
    err_init(&e);
    way.host = cluster.dir;
    way.port = "5432";
    way.user = "learner";
    way.sslmode = "disable";
    way.connect_ms = LONG_MS;
    struct pool *p = pool_open(&(struct pool_options){.name = "poor", .min_size = 2, .max_size = 2, .connect = by_the_way}, &e);
    CHECK(p && pool_wait(p, LONG_MS, NULL, &e));
    return p;
}

/* So much more than now. */
static void allow(size_t more)
{
    struct rlimit limit;
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%ld", &pages) == 1 && getrlimit(RLIMIT_AS, &limit) == 0);
    fclose(f);
    limit.rlim_cur = more == SIZE_MAX ? limit.rlim_max : (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) + more;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

static int child_status(void (*body)(void), char *said, size_t size)
{
    int out[2], status = 0;
    size_t used = 0;
    fflush(NULL);
    if (pipe(out) != 0)
        fail_msg("no pipe");
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(out[1], 2);
        body();
        _exit(0);
    }
    close(out[1]);
    for (ssize_t n; used + 1 < size && (n = read(out[0], said + used, size - 1 - used)) > 0;)
        used += (size_t)n;
    said[used] = '\0';
    close(out[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* A result that does not fit: libpq gives the connection up, the borrower gets an error, the pool goes on. */
static void no_room_for_a_result(void)
{
    struct err e;
    struct pool *p = own_pool();
    err_init(&e);
    struct pg_conn *conn = pool_checkout(p, LONG_MS, NULL, &e);
    CHECK(conn);
    allow(16 << 20);
    CHECK(!pg_run(conn, "SELECT repeat('x', 40000000)", NULL, &e));
    CHECK(e.code == ERR_CONNECT || e.code == ERR_SQL);
    fprintf(stderr, "%s (%s)\n", e.text, e.detail);
    pool_return(p, conn);
    err_init(&e);
    conn = pool_checkout(p, LONG_MS, NULL, &e);
    CHECK(conn && pg_run(conn, "SELECT repeat('x', 1000)", NULL, &e));
    allow(SIZE_MAX);
    struct pg_conn *other = pool_checkout(p, LONG_MS, NULL, &e);
    CHECK(other && pg_run(other, "SELECT repeat('x', 40000000)", NULL, &e));
    pool_return(p, conn);
    pool_return(p, other);
    CHECK(pool_close(p, LONG_MS));
    pool_free(p);
}

static void test_a_result_too_large_for_memory(void **state)
{
    (void)state;
    NEED_CLUSTER();
    char said[2000];
    if (sanitized)
        skip();
    int status = child_status(no_room_for_a_result, said, sizeof said);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("status %d: %s", status, said);
    contains(said, "memory");
}

/* Small requests of our own: the process says so and ends (base/xalloc.h), and its sessions end with it. */
static void no_room_at_all(void)
{
    struct err e;
    own_pool();
    err_init(&e);
    allow(8 << 20);
    for (size_t size = 4 << 20; size >= 16; size /= 2) {
        while (malloc(size)) /* for good */
            continue;
    }
    pool_open(&(struct pool_options){.name = "another", .connect = by_the_way}, &e);
    fprintf(stderr, "there was memory\n");
}

static void test_no_memory_ends_the_process(void **state)
{
    (void)state;
    NEED_CLUSTER();
    char said[2000];
    if (sanitized)
        skip();
    int status = child_status(no_room_at_all, said, sizeof said);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        fail_msg("status %d: %s", status, said);
    contains(said, "out of memory");
    struct pg_conn *watcher = open_one();
    UNTIL(sessions(watcher) == 0);
    pg_close(watcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        counted(test_no_thread_at_all),
        counted(test_one_thread_is_enough),
        counted(test_a_result_too_large_for_memory),
        counted(test_no_memory_ends_the_process),
    };
    return cmocka_run_group_tests(tests, set_up_cluster, tear_down_cluster);
}
