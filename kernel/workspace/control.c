/* Starting, finding and ending the workspace (see control.h). */
#include "workspace/control.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/cluster.h"
#include "workspace/instances.h"
#include "workspace/lock.h"
#include "workspace/workspace.h"

enum { START_LIMIT_MS = 120000, STOP_LIMIT_MS = 90000, LOOK_AGAIN_MS = 20, LOG_MOST = 8 << 20, MAX_JSON = 16384 };

char *control_state_dir(struct err *e)
{
    char *given = fs_state_dir(e), *real = NULL;
    if (given && workspace_make_state_dir(given, e)) {
        real = realpath(given, NULL);
        if (!real)
            err_errno(e, errno, "cannot find '%s'", given);
    }
    free(given);
    return real;
}

/* ---- who runs ---- */

/* Killed, its first thread gone, and the last one (with it the lock) a moment later. */
static bool is_dying(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    const char *state = n > 0 ? strrchr(text, ')') : NULL; /* "pid (name) state …" */
    return !state || strchr("ZX", state[2]);
}

/* Somebody listens at the address. */
static bool listens(const char *url)
{
    const char *colon = strrchr(url, ':');
    uint16_t port = (uint16_t)(colon ? strtol(colon + 1, NULL, 10) : 0); /* written by ourselves */
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static void read_card(const char *state_dir, struct running *out)
{
    struct buf b;
    struct err none = {0};
    char *path = xasprintf("%s/workspace.json", state_dir);
    buf_init(&b, MAX_JSON);
    json_t *doc = fs_read(path, &b, &none) ? jx_parse(buf_str(&b), b.len, MAX_JSON, &none) : NULL;
    if (doc && jx_get_int(doc, "pid", 0) == out->pid && !is_dying(out->pid)) {
        const char *url = jx_get_str(doc, "url", ""), *ca = jx_get_str(doc, "ca", "");
        err_copy(out->url, sizeof out->url, url, strlen(url));
        err_copy(out->ca, sizeof out->ca, ca, strlen(ca));
        out->ready = true;
    }
    json_decref(doc);
    buf_release(&b);
    free(path);
}

bool control_find(const char *state_dir, struct running *out, struct err *e)
{
    *out = (struct running){0};
    if (!lock_holder(state_dir, &out->pid, e))
        return false;
    if (out->pid)
        read_card(state_dir, out);
    return true;
}

static bool write_card(const struct workspace *ws, struct err *e)
{
    json_t *doc = json_object();
    json_object_set_new(doc, "pid", json_integer(getpid()));
    json_object_set_new(doc, "url", jx_str(workspace_url(ws)));
    json_object_set_new(doc, "ca", jx_str(clusters_ca_path(ws->clusters)));
    json_object_set_new(doc, "version", json_string(LAKEBASE_VERSION));
    char *text = jx_dump(doc), *path = xasprintf("%s/workspace.json", ws->state_dir);
    bool ok = fs_write_atomic(path, text, strlen(text), 0600, e);
    json_decref(doc);
    free(text);
    free(path);
    return ok;
}

static void remove_card(const char *state_dir)
{
    char *path = xasprintf("%s/workspace.json", state_dir);
    unlink(path);
    free(path);
}

/* ---- start ---- */

static int open_log(const char *state_dir, struct err *e)
{
    char *path = xasprintf("%s/workspace.log", state_dir), *old = xasprintf("%s/workspace.log.1", state_dir);
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size > LOG_MOST)
        rename(path, old);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        err_errno(e, errno, "cannot open '%s'", path);
    free(path);
    free(old);
    return fd;
}

/* In the child: become `lakebase-workspace run --ready-fd 3` with nothing of the caller's. */
static _Noreturn void become_server(const char *state_dir, int port, int log_fd, int ready)
{
    char port_text[16];
    setsid();
    if (fork() != 0)
        _exit(0); /* not the leader of the session: no terminal comes back */
    int null = open("/dev/null", O_RDONLY);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null < 0 || dup2(null, 0) < 0 || dup2(log_fd, 1) < 0 || dup2(log_fd, 2) < 0 || (ready != 3 && dup2(ready, 3) < 0))
        _exit(1);
    if (ready == 3)
        fcntl(3, F_SETFD, 0);
    syscall(SYS_close_range, 4U, ~0U, 0U);
    snprintf(port_text, sizeof port_text, "%d", port);
    setenv("LAKEBASE_STATE_DIR", state_dir, 1);
    if (chdir(state_dir) == 0)
        execl("/proc/self/exe", "lakebase-workspace", "run", "--ready-fd", "3", "--port", port_text, (char *)NULL);
    _exit(1);
}

/* What the new server says: "ok", an error, or nothing when it died. */
static bool hear(int fd, struct err *e)
{
    char text[1024];
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
    }
    text[n] = '\0';
    if (strcmp(text, "ok") == 0)
        return true;
    return err_set(e, ERR_INTERNAL, "%s", n ? text : "the workspace ended while it started");
}

static bool launch(const char *state_dir, int port, struct err *e)
{
    int ends[2], log_fd = open_log(state_dir, e);
    if (log_fd < 0)
        return false;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        close(log_fd);
        return err_errno(e, errno, "cannot make a pipe");
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        become_server(state_dir, port, log_fd, ends[1]);
    close(log_fd);
    close(ends[1]);
    bool ok = child > 0 || err_errno(e, errno, "cannot start a process");
    if (ok) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            continue;
        ok = hear(ends[0], e);
    }
    close(ends[0]);
    return ok;
}

bool control_start(const char *state_dir, int port, bool *started, struct running *out, struct err *e)
{
    int64_t end = clock_mono_ms() + START_LIMIT_MS;
    *started = false;
    for (;;) {
        if (!control_find(state_dir, out, e))
            return false;
        if (out->ready && listens(out->url))
            return true;
        struct err why = {0}, now = {0};
        if (!out->pid && launch(state_dir, port, &why)) {
            *started = true;
            continue;
        }
        /* Another start may have been faster; its server is then the one to wait for. */
        if (why.code && control_find(state_dir, out, &now) && !out->pid) {
            *e = why;
            err_hint(e, "see %s/workspace.log", state_dir);
            return false;
        }
        if (clock_mono_ms() > end)
            return err_set(e, ERR_TIMEOUT, "the workspace (pid %d) does not answer", (int)out->pid);
        cancel_poll(NULL, -1, 0, LOOK_AGAIN_MS, e);
    }
}

/* ---- run ---- */

static void say(int ready_fd, const char *text)
{
    if (ready_fd < 0)
        return;
    ssize_t n = write(ready_fd, text, strlen(text));
    (void)n;
    close(ready_fd);
}

/* Wait for the signal to end; true: PostgreSQL servers end too. */
static bool wait_for_end(const sigset_t *mask)
{
    for (;;) {
        int sig = sigwaitinfo(mask, NULL);
        if (sig == SIGUSR1)
            return false;
        if (sig == SIGTERM || sig == SIGINT)
            return true;
    }
}

static bool serve(const char *state_dir, int port, int ready_fd, const sigset_t *mask, struct err *e)
{
    struct workspace *ws = workspace_open(state_dir, e);
    bool ok = ws && workspace_serve(ws, port, e) && write_card(ws, e);
    if (ok) {
        say(ready_fd, "ok");
        log_line(LOG_INFO, "workspace", "serving on %s", workspace_url(ws));
        if (ready_fd < 0) {
            printf("lakebase-workspace serves on %s (Ctrl-C ends it and its PostgreSQL servers)\n", workspace_url(ws));
            fflush(stdout);
        }
        bool all = wait_for_end(mask);
        remove_card(state_dir);
        ok = !all || workspace_stop_servers(ws, e);
    }
    workspace_close(ws);
    return ok;
}

bool control_run(const char *state_dir, int port, int ready_fd, struct err *e)
{
    int lock;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGUSR1);
    /* Before the first thread, so that all of them leave these to this one. */
    sigprocmask(SIG_BLOCK, &mask, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    bool ok = lock_take(state_dir, &lock, e);
    if (ok && lock < 0)
        ok = err_set(e, ERR_CONFLICT, "a workspace runs in '%s' already", state_dir);
    if (ok) {
        remove_card(state_dir); /* of one that was killed */
        ok = serve(state_dir, port, ready_fd, &mask, e);
        close(lock);
    }
    if (!ok)
        say(ready_fd, e->text);
    return ok;
}

/* ---- stop ---- */

/* Ask pid to end with sig and wait until it is gone. A pidfd, so that no other process is ever meant. */
static bool end_process(const char *state_dir, pid_t pid, int sig, struct err *e)
{
    pid_t holder = 0;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0U);
    if (fd < 0)
        return errno == ESRCH || err_errno(e, errno, "cannot reach the workspace (pid %d)", (int)pid);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    bool ok = lock_holder(state_dir, &holder, e);
    if (ok && holder == pid) {
        if (syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0U) != 0 && errno != ESRCH)
            ok = err_errno(e, errno, "cannot end the workspace (pid %d)", (int)pid);
        if (ok && poll(&p, 1, STOP_LIMIT_MS) == 0) {
            ok = err_set(e, ERR_TIMEOUT, "the workspace (pid %d) did not end within %d s", (int)pid,
                         STOP_LIMIT_MS / 1000);
            err_hint(e, "see %s/workspace.log; kill -9 %d does no harm, the next start repairs", state_dir, (int)pid);
        }
    }
    close(fd);
    return ok;
}

/* Is there a cluster folder whose server may still run? */
static bool any_server(const char *state_dir)
{
    char *folder = xasprintf("%s/instances", state_dir);
    DIR *d = opendir(folder);
    bool found = false;
    for (struct dirent *one; d && !found && (one = readdir(d));) {
        char *path = xasprintf("%s/%s/data/postmaster.pid", folder, one->d_name);
        found = one->d_name[0] != '.' && fs_exists(path);
        free(path);
    }
    if (d)
        closedir(d);
    free(folder);
    return found;
}

static bool no_login(void *self, const char *user, const char *token, size_t token_len, const char *instance_uid,
                     struct err *e)
{
    (void)self;
    (void)user;
    (void)token;
    (void)token_len;
    (void)instance_uid;
    return err_set(e, ERR_LOGIN, "the workspace is being stopped");
}

/* The clusters without a workspace, for stopping and deleting what a killed one left. */
typedef bool clusters_fn(const char *state_dir, struct clusters *clusters, struct err *e);
static bool with_clusters(const char *state_dir, clusters_fn *work, struct err *e)
{
    struct cluster_options o = {.state_dir = state_dir, .login = no_login};
    struct clusters *clusters = clusters_open(&o, e);
    bool ok = clusters && work(state_dir, clusters, e);
    if (clusters)
        clusters_close(clusters);
    return ok;
}

static bool stop_left(const char *state_dir, struct clusters *clusters, struct err *e)
{
    char *path = xasprintf("%s/private/workspace.db", state_dir);
    struct store *store = store_open(path, e);
    bool ok = store && instances_stop_servers(store, clusters, e);
    store_close(store);
    free(path);
    return ok;
}

static bool delete_left(const char *state_dir, struct clusters *clusters, struct err *e)
{
    (void)state_dir;
    return clusters_sweep(clusters, NULL, 0, e);
}

/* End a workspace that runs, then do `work` (may be NULL) under the lock, so that no new one comes up meanwhile. */
static bool ended_then(const char *state_dir, int sig, bool *was_running, bool (*work)(const char *, struct err *),
                       struct err *e)
{
    int lock = -1;
    *was_running = false;
    while (lock < 0) {
        struct running now;
        if (!control_find(state_dir, &now, e) || (now.pid && !end_process(state_dir, now.pid, sig, e)))
            return false;
        *was_running = *was_running || now.pid;
        if (!lock_take(state_dir, &lock, e))
            return false;
    }
    remove_card(state_dir);
    bool ok = !work || work(state_dir, e);
    close(lock);
    return ok;
}

static bool stop_servers(const char *state_dir, struct err *e)
{
    return !any_server(state_dir) || with_clusters(state_dir, stop_left, e);
}

bool control_stop(const char *state_dir, bool keep_servers, bool *was_running, struct err *e)
{
    return ended_then(state_dir, keep_servers ? SIGUSR1 : SIGTERM, was_running, keep_servers ? NULL : stop_servers, e);
}

/* Only what the workspace made, by name: the folder may be one that holds other things too. */
static bool remove_all(const char *state_dir, struct err *e)
{
    static const char *const names[] = {"instances", "template", "prefix", "ca.crt", "private", "databrickscfg",
                                        "workspace.log", "workspace.log.1"};
    char *path = xasprintf("%s/instances", state_dir);
    bool ok = !fs_exists(path) || with_clusters(state_dir, delete_left, e);
    free(path);
    for (size_t i = 0; ok && i < ARRAY_LEN(names); i++) {
        path = xasprintf("%s/%s", state_dir, names[i]);
        ok = fs_remove_tree(path, e);
        free(path);
    }
    return ok;
}

bool control_reset(const char *state_dir, struct err *e)
{
    bool was_running;
    return ended_then(state_dir, SIGTERM, &was_running, remove_all, e);
}
