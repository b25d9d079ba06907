/* Starting the workspace as a process (see launch.h). */
#include "workspace/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"

enum { START_LIMIT_MS = 120000, FDS_FALLBACK = 65536, READY = 3, OWNER = 4 };

static const char up[] = "ok\n"; /* from a server that serves */

int launch_log(const char *state_dir, struct err *e)
{
    char *path = xasprintf("%s/workspace.log", state_dir), *old = xasprintf("%s/workspace.log.1", state_dir);
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size > LOG_FILE_MOST)
        rename(path, old);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        err_errno(e, errno, "cannot open '%s'", path);
    free(path);
    free(old);
    return fd;
}

static void close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
        return;
#endif
    for (int fd = first; fd < FDS_FALLBACK; fd++) /* Linux before 5.9 */
        close(fd);
}

/* The descriptor `from` is number `to` in the next program. */
static bool becomes(int from, int to)
{
    return from == to ? fcntl(to, F_SETFD, 0) == 0 : dup2(from, to) >= 0;
}

_Noreturn void launch_become(const char *state_dir, int port, int log_fd, int ready, int owner)
{
    enum { CLEAR = 16 }; /* above all that is used below */
    char port_text[16], ready_text[16], owner_text[16];
    const char *args[] = {"lakebase-workspace", "run", "--port", port_text, "--ready-fd", ready_text, owner < 0 ? NULL : "--owner-fd", owner_text, NULL};
    int null = open("/dev/null", O_RDONLY), log_high = fcntl(log_fd, F_DUPFD, CLEAR), ready_high = fcntl(ready, F_DUPFD, CLEAR),
        owner_high = owner < 0 ? -1 : fcntl(owner, F_DUPFD, CLEAR);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null < 0 || !becomes(null, 0) || !becomes(log_high, 1) || !becomes(log_high, 2) || !becomes(ready_high, READY) ||
        (owner >= 0 && !becomes(owner_high, OWNER)))
        _exit(1);
    close_from(owner < 0 ? OWNER : OWNER + 1);
    snprintf(port_text, sizeof port_text, "%d", port);
    snprintf(ready_text, sizeof ready_text, "%d", READY);
    snprintf(owner_text, sizeof owner_text, "%d", OWNER);
    setenv("LAKEBASE_STATE_DIR", state_dir, 1);
    if (chdir(state_dir) == 0)
        execv("/proc/self/exe", (char *const *)(uintptr_t)args);
    _exit(1);
}

/* "ok" and a newline, an error, or nothing when it died. */
bool launch_hear(int fd, struct err *e)
{
    char text[sizeof e->text + sizeof e->hint + 2];
    size_t n = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t end = clock_mono_ms() + START_LIMIT_MS;
    while (n < sizeof text - 1) {
        int64_t left = end - clock_mono_ms();
        int rc = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (rc < 0 && errno == EINTR)
            continue;
        ssize_t got = rc > 0 ? read(fd, text + n, sizeof text - 1 - n) : 0;
        if (rc == 0)
            return err_set(e, ERR_TIMEOUT, "the workspace did not come up within %d s", START_LIMIT_MS / 1000);
        if (got <= 0)
            break;
        n += (size_t)got;
        if (n == strlen(up) && memcmp(text, up, n) == 0) /* its servers may hold the pipe open */
            return true;
    }
    text[n] = '\0';
    const char *hint = memchr(text, '\0', n); /* behind the error, see launch_say */
    err_set(e, ERR_INTERNAL, "%s", n ? text : "the workspace ended while it started");
    if (hint && hint[1])
        err_hint(e, "%s", hint + 1);
    return false;
}

static void write_all(int fd, const char *text, size_t len)
{
    ssize_t n = write(fd, text, len); /* less than a pipe takes at once */
    (void)n;
    close(fd);
}

void launch_say(int ready_fd, const struct err *e)
{
    char both[sizeof e->text + sizeof e->hint];
    if (ready_fd < 0)
        return;
    if (!e) {
        write_all(ready_fd, up, strlen(up));
        return;
    }
    size_t text = strlen(e->text) + 1, hint = strlen(e->hint) + 1; /* each with its NUL */
    memcpy(both, e->text, text);
    memcpy(both + text, e->hint, hint);
    write_all(ready_fd, both, text + hint);
}
