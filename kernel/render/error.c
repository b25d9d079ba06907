/*
 * An error as a notebook shows it (see error.h). Plain words and a caret; no colours, so that nothing is lost without
 * them.
 */
#include "render/error.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/jx.h"
#include "base/utf8.h"

enum { LINE_WINDOW = 100 }; /* columns of the cell's line that are shown around the caret */

static void add_line(json_t *lines, const char *label, const char *text)
{
    if (!text || !*text)
        return;
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_printf(&b, "%s%s", label, text);
    json_array_append_new(lines, jx_text(buf_str(&b), b.len));
    buf_release(&b);
}

/* Bytes of the 1-based line; false when the cell has fewer. */
static bool line_at(const char *cell, size_t len, int line, const char **start, size_t *n)
{
    const char *p = cell, *end = cell + len;
    for (; line > 1; line--) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl)
            return false;
        p = nl + 1;
    }
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    *start = p;
    *n = (size_t)((nl ? nl : end) - p);
    if (*n > 0 && p[*n - 1] == '\r')
        (*n)--;
    return true;
}

/* Controls would move the caret: one blank each. */
static void put_flat(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf_putc(out, (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i]);
}

static size_t flat_width(const char *text, size_t len)
{
    size_t controls = 0;
    for (size_t i = 0; i < len; i++)
        controls += (unsigned char)text[i] < 0x20 || text[i] == 0x7f;
    return utf8_width(text, len) + controls;
}

/* "LINE 3: select x" and, under it, the caret. A long line is cut to a window around the column. */
static void add_place(json_t *lines, const struct err *e, const char *cell, size_t len)
{
    const char *line;
    size_t n;
    if (e->line < 1 || !cell || !line_at(cell, len, e->line, &line, &n))
        return;
    size_t column = e->column > 0 ? (size_t)e->column - 1 : 0, count = utf8_count(line, n);
    size_t from = count > LINE_WINDOW && column > LINE_WINDOW / 2 ? column - LINE_WINDOW / 2 : 0;
    size_t to = count - from > LINE_WINDOW ? from + LINE_WINDOW : count;
    size_t start = utf8_offset(line, n, from), stop = utf8_offset(line, n, to);
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_printf(&b, "LINE %d: %s", e->line, from > 0 ? "..." : "");
    size_t lead = b.len;
    put_flat(&b, line + start, stop - start);
    buf_puts(&b, to < count ? "..." : "");
    json_array_append_new(lines, jx_text(buf_str(&b), b.len));
    if (e->column >= 1) {
        size_t at = utf8_offset(line, n, column);
        size_t end = utf8_offset(line, n, column + (e->width > 1 ? (size_t)e->width : 1));
        end = end > stop ? stop : end;
        size_t marks = end > at ? flat_width(line + at, end - at) : 1;
        buf_clear(&b);
        buf_fill(&b, ' ', lead + (at > start ? flat_width(line + start, at - start) : 0));
        buf_fill(&b, '^', marks ? marks : 1);
        json_array_append_new(lines, jx_text(buf_str(&b), b.len));
    }
    buf_release(&b);
}

json_t *error_bundle(const struct err *e, const char *condition, const char *advice, const char *cell, size_t len)
{
    const char *ename = condition ? condition : err_info(e->code)->ename;
    struct buf evalue, first;
    buf_init(&evalue, 4096);
    buf_init(&first, 8192);
    buf_printf(&evalue, "%s%s%s", e->sqlstate, e->sqlstate[0] ? ": " : "", e->text);
    buf_printf(&first, "%s: %s", ename, buf_str(&evalue));
    json_t *lines = json_array();
    json_array_append_new(lines, jx_text(buf_str(&first), first.len));
    add_place(lines, e, cell, len);
    add_line(lines, "DETAIL:  ", e->detail);
    add_line(lines, "HINT:  ", e->hint);
    add_line(lines, "CONTEXT:  ", e->context);
    add_line(lines, "ADVICE:  ", advice);
    json_t *bundle = json_object();
    json_object_set_new(bundle, "ename", jx_str(ename));
    json_object_set_new(bundle, "evalue", jx_text(buf_str(&evalue), evalue.len));
    json_object_set_new(bundle, "traceback", lines);
    buf_release(&evalue);
    buf_release(&first);
    return bundle;
}
