/*
 * The lakehouse worker process: takes connections, a thread for each job. Opens the engine at the first job. Holds no
 * state that anybody would miss: it may be killed at any moment.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/worker.h"
#include "workspace/worker_frame.h"
#include "workspace/worker_job.h"

static const struct {
    const char *name;
    worker_job_fn *run;
} jobs[] = {
    {"statement", worker_statement},
    {"sync", worker_sync},
    {"sample", worker_sample},
};

struct process {
    char *root, *temp;
    pthread_mutex_t lock; /* around lake */
    struct lake *lake;
};

/* The reader thread owns the read side of the socket; whoever writes holds `writing`. */
struct worker_ctx {
    struct process *process;
    int fd;
    struct lake *lake;
    struct cancel cancel;
    pthread_mutex_t writing, asking, lock; /* taken in this order; lock: answer and gone */
    pthread_cond_t came;
    json_t *answer; /* the frame that answers the call under way */
    bool gone;
};

struct lake *worker_lake(struct worker_ctx *x) { return x->lake; }
struct cancel *worker_cancel(struct worker_ctx *x) { return &x->cancel; }

static bool send_frame(struct worker_ctx *x, json_t *frame, struct err *e)
{
    pthread_mutex_lock(&x->writing);
    bool ok = worker_frame_write(x->fd, frame, NULL, e);
    pthread_mutex_unlock(&x->writing);
    json_decref(frame);
    if (!ok && e->code == ERR_UNAVAILABLE)
        cancel_fire(&x->cancel);
    return ok;
}

void worker_tell(struct worker_ctx *x, const char *name, json_t *event)
{
    struct err e = {0};
    json_object_set_new(event, "event", json_string(name));
    if (!send_frame(x, event, &e))
        cancel_fire(&x->cancel);
}

/* Wait for the frame that answers. */
static json_t *await(struct worker_ctx *x)
{
    pthread_mutex_lock(&x->lock);
    while (!x->answer && !x->gone)
        pthread_cond_wait(&x->came, &x->lock);
    json_t *frame = x->answer;
    x->answer = NULL;
    pthread_mutex_unlock(&x->lock);
    return frame;
}

bool worker_ask(struct worker_ctx *x, const char *method, json_t *args, json_t **answer, struct err *e)
{
    *answer = NULL;
    pthread_mutex_lock(&x->asking);
    json_t *frame = NULL;
    if (send_frame(x, json_pack("{s:s,s:o}", "call", method, "args", args), e))
        frame = await(x);
    pthread_mutex_unlock(&x->asking);
    if (!frame)
        return err_set(e, ERR_UNAVAILABLE, "the workspace is gone");
    const json_t *error = json_object_get(frame, "error");
    bool ok = error ? worker_error_read(error, e) : true;
    if (ok)
        *answer = json_incref(json_object_get(frame, "answer"));
    json_decref(frame);
    return ok;
}

/* What comes after the first frame: answers, and the wish to stop. */
static void *reader(void *arg)
{
    struct worker_ctx *x = arg;
    struct err e = {0};
    json_t *frame;
    while (worker_frame_read(x->fd, &frame, NULL, &e)) {
        if (json_is_true(json_object_get(frame, "cancel"))) {
            cancel_fire(&x->cancel);
            json_decref(frame);
            continue;
        }
        pthread_mutex_lock(&x->lock);
        json_decref(x->answer);
        x->answer = frame;
        pthread_cond_broadcast(&x->came);
        pthread_mutex_unlock(&x->lock);
    }
    cancel_fire(&x->cancel);
    pthread_mutex_lock(&x->lock);
    x->gone = true;
    pthread_cond_broadcast(&x->came);
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

/* One engine for all jobs. A failure is told to the job that needed it, and tried again by the next. */
static bool open_lake(struct worker_ctx *x, struct err *e)
{
    struct process *p = x->process;
    pthread_mutex_lock(&p->lock);
    if (!p->lake && fs_mkdirs(p->temp, 0700, e)) {
        struct lake_options o = {.root = p->root, .temp_dir = p->temp};
        p->lake = lake_open(&o, e);
    }
    x->lake = p->lake;
    pthread_mutex_unlock(&p->lock);
    return x->lake != NULL;
}

static bool run_job(struct worker_ctx *x, const json_t *job, json_t **done, struct err *e)
{
    const char *name = jx_get_str(job, "job", "");
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        if (strcmp(jobs[i].name, name) == 0)
            return open_lake(x, e) && jobs[i].run(x, job, done, e);
    }
    return err_set(e, ERR_NOT_IMPLEMENTED, "the lakehouse worker has no job '%s'", name);
}

static void serve_job(struct worker_ctx *x, const json_t *job)
{
    struct err e = {0}, ignored = {0};
    json_t *done = NULL;
    if (run_job(x, job, &done, &e))
        send_frame(x, json_pack("{s:o}", "done", done ? done : json_object()), &ignored);
    else
        send_frame(x, json_pack("{s:o}", "error", worker_error_json(&e)), &ignored);
}

static void *connection(void *arg)
{
    struct worker_ctx *x = arg;
    struct err e = {0};
    json_t *job = NULL;
    pthread_t thread;
    if (cancel_init(&x->cancel, &e) && worker_frame_read(x->fd, &job, NULL, &e)) {
        if (pthread_create(&thread, NULL, reader, x) == 0) {
            serve_job(x, job);
            shutdown(x->fd, SHUT_RDWR); /* ends the reader */
            pthread_join(thread, NULL);
        }
        json_decref(job);
    } else {
        log_err("worker", "job", &e);
    }
    cancel_release(&x->cancel);
    close(x->fd);
    json_decref(x->answer);
    pthread_mutex_destroy(&x->writing);
    pthread_mutex_destroy(&x->asking);
    pthread_mutex_destroy(&x->lock);
    pthread_cond_destroy(&x->came);
    free(x);
    return NULL;
}

static void start_connection(struct process *p, int fd)
{
    struct worker_ctx *x = xcalloc(1, sizeof *x);
    pthread_t thread;
    x->process = p;
    x->fd = fd;
    pthread_mutex_init(&x->writing, NULL);
    pthread_mutex_init(&x->asking, NULL);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->came, NULL);
    if (pthread_create(&thread, NULL, connection, x) == 0) {
        pthread_detach(thread);
        return;
    }
    log_line(LOG_ERROR, "worker", "no thread for a job");
    close(fd);
    free(x);
}

int worker_main(int fd, const char *state_dir)
{
    struct process p = {.root = xasprintf("%s/lakehouse", state_dir),
                        .temp = xasprintf("%s/lakehouse/.temp", state_dir)};
    pthread_mutex_init(&p.lock, NULL);
    for (;;) {
        int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (one >= 0)
            start_connection(&p, one);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            poll(NULL, 0, 100); /* jobs that end free some */
        else if (errno != EINTR && errno != ECONNABORTED)
            return EXIT_FAILURE;
    }
}
