/*
 * Completion, inspection and is_complete inside a %%python cell: asked from the child with the text below the first
 * line, the places shifted on the way down and back (see python.h). While a cell runs they go to a subshell of the
 * child, when it has one. Nothing is started for them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cell/split.h"
#include "jupyter/state.h"

struct python_ask {
    struct msg *request;  /* of the front end; owned */
    json_int_t shift;     /* code points of the cell before its body */
    json_int_t cursor;    /* in the cell */
    int64_t deadline_ms;
    struct python_ask *next;
};

/* Byte offset of the body when the cell is %%python. */
static bool python_body(const char *code, size_t len, size_t *at)
{
    struct arena arena;
    struct cell_items items = {0};
    struct err none;
    err_init(&none);
    arena_init(&arena);
    bool found = cell_split(&arena, code, len, &items, &none) && items.count == 1 &&
                 items.items->kind == CELL_CELL_MAGIC && strcmp(items.items->name, "python") == 0 &&
                 items.items->body;
    if (found)
        *at = (size_t)(items.items->body - code);
    arena_release(&arena);
    return found;
}

static json_t *header_for(const struct python *p, const struct msg *m)
{
    json_t *header = json_copy(m->header);
    if (p->subshell[0])
        json_object_set_new(header, "subshell_id", json_string(p->subshell));
    return header;
}

static void send_down(struct kernel *k, const struct python_ask *ask, const char *body)
{
    json_t *content = json_object(), *header = header_for(&k->python, ask->request);
    json_object_set_new(content, "code", jx_str(body));
    json_object_set_new(content, "cursor_pos", json_integer(ask->cursor - ask->shift));
    json_object_set_new(content, "detail_level",
                        json_integer(jx_get_int(ask->request->content, "detail_level", 0) ? 1 : 0));
    if (strcmp(ask->request->type, "is_complete_request") == 0) {
        json_object_del(content, "cursor_pos");
        json_object_del(content, "detail_level");
    }
    char *text = jx_dump(header);
    python_send(&k->python, CH_SHELL, ask->request->type, text, NULL, content);
    free(text);
    json_decref(header);
}

static bool is_question(const struct msg *m)
{
    return strcmp(m->type, "complete_request") == 0 || strcmp(m->type, "inspect_request") == 0 ||
           strcmp(m->type, "is_complete_request") == 0;
}

bool python_takes(struct kernel *k, struct msg *m)
{
    struct python *p = &k->python;
    size_t at, n = 0;
    const json_t *v = json_object_get(m->content, "code"), *pos = json_object_get(m->content, "cursor_pos");
    for (const struct python_ask *a = p->asks; a; a = a->next)
        n++;
    if (p->state != PYTHON_READY || p->dead_ms || n >= PYTHON_ASKS_MAX || (p->run.active && !p->subshell[0]) ||
        m->channel == CH_STDIN || m->content_bad || !is_question(m) || !json_is_string(v) ||
        !python_body(json_string_value(v), json_string_length(v), &at))
        return false;
    const char *code = json_string_value(v);
    json_int_t shift = (json_int_t)utf8_count(code, at), all = (json_int_t)utf8_count(code, json_string_length(v));
    json_int_t cursor = json_is_integer(pos) && json_integer_value(pos) < all ? json_integer_value(pos) : all;
    if (cursor < shift || strlen(code) != json_string_length(v))
        return false;
    struct python_ask *ask = xcalloc(1, sizeof *ask);
    *ask = (struct python_ask){.request = m, .shift = shift, .cursor = cursor, .next = p->asks};
    ask->deadline_ms = clock_mono_ms() + PYTHON_ASK_MS;
    p->asks = ask;
    kernel_status(k, m, "busy");
    send_down(k, ask, code + at);
    return true;
}

static void finish(struct kernel *k, struct python_ask *ask, json_t *content)
{
    kernel_reply(k, ask->request, content, NULL);
    kernel_status(k, ask->request, "idle");
    if (k->cell.request)
        kernel_status(k, k->cell.request, "busy");
    msg_free(ask->request);
    free(ask);
}

static void shift_member(json_t *o, const char *key, json_int_t by)
{
    const json_t *v = json_object_get(o, key);
    if (json_is_integer(v))
        json_object_set_new(o, key, json_integer(json_integer_value(v) + by));
}

/* Where IPython says which text a match replaces (JupyterLab reads it). */
static void shift_places(json_t *content, json_int_t by)
{
    size_t i;
    json_t *match;
    shift_member(content, "cursor_start", by);
    shift_member(content, "cursor_end", by);
    json_array_foreach(json_object_get(json_object_get(content, "metadata"), "_jupyter_types_experimental"), i, match) {
        shift_member(match, "start", by);
        shift_member(match, "end", by);
    }
}

bool python_ask_answer(struct kernel *k, const struct msg *m)
{
    const char *id = jx_get_str(m->parent, "msg_id", "");
    for (struct python_ask **at = &k->python.asks; *at; at = &(*at)->next) {
        struct python_ask *ask = *at;
        if (strcmp(ask->request->id, id) != 0)
            continue;
        *at = ask->next;
        shift_places(m->content, ask->shift);
        finish(k, ask, json_incref(m->content));
        return true;
    }
    return false;
}

/* What there is to say without the child. */
static json_t *empty_answer(const struct python_ask *ask)
{
    if (strcmp(ask->request->type, "complete_request") == 0)
        return json_pack("{s[]sIsIs{}}", "matches", "cursor_start", ask->cursor, "cursor_end", ask->cursor, "metadata");
    if (strcmp(ask->request->type, "inspect_request") == 0)
        return json_pack("{sbs{}s{}}", "found", 0, "data", "metadata");
    return json_pack("{ss}", "status", "unknown");
}

void python_ask_expire(struct kernel *k, int64_t now)
{
    struct python_ask **at = &k->python.asks;
    while (*at) {
        struct python_ask *ask = *at;
        if (ask->deadline_ms > now) {
            at = &ask->next;
            continue;
        }
        *at = ask->next;
        finish(k, ask, empty_answer(ask));
    }
}

int64_t python_ask_deadline(const struct kernel *k)
{
    int64_t first = -1;
    for (const struct python_ask *a = k->python.asks; a; a = a->next)
        first = first < 0 || a->deadline_ms < first ? a->deadline_ms : first;
    return first;
}
