/* Shift-Tab (see interp.h): what the descriptors say about the word at the cursor. What SQL names is in inspect_sql.c. */
#include <string.h>

#include "base/jx.h"
#include "magics/help.h"
#include "magics/inspect_sql.h"
#include "magics/interp.h"
#include "magics/place.h"

/* The row of the option or value that the word is. */
static const struct arg_row *row_at(const char *code, const struct place *p)
{
    for (const struct arg_row *r = p->rows; r && r->name; r++) {
        if (p->option && strcmp(r->name, p->option) == 0)
            return r;
        size_t n = strlen(r->name), len = p->end - p->start;
        if (!r->positional && len == n + 2 && memcmp(code + p->start, "--", 2) == 0 &&
            memcmp(code + p->start + 2, r->name, n) == 0)
            return r;
        if (!r->positional && r->letter && len == 2 && code[p->start] == '-' && code[p->start + 1] == r->letter)
            return r;
    }
    return NULL;
}

static json_t *bundle(struct buf *plain, struct buf *markdown)
{
    json_t *data = json_object();
    json_object_set_new(data, "text/plain", jx_text(buf_str(plain), plain->len));
    json_object_set_new(data, "text/markdown", jx_text(buf_str(markdown), markdown->len));
    buf_release(plain);
    buf_release(markdown);
    return data;
}

json_t *interp_inspect(const char *code, size_t len, size_t cursor, int detail)
{
    struct place p;
    cursor = cursor < len ? cursor : len;
    place_find(code, len, cursor, true, &p);
    if (p.kind == PLACE_SQL || (p.kind == PLACE_BODY && p.magic && strcmp(p.magic->name, "sql") == 0))
        return inspect_sql(code, len, cursor, &p);
    if (!p.magic || p.kind == PLACE_BODY)
        return NULL;
    json_t *object = p.kind == PLACE_ARGUMENT && p.magic_kind == MAGIC_BACKSLASH && p.end > p.start
                         ? inspect_object(code + p.start, p.end - p.start) : NULL;
    if (object)
        return object;
    struct buf plain, markdown;
    buf_init(&plain, 1 << 20);
    buf_init(&markdown, 1 << 20);
    const struct arg_row *row = p.kind == PLACE_ARGUMENT && detail == 0 ? row_at(code, &p) : NULL;
    if (row) {
        help_row(row, &plain);
        help_row(row, &markdown);
        return bundle(&plain, &markdown);
    }
    const struct magic_sub *sub = p.kind == PLACE_ARGUMENT && p.sub && *p.sub->name ? p.sub : NULL;
    help_magic(p.magic, sub, HELP_PLAIN, 3, &plain);
    help_magic(p.magic, sub, HELP_MARKDOWN, 3, &markdown);
    return bundle(&plain, &markdown);
}
