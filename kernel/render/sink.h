/*
 * Where a running cell puts what it shows. The kernel implements a sink over iopub; tests record into memory. The
 * functions below build the MIME bundles, so that magics never write HTML or JSON by hand. One cell thread only.
 */
#ifndef RENDER_SINK_H
#define RENDER_SINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "render/table.h"

enum sink_show { SINK_RESULT = 1, SINK_DISPLAY, SINK_UPDATE };

struct sink {
    void *self;
    /* A front end that draws updates in place is watching (Jupyter's allow_stdin is the sign); else every output is
     * final and reproducible: no update, no clear. */
    bool interactive;
    /* Text for stdout or stderr; coalesced by the implementation, in order with everything else. */
    void (*stream)(void *self, bool to_stderr, const char *text, size_t len);
    /* A MIME bundle. data and metadata (may be NULL) are borrowed. display_id: NULL, or the id for SINK_UPDATE. */
    void (*show)(void *self, enum sink_show how, json_t *data, json_t *metadata, const char *display_id);
};

void sink_printf(struct sink *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sink_warn(struct sink *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The table as one display with text/plain and text/html. */
void sink_table(struct sink *s, struct table *t);
/* Markdown with its text/plain form; for help texts and check results. `plain` NULL: the Markdown itself. */
void sink_markdown(struct sink *s, const char *markdown, const char *plain);

/* Progress of one long step. Interactive: one display, updated in place, at most 4 times a second, removed or replaced by
 * the last text at the end. Otherwise nothing is shown until progress_close prints the final line. */
struct progress {
    struct sink *sink;
    char id[40];
    char label[128];
    long long started_ms, last_ms;
    bool shown;
};
void progress_open(struct progress *p, struct sink *s, const char *label);
/* done and total in any unit; total 0: unknown, show `state` and the time passed. */
void progress_update(struct progress *p, const char *state, long long done, long long total);
/* `final` is the stable last line (no times in it), NULL: none. Always call it, also after an error. */
void progress_close(struct progress *p, const char *final);

#endif
