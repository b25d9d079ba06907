/* Starting children: what they inherit, what cannot be run, and that they end with the process that started them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "magics/child.h"

enum { PATIENCE_MS = 20000 };

/* Start a shell script whose output comes back; the child is waited for. */
static void script(const char *text, const char *const *env, char *out, size_t size)
{
    int p[2], status = -1;
    struct err e = {0};
    struct child_process child;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    const int fds[] = {-1, p[1], p[1]};
    const char *argv[] = {"sh", "-c", text, NULL};
    struct child_start how = {.argv = argv, .env = env, .fds = fds, .n_fds = 3};
    if (!child_start(&child, &how, &e))
        fail_msg("%s", e.text);
    close(p[1]);
    size_t len = 0;
    for (ssize_t n; len + 1 < size && (n = read(p[0], out + len, size - 1 - len)) > 0;)
        len += (size_t)n;
    out[len] = '\0';
    close(p[0]);
    child_release(&child, &status);
    assert_int_equal(status, 0);
}

static void test_what_a_child_inherits(void **state)
{
    (void)state;
    char out[4096];
    assert_int_equal(fcntl(0, F_DUPFD, 40), 40); /* not close-on-exec */
    script("[ -e /proc/$$/fd/40 ] || echo clean; read x || echo empty", NULL, out, sizeof out);
    assert_string_equal(out, "clean\nempty\n");
    close(40);
    setenv("A_TOKEN", "hidden", 1);
    setenv("A_WORD", "seen", 1);
    script("echo $A_TOKEN$A_WORD", NULL, out, sizeof out);
    assert_string_equal(out, "seen\n");
    const char *const env[] = {"A_TOKEN=told", NULL};
    script("echo $A_TOKEN$A_WORD", env, out, sizeof out);
    assert_string_equal(out, "told\n");
    unsetenv("A_TOKEN");
    /* It leads its group, blocks nothing and ignores nothing (32 and 33 are the C library's own). */
    sigset_t some, before;
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &some, &before);
    signal(SIGPIPE, SIG_IGN);
    script("[ $$ = $(ps -o pgid= -p $$) ] && exec sed -n 's/Sig[BI][lg][kn]:.//p' /proc/self/status", NULL, out, sizeof out);
    char *end;
    assert_int_equal(strtoull(out, &end, 16) & 0x7fffffff, 0);
    assert_int_equal(strtoull(end, &end, 16) & 0x7fffffff, 0);
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void test_what_cannot_be_run(void **state)
{
    (void)state;
    static const char *const names[] = {"/nonexistent/program", "no-program-of-this-name", "/etc/passwd"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct err e = {0};
        struct child_process child;
        const char *argv[] = {names[i], NULL};
        struct child_start how = {.argv = argv};
        assert_false(child_start(&child, &how, &e));
        assert_non_null(strstr(e.text, "cannot run "));
        assert_non_null(strstr(e.text, names[i]));
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* neither a child nor a guard is left */
}

/* In a process of its own: start a child that tells its pid on `out`, then die without a word. */
_Noreturn static void start_and_die(int out)
{
    struct err e = {0};
    struct child_process child;
    const char *argv[] = {"sh", "-c", "trap '' INT TERM HUP; sleep 1000 & echo $$ $!; wait; wait", NULL};
    const int fds[] = {-1, out, -1};
    struct child_start how = {.argv = argv, .fds = fds, .n_fds = 3};
    if (!child_start(&child, &how, &e))
        _exit(1);
    char byte;
    if (read(STDIN_FILENO, &byte, 1) == 1)
        kill(getpid(), SIGKILL);
    _exit(2);
}

static void test_a_child_ends_with_its_parent(void **state)
{
    (void)state;
    int go[2], out[2], status;
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        dup2(go[0], STDIN_FILENO);
        close(go[1]);
        start_and_die(out[1]);
    }
    close(out[1]);
    FILE *said = fdopen(out[0], "r");
    int pids[2];
    assert_int_equal(fscanf(said, "%d %d", &pids[0], &pids[1]), 2);
    struct pollfd ended[2];
    for (int i = 0; i < 2; i++)
        ended[i] = (struct pollfd){.fd = (int)syscall(SYS_pidfd_open, pids[i], 0), .events = POLLIN};
    assert_int_equal(poll(ended, 2, 0), 0);
    assert_int_equal(write(go[1], "x", 1), 1);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_true(WIFSIGNALED(status));
    for (int i = 0; i < 2; i++) {
        assert_true(ended[i].fd >= 0);
        assert_int_equal(poll(&ended[i], 1, PATIENCE_MS), 1);
        close(ended[i].fd);
    }
    fclose(said);
    close(go[0]);
    close(go[1]);
}

/* A released child's guard is gone too, and what the child left in the background is not touched. */
static void test_released(void **state)
{
    (void)state;
    char out[100];
    script("sleep 1000 >/dev/null 2>&1 & echo $!", NULL, out, sizeof out);
    pid_t pid = (pid_t)strtol(out, NULL, 10);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(kill(pid, SIGKILL), 0);
}

/* Who shows progress is called while the child is silent; here the third call ends it. */
static void count_ticks(void *self)
{
    struct cancel *cancel = self;
    static int ticks;
    if (++ticks == 3)
        cancel_fire(cancel);
}

static void test_ticks(void **state)
{
    (void)state;
    struct err e = {0};
    struct cancel cancel;
    int status;
    assert_true(cancel_init(&cancel, &e));
    const char *argv[] = {"sleep", "1000", NULL};
    struct child child = {.argv = argv, .self = &cancel, .tick = count_ticks};
    assert_false(child_run(&child, &status, &cancel, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    cancel_release(&cancel);
}

/* Children of two threads at once: neither holds what the other waits for. */
static void *start_many(void *self)
{
    char out[100];
    (void)self;
    for (int i = 0; i < 20; i++) {
        script("echo here", NULL, out, sizeof out);
        assert_string_equal(out, "here\n");
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    (void)state;
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, start_many, NULL), 0);
    start_many(NULL);
    pthread_join(other, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_child_inherits), cmocka_unit_test(test_what_cannot_be_run),
        cmocka_unit_test(test_a_child_ends_with_its_parent), cmocka_unit_test(test_released),
        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_two_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
