/*
 * A cell that runs in Python: the request goes down, what it shows comes up and goes out as ours (see python.h). Source:
 * Jupyter messaging protocol, "Messages on the IOPub", "Execute", "Messages on the stdin".
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "jupyter/state.h"

/* ---- down ---- */

/* The cell thread's metadata with the number of the cell, which only this thread knows. */
static json_t *metadata_of(const struct kernel *k, const struct python_call *call)
{
    json_t *all = json_loads(call->metadata ? call->metadata : "{}", JSON_ALLOW_NUL, NULL);
    json_t *ours = json_object_get(all, "lakebase");
    if (json_is_object(ours))
        json_object_set_new(ours, "count", json_integer(k->cell.count));
    return all;
}

void python_run_begin(struct kernel *k, const struct python_call *call)
{
    struct python *p = &k->python;
    const struct cell *c = &k->cell;
    struct err e;
    err_init(&e);
    if (p->state != PYTHON_READY) {
        err_set(&e, ERR_CHILD, "Python ended before the cell could run");
        python_answer(k, &e, NULL);
        return;
    }
    json_t *asked = json_object_get(c->request->content, "user_expressions");
    json_t *content = json_object(), *metadata = metadata_of(k, call);
    json_object_set_new(content, "code", jx_str(call->code));
    json_object_set_new(content, "silent", json_boolean(c->silent));
    json_object_set_new(content, "store_history", json_boolean(c->stored));
    json_object_set_new(content, "user_expressions",
                        json_is_object(asked) ? json_incref(asked) : json_object());
    json_object_set_new(content, "allow_stdin", json_boolean(c->allow_stdin));
    json_object_set_new(content, "stop_on_error", json_false()); /* the queue is here */
    json_decref(p->run.reply);
    json_decref(p->run.error);
    p->run = (struct python_run){.active = true};
    python_send(p, CH_SHELL, "execute_request", c->request->header_text, metadata, content);
    json_decref(metadata);
}

/* ---- the end of the cell ---- */

static void keep_extras(struct kernel *k, const json_t *reply)
{
    json_t *payload = json_object_get(reply, "payload");
    json_t *expressions = json_object_get(reply, "user_expressions");
    json_decref(k->cell.payload);
    json_decref(k->cell.expressions);
    k->cell.payload = json_is_array(payload) ? json_incref(payload) : NULL;
    k->cell.expressions = json_is_object(expressions) ? json_incref(expressions) : NULL;
}

/* An error message that was not the end of the cell (a traceback shown by the user's own code). */
static void let_error_go(struct kernel *k)
{
    struct python_run *r = &k->python.run;
    if (r->error && !k->cell.silent)
        kernel_publish(k, "error", k->cell.request, r->error);
    else
        json_decref(r->error);
    r->error = NULL;
}

static char *error_text(const json_t *from)
{
    json_t *lines = json_object_get(from, "traceback");
    json_t *bundle = json_object();
    json_object_set_new(bundle, "ename", jx_str(jx_get_str(from, "ename", "Error")));
    json_object_set_new(bundle, "evalue", jx_str(jx_get_str(from, "evalue", "")));
    json_object_set_new(bundle, "traceback", json_is_array(lines) ? json_incref(lines) : json_array());
    char *text = jx_dump(bundle);
    json_decref(bundle);
    return text;
}

static void end_run(struct kernel *k, const struct err *why, char *error)
{
    struct python_run *r = &k->python.run;
    json_decref(r->reply);
    json_decref(r->error);
    *r = (struct python_run){.active = false};
    k->cell.input_id[0] = '\0';
    python_answer(k, why, error);
}

void python_run_check(struct kernel *k)
{
    struct python_run *r = &k->python.run;
    struct err e;
    err_init(&e);
    if (!r->active || !r->idle_ms)
        return;
    if (!r->reply && clock_mono_ms() < r->idle_ms + PYTHON_REPLY_MS)
        return;
    const char *status = r->reply ? jx_get_str(r->reply, "status", "") : "lost";
    if (strcmp(status, "ok") == 0) {
        let_error_go(k);
        keep_extras(k, r->reply);
        end_run(k, NULL, NULL);
    } else if (strcmp(status, "error") == 0) {
        err_set(&e, ERR_BAD_REQUEST, "the cell failed in Python");
        end_run(k, &e, error_text(r->error ? r->error : r->reply));
    } else if (r->interrupted) { /* in ipykernel itself, before or behind the code of the cell */
        err_set(&e, ERR_CANCELLED, "interrupted");
        end_run(k, &e, NULL);
    } else {
        err_set(&e, ERR_CHILD, "Python did not say how the cell ended (%s)", status);
        end_run(k, &e, NULL);
    }
}

void python_run_died(struct kernel *k, const char *how)
{
    struct err e;
    err_init(&e);
    if (!k->python.run.active)
        return;
    let_error_go(k);
    err_set(&e, ERR_CHILD, "Python %s while it ran this cell", how);
    err_hint(&e, "its variables, imports and connections are gone; the next %%%%python cell starts a new one");
    end_run(k, &e, NULL);
}

void python_on_reply(struct kernel *k, struct msg *m)
{
    struct python_run *r = &k->python.run;
    if (!r->active || r->reply || strcmp(jx_get_str(m->parent, "msg_id", ""), k->cell.request->id) != 0)
        return;
    r->reply = json_incref(m->content);
}

/* ---- up ---- */

static void on_status(struct kernel *k, const char *state)
{
    struct python_run *r = &k->python.run;
    if (strcmp(state, "idle") == 0)
        r->idle_ms = clock_mono_ms();
    else if (k->cell.silent) /* there will be no execute_input */
        r->started = true;
}

static void send_interrupt(struct kernel *k)
{
    struct python_run *r = &k->python.run;
    python_child_interrupt(&k->python.child);
    r->interrupt_due = false;
    r->wakes = 0;
    r->wake_ms = clock_mono_ms() + PYTHON_WAKE_MS;
}

void python_run_interrupt(struct kernel *k)
{
    struct python_run *r = &k->python.run;
    r->interrupted = true;
    r->interrupt_due = !r->started; /* ipykernel ignores the signal outside of a cell */
    if (r->started)
        send_interrupt(k);
}

static void on_started(struct kernel *k)
{
    struct python_run *r = &k->python.run;
    r->started = true;
    if (r->interrupt_due)
        send_interrupt(k);
}

/* false: it is over the cap of what a cell may print, and not shown. */
static bool stream_fits(struct kernel *k, const struct msg *m)
{
    struct python_run *r = &k->python.run;
    size_t len = json_string_length(json_object_get(m->content, "text"));
    if (r->streamed > PYTHON_STREAM_CAP)
        return false;
    r->streamed += len;
    if (r->streamed <= PYTHON_STREAM_CAP)
        return true;
    r->streamed = (size_t)PYTHON_STREAM_CAP + 1;
    kernel_publish(k, "stream", k->cell.request,
                   json_pack("{ssss}", "name", "stderr", "text",
                             "\n[the rest is not shown: this cell printed more than 64 MiB]\n"));
    return false;
}

static void number_result(struct kernel *k, const struct msg *m)
{
    const char *plain = jx_get_str(json_object_get(m->content, "data"), "text/plain", NULL);
    json_object_set_new(m->content, "execution_count", json_integer(k->cell.count));
    if (plain && k->cell.stored)
        history_output(k->history, k->cell.count, plain);
}

/* A widget lives on comm messages of its Python, which end here. Without its view a front end shows its text, instead of
 * "model not found". */
static void drop_widget_view(json_t *content)
{
    json_t *data = json_object_get(content, "data");
    if (json_object_get(data, "text/plain"))
        json_object_del(data, "application/vnd.jupyter.widget-view+json");
}

static bool is_output(const char *type)
{
    static const char *const types[] = {"stream", "display_data", "update_display_data", "execute_result",
                                        "clear_output", "error"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(type, types[i]) == 0)
            return true;
    }
    return false;
}

/* Of a cell that has ended: a thread that it left behind. The cell is named by the header that went down. */
static void relay_late(struct kernel *k, const struct msg *m)
{
    struct msg cause = {.header_text = jx_dump(m->parent)};
    cause.header_len = strlen(cause.header_text);
    drop_widget_view(m->content);
    kernel_publish(k, m->type, &cause, json_incref(m->content));
    free(cause.header_text);
}

static void relay(struct kernel *k, struct msg *m)
{
    struct python_run *r = &k->python.run;
    bool stream = strcmp(m->type, "stream") == 0;
    let_error_go(k); /* something comes after it, so it was not the end */
    if (k->cell.silent || (stream && !stream_fits(k, m)))
        return;
    if (strcmp(m->type, "error") == 0) {
        r->error = json_incref(m->content);
        return;
    }
    if (strcmp(m->type, "execute_result") == 0)
        number_result(k, m);
    drop_widget_view(m->content);
    kernel_publish(k, m->type, k->cell.request, json_incref(m->content));
}

void python_on_iopub(struct kernel *k, struct msg *m)
{
    struct python *p = &k->python;
    const char *cause = jx_get_str(m->parent, "msg_id", "");
    bool ours = p->run.active && strcmp(cause, k->cell.request->id) == 0;
    if (!*cause || strcmp(jx_get_str(m->parent, "session", ""), p->author.session) == 0)
        return; /* nobody's, or of a question of the kernel itself */
    if (strcmp(m->type, "status") == 0 && ours)
        on_status(k, jx_get_str(m->content, "execution_state", ""));
    else if (strcmp(m->type, "execute_input") == 0 && ours)
        on_started(k);
    else if (is_output(m->type) && ours)
        relay(k, m);
    else if (is_output(m->type))
        relay_late(k, m);
}

/* ---- input() ---- */

void python_on_stdin(struct kernel *k, struct msg *m)
{
    struct python_run *r = &k->python.run;
    if (!r->active || strcmp(m->type, "input_request") != 0)
        return;
    json_t *content = json_object();
    json_object_set_new(content, "prompt", jx_str(jx_get_str(m->content, "prompt", "")));
    json_object_set_new(content, "password", json_boolean(jx_get_bool(m->content, "password", false)));
    r->asking = true;
    execute_prompt(k, jx_dump(content));
    json_decref(content);
}

bool python_input(struct kernel *k, const char *value)
{
    struct python *p = &k->python;
    if (!p->run.asking)
        return false;
    p->run.asking = false;
    /* A prompt that was closed is the end of the input, as in ipykernel. */
    python_send(p, CH_STDIN, "input_reply", NULL, NULL,
                json_pack("{so}", "value", value ? jx_str(value) : json_string("\x04")));
    return true;
}
