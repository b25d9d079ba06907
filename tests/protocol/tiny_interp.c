/*
 * A tiny interpreter for tests of the kernel's protocol: it links in the place of magics/, so that
 * a test decides exactly what a cell does. A cell is one command: its first word, then its text.
 * Not part of any program.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/interp.h"
#include "render/sink.h"

struct session {
    int cells;
};

struct session *session_new(void)
{
    return xcalloc(1, sizeof(struct session));
}

void session_free(struct session *s)
{
    free(s);
}

static bool run_echo(const struct cell_run *run, const char *text, struct err *e)
{
    (void)e;
    run->out->stream(run->out->self, false, text, strlen(text));
    return true;
}

static bool run_err(const struct cell_run *run, const char *text, struct err *e)
{
    (void)e;
    run->out->stream(run->out->self, true, text, strlen(text));
    return true;
}

/* "lines 3": three lines, one call each */
static bool run_lines(const struct cell_run *run, const char *text, struct err *e)
{
    (void)e;
    long n = strtol(text, NULL, 10);
    for (long i = 0; i < n; i++) {
        char line[32];
        int len = snprintf(line, sizeof line, "line %ld\n", i);
        run->out->stream(run->out->self, i % 2, line, (size_t)len);
    }
    return true;
}

/* "bytes 5": so many x, in pieces */
static bool run_bytes(const struct cell_run *run, const char *text, struct err *e)
{
    (void)e;
    char piece[4096];
    memset(piece, 'x', sizeof piece);
    long left = strtol(text, NULL, 10);
    while (left > 0) {
        size_t n = left < (long)sizeof piece ? (size_t)left : sizeof piece;
        run->out->stream(run->out->self, false, piece, n);
        left -= (long)n;
    }
    return true;
}

/* Text torn in the middle of a code point, and a byte that belongs to none. */
static bool run_torn(const struct cell_run *run, const char *text, struct err *e)
{
    (void)text;
    run->out->stream(run->out->self, false, "\xc3", 1);
    bool ok = cancel_poll(run->cancel, -1, 0, 200, e);
    run->out->stream(run->out->self, false, "\xa4\xff.", 3);
    return ok;
}

static void show(const struct cell_run *run, enum sink_show how, const char *text, const char *id)
{
    json_t *data = json_pack("{so}", "text/plain", jx_str(text));
    run->out->show(run->out->self, how, data, NULL, id);
    json_decref(data);
}

static bool run_result(const struct cell_run *run, const char *text, struct err *e)
{
    (void)e;
    show(run, SINK_RESULT, text, NULL);
    return true;
}

static bool run_display(const struct cell_run *run, const char *text, struct err *e)
{
    (void)e;
    show(run, SINK_DISPLAY, text, NULL);
    return true;
}

static bool run_update(const struct cell_run *run, const char *text, struct err *e)
{
    (void)e;
    show(run, SINK_DISPLAY, "first", "the-id");
    show(run, SINK_UPDATE, text, "the-id");
    return true;
}

/* Everything in an order that must be kept. */
static bool run_mixed(const struct cell_run *run, const char *text, struct err *e)
{
    (void)text;
    (void)e;
    for (int i = 0; i < 3; i++) {
        run->out->stream(run->out->self, false, "out\n", 4);
        run->out->stream(run->out->self, true, "err\n", 4);
        show(run, SINK_DISPLAY, "shown", NULL);
    }
    return true;
}

static bool run_fail(const struct cell_run *run, const char *text, struct err *e)
{
    (void)run;
    return err_set(e, ERR_BAD_REQUEST, "%s", text);
}

static bool run_wait(const struct cell_run *run, const char *text, struct err *e)
{
    run->out->stream(run->out->self, false, "waiting\n", 8);
    long ms = strtol(text, NULL, 10);
    return cancel_poll(run->cancel, -1, 0, ms ? (int)ms : -1, e);
}

/* Ends well when it is interrupted. */
static bool run_calm(const struct cell_run *run, const char *text, struct err *e)
{
    struct err stopped;
    (void)text;
    (void)e;
    err_init(&stopped);
    run->out->stream(run->out->self, false, "waiting\n", 8);
    cancel_poll(run->cancel, -1, 0, -1, &stopped);
    return true;
}

/* Writes as fast as it can until it is interrupted; the error says how much. */
static bool run_flood(const struct cell_run *run, const char *text, struct err *e)
{
    char piece[4096];
    long bytes = 0;
    (void)text;
    memset(piece, 'x', sizeof piece);
    for (; !cancel_fired(run->cancel); bytes += (long)sizeof piece)
        run->out->stream(run->out->self, false, piece, sizeof piece);
    return err_set(e, ERR_CANCELLED, "%ld", bytes);
}

/* A file that is there shows that the cell ran. */
static bool run_touch(const struct cell_run *run, const char *text, struct err *e)
{
    (void)run;
    FILE *f = fopen(text, "w");
    return f ? fclose(f) == 0 : err_set(e, ERR_IO, "cannot write %s", text);
}

/* Deaf to the interrupt, as a library call may be. */
static bool run_hang(const struct cell_run *run, const char *text, struct err *e)
{
    (void)text;
    run->out->stream(run->out->self, false, "hanging\n", 8);
    while (!e->code)
        pause();
    return false;
}

static bool ask(const struct cell_run *run, const char *prompt, bool secret, struct err *e)
{
    struct buf answer;
    buf_init(&answer, 1000);
    bool ok = run->host->input(run->host->self, prompt, secret, &answer, e);
    if (ok) {
        char line[64];
        int n = snprintf(line, sizeof line, "got %zu bytes", answer.len);
        run->out->stream(run->out->self, false, line, (size_t)n);
        if (!secret)
            run->out->stream(run->out->self, false, answer.data ? answer.data : "", answer.len);
    }
    buf_release_secret(&answer);
    return ok;
}

static bool run_ask(const struct cell_run *run, const char *text, struct err *e)
{
    return ask(run, text, false, e);
}

static bool run_secret(const struct cell_run *run, const char *text, struct err *e)
{
    return ask(run, text, true, e);
}

static bool run_interactive(const struct cell_run *run, const char *text, struct err *e)
{
    return run_echo(run, run->out->interactive ? "yes" : "no", e) || !text;
}

static const struct {
    const char *word;
    bool (*run)(const struct cell_run *run, const char *text, struct err *e);
} commands[] = {
    {"echo", run_echo},       {"err", run_err},       {"lines", run_lines},
    {"bytes", run_bytes},     {"torn", run_torn},     {"result", run_result},
    {"display", run_display}, {"update", run_update}, {"mixed", run_mixed},
    {"fail", run_fail},       {"wait", run_wait},     {"hang", run_hang},
    {"ask", run_ask},         {"secret", run_secret}, {"interactive", run_interactive},
    {"calm", run_calm},       {"touch", run_touch},   {"flood", run_flood},
};

bool interp_run(struct session *s, const struct cell_run *run, json_t **error)
{
    struct err e;
    err_init(&e);
    s->cells++;
    char *code = xstrndup(run->code, run->len);
    char *text = strchr(code, ' ');
    if (text)
        *text++ = '\0';
    bool ok = !*code, known = ok;
    for (size_t i = 0; !known && i < ARRAY_LEN(commands); i++) {
        if (strcmp(code, commands[i].word) == 0) {
            known = true;
            ok = commands[i].run(run, text ? text : "", &e);
        }
    }
    if (!known)
        err_set(&e, ERR_SYNTAX, "no such command");
    free(code);
    if (!ok)
        *error = json_pack("{sssos[o]}", "ename", err_info(e.code)->ename, "evalue", jx_str(e.text),
                           "traceback", jx_str(e.text));
    return ok;
}

/* "password" and all behind it is a secret here. */
char *interp_redact(const char *code, size_t len)
{
    const char *at = memmem(code, len, "password", 8);
    return at ? xasprintf("%.*spassword ****", (int)(at - code), code) : NULL;
}

void interp_docs(struct buf *out)
{
    buf_puts(out, "the tiny interpreter\n");
}

/* Words of the table above that begin as the text before the cursor; "ä" too, for cursors in
 * non-ASCII text. */
void interp_complete(const char *code, size_t len, size_t cursor, struct completions *out)
{
    *out = (struct completions){.start = cursor, .end = cursor};
    arena_init(&out->arena);
    while (out->start > 0 && code[out->start - 1] != ' ')
        out->start--;
    (void)len;
    out->items = arena_alloc(&out->arena, sizeof *out->items * ARRAY_LEN(commands));
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strncmp(commands[i].word, code + out->start, cursor - out->start) == 0)
            out->items[out->count++] = (struct completion){commands[i].word, "magic", NULL};
    }
}

void completions_release(struct completions *c)
{
    arena_release(&c->arena);
}

bool interp_wants_names(const char *code, size_t len, size_t cursor)
{
    (void)cursor;
    return len > 5 && memcmp(code, "names", 5) == 0;
}

/* Asking takes longer than anybody waits, and ends when it is cancelled. */
void interp_refresh(struct session *s, struct cancel *cancel)
{
    struct err e = {0};
    s->cells += cancel_poll(cancel, -1, 0, 60000, &e);
}

json_t *interp_inspect(const char *code, size_t len, size_t cursor, int detail)
{
    (void)detail;
    size_t start = cursor;
    while (start > 0 && code[start - 1] != ' ')
        start--;
    for (size_t i = 0; i < ARRAY_LEN(commands) && len > 0; i++) {
        if (strncmp(commands[i].word, code + start, strlen(commands[i].word)) == 0)
            return json_pack("{ss}", "text/plain", commands[i].word);
    }
    return NULL;
}
