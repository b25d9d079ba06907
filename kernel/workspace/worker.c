/*
 * The lakehouse worker's supervisor (see worker.h). One thread starts the process, waits for its end and reaps it: the
 * process is tied to that thread, so it dies with the server, however that ends. Jobs run on their callers' threads.
 *
 * Each process has a listening socket of its own, made before it starts and closed here afterwards: connections that wait
 * in its queue end with the process instead of hanging.
 */
#include "workspace/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "lakehouse/lake.h"
#include "workspace/cluster_parts.h"
#include "workspace/worker_frame.h"
#include "workspace/workspace.h"

enum { BACKLOG = 128, LOG_MAX = 1 << 20, REAP_MS = 2000, CANCEL_MS = 10000, ENV_MAX = 64 };

struct worker {
    struct workspace *ws;
    char *log_path;
    int dir_fd; /* of the private folder: keeps the socket's path short */
    pthread_t thread;
    bool thread_runs;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    bool wanted, up, ending;
    unsigned long starts, ends; /* processes that came up; starts that failed and processes that ended */
    struct err failed;          /* the last start, when it did not come up */
    char ended[700];            /* how the last process ended */
    struct cancel stop;         /* wakes the supervisor */
};

/* ---- the process ---- */

/* "/proc/self/fd/7/worker.sock": a socket's address holds 107 bytes, the state folder's path may be longer. */
static void socket_address(const struct worker *w, struct sockaddr_un *a)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/worker.sock", w->dir_fd);
}

/* In the private folder, which only our own user enters. */
static int listen_new(struct worker *w, struct err *e)
{
    struct sockaddr_un a;
    socket_address(w, &a);
    if (unlink(a.sun_path) != 0 && errno != ENOENT) {
        err_errno(e, errno, "cannot remove the old socket of the lakehouse worker");
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    err_errno(e, errno, "cannot make the socket of the lakehouse worker");
    if (fd >= 0)
        close(fd);
    return -1;
}

/* What a worker needs to find its library, and sanitizers their options; no secret of the caller's environment, and no home
 * either: libraries would look for passwords and certificates there. */
static bool passes(const char *entry)
{
    static const char *const prefixes[] = {"LAKEBASE_", "PATH=", "LANG=", "LC_ALL=", "VIRTUAL_ENV=",
                                           "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=", "LSAN_OPTIONS="};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strncmp(entry, prefixes[i], strlen(prefixes[i])) == 0)
            return strncmp(entry, "LAKEBASE_STATE_DIR=", 19) != 0 && strncmp(entry, "LAKEBASE_DUCKDB=", 16) != 0;
    }
    return false;
}

/* The engine as an open file: the environment that it lies in may be closed to the server user, as /root is. NULL: there
 * is none that we can open, and the worker says so. */
static char *pass_library(int *fd)
{
    struct err ignored;
    err_init(&ignored);
    *fd = lake_open_library(&ignored);
    const char *named = getenv("LAKEBASE_DUCKDB");
    if (*fd >= 0)
        return xasprintf("LAKEBASE_DUCKDB=/proc/self/fd/%d", *fd);
    return named ? xasprintf("LAKEBASE_DUCKDB=%s", named) : NULL;
}

static bool spawn_worker(struct worker *w, int listening, int log, pid_t *pid, struct err *e)
{
    struct server_user user;
    const char *env[ENV_MAX + 4];
    size_t n = 0;
    char fd[16];
    int library = -1;
    if (!server_user_find(&user, e))
        return false;
    char *engine = pass_library(&library);
    char *state = xasprintf("LAKEBASE_STATE_DIR=%s", w->ws->state_dir);
    char *home = xasprintf("HOME=%s/lakehouse", w->ws->state_dir);
    for (char **p = environ; *p && n < ENV_MAX; p++) {
        if (passes(*p))
            env[n++] = *p;
    }
    env[n++] = state;
    env[n++] = home;
    if (engine)
        env[n++] = engine;
    env[n] = NULL;
    snprintf(fd, sizeof fd, "%d", listening);
    /* Our own program, also when its file was replaced meanwhile or its folder is closed to the server user. */
    const char *program = getenv("LAKEBASE_WORKER_PROGRAM");
    const char *argv[] = {"lakebase-workspace", "worker", "--listen-fd", fd, NULL};
    struct spawn s = {.argv = argv, .path = program ? program : "/proc/self/exe", .envp = env,
                      .cwd = w->ws->state_dir, .out = log, .keep = {listening, library}, .tied = true, .user = &user};
    bool ok = spawn_start(&s, pid, e);
    if (library >= 0)
        close(library);
    free(engine);
    free(state);
    free(home);
    return ok;
}

static int open_log(struct worker *w, struct err *e)
{
    struct stat st;
    int fd = open(w->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        err_errno(e, errno, "cannot open '%s'", w->log_path);
    else if (fstat(fd, &st) == 0 && st.st_size > LOG_MAX && ftruncate(fd, 0) != 0)
        log_line(LOG_WARN, "worker", "its log cannot be shortened: %s", strerror(errno));
    return fd;
}

static bool start(struct worker *w, pid_t *pid, struct err *e)
{
    int log = open_log(w, e), listening = log >= 0 ? listen_new(w, e) : -1;
    bool ok = listening >= 0 && spawn_worker(w, listening, log, pid, e);
    if (listening >= 0)
        close(listening);
    if (log >= 0)
        close(log);
    return ok || err_wrap(e, "the lakehouse worker does not start");
}

static void describe_end(struct worker *w, int status, char out[700])
{
    char tail[512] = "";
    if (WIFSIGNALED(status)) {
        snprintf(out, 700, "signal %d ended it", WTERMSIG(status));
        return;
    }
    spawn_log_tail(w->log_path, tail);
    snprintf(out, 700, "it ended with exit status %d%s%s", WEXITSTATUS(status), tail[0] ? ": " : "", tail);
}

/* Until the process has ended, by itself or because `stop` fired. Called without the lock. */
static void watch(struct worker *w, pid_t pid)
{
    struct err e = {0};
    int fd = spawn_pidfd(pid), status = 0;
    if (fd >= 0 && !cancel_poll(&w->stop, fd, POLLIN, -1, &e))
        kill(pid, SIGKILL); /* a commit is one rename: nothing is half-written */
    if (fd >= 0)
        close(fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    pthread_mutex_lock(&w->lock);
    describe_end(w, status, w->ended);
    w->up = w->wanted = false;
    w->ends++;
    bool told = cancel_fired(&w->stop);
    if (told && !w->ending)
        cancel_reset(&w->stop);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    log_line(told ? LOG_DEBUG : LOG_WARN, "worker", "the lakehouse worker (pid %d) is gone: %s", (int)pid, w->ended);
}

static void *supervise(void *self)
{
    struct worker *w = self;
    pthread_mutex_lock(&w->lock);
    while (!w->ending) {
        if (!w->wanted) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        struct err e = {0};
        pid_t pid = 0;
        bool ok = start(w, &pid, &e);
        pthread_mutex_lock(&w->lock);
        w->up = ok;
        w->starts += ok;
        if (!ok) {
            w->failed = e;
            w->ends++;
            w->wanted = false;
        }
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->lock);
        if (ok)
            watch(w, pid);
        else
            log_err("worker", "start", &e);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- life ---- */

struct worker *worker_new(struct workspace *ws)
{
    struct worker *w = xcalloc(1, sizeof *w);
    struct err e = {0};
    w->ws = ws;
    w->log_path = xasprintf("%s/worker.log", ws->private_dir);
    w->dir_fd = open(ws->private_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (w->dir_fd < 0 || !cancel_init(&w->stop, &e))
        bug("no file descriptor for the lakehouse worker: %s", strerror(errno));
    pthread_mutex_init(&w->lock, NULL);
    clock_cond_init(&w->changed);
    return w;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    cancel_fire(&w->stop);
    pthread_cond_broadcast(&w->changed);
    bool join = w->thread_runs;
    pthread_mutex_unlock(&w->lock);
    if (join)
        pthread_join(w->thread, NULL);
    cancel_release(&w->stop);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    close(w->dir_fd);
    free(w->log_path);
    free(w);
}

bool worker_up(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool up = w->up;
    pthread_mutex_unlock(&w->lock);
    return up;
}

void worker_stop(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    if (w->up) {
        unsigned long ends = w->ends;
        cancel_fire(&w->stop);
        while (w->ends == ends)
            pthread_cond_wait(&w->changed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

bool worker_start(struct worker *w, struct cancel *cancel, struct err *e)
{
    if (!cancel_check(cancel, e))
        return false;
    pthread_mutex_lock(&w->lock);
    unsigned long starts = w->starts, ends = w->ends;
    bool was_up = w->up;
    if (!w->thread_runs && !w->ending) {
        int rc = pthread_create(&w->thread, NULL, supervise, w);
        w->thread_runs = rc == 0;
        if (rc != 0)
            err_errno(e, rc, "cannot start a thread for the lakehouse worker");
    }
    w->wanted = true;
    pthread_cond_broadcast(&w->changed);
    while (!e->code && !was_up && !w->ending && w->starts == starts && w->ends == ends)
        pthread_cond_wait(&w->changed, &w->lock);
    if (w->ending)
        err_set(e, ERR_UNAVAILABLE, "the workspace is being stopped");
    else if (!e->code && !was_up && w->starts == starts)
        *e = w->failed;
    pthread_mutex_unlock(&w->lock);
    return !e->code;
}

/* ---- a job ---- */

static int connect_to(struct worker *w, struct err *e)
{
    struct sockaddr_un a;
    socket_address(w, &a);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_errno(e, errno, "cannot open a socket");
        return -1;
    }
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1; /* it ended in this moment */
}

/* The connection ended before the job did: say how the process ended. */
static bool lost(struct worker *w, unsigned long ends, struct err *e)
{
    int64_t end = clock_mono_ms() + REAP_MS;
    pthread_mutex_lock(&w->lock);
    while (w->ends == ends && !w->ending && clock_cond_until(&w->changed, &w->lock, end))
        continue;
    bool ending = w->ending, known = w->ends != ends;
    char how[sizeof w->ended];
    memcpy(how, w->ended, sizeof how);
    pthread_mutex_unlock(&w->lock);
    err_init(e);
    if (ending)
        return err_set(e, ERR_UNAVAILABLE, "the workspace is being stopped");
    err_set(e, ERR_UNAVAILABLE, "the lakehouse worker is gone: %s", known ? how : "it closed the connection");
    err_hint(e, "what was not committed is undone; the next statement starts a new worker");
    return false;
}

struct job {
    int fd;
    const struct worker_job *cb;
    struct cancel *cancel;
    bool ended; /* its last frame came */
    bool told;  /* the worker was asked to stop */
    int64_t until_ms; /* and has until then */
    struct err why;   /* ours to report, whatever the worker says */
};

static bool tell_cancel(struct job *j, struct err *e)
{
    json_t *frame = json_pack("{s:b}", "cancel", 1);
    bool ok = worker_frame_write(j->fd, frame, NULL, e);
    json_decref(frame);
    j->told = true;
    j->until_ms = clock_mono_ms() + CANCEL_MS;
    return ok;
}

/* Wait for the next frame; an interrupt is passed on once, and then the worker has a while to end the job. */
static bool next_frame(struct job *j, json_t **frame, struct err *e)
{
    *frame = NULL;
    while (!j->told) {
        if (cancel_poll(j->cancel, j->fd, POLLIN, -1, e))
            return worker_frame_read(j->fd, frame, NULL, e);
        if (e->code != ERR_CANCELLED)
            return false;
        j->why = *e;
        err_init(e);
        if (!tell_cancel(j, e))
            return false;
    }
    int64_t left = j->until_ms - clock_mono_ms();
    if (left > 0 && cancel_poll(NULL, j->fd, POLLIN, (int)left, e))
        return worker_frame_read(j->fd, frame, NULL, e);
    *e = j->why;
    return false;
}

static bool answer_call(struct job *j, const json_t *frame, struct err *e)
{
    json_t *answer = NULL, *reply;
    struct err why = {0};
    const char *method = jx_get_str(frame, "call", "");
    if (j->cb->call)
        j->cb->call(j->cb->self, method, json_object_get(frame, "args"), &answer, &why);
    else
        err_set(&why, ERR_NOT_IMPLEMENTED, "nobody answers calls of this job");
    if (!why.code)
        reply = json_pack("{s:o}", "answer", answer ? answer : json_null());
    else
        reply = json_pack("{s:o}", "error", worker_error_json(&why));
    bool ok = worker_frame_write(j->fd, reply, NULL, e);
    json_decref(reply);
    return ok;
}

static bool take_event(struct job *j, const json_t *frame, struct err *e)
{
    /* After an interrupt the job may still end well, and then its rows count. */
    if ((j->told && j->why.code != ERR_CANCELLED) || !j->cb->event || j->cb->event(j->cb->self, jx_get_str(frame, "event", ""), frame, &j->why))
        return true;
    return j->told || tell_cancel(j, e);
}

static bool serve(struct job *j, json_t **done, struct err *e)
{
    json_t *frame;
    while (next_frame(j, &frame, e)) {
        const json_t *end = json_object_get(frame, "done"), *error = json_object_get(frame, "error");
        bool ok = true;
        if (json_object_get(frame, "call"))
            ok = answer_call(j, frame, e);
        else if (json_object_get(frame, "event"))
            ok = take_event(j, frame, e);
        else if (end)
            *done = json_incref((json_t *)(uintptr_t)end);
        else if (error)
            ok = worker_error_read(error, e);
        else
            ok = err_set(e, ERR_INTERNAL, "the lakehouse worker sent a frame that is none");
        j->ended = end || error;
        json_decref(frame);
        if (!ok || end)
            break;
    }
    /* A job that ended before it saw the interrupt is done; one that we refused to hear the end of is not. */
    if (*done && j->why.code && j->why.code != ERR_CANCELLED) {
        json_decref(*done);
        *done = NULL;
    }
    if (!*done && j->why.code)
        *e = j->why;
    return *done != NULL;
}

bool worker_run(struct worker *w, const json_t *job, const struct worker_job *cb, json_t **done, struct cancel *cancel,
                struct err *e)
{
    struct job j = {.fd = -1, .cb = cb, .cancel = cancel};
    unsigned long ends = 0;
    *done = NULL;
    /* It may end between start and connection: once more then. */
    for (int attempt = 0; attempt < 2 && j.fd < 0 && !e->code; attempt++) {
        if (!worker_start(w, cancel, e))
            return false;
        pthread_mutex_lock(&w->lock);
        ends = w->ends;
        pthread_mutex_unlock(&w->lock);
        j.fd = connect_to(w, e);
    }
    if (j.fd < 0)
        return e->code ? false : lost(w, ends, e);
    bool ok = worker_frame_write(j.fd, job, cancel, e) && serve(&j, done, e);
    close(j.fd);
    if (!ok && !j.ended && e->code == ERR_UNAVAILABLE && !j.why.code)
        lost(w, ends, e);
    return ok;
}
