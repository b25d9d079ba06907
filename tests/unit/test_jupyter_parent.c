/* The rule of parent death, with real processes: who is watched, and what its end means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jupyter/parent.h"

static struct parent with(const char *variable)
{
    struct parent p;
    parent_init(&p, variable);
    parent_release(&p);
    return p;
}

static void who_is_watched(void **unused)
{
    (void)unused;
    char mine[16], other[16];
    snprintf(mine, sizeof mine, "%d", getppid());
    snprintf(other, sizeof other, "%d", getppid() + 1);
    const char *const nobody[] = {NULL, "", "0", "1", "-5", "junk", "12x"};
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++) {
        struct parent p = with(nobody[i]);
        assert_false(p.watched);
        assert_false(parent_gone(&p));
    }
    if (getppid() == 1)
        skip();
    assert_true(with(mine).watched);
    assert_true(with(mine).exact);
    assert_true(with(other).watched);
    assert_false(with(other).exact);
    struct parent p = with(mine);
    assert_false(parent_gone(&p));
}

/* test -> middle -> child: middle ends, and the child tells through the pipe what it then thinks.
 * The test is the new parent (subreaper), so for a launcher in between (not exact) that is no
 * reason to leave. */
static char after_the_end_of(bool exact)
{
    int told[2];
    assert_int_equal(pipe(told), 0);
    pid_t middle = fork();
    if (middle == 0) {
        char said[16];
        pid_t before = getpid();
        snprintf(said, sizeof said, "%d", exact ? before : 999999);
        pid_t child = fork();
        if (child == 0) {
            struct parent p;
            parent_init(&p, said);
            char answer = 'e';
            if (p.watched && !parent_gone(&p)) {
                ssize_t n = write(told[1], "r", 1); /* ready */
                (void)n;
                struct pollfd end = {.fd = p.fd, .events = POLLIN};
                while (p.fd < 0 ? getppid() == before : poll(&end, 1, -1) < 1)
                    usleep(1000);
                answer = parent_gone(&p) ? 'g' : 's';
            }
            ssize_t n = write(told[1], &answer, 1);
            _exit(n == 1 ? 0 : 1);
        }
        pause();
        _exit(0);
    }
    char ready = 0, answer = 0;
    assert_int_equal(read(told[0], &ready, 1), 1);
    assert_int_equal(ready, 'r');
    kill(middle, SIGKILL);
    assert_int_equal(waitpid(middle, NULL, 0), middle);
    assert_int_equal(read(told[0], &answer, 1), 1);
    while (wait(NULL) > 0)
        continue;
    close(told[0]);
    close(told[1]);
    return answer;
}

static void its_end(void **unused)
{
    (void)unused;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(after_the_end_of(true), 'g');
    assert_int_equal(after_the_end_of(false), 's');
}

static void tell(int fd, char c)
{
    ssize_t n = write(fd, &c, 1);
    (void)n;
}

/* In the child of a launcher: what it thinks when the launcher is gone, and when the front end is. */
static void watch_both(const char *said, int to)
{
    struct parent p;
    pid_t launcher = getppid();
    parent_init(&p, said);
    tell(to, p.watched && !p.exact && p.above && p.fd >= 0 ? 'r' : 'e');
    while (getppid() == launcher)
        usleep(1000);
    tell(to, parent_gone(&p) ? 'g' : 's');
    struct pollfd end = {.fd = p.fd, .events = POLLIN};
    while (poll(&end, 1, -1) < 1)
        continue;
    tell(to, parent_gone(&p) ? 'g' : 's');
    _exit(0);
}

/* test -> front end -> launcher -> kernel, and orphans go to the test. */
static void a_front_end_above_a_launcher(void **unused)
{
    (void)unused;
    int told[2], pids[2];
    char c = 0, said[16];
    pid_t launcher = 0;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(pids), 0);
    pid_t front = fork();
    if (front == 0) {
        snprintf(said, sizeof said, "%d", getpid());
        launcher = fork();
        if (launcher == 0) {
            if (fork() == 0)
                watch_both(said, told[1]);
            pause();
        }
        ssize_t n = write(pids[1], &launcher, sizeof launcher);
        (void)n;
        waitpid(launcher, NULL, 0);
        pause();
        _exit(0);
    }
    assert_int_equal(read(pids[0], &launcher, sizeof launcher), sizeof launcher);
    assert_int_equal(read(told[0], &c, 1), 1);
    assert_int_equal(c, 'r');
    kill(launcher, SIGKILL);
    assert_int_equal(read(told[0], &c, 1), 1);
    assert_int_equal(c, 's');
    kill(front, SIGKILL);
    assert_int_equal(read(told[0], &c, 1), 1);
    assert_int_equal(c, 'g');
    while (wait(NULL) > 0)
        continue;
    for (int i = 0; i < 2; i++) {
        close(told[i]);
        close(pids[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_is_watched), cmocka_unit_test(its_end),
                                       cmocka_unit_test(a_front_end_above_a_launcher)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
