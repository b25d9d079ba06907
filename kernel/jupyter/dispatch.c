/* Message type -> handler, with "busy" before and "idle" after each. A table; the work is in
 * requests.c and execute.c. */
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "jupyter/state.h"

static const struct {
    const char *type;
    handler_fn *run;
} handlers[] = {
    {"kernel_info_request", handle_kernel_info},
    {"complete_request", handle_complete},
    {"inspect_request", handle_inspect},
    {"is_complete_request", handle_is_complete},
    {"history_request", handle_history},
    {"comm_info_request", handle_comm_info},
    {"comm_open", handle_comm_open},
    {"comm_msg", handle_ignored}, /* of a comm that was closed at once: nothing to do */
    {"comm_close", handle_ignored},
    {"connect_request", handle_connect},
    {"interrupt_request", handle_interrupt},
    {"shutdown_request", handle_shutdown},
};

/* Every kind of bad message is logged once: a noisy client must not fill the log. */
static void log_dropped(enum channel ch, const struct err *e)
{
    static bool seen[CH_COUNT][ERR_CODE_COUNT];
    if (!seen[ch][e->code])
        log_line(LOG_WARN, "wire",
                 "a message on %s was dropped: %s (the next ones of this kind are not logged)",
                 channel_name(ch), e->text);
    seen[ch][e->code] = true;
}

static void handle(struct kernel *k, const struct msg *m)
{
    static const char request[] = "_request";
    size_t len = strlen(m->type);
    if (m->content_bad) {
        if (len >= sizeof request && strcmp(m->type + len - (sizeof request - 1), request) == 0)
            kernel_reply_err(k, m, &m->content_err);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        if (strcmp(m->type, handlers[i].type) == 0) {
            handlers[i].run(k, m);
            return;
        }
    }
    if (strcmp(m->type, "execute_request") == 0) { /* on control: it would run beside the queue */
        struct err e;
        err_init(&e);
        err_set(&e, ERR_BAD_REQUEST, "execute_request belongs on the shell channel");
        kernel_reply_err(k, m, &e);
        return;
    }
    /* The specification knows no reply to an unknown request: its sender sees busy and idle. */
    log_line(LOG_DEBUG, "jupyter", "unknown message type '%s'", m->type);
}

void kernel_dispatch(struct kernel *k, struct msg *m)
{
    if (m->channel == CH_STDIN) {
        execute_input_reply(k, m);
        msg_free(m);
        return;
    }
    if (m->channel == CH_SHELL && !m->content_bad && strcmp(m->type, "execute_request") == 0) {
        execute_queue(k, m);
        return;
    }
    if (python_takes(k, m))
        return;
    kernel_status(k, m, "busy");
    handle(k, m);
    kernel_status(k, m, "idle");
    /* A front end shows the newest status: while a cell runs, that is "busy". */
    if (k->cell.request)
        kernel_status(k, k->cell.request, "busy");
    msg_free(m);
}

void kernel_drain(struct kernel *k, enum channel ch)
{
    for (;;) {
        struct msg *m;
        struct err e;
        err_init(&e);
        if (!sockets_receive(&k->sockets, ch, k->signer, &m, &e))
            log_dropped(ch, &e);
        else if (m)
            kernel_dispatch(k, m);
        else
            return;
    }
}
