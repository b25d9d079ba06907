/*
 * Cells from request to reply: the queue, the counter, outputs on their way out, aborts. Source:
 * Jupyter messaging protocol, "Execute". Socket thread only; the cell itself runs in runner.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "jupyter/state.h"
#include "magics/interp.h"

static void remember(struct kernel *k, const struct job *job)
{
    char *redacted = interp_redact(job->code, job->len);
    if (redacted)
        history_add(k->history, k->count, redacted, strlen(redacted));
    else
        history_add(k->history, k->count, job->code, job->len);
    free(redacted);
}

static void begin(struct kernel *k, struct msg *m)
{
    const json_t *o = m->content;
    const json_t *code = json_object_get(o, "code");
    struct cell *c = &k->cell;
    *c = (struct cell){.request = m};
    c->silent = jx_get_bool(o, "silent", false);
    c->stored = !c->silent && jx_get_bool(o, "store_history", true);
    c->stop_on_error = !c->silent && jx_get_bool(o, "stop_on_error", true);
    c->allow_stdin = jx_get_bool(o, "allow_stdin", false);
    clock_rfc3339_micros(c->started);
    if (c->stored)
        k->count++;
    c->count = k->count;
    kernel_status(k, m, "busy");

    struct job *job = xcalloc(1, sizeof *job);
    job->len = json_string_length(code);
    job->code = xstrndup(json_string_value(code), job->len);
    job->silent = c->silent;
    job->allow_stdin = c->allow_stdin;
    if (!c->silent) {
        json_t *content = json_object();
        json_object_set(content, "code", json_object_get(o, "code"));
        json_object_set_new(content, "execution_count", json_integer(c->count));
        kernel_publish(k, "execute_input", m, content);
    }
    if (c->stored)
        remember(k, job);
    runner_submit(&k->runner, job);
}

static void next_cell(struct kernel *k)
{
    struct msg *m = k->queue;
    if (!m || k->cell.request)
        return;
    if (k->stop_ms) { /* the token that stops cells is for the one that ran, so nothing would stop this one */
        execute_abort_queue(k);
        return;
    }
    k->queue = m->next;
    if (!k->queue)
        k->queue_last = NULL;
    k->queued--;
    k->queued_bytes -= m->bytes;
    begin(k, m);
}

static void refuse(struct kernel *k, struct msg *m, enum err_code code, const char *why)
{
    struct err e;
    err_init(&e);
    err_set(&e, code, "%s", why);
    kernel_status(k, m, "busy");
    kernel_reply_err(k, m, &e);
    kernel_status(k, m, "idle");
    msg_free(m);
}

void execute_queue(struct kernel *k, struct msg *m)
{
    if (!json_is_string(json_object_get(m->content, "code"))) {
        refuse(k, m, ERR_INVALID_PARAMETER, "an execute_request needs code, a string");
        return;
    }
    if (k->queued >= QUEUE_MAX || (k->queue && k->queued_bytes + m->bytes > QUEUE_MAX_BYTES)) {
        refuse(k, m, ERR_RATE_LIMIT, "too many or too large cells wait to be run");
        return;
    }
    m->next = NULL;
    *(k->queue_last ? &k->queue_last->next : &k->queue) = m;
    k->queue_last = m;
    k->queued++;
    k->queued_bytes += m->bytes;
    if (k->cell.error) { /* sent together with the cell that failed: wait for the rest of them */
        int64_t quiet = clock_mono_ms() + SETTLE_QUIET_MS;
        k->cell.settle_ms = quiet < k->cell.settle_end_ms ? quiet : k->cell.settle_end_ms;
    }
    next_cell(k);
}

/* Behind its "busy". */
static void reply_aborted(struct kernel *k, const struct msg *m, int64_t count)
{
    json_t *content = json_pack("{sssI}", "status", "aborted", "execution_count", (json_int_t)count);
    kernel_reply(k, m, content, NULL);
    kernel_status(k, m, "idle");
}

void execute_abort_all(struct kernel *k)
{
    if (k->cell.request)
        reply_aborted(k, k->cell.request, k->cell.count);
    execute_abort_queue(k);
}

void execute_abort_queue(struct kernel *k)
{
    while (k->queue) {
        struct msg *m = k->queue;
        k->queue = m->next;
        kernel_status(k, m, "busy");
        reply_aborted(k, m, k->count);
        msg_free(m);
    }
    k->queue_last = NULL;
    k->queued = k->queued_bytes = 0;
}

/* There are no expressions in this language: each asked for gets an error of its own. */
static json_t *answer_expressions(const json_t *request)
{
    json_t *answers = json_object();
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(request, "user_expressions"), key, value)
        json_object_set_new(answers, key,
                            json_pack("{ssssssso}", "status", "error", "ename",
                                      err_info(ERR_NOT_IMPLEMENTED)->ename, "evalue",
                                      "user expressions are not offered by this kernel",
                                      "traceback", json_array()));
    return answers;
}

static void finish(struct kernel *k)
{
    struct cell *c = &k->cell;
    struct msg *m = c->request;
    json_t *content = json_object();
    const char *status = c->error ? "error" : "ok";
    if (c->error)
        json_object_update(content, c->error);
    else
        json_object_set_new(content, "user_expressions",
                            c->expressions ? json_incref(c->expressions)
                                           : answer_expressions(m->content));
    json_object_set_new(content, "status", json_string(status));
    json_object_set_new(content, "execution_count", json_integer(c->count));
    json_object_set_new(content, "payload", c->payload ? json_incref(c->payload) : json_array());
    json_t *metadata = json_pack("{ssss}", "started", c->started, "status", status);
    kernel_reply(k, m, content, metadata);
    kernel_status(k, m, "idle");
    json_decref(metadata);
    bool abort = c->error && c->stop_on_error;
    json_decref(c->error);
    json_decref(c->payload);
    json_decref(c->expressions);
    free(c->prompt);
    *c = (struct cell){0};
    msg_free(m);
    if (abort)
        execute_abort_queue(k);
    next_cell(k);
}

static void ended(struct kernel *k, const struct out *o)
{
    struct cell *c = &k->cell;
    if (!o->text.len) {
        finish(k);
        return;
    }
    c->error = json_loadb(o->text.data, o->text.len, JSON_ALLOW_NUL, NULL);
    if (!c->error)
        bug("the error of a cell is not JSON");
    if (!c->silent)
        kernel_publish(k, "error", c->request, json_incref(c->error));
    c->settle_ms = clock_mono_ms() + SETTLE_QUIET_MS;
    c->settle_end_ms = c->settle_ms + SETTLE_MOST_MS;
    if (!c->stop_on_error || k->stop_ms)
        finish(k);
}

static void show(struct kernel *k, struct out *o)
{
    struct cell *c = &k->cell;
    if (o->kind == OUT_STREAM) {
        json_t *text = jx_text(o->text.data, o->text.len);
        kernel_publish(k, "stream", c->request, json_pack("{ssso}", "name", o->type, "text", text));
        return;
    }
    char *content = buf_detach(&o->text);
    if (strcmp(o->type, "execute_result") == 0) {
        /* One more member at the front of the object: a result may have megabytes, which need no second reading. */
        char *counted = xasprintf("{\"execution_count\":%lld,%s", (long long)c->count, content + 1);
        free(content);
        content = counted;
        if (o->plain && c->stored)
            history_output(k->history, c->count, o->plain);
    }
    kernel_publish_text(k, o->type, c->request, content);
}

static void forget_prompt(struct cell *c)
{
    free(c->prompt);
    c->prompt = NULL;
}

/* To who asked: a cell of Python, or a magic. */
static void give(struct kernel *k, const char *value, size_t len)
{
    if (!python_input(k, value))
        runner_answer(&k->runner, value, len);
}

/* A client connects its sockets one by one: stdin may come after the request that asks on it. */
static void send_prompt(struct kernel *k)
{
    struct cell *c = &k->cell;
    struct packet p;
    int64_t now = clock_mono_ms();
    packet_init(&p, &k->author, "input_request", c->request, NULL, xstrdup(c->prompt));
    memcpy(c->input_id, p.id, sizeof c->input_id);
    if (sockets_reply(&k->sockets, CH_STDIN, k->signer, c->request, &p)) {
        forget_prompt(c);
    } else if (now >= c->prompt_end_ms) {
        log_line(LOG_WARN, "jupyter", "nobody is connected to stdin: a prompt was not shown");
        forget_prompt(c);
        c->input_id[0] = '\0';
        give(k, NULL, 0);
    } else {
        c->prompt_ms = now + PROMPT_AGAIN_MS;
    }
}

void execute_prompt(struct kernel *k, char *content)
{
    struct cell *c = &k->cell;
    kernel_drain(k, CH_STDIN); /* answers to a prompt that is gone */
    forget_prompt(c);
    c->prompt = content;
    c->prompt_end_ms = clock_mono_ms() + PROMPT_MOST_MS;
    send_prompt(k);
}

/* The prompt that waits for its client, unless the cell does not wait for it any more. */
static void ask_again(struct kernel *k, int *wait_ms)
{
    struct cell *c = &k->cell;
    if (c->prompt && !k->python.run.asking && !runner_asks(&k->runner))
        forget_prompt(c);
    if (c->prompt && clock_mono_ms() >= c->prompt_ms)
        send_prompt(k);
    if (c->prompt && (*wait_ms < 0 || *wait_ms > PROMPT_AGAIN_MS))
        *wait_ms = PROMPT_AGAIN_MS;
}

void execute_outputs(struct kernel *k, int *wait_ms)
{
    /* Once a round: what comes meanwhile wakes the loop, which looks at the other sockets first. */
    struct out *o = outbox_take(&k->outbox, wait_ms);
    while (o) {
        struct out *next = o->next;
        if (o->kind == OUT_DONE)
            ended(k, o);
        else if (o->kind == OUT_INPUT)
            execute_prompt(k, buf_detach(&o->text));
        else if (o->kind == OUT_PYTHON)
            python_begin(k);
        else
            show(k, o);
        out_free(o);
        o = next;
    }
    struct cell *c = &k->cell;
    ask_again(k, wait_ms);
    if (!c->error)
        return;
    int64_t left = c->settle_ms - clock_mono_ms();
    if (left <= 0)
        finish(k);
    else if (*wait_ms < 0 || left < *wait_ms)
        *wait_ms = (int)left;
}

void execute_input_reply(struct kernel *k, const struct msg *m)
{
    struct cell *c = &k->cell;
    if (strcmp(m->type, "input_reply") != 0 || !c->input_id[0] || !msg_same_sender(m, c->request))
        return;
    /* JupyterLab names the request it answers, jupyter_client does not. */
    const char *answers = jx_get_str(m->parent, "msg_id", NULL);
    if (answers && strcmp(answers, c->input_id) != 0)
        return;
    const json_t *value = json_object_get(m->content, "value");
    bool closed = !json_is_string(value) || strcmp(json_string_value(value), "\x04") == 0;
    c->input_id[0] = '\0';
    give(k, closed ? NULL : json_string_value(value), json_string_length(value));
}

void execute_interrupt(struct kernel *k)
{
    if (!k->cell.request)
        return;
    runner_interrupt(&k->runner);
    python_interrupt(k);
}
