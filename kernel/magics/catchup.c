/* Running the cells that a lab leaves for the later ones (see catchup.h). How a cell is run is interp.c. */
#include "magics/catchup.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/check.h"
#include "magics/interp.h"
#include "magics/remote.h"
#include "magics/session.h"

#define TAG "catch-up"

/* ---- the notebook ---- */

/* notebooks/NN_*.ipynb beside the folder of the checks; NULL: none. Its name without .ipynb goes to `name`. */
static char *notebook_path(int lab, char *name, size_t size)
{
    char *checks = check_folder(), *path = NULL, start[16];
    char *slash = checks ? strrchr(checks, '/') : NULL;
    int n = snprintf(start, sizeof start, "%02d_", lab);
    if (slash)
        *slash = '\0';
    DIR *dir = slash ? opendir(checks) : NULL;
    for (struct dirent *d; dir && !path && (d = readdir(dir));) {
        size_t len = strlen(d->d_name);
        if (strncmp(d->d_name, start, (size_t)n) != 0 || len < 7 || strcmp(d->d_name + len - 6, ".ipynb") != 0)
            continue;
        path = xasprintf("%s/%s", checks, d->d_name);
        snprintf(name, size, "%.*s", (int)(len - 6), d->d_name);
    }
    if (dir)
        closedir(dir);
    free(checks);
    return path;
}

static bool is_tagged(const json_t *cell)
{
    const json_t *tags = json_object_get(json_object_get(cell, "metadata"), "tags");
    size_t i;
    json_t *tag;
    json_array_foreach((json_t *)(uintptr_t)tags, i, tag) {
        if (json_is_string(tag) && strcmp(json_string_value(tag), TAG) == 0)
            return true;
    }
    return false;
}

/* The source of a cell, one text or a list of lines (nbformat 4). */
static bool add_source(struct buf *out, const json_t *source)
{
    size_t i;
    json_t *line;
    if (json_is_string(source))
        buf_puts(out, json_string_value(source));
    json_array_foreach((json_t *)(uintptr_t)source, i, line) {
        if (!json_is_string(line))
            return false;
        buf_puts(out, json_string_value(line));
    }
    return json_is_string(source) || json_is_array(source);
}

/* [{"id", "source"}] of the tagged code cells, in order. */
static json_t *tagged_cells(const json_t *notebook, const char *name, struct err *e)
{
    json_t *found = json_array(), *cell;
    struct buf source;
    size_t i;
    bool ok = true;
    buf_init(&source, CELL_MAX_BYTES);
    json_array_foreach(json_object_get(notebook, "cells"), i, cell) {
        if (strcmp(jx_get_str(cell, "cell_type", ""), "code") != 0 || !is_tagged(cell))
            continue;
        buf_clear(&source);
        if (!add_source(&source, json_object_get(cell, "source")))
            ok = err_set(e, ERR_MALFORMED, "%s: cell %zu has no source", name, i + 1);
        else
            ok = buf_ok(&source, "a cell", e);
        if (!ok)
            break;
        json_array_append_new(found, json_pack("{ssss}", "id", jx_get_str(cell, "id", "?"), "source", buf_str(&source)));
    }
    buf_release(&source);
    if (ok && json_array_size(found) == 0)
        ok = err_set(e, ERR_NOT_FOUND, "%s has no cells with the tag " TAG, name);
    if (ok && json_array_size(found) > CATCHUP_CELLS_MAX)
        ok = err_set(e, ERR_TOO_BIG, "%s has more than %d cells with the tag " TAG, name, CATCHUP_CELLS_MAX);
    if (ok)
        return found;
    json_decref(found);
    return NULL;
}

static json_t *load_cells(int lab, struct err *e)
{
    char name[256];
    struct buf text;
    json_t *notebook = NULL, *cells = NULL;
    char *path = notebook_path(lab, name, sizeof name);
    buf_init(&text, NOTEBOOK_MAX);
    if (!path)
        err_set(e, ERR_NOT_FOUND, "there is no notebook %02d_*.ipynb beside the folder of the checks", lab);
    else if (fs_read(path, &text, e))
        notebook = jx_parse(buf_str(&text), text.len, NOTEBOOK_MAX, e);
    if (notebook)
        cells = tagged_cells(notebook, name, e);
    else if (path)
        err_wrap(e, "%s.ipynb", name);
    json_decref(notebook);
    buf_release(&text);
    free(path);
    return cells;
}

/* ---- running ---- */

static void drop_text(void *self, bool to_stderr, const char *text, size_t len)
{
    (void)self, (void)to_stderr, (void)text, (void)len;
}

static void drop_output(void *self, enum sink_show how, json_t *data, json_t *metadata, const char *display_id)
{
    (void)self, (void)how, (void)data, (void)metadata, (void)display_id;
}

/* What the cells show is in their notebook; here only progress is shown. */
static struct sink quiet(void) { return (struct sink){.stream = drop_text, .show = drop_output}; }

static bool run_cells(struct magic_ctx *ctx, int lab, const json_t *cells, struct err *e)
{
    struct progress p;
    struct sink out = quiet();
    size_t i, n = json_array_size(cells);
    char text[64];
    bool ok = true;
    /* What these cells read is not the last result that the user saw: _sqldf and %export keep theirs. */
    struct last_result *last = &ctx->session->last, seen = *last;
    *last = (struct last_result){.serial = seen.serial};
    snprintf(text, sizeof text, "lab %d", lab);
    progress_open(&p, ctx->out, text);
    for (i = 0; ok && i < n; i++) {
        const json_t *cell = json_array_get(cells, i);
        const char *source = jx_get_str(cell, "source", ""), *id = jx_get_str(cell, "id", "?");
        progress_update(&p, id, (long long)i, (long long)n);
        ok = interp_part(ctx, source, strlen(source), &out, e) || err_wrap(e, "lab %d, cell %s", lab, id);
    }
    last_result_release(last);
    *last = seen;
    ctx->session->python.result = 0; /* told again */
    snprintf(text, sizeof text, n == 1 ? "%zu cell of lab %d was run." : "%zu cells of lab %d were run.", n, lab);
    progress_close(&p, ok ? text : NULL);
    return ok;
}

/* Does the check hold? Quietly; *why is its message when it does not. false: it could not be found out. */
static bool holds(struct magic_ctx *ctx, const json_t *file, bool *yes, struct err *why, struct err *e)
{
    struct sink out = quiet(), *shown = ctx->out;
    ctx->out = &out;
    err_init(why);
    *yes = check_run(ctx, file, why);
    ctx->out = shown;
    if (*yes || why->code == ERR_CHECK)
        return true;
    *e = *why;
    return false;
}

/* Something of the lab is there, so the cells may destroy work: what the check N-untouched says is the question. */
static bool agreed(struct magic_ctx *ctx, int lab, bool yes, struct err *e)
{
    char name[32];
    struct err why;
    bool untouched = false;
    snprintf(name, sizeof name, "%d-untouched", lab);
    json_t *file = check_load(name, e);
    bool ok = file && holds(ctx, file, &untouched, &why, e) &&
              (untouched || remote_consent(ctx, arena_printf(ctx->arena, "%s Go on", why.text), true, yes, e));
    json_decref(file);
    return ok;
}

bool catchup_run(struct magic_ctx *ctx, int lab, bool yes, struct err *e)
{
    char name[32];
    struct err why;
    bool complete = false;
    snprintf(name, sizeof name, "%d-complete", lab);
    err_init(&why);
    json_t *file = check_load(name, &why), *cells = NULL;
    if (!file && why.code == ERR_NOT_FOUND) {
        err_set(e, ERR_NOT_FOUND, "lab %d has nothing to catch up on", lab);
        err_hint(e, "%%lab list: a lab that other labs need has a check N-complete");
    } else if (!file) {
        *e = why;
    }
    bool ok = file && holds(ctx, file, &complete, &why, e);
    if (ok && !complete) {
        sink_printf(ctx->out, "Lab %d is not complete: %s\n", lab, why.text);
        ok = (cells = load_cells(lab, e)) && agreed(ctx, lab, yes, e) && run_cells(ctx, lab, cells, e) &&
             check_run(ctx, file, e);
    } else if (ok) {
        sink_printf(ctx->out, "Lab %d is complete: nothing to catch up.\n", lab);
    }
    json_decref(cells);
    json_decref(file);
    return ok;
}
