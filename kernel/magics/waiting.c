/* What is shown while a statement takes long (see waiting.h). Cell thread. */
#include "magics/waiting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "magics/side.h"
#include "pg/names.h"

enum { SERVER_MS = 300, ROWS_EACH = 4096, ASK_AFTER_MS = 900 };

struct question {
    struct side_question q;
    int pid;
    char *text;
    long long done, total;
};

static void ask(struct side_question *q, struct pg_conn *conn, struct cancel *c)
{
    struct question *mine = (struct question *)q;
    struct err e;
    err_init(&e);
    pg_progress(conn, mine->pid, &mine->text, &mine->done, &mine->total, c, &e);
}

static void drop(struct side_question *q)
{
    struct question *mine = (struct question *)q;
    free(mine->text);
    free(mine);
}

void waiting_begin(struct waiting *w, struct sink *out, const struct connection *c)
{
    *w = (struct waiting){.pid = side_sees(c) ? pg_backend_pid(c->pg) : 0};
    snprintf(w->label, sizeof w->label, "%.50s", c->alias);
    progress_open(&w->progress, out, w->label);
}

void waiting_row(struct waiting *w)
{
    char text[48];
    if (++w->rows % ROWS_EACH != 0)
        return;
    snprintf(text, sizeof text, "%lld rows", w->rows);
    progress_update(&w->progress, text, 0, 0);
}

void waiting_tick(struct waiting *w)
{
    struct progress *p = &w->progress;
    if (!p->sink->interactive || clock_mono_ms() - p->started_ms < ASK_AFTER_MS)
        return;
    struct question *q = NULL;
    if (w->pid && w->rows == 0) {
        q = xcalloc(1, sizeof *q);
        q->q = (struct side_question){.ask = ask, .drop = drop};
        q->pid = w->pid;
    }
    bool told = q && side_ask(&q->q, SERVER_MS) && q->text;
    progress_update(p, told ? q->text : "running", told ? q->done : 0, told ? q->total : 0);
    if (q)
        side_drop(&q->q);
}

void waiting_end(struct waiting *w)
{
    progress_close(&w->progress, NULL);
}
