/*
 * Running cells in a test: a session, a sink that writes down what a cell shows, and answers for what it asks.
 * The transcript: stdout as it is, stderr with "! " in front of each line, tables and Markdown as their
 * text/plain, and an error as its traceback.
 */
#ifndef TESTS_MAGICS_CELLS_H
#define TESTS_MAGICS_CELLS_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "magics/interp.h"
#include "render/sink.h"

struct cells {
    struct session *session;
    struct cancel cancel;
    struct buf text;
    bool in_stderr;           /* the line that is being written belongs to stderr */
    bool at_line_start;
    bool interactive;
    size_t results, displays, updates;
    json_t *error;            /* of the last cell; NULL: it succeeded */
    const char *const *answers; /* to input(), NULL-terminated; NULL: cannot be asked */
    char asked[1000];         /* the last prompt */
    bool asked_secret;
    struct buf html;          /* text/html of all displays of the last cell */
};

static inline void cells_stream(void *self, bool to_stderr, const char *text, size_t len)
{
    struct cells *c = self;
    for (size_t i = 0; i < len; i++) {
        if (c->at_line_start && to_stderr)
            buf_puts(&c->text, "! ");
        buf_putc(&c->text, text[i]);
        c->at_line_start = text[i] == '\n';
    }
}

static inline void cells_show(void *self, enum sink_show how, json_t *data, json_t *metadata, const char *id)
{
    struct cells *c = self;
    (void)metadata;
    (void)id;
    c->results += how == SINK_RESULT;
    c->displays += how == SINK_DISPLAY;
    c->updates += how == SINK_UPDATE;
    const char *plain = json_string_value(json_object_get(data, "text/plain"));
    const char *html = json_string_value(json_object_get(data, "text/html"));
    if (!plain) /* a display that is taken away */
        return;
    cells_stream(c, false, plain, strlen(plain));
    if (*plain && plain[strlen(plain) - 1] != '\n')
        cells_stream(c, false, "\n", 1);
    buf_puts(&c->html, html ? html : "");
}

static inline bool cells_input(void *self, const char *prompt, bool secret, struct buf *out, struct err *e)
{
    struct cells *c = self;
    err_copy(c->asked, sizeof c->asked, prompt, strlen(prompt));
    c->asked_secret = secret;
    if (!c->answers || !*c->answers)
        return err_set(e, ERR_INVALID_STATE, "the front end cannot be asked");
    buf_puts(out, *c->answers++);
    return true;
}

static inline void cells_open(struct cells *c)
{
    struct err e;
    memset(c, 0, sizeof *c);
    err_init(&e);
    c->session = session_new();
    buf_init(&c->text, 64 << 20);
    buf_init(&c->html, 64 << 20);
    if (!cancel_init(&c->cancel, &e))
        abort();
}

static inline void cells_close(struct cells *c)
{
    session_free(c->session);
    cancel_release(&c->cancel);
    buf_release(&c->text);
    buf_release(&c->html);
    json_decref(c->error);
    c->error = NULL;
}

/* Run a cell; its transcript, good until the next one. */
static inline const char *cells_run(struct cells *c, const char *code)
{
    struct sink sink = {.self = c, .interactive = c->interactive, .stream = cells_stream, .show = cells_show};
    struct host host = {.self = c, .input = cells_input};
    struct cell_run run = {.code = code, .len = strlen(code), .out = &sink, .cancel = &c->cancel, .host = &host};
    buf_clear(&c->text);
    buf_clear(&c->html);
    c->results = c->displays = c->updates = 0;
    c->at_line_start = true;
    c->asked[0] = '\0';
    json_decref(c->error);
    c->error = NULL;
    bool ok = interp_run(c->session, &run, &c->error);
    if (ok == (c->error != NULL))
        abort();
    size_t i;
    json_t *line;
    json_array_foreach(json_object_get(c->error, "traceback"), i, line) {
        buf_puts(&c->text, json_string_value(line));
        buf_putc(&c->text, '\n');
    }
    cancel_reset(&c->cancel);
    return buf_str(&c->text);
}

static inline const char *cells_ename(const struct cells *c)
{
    const char *name = json_string_value(json_object_get(c->error, "ename"));
    return name ? name : "";
}

#endif
