/* Tickets: checkouts that do not wait, in one queue with those that do. Without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pool_fakes.h"

enum { LONG = 20000, MANY = 1000 };

static int wake;

static struct pool_ticket *ticket(struct pool *p, int timeout_ms)
{
    struct err e;
    err_init(&e);
    struct pool_ticket *t = pool_checkout_start(p, "a task", timeout_ms, wake, &e);
    if (!t)
        fail_msg("%s", e.text);
    return t;
}

static bool woken(void)
{
    struct pollfd p = {.fd = wake, .events = POLLIN};
    uint64_t count;
    return poll(&p, 1, 0) == 1 && read(wake, &count, sizeof count) == sizeof count;
}

/* Until the ticket is over. */
static struct pg_conn *wait_for(struct pool_ticket *t, enum err_code code)
{
    struct pg_conn *conn;
    struct err e;
    err_init(&e);
    while (!pool_checkout_poll(t, &conn, &e)) {
        struct pollfd p = {.fd = wake, .events = POLLIN};
        assert_true(pool_ticket_left_ms(t) <= LONG);
        poll(&p, 1, pool_ticket_left_ms(t));
        woken();
    }
    assert_int_equal(e.code, code);
    assert_int_equal(conn != NULL, code == ERR_NONE);
    return conn;
}

static bool waits(struct pool_ticket *t)
{
    struct pg_conn *conn;
    struct err e;
    err_init(&e);
    return !pool_checkout_poll(t, &conn, &e);
}

static void test_an_idle_one_is_lent_at_once(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 1, .max_size = 1});
    UNTIL(p, s, s.idle == 1);
    struct pool_ticket *t = ticket(p, LONG);
    struct pool_loan loan;
    assert_int_equal(pool_loans(p, &loan, 1), 1);
    assert_string_equal(loan.who, "a task");
    struct pg_conn *conn = wait_for(t, ERR_NONE);
    assert_false(woken()); /* nothing was waited for */
    pool_return(p, conn);
    pool_stats(p, &s);
    assert_true(s.checkouts == 1 && s.waited == 0 && s.wait.count == 0);
    end(p);
}

struct waiting_thread {
    struct pool *p;
    pthread_t thread;
    struct pg_conn *conn;
};

static void *borrow(void *arg)
{
    struct waiting_thread *w = arg;
    w->conn = get(w->p, LONG);
    return NULL;
}

/* 9: tickets and threads stand in one queue. */
static void test_first_come_first_served(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    struct pg_conn *conn = get(p, LONG);
    struct pool_ticket *first = ticket(p, LONG);
    struct waiting_thread second = {.p = p};
    pthread_create(&second.thread, NULL, borrow, &second);
    UNTIL(p, s, s.waiting == 2);
    struct pool_ticket *third = ticket(p, LONG);
    assert_true(waits(first) && waits(third));
    pool_return(p, conn);
    assert_true(woken());
    assert_true(waits(third));
    conn = wait_for(first, ERR_NONE);
    assert_true(waits(third));
    pool_return(p, conn);
    pthread_join(second.thread, NULL);
    assert_true(waits(third));
    pool_return(p, second.conn);
    pool_return(p, wait_for(third, ERR_NONE));
    pool_stats(p, &s);
    assert_true(s.checkouts == 4 && s.connects == 1 && s.waited >= 3);
    end(p);
}

static void test_a_dead_one_costs_no_turn(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 1, .max_size = 1});
    struct pg_conn *conn = get(p, LONG);
    pool_return(p, conn);
    atomic_store(&fake_of(conn)->dead, true);
    conn = wait_for(ticket(p, LONG), ERR_NONE);
    assert_int_equal(fake_of(conn)->id, 2);
    pool_return(p, conn);
    pool_stats(p, &s);
    assert_int_equal(s.closed[POOL_CLOSED_LOST], 1);
    assert_int_equal(s.checkouts, 2);
    end(p);
}

static void refused_at_once(struct pool *p, int timeout_ms, enum err_code code)
{
    struct err e;
    err_init(&e);
    assert_null(pool_checkout_start(p, NULL, timeout_ms, wake, &e));
    assert_int_equal(e.code, code);
}

static void test_limits(void **state)
{
    (void)state;
    struct pool_stats s;
    struct err e;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1, .max_waiting = 2});
    struct pg_conn *conn = get(p, LONG);
    refused_at_once(p, 0, ERR_POOL_TIMEOUT);
    wait_for(ticket(p, 20), ERR_POOL_TIMEOUT);
    struct pool_ticket *a = ticket(p, LONG), *b = ticket(p, -1);
    refused_at_once(p, LONG, ERR_POOL_FULL);
    pool_stats(p, &s);
    assert_true(s.timeouts == 2 && s.refused == 1 && s.waiting == 2);
    err_init(&e);
    assert_null(pool_checkout_start(p, NULL, LONG, -1, &e));
    assert_int_equal(e.code, ERR_INVALID_PARAMETER);
    pool_return(p, conn);
    pool_return(p, wait_for(a, ERR_NONE));
    pool_return(p, wait_for(b, ERR_NONE));
    end(p);
}

static void test_the_pool_closes(void **state)
{
    (void)state;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    struct pg_conn *conn = get(p, LONG);
    struct pool_ticket *t = ticket(p, LONG);
    assert_false(pool_close(p, 0));
    assert_true(woken());
    wait_for(t, ERR_POOL_CLOSED);
    refused_at_once(p, LONG, ERR_POOL_CLOSED);
    pool_return(p, conn);
    end(p);
}

/* 10: who goes takes nothing along, whether it waits, was just served, or was never in the queue. */
static void test_abandoned(void **state)
{
    (void)state;
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.max_size = 1});
    struct pg_conn *conn = get(p, LONG);
    struct pool_ticket *waiting = ticket(p, LONG), *served = ticket(p, LONG), *last = ticket(p, LONG);
    pool_checkout_abandon(waiting);
    pool_return(p, conn);
    pool_checkout_abandon(served);
    pool_return(p, wait_for(last, ERR_NONE));
    pool_checkout_abandon(ticket(p, LONG)); /* one was idle */
    pool_checkout_abandon(NULL);
    pool_stats(p, &s);
    assert_true(s.idle == 1 && s.busy == 0 && s.waiting == 0);
    assert_true(s.cancelled == 3 && s.checkouts == 2 && s.connects == 1);
    end(p);
}

/* 19: one thread, a thousand tickets, two connections: each once, in order. */
static void test_many(void **state)
{
    (void)state;
    static struct pool_ticket *tickets[MANY];
    struct pool_stats s;
    struct pool *p = fake_pool(&(struct pool_options){.min_size = 2, .max_size = 2});
    UNTIL(p, s, s.idle == 2);
    for (int i = 0; i < MANY; i++)
        tickets[i] = ticket(p, LONG);
    for (int i = 0; i < MANY; i++) {
        assert_true(i + 2 >= MANY || waits(tickets[i + 2]));
        pool_return(p, wait_for(tickets[i], ERR_NONE));
    }
    pool_stats(p, &s);
    assert_true(s.checkouts == MANY && s.waited == MANY - 2 && s.busy == 0 && s.connects == 2);
    assert_int_equal(s.most_waiting, MANY - 2);
    end(p);
}

static int open_event(void **state)
{
    (void)state;
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return wake < 0;
}

static int close_event(void **state)
{
    (void)state;
    return close(wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_one_is_lent_at_once), cmocka_unit_test(test_first_come_first_served),
        cmocka_unit_test(test_a_dead_one_costs_no_turn),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_the_pool_closes),             cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, open_event, close_event);
}
