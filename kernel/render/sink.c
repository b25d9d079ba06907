/* MIME bundles for what a cell shows, and progress (see sink.h). Who receives them is not known here. */
#include "render/sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/jx.h"
#include "render/html.h"
#include "render/text.h"

enum {
    BUNDLE_MAX = 64 << 20,  /* bytes of one MIME form; the table's caps keep real ones far below */
    FIRST_AFTER_MS = 400,   /* a step that ends sooner shows no progress */
    BETWEEN_MS = 250
};

static void vstream(struct sink *s, bool to_stderr, const char *fmt, va_list ap)
{
    char *text = NULL;
    int n = vasprintf(&text, fmt, ap);
    if (n < 0)
        bug("out of memory in sink_printf");
    s->stream(s->self, to_stderr, text, (size_t)n);
    free(text);
}

void sink_printf(struct sink *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vstream(s, false, fmt, ap);
    va_end(ap);
}

void sink_warn(struct sink *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vstream(s, true, fmt, ap);
    va_end(ap);
}

static void put_form(json_t *data, const char *mime, struct buf *form)
{
    struct err e;
    err_init(&e);
    if (buf_ok(form, "the output", &e))
        json_object_set_new(data, mime, jx_text(buf_str(form), form->len));
    else
        json_object_set_new(data, mime, jx_str(e.text));
    buf_release(form);
}

void sink_table(struct sink *s, struct table *t)
{
    struct buf form;
    json_t *data = json_object();
    buf_init(&form, BUNDLE_MAX);
    text_table(t, &form);
    /* Front ends put each output on lines of its own. */
    if (form.len > 0 && form.data[form.len - 1] == '\n')
        form.data[--form.len] = '\0';
    put_form(data, "text/plain", &form);
    buf_init(&form, BUNDLE_MAX);
    html_table(t, &form);
    put_form(data, "text/html", &form);
    s->show(s->self, SINK_DISPLAY, data, NULL, NULL);
    json_decref(data);
}

void sink_markdown(struct sink *s, const char *markdown, const char *plain)
{
    json_t *data = json_object();
    json_object_set_new(data, "text/plain", jx_str(plain ? plain : markdown));
    json_object_set_new(data, "text/markdown", jx_str(markdown));
    s->show(s->self, SINK_DISPLAY, data, NULL, NULL);
    json_decref(data);
}

void progress_open(struct progress *p, struct sink *s, const char *label)
{
    *p = (struct progress){.sink = s, .started_ms = clock_mono_ms()};
    ids_uuid(p->id);
    err_copy(p->label, sizeof p->label, label, strlen(label));
}

/* The first one makes the display, later ones replace it. */
static void show(struct progress *p, struct buf *plain, struct buf *html)
{
    json_t *data = json_object();
    put_form(data, "text/plain", plain);
    put_form(data, "text/html", html);
    p->sink->show(p->sink->self, p->shown ? SINK_UPDATE : SINK_DISPLAY, data, NULL, p->id);
    p->shown = true;
    json_decref(data);
}

void progress_update(struct progress *p, const char *state, long long done, long long total)
{
    long long now = clock_mono_ms(), passed = now - p->started_ms;
    if (!p->sink->interactive || (p->shown ? now - p->last_ms < BETWEEN_MS : passed < FIRST_AFTER_MS))
        return;
    p->last_ms = now;
    struct buf plain, html;
    buf_init(&plain, 4096);
    buf_init(&html, 4096);
    buf_puts(&plain, p->label);
    html_escape(&html, p->label, strlen(p->label));
    if (total > 0) {
        done = done < 0 ? 0 : done > total ? total : done;
        int percent = (int)((double)done / (double)total * 100.0);
        buf_printf(&plain, ": %d %%", percent);
        buf_printf(&html, " <progress value=\"%d\" max=\"100\"></progress> %d %%", percent, percent);
    } else {
        buf_puts(&html, " <progress></progress>");
    }
    if (state && *state) {
        buf_printf(&plain, "%s%s", total > 0 ? ", " : ": ", state);
        buf_putc(&html, ' ');
        html_escape(&html, state, strlen(state));
    }
    buf_printf(&plain, " (%lld s)", passed / 1000);
    buf_printf(&html, " (%lld s)", passed / 1000);
    show(p, &plain, &html);
}

void progress_close(struct progress *p, const char *final)
{
    if (!p->shown) {
        if (final)
            sink_printf(p->sink, "%s\n", final);
        return;
    }
    if (!final) {
        /* A bundle of nothing: the front end takes the display away, and a saved notebook has no text that another
         * run would miss. Jupyter cannot take back a single output. */
        json_t *nothing = json_object();
        p->sink->show(p->sink->self, SINK_UPDATE, nothing, NULL, p->id);
        json_decref(nothing);
        return;
    }
    struct buf plain, html;
    buf_init(&plain, 1 << 16);
    buf_init(&html, 1 << 18);
    buf_puts(&plain, final);
    html_escape(&html, final, strlen(final));
    show(p, &plain, &html);
}
