/* The child of %%python in the kernel's loop (see python.h): start, sockets, timers, end. What its messages become is
 * python_relay.c and python_ask.c. */
#include "jupyter/python.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "jupyter/state.h"

static const enum channel channels[] = {CH_IOPUB, CH_SHELL, CH_STDIN, CH_CONTROL};
enum { CLOSE_MS = 700 };

bool python_init(struct python *p, struct err *e)
{
    *p = (struct python){.state = PYTHON_GONE};
    author_init(&p->author);
    return python_line_init(&p->line, e);
}

void python_send(struct python *p, enum channel ch, const char *type, const char *header,
                 const json_t *metadata, json_t *content)
{
    struct packet packet;
    packet_init(&packet, &p->author, type, NULL, metadata, jx_dump(content));
    json_decref(content);
    if (header) {
        free(packet.header);
        packet.header = xstrdup(header);
    }
    sockets_send(&p->sockets, ch, p->signer, &packet);
}

void python_answer(struct kernel *k, const struct err *why, char *error)
{
    struct python *p = &k->python;
    bool running = p->state == PYTHON_READY || p->state == PYTHON_STARTING;
    struct python_answer a = {.running = running, .generation = p->generation, .error = error};
    if (running) {
        a.pid = p->child.process.pid;
        a.env_profile = p->child.env_profile;
        a.program = xstrdup(p->child.program);
        a.version = xstrdup(p->version);
        a.folder = xstrdup(p->child.folder);
        a.lost = p->lost[0] ? xstrdup(p->lost) : NULL;
    }
    const struct python_call *call = python_line_take(&p->line);
    if (call && call->step == PYTHON_START && p->state == PYTHON_READY)
        p->lost[0] = '\0'; /* told now */
    python_line_answer(&p->line, &a, why);
}

/* ---- the end of the child ---- */

static void tell_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out, size, "ended with exit status %d", WEXITSTATUS(status));
}

static void start_failed(struct kernel *k, const char *how)
{
    struct python *p = &k->python;
    struct err why;
    err_init(&why);
    const char *said = python_child_last_line(&p->child);
    if (strncmp(said, "no ipykernel: ", 14) == 0) {
        err_set(&why, ERR_CONFIG, "the Python '%s' cannot run cells: %s", p->child.program, said);
        err_hint(&why, "install it: %s -m pip install ipykernel; or name another Python with LAKEBASE_PYTHON and "
                       "restart the kernel", p->child.program);
    } else {
        err_set(&why, ERR_CHILD, "the Python '%s' %s before it was ready%s%s", p->child.program, how,
                *said ? ": " : "", said);
        err_hint(&why, "LAKEBASE_PYTHON names another one, for the next start of the kernel");
    }
    p->state = PYTHON_GONE;
    python_answer(k, &why, NULL);
}

/* Its process has ended, or must end now. */
static void bury(struct kernel *k, const char *how)
{
    struct python *p = &k->python;
    enum python_state was = p->state;
    char text[sizeof p->lost];
    int status = 0;
    struct pollfd ended = {.fd = p->child.process.pidfd, .events = POLLIN};
    bool itself = poll(&ended, 1, 0) == 1;
    python_child_listen(&p->child);
    if (itself) { /* WNOWAIT: the number stays taken until python_child_release has ended what it started */
        siginfo_t info = {.si_code = 0};
        waitid(P_PID, (id_t)p->child.process.pid, &info, WEXITED | WNOWAIT);
        status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
    }
    tell_end(status, text, sizeof text);
    how = how ? how : text;
    p->state = PYTHON_GONE;
    snprintf(p->lost, sizeof p->lost, "%s", was == PYTHON_READY ? how : "");
    if (was == PYTHON_STARTING)
        start_failed(k, how);
    python_run_died(k, how);
    python_ask_expire(k, INT64_MAX);
    if (was == PYTHON_ENDING)
        python_answer(k, NULL, NULL);
    sockets_close(&p->sockets, 0);
    signer_free(p->signer);
    p->signer = NULL;
    python_child_release(&p->child, NULL);
    p->dead_ms = 0;
}

static void ask_to_end(struct kernel *k)
{
    struct python *p = &k->python;
    python_send(p, CH_CONTROL, "shutdown_request", NULL, NULL, json_pack("{sb}", "restart", 0));
    p->state = PYTHON_ENDING;
    p->limit_ms = clock_mono_ms() + PYTHON_END_MS;
}

void python_close(struct kernel *k)
{
    struct python *p = &k->python;
    python_line_close(&p->line);
    if (p->state != PYTHON_GONE) {
        struct pollfd ended = {.fd = p->child.process.pidfd, .events = POLLIN};
        if (p->state == PYTHON_READY)
            ask_to_end(k);
        if (p->state == PYTHON_ENDING)
            poll(&ended, 1, CLOSE_MS);
        p->state = PYTHON_ENDING;
        bury(k, NULL);
    }
    json_decref(p->run.reply);
    json_decref(p->run.error);
}

/* ---- the start ---- */

static void ask_whether_it_is_there(struct python *p, int64_t now)
{
    python_send(p, CH_SHELL, "kernel_info_request", NULL, NULL, json_object());
    p->retry_ms = now + PYTHON_RETRY_MS;
}

static void start(struct kernel *k)
{
    struct python *p = &k->python;
    struct err e;
    err_init(&e);
    if (p->state == PYTHON_READY) {
        python_answer(k, NULL, NULL);
        return;
    }
    if (p->state == PYTHON_STARTING) /* an interrupt ended the call that began it */
        return;
    bool ok = python_child_start(&p->child, &e);
    p->signer = ok ? signer_new(p->child.conn.key, &e) : NULL;
    if (!p->signer || !sockets_connect(&p->sockets, &p->child.conn, p->author.session, &e)) {
        signer_free(p->signer);
        p->signer = NULL;
        python_child_release(&p->child, NULL);
        python_answer(k, &e, NULL);
        return;
    }
    p->state = PYTHON_STARTING;
    p->generation++;
    p->answered = p->heard = false;
    p->version[0] = p->subshell[0] = '\0';
    p->limit_ms = clock_mono_ms() + PYTHON_START_MS;
    ask_whether_it_is_there(p, clock_mono_ms());
}

/* Ready is who has answered and is heard on iopub: else the first outputs could be lost. */
static void check_started(struct kernel *k)
{
    struct python *p = &k->python;
    if (p->state != PYTHON_STARTING || !p->answered || !p->heard)
        return;
    p->state = PYTHON_READY;
    log_line(LOG_INFO, "python", "Python %s is ready (process %ld)", p->version, (long)p->child.process.pid);
    python_answer(k, NULL, NULL);
}

static void on_kernel_info(struct python *p, const struct msg *m)
{
    size_t i;
    json_t *feature;
    if (p->answered) /* it was asked more than once */
        return;
    p->answered = true;
    snprintf(p->version, sizeof p->version, "%s",
             jx_get_str(json_object_get(m->content, "language_info"), "version", ""));
    json_array_foreach(json_object_get(m->content, "supported_features"), i, feature) {
        if (json_is_string(feature) && strcmp(json_string_value(feature), "kernel subshells") == 0)
            python_send(p, CH_CONTROL, "create_subshell_request", NULL, NULL, json_object());
    }
}

/* ---- messages ---- */

static void on_message(struct kernel *k, struct msg *m)
{
    struct python *p = &k->python;
    if (m->channel == CH_IOPUB) {
        p->heard = true;
        python_on_iopub(k, m);
    } else if (m->channel == CH_STDIN) {
        python_on_stdin(k, m);
    } else if (strcmp(m->type, "execute_reply") == 0) {
        python_on_reply(k, m);
    } else if (strcmp(m->type, "kernel_info_reply") == 0) {
        on_kernel_info(p, m);
    } else if (strcmp(m->type, "create_subshell_reply") == 0) {
        snprintf(p->subshell, sizeof p->subshell, "%s", jx_get_str(m->content, "subshell_id", ""));
    } else {
        python_ask_answer(k, m);
    }
}

static void tell_dropped(struct kernel *k, const struct err *why)
{
    if (!k->python.run.active || k->cell.silent)
        return;
    char *text = xasprintf("[an output of this cell was dropped: %s]\n", why->text);
    kernel_publish(k, "stream", k->cell.request,
                   json_pack("{ssso}", "name", "stderr", "text", jx_str(text)));
    free(text);
}

static void drain(struct kernel *k, enum channel ch)
{
    struct python *p = &k->python;
    for (int i = 0; i < PYTHON_TURN && p->state != PYTHON_GONE; i++) {
        struct msg *m;
        struct err e;
        err_init(&e);
        if (!sockets_receive(&p->sockets, ch, p->signer, &m, &e)) {
            log_err("python", "a message of Python was dropped", &e);
            tell_dropped(k, &e);
        } else if (m) {
            on_message(k, m);
            msg_free(m);
        } else {
            return;
        }
    }
}

size_t python_items(struct kernel *k, zmq_pollitem_t *items)
{
    struct python *p = &k->python;
    size_t n = 0;
    if (p->state == PYTHON_GONE)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(channels); i++)
        items[n++] = (zmq_pollitem_t){.socket = p->sockets.socket[channels[i]], .events = ZMQ_POLLIN};
    if (p->child.said_fd >= 0)
        items[n++] = (zmq_pollitem_t){.fd = p->child.said_fd, .events = ZMQ_POLLIN};
    if (!p->dead_ms)
        items[n++] = (zmq_pollitem_t){.fd = p->child.process.pidfd, .events = ZMQ_POLLIN};
    return n;
}

/* ---- time ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a <= 0 ? b : b <= 0 ? a : a < b ? a : b;
}

int64_t python_wait_ms(const struct kernel *k)
{
    const struct python *p = &k->python;
    int64_t next = python_ask_deadline(k);
    if (p->state == PYTHON_STARTING)
        next = sooner(next, sooner(p->retry_ms, p->limit_ms));
    if (p->state == PYTHON_ENDING)
        next = sooner(next, p->limit_ms);
    if (p->run.active && p->run.idle_ms)
        next = sooner(next, p->run.idle_ms + PYTHON_REPLY_MS);
    if (p->run.active)
        next = sooner(next, p->run.wake_ms);
    next = sooner(next, p->dead_ms);
    if (next <= 0)
        return -1;
    int64_t left = next - clock_mono_ms();
    return left > 0 ? left : 0;
}

static void check_time(struct kernel *k)
{
    struct python *p = &k->python;
    int64_t now = clock_mono_ms();
    struct pollfd ended = {.fd = p->child.process.pidfd, .events = POLLIN};
    python_ask_expire(k, now);
    if (p->run.active && p->run.wake_ms && now >= p->run.wake_ms) {
        python_child_wake(&p->child);
        p->run.wake_ms = ++p->run.wakes < PYTHON_WAKES ? now + (PYTHON_WAKE_MS << p->run.wakes) : 0;
    }
    if (!p->dead_ms && poll(&ended, 1, 0) == 1)
        p->dead_ms = now + (p->run.active ? PYTHON_DRAIN_MS : 0);
    if (p->dead_ms && now >= p->dead_ms)
        bury(k, NULL);
    else if (p->state == PYTHON_STARTING && now >= p->limit_ms)
        bury(k, "did not answer within a minute");
    else if (p->state == PYTHON_ENDING && now >= p->limit_ms)
        bury(k, NULL);
    else if (p->state == PYTHON_STARTING && now >= p->retry_ms)
        ask_whether_it_is_there(p, now);
}

void python_serve(struct kernel *k)
{
    struct python *p = &k->python;
    if (p->state == PYTHON_GONE)
        return;
    for (size_t i = 0; i < ARRAY_LEN(channels); i++)
        drain(k, channels[i]);
    python_child_listen(&p->child);
    check_started(k);
    python_run_check(k);
    check_time(k);
}

/* ---- calls of the cell thread ---- */

void python_begin(struct kernel *k)
{
    struct python *p = &k->python;
    struct err e;
    err_init(&e);
    const struct python_call *call = python_line_take(&p->line);
    if (!call)
        return;
    if (call->step != PYTHON_LOOK && cancel_fired(&k->runner.cancel)) {
        cancel_check(&k->runner.cancel, &e);
        python_answer(k, &e, NULL);
    } else if (call->step == PYTHON_START) {
        start(k);
    } else if (call->step == PYTHON_RUN) {
        python_run_begin(k, call);
    } else if (call->step == PYTHON_STOP && p->state == PYTHON_READY) {
        ask_to_end(k);
    } else if (call->step == PYTHON_STOP && p->state == PYTHON_STARTING) {
        p->state = PYTHON_ENDING;
        bury(k, NULL);
    } else {
        python_answer(k, NULL, NULL);
    }
}

void python_interrupt(struct kernel *k)
{
    struct python *p = &k->python;
    struct err e;
    err_init(&e);
    const struct python_call *call = python_line_take(&p->line);
    if (call && call->step == PYTHON_START) {
        err_set(&e, ERR_CANCELLED, "interrupted");
        python_answer(k, &e, NULL); /* it goes on starting; the next cell finds it */
    }
    if (p->run.active)
        python_run_interrupt(k);
}
