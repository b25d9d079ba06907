/* The cell thread (see runner.h). Turns what a cell shows into outbox entries; what they become is
 * kernel.c's part. */
#include "jupyter/runner.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/interp.h"
#include "render/sink.h"

static void show_stream(void *self, bool to_stderr, const char *text, size_t len)
{
    static const char note[] = "\n[the rest is not shown: this cell printed more than 64 MiB]\n";
    struct runner *r = self;
    if (r->now->silent || r->streamed > RUNNER_STREAM_CAP)
        return;
    size_t room = RUNNER_STREAM_CAP - r->streamed;
    outbox_stream(r->out, to_stderr, text, len < room ? len : room);
    r->streamed += len;
    if (len > room) {
        outbox_stream(r->out, true, note, sizeof note - 1);
        r->streamed = (size_t)RUNNER_STREAM_CAP + 1;
    }
}

static void show_bundle(void *self, enum sink_show how, json_t *data, json_t *metadata,
                        const char *id)
{
    static const char *const types[] = {[SINK_RESULT] = "execute_result",
                                        [SINK_DISPLAY] = "display_data",
                                        [SINK_UPDATE] = "update_display_data"};
    struct runner *r = self;
    if (r->now->silent)
        return;
    json_t *content = json_object();
    json_object_set(content, "data", data);
    json_object_set_new(content, "metadata", metadata ? json_incref(metadata) : json_object());
    json_t *transient = json_object();
    if (id)
        json_object_set_new(transient, "display_id", jx_str(id));
    json_object_set_new(content, "transient", transient);
    const char *plain = how == SINK_RESULT ? jx_get_str(data, "text/plain", NULL) : NULL;
    outbox_add(r->out, OUT_MESSAGE, types[how], jx_dump(content), xstrdup(plain));
    json_decref(content);
}

static void forget_answer_locked(struct runner *r, enum answer now)
{
    uint64_t count;
    ssize_t n = read(r->answer_fd, &count, sizeof count);
    (void)n;
    buf_release_secret(&r->value);
    buf_init(&r->value, RUNNER_ANSWER_CAP);
    r->answer = now;
}

static bool take_answer(struct runner *r, struct buf *out, struct err *e)
{
    bool ok;
    pthread_mutex_lock(&r->lock);
    if (r->answer == ANSWER_GIVEN && !r->value.failed) {
        buf_add(out, buf_str(&r->value), r->value.len);
        ok = buf_ok(out, "what was typed", e);
    } else if (r->answer == ANSWER_GIVEN) {
        ok = buf_ok(&r->value, "what was typed", e);
    } else {
        ok = err_set(e, ERR_CANCELLED, "the prompt was closed without an answer");
    }
    forget_answer_locked(r, ANSWER_NONE);
    pthread_mutex_unlock(&r->lock);
    return ok;
}

static bool ask(void *self, const char *prompt, bool secret, struct buf *out, struct err *e)
{
    struct runner *r = self;
    if (!r->now->allow_stdin) {
        err_set(e, ERR_INVALID_STATE, "this front end cannot be asked for input");
        err_hint(e, "run the cell in JupyterLab or another front end with input boxes");
        return false;
    }
    if (!cancel_check(&r->cancel, e))
        return false;
    pthread_mutex_lock(&r->lock);
    forget_answer_locked(r, ANSWER_AWAITED);
    pthread_mutex_unlock(&r->lock);
    json_t *content = json_object();
    json_object_set_new(content, "prompt", jx_str(prompt));
    json_object_set_new(content, "password", json_boolean(secret));
    outbox_add(r->out, OUT_INPUT, "input_request", jx_dump(content), NULL);
    json_decref(content);
    if (cancel_poll(&r->cancel, r->answer_fd, POLLIN, -1, e))
        return take_answer(r, out, e);
    pthread_mutex_lock(&r->lock);
    forget_answer_locked(r, ANSWER_NONE);
    pthread_mutex_unlock(&r->lock);
    return false;
}

static bool call_python(void *self, const struct python_call *call, struct python_answer *answer,
                        struct err *e)
{
    struct runner *r = self;
    return python_line_call(r->python, r->out, call, answer, e);
}

static void run_job(struct runner *r, struct session *session, const struct job *job)
{
    struct sink sink = {
        .self = r, .interactive = job->allow_stdin, .stream = show_stream, .show = show_bundle};
    struct host host = {.self = r, .input = ask, .python = call_python};
    struct cell_run run = {
        .code = job->code, .len = job->len, .out = &sink, .cancel = &r->cancel, .host = &host};
    json_t *error = NULL;
    r->now = job;
    r->streamed = 0;
    bool ok = interp_run(session, &run, &error);
    if (!ok && !error)
        bug("a cell failed without an error");
    outbox_add(r->out, OUT_DONE, NULL, ok ? NULL : jx_dump(error), NULL);
    json_decref(error);
    r->now = NULL;
}

/* Between cells, with the lock held, which is given up meanwhile; a job that comes ends it. */
static void refresh_locked(struct runner *r, struct session *session)
{
    cancel_reset(&r->refresh_cancel);
    pthread_mutex_unlock(&r->lock);
    interp_refresh(session, &r->refresh_cancel);
    pthread_mutex_lock(&r->lock);
    r->refresh = false;
    pthread_cond_broadcast(&r->changed);
}

static struct job *next_job(struct runner *r, struct session *session)
{
    pthread_mutex_lock(&r->lock);
    while (!r->job && !r->stop) {
        if (r->refresh)
            refresh_locked(r, session);
        else
            pthread_cond_wait(&r->changed, &r->lock);
    }
    struct job *job = r->stop ? NULL : r->job;
    if (job)
        r->job = NULL;
    pthread_mutex_unlock(&r->lock);
    return job;
}

static void job_free(struct job *job)
{
    if (job)
        free(job->code);
    free(job);
}

static void *run_cells(void *self)
{
    struct runner *r = self;
    struct session *session = session_new();
    struct job *job;
    while ((job = next_job(r, session)) != NULL) {
        run_job(r, session, job);
        job_free(job);
    }
    session_free(session);
    pthread_mutex_lock(&r->lock);
    r->ended = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

bool runner_init(struct runner *r, struct outbox *out, struct python_line *python, struct err *e)
{
    *r = (struct runner){.out = out, .python = python, .answer_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (r->answer_fd < 0)
        return err_errno(e, errno, "cannot make an eventfd");
    if (!cancel_init(&r->cancel, e)) {
        close(r->answer_fd);
        return false;
    }
    if (!cancel_init(&r->refresh_cancel, e)) {
        cancel_release(&r->cancel);
        close(r->answer_fd);
        return false;
    }
    buf_init(&r->value, RUNNER_ANSWER_CAP);
    pthread_mutex_init(&r->lock, NULL);
    clock_cond_init(&r->changed);
    int rc = pthread_create(&r->thread, NULL, run_cells, r);
    if (rc == 0)
        return true;
    cancel_release(&r->cancel);
    cancel_release(&r->refresh_cancel);
    close(r->answer_fd);
    return err_errno(e, rc, "cannot start the cell thread");
}

void runner_submit(struct runner *r, struct job *job)
{
    cancel_reset(&r->cancel); /* an interrupt of the cell before must not hit this one */
    pthread_mutex_lock(&r->lock);
    r->job = job;
    cancel_fire(&r->refresh_cancel);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

void runner_refresh(struct runner *r, int ms)
{
    int64_t end = clock_mono_ms() + ms;
    pthread_mutex_lock(&r->lock);
    r->refresh = true;
    pthread_cond_broadcast(&r->changed);
    while (r->refresh && clock_cond_until(&r->changed, &r->lock, end))
        continue;
    pthread_mutex_unlock(&r->lock);
}

void runner_interrupt(struct runner *r)
{
    cancel_fire(&r->cancel);
}

bool runner_asks(struct runner *r)
{
    pthread_mutex_lock(&r->lock);
    bool asks = r->answer == ANSWER_AWAITED;
    pthread_mutex_unlock(&r->lock);
    return asks;
}

void runner_answer(struct runner *r, const char *value, size_t len)
{
    pthread_mutex_lock(&r->lock);
    if (r->answer == ANSWER_AWAITED) {
        uint64_t one = 1;
        if (value)
            buf_add(&r->value, value, len);
        r->answer = value ? ANSWER_GIVEN : ANSWER_CLOSED;
        ssize_t n = write(r->answer_fd, &one, sizeof one);
        (void)n;
    }
    pthread_mutex_unlock(&r->lock);
}

bool runner_stop(struct runner *r, int ms)
{
    int64_t end = clock_mono_ms() + ms;
    cancel_fire(&r->cancel);
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    cancel_fire(&r->refresh_cancel);
    pthread_cond_broadcast(&r->changed);
    while (!r->ended && clock_cond_until(&r->changed, &r->lock, end))
        continue;
    bool ended = r->ended;
    pthread_mutex_unlock(&r->lock);
    if (!ended)
        return false;
    pthread_join(r->thread, NULL);
    job_free(r->job);
    buf_release_secret(&r->value);
    cancel_release(&r->cancel);
    cancel_release(&r->refresh_cancel);
    close(r->answer_fd);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    return true;
}
