/* The pool over a real server and its own process: forks at any moment, a wall clock that jumps, and a process that was
 * suspended. */
#include "base/xalloc.h"
#include "pg/pool_parts.h"
#include "pool_server.h"

/* ---- 18: forks ---- */

static void ends_well(pid_t child)
{
    int status = 0;
    pid_t ended = 0;
    UNTIL((ended = waitpid(child, &status, WNOHANG)) != 0);
    assert_int_equal(ended, child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* 18: the child is refused, closes everything that it has, and ends; the parent's sessions live. */
static void test_a_child_takes_nothing_along(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 2, .max_size = 2});
    struct pg_conn *conn = get(p);
    run(conn, "BEGIN; CREATE TEMP TABLE mine (i int)");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct err e;
        err_init(&e);
        bool ok = !pool_checkout(p, LONG_MS, NULL, &e) && e.code == ERR_POOL_FORKED;
        pool_return(p, conn);
        pool_close(p, LONG_MS);
        pool_free(p);
        for (int fd = 3; fd < 256; fd++)
            close(fd);
        _exit(ok ? 0 : 1);
    }
    ends_well(child);
    run(conn, "INSERT INTO mine VALUES (1); COMMIT"); /* the same session, in the same transaction */
    pool_return(p, conn);
    assert_int_equal(stats_of(p).rollbacks, 0);
    struct pg_conn *both[] = {get(p), get(p)};
    usable(both[0]);
    usable(both[1]);
    pool_return(p, both[0]);
    pool_return(p, both[1]);
    assert_int_equal(stats_of(p).connects, 2);
    end(p);
}

struct churner {
    struct pool *p;
    pthread_t thread;
    atomic_bool *stop;
    struct err e;
};

/* Every return closes the connection, so that the makers are at work all the time. */
static void *churn(void *arg)
{
    struct churner *me = arg;
    err_init(&me->e);
    while (!atomic_load(me->stop)) {
        struct pg_conn *conn = pool_checkout(me->p, LONG_MS, NULL, &me->e);
        if (!conn || !pg_run(conn, "SELECT 1", NULL, &me->e))
            return NULL;
        pool_drain(me->p);
        pool_return(me->p, conn);
    }
    return NULL;
}

/* 18: forks in any moment, also while other threads are in the pool and its lock is taken. */
static void test_forks_at_any_moment(void **state)
{
    (void)state;
    NEED_CLUSTER();
    enum { THREADS = 3, FORKS = 40 };
    struct churner all[THREADS];
    atomic_bool stop = false;
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 1, .max_size = 2});
    for (int i = 0; i < THREADS; i++) {
        all[i] = (struct churner){.p = p, .stop = &stop};
        assert_int_equal(pthread_create(&all[i].thread, NULL, churn, &all[i]), 0);
    }
    fflush(NULL);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct err e;
            err_init(&e);
            _exit(!pool_checkout(p, LONG_MS, NULL, &e) && e.code == ERR_POOL_FORKED && pool_close(p, LONG_MS) ? 0 : 1);
        }
        ends_well(child);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(all[i].thread, NULL);
        if (all[i].e.code)
            fail_msg("%s", all[i].e.text);
    }
    assert_int_equal(stats_of(p).connect_failures, 0);
    end(p);
}

/* ---- 21: clocks ---- */

/* 21: the wall clock jumps by an hour, to and fro: nothing is too old, nobody is late. */
static void test_the_wall_clock_jumps(void **state)
{
    (void)state;
    NEED_CLUSTER();
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 1, .max_size = 1, .ping_idle_ms = -1});
    struct pg_conn *conn = get(p);
    struct borrower waits;
    static const int64_t jumps[] = {-3600000, 3600000, 3600000, -3600000};
    for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
        start(&waits, p, "SELECT 1");
        UNTIL(stats_of(p).waiting == 1);
        clock_shift(jumps[i]);
        pool_look(p);
        assert_int_equal(refused(p, 20).code, ERR_POOL_TIMEOUT);
        assert_int_equal(stats_of(p).waiting, 1);
        pool_return(p, conn);
        join(&waits);
        assert_int_equal(waits.e.code, ERR_NONE);
        assert_ptr_equal(get(p), conn);
    }
    pool_return(p, conn);
    struct pool_stats s = stats_of(p);
    assert_int_equal(s.connects, 1);
    assert_in_range(s.hold.most_us, 0, LONG_MS * 1000);
    end(p);
}

/* 21: the process is suspended for longer than a connection may live: it is not lent again. The child wakes us. */
static void test_a_suspended_process(void **state)
{
    (void)state;
    NEED_CLUSTER();
    enum { LIFETIME_MS = 2000 };
    struct pool *p = open_pool(NULL, (struct pool_options){.min_size = 1, .max_size = 1, .max_lifetime_ms = LIFETIME_MS});
    struct pg_conn *conn = get(p);
    int pid = pg_backend_pid(conn);
    int64_t from = clock_mono_ms();
    pool_return(p, conn);
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        const struct timespec nap = {.tv_sec = LIFETIME_MS / 1000, .tv_nsec = 200000000};
        kill(parent, SIGSTOP);
        nanosleep(&nap, NULL);
        kill(parent, SIGCONT);
        _exit(0);
    }
    ends_well(child);
    assert_in_range(clock_mono_ms() - from, LIFETIME_MS, INT64_MAX);
    conn = get(p);
    assert_int_not_equal(pg_backend_pid(conn), pid);
    usable(conn);
    pool_return(p, conn);
    assert_int_equal(stats_of(p).closed[POOL_CLOSED_LIFETIME], 1);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        counted(test_a_child_takes_nothing_along),
        counted(test_forks_at_any_moment),
        counted(test_the_wall_clock_jumps),
        counted(test_a_suspended_process),
    };
    return cmocka_run_group_tests_name("pg_pool_process", tests, set_up_cluster, tear_down_cluster);
}
