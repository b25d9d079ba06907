/*
 * A table as text: psql's aligned format with border 1, byte for byte (src/fe_utils/print.c), normal and expanded.
 * Nothing here wraps to a screen's width: outputs must not depend on the reader's window.
 */
#include "render/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

enum { WIDTH_CAP = 500, LINES_CAP = 1000 };
/* Reads a cell line by line, as it is displayed. */
struct reader {
    const char *text;
    size_t len, at;
    size_t cut; /* characters behind the end that are not here */
    size_t lines;
    bool done;
};

void text_more(struct buf *out, size_t count)
{
    if (count > 0)
        buf_printf(out, "… (%zu more character%s)", count, count == 1 ? "" : "s");
}

/* What was left out from `from` on, up to the line's end or all; adds to the line's width. */
static void put_more(struct reader *r, size_t from, bool all, struct buf *out, size_t *width)
{
    const char *nl = all ? NULL : memchr(r->text + from, '\n', r->len - from);
    size_t end = nl ? (size_t)(nl - r->text) : r->len, before = out->len;
    text_more(out, utf8_count(r->text + from, end - from) + (nl ? 0 : r->cut));
    *width += utf8_width(buf_str(out) + before, out->len - before);
    r->at = end;
}

static struct reader reader_of(const char *text, size_t len) { return (struct reader){.text = text, .len = len}; }

static struct reader reader_of_cell(const struct table_cell *c)
{
    struct reader r = c->text ? reader_of(c->text, c->len) : reader_of("NULL", 4);
    r.cut = c->cut;
    return r;
}

/* One character as psql shows it; returns its width. */
static size_t put_char(struct buf *out, const char *at, size_t n, uint32_t cp, size_t column)
{
    if (n == 0) {
        buf_puts(out, "\xef\xbf\xbd");
        return 1;
    }
    if (cp == '\r') {
        buf_puts(out, "\\r");
        return 2;
    }
    if (cp == '\t') {
        buf_fill(out, ' ', 8 - column % 8);
        return 8 - column % 8;
    }
    if (cp < 0x20 || cp == 0x7f) {
        buf_printf(out, "\\x%02X", (unsigned)cp);
        return 4;
    }
    if (cp >= 0x80 && cp < 0xa0) {
        buf_printf(out, "\\u%04X", (unsigned)cp);
        return 6;
    }
    buf_add(out, at, n);
    return utf8_width(at, n);
}

/* Most cells: one line of characters that are shown as they are, one column and one byte each. */
static bool is_plain(const struct reader *r)
{
    if (r->at > 0 || r->cut > 0 || r->len > WIDTH_CAP)
        return false;
    for (size_t i = 0; i < r->len; i++) {
        if (r->text[i] < 0x20 || r->text[i] == 0x7f) /* bytes from 0x80 on are negative */
            return false;
    }
    return true;
}

/* The next display line into out (cleared first). false: there is none. A cell has at least one line. */
static bool next_line(struct reader *r, struct buf *out, size_t *width)
{
    if (r->done)
        return false;
    bool cut = false;
    buf_clear(out);
    if (is_plain(r)) {
        buf_add(out, r->text, r->len);
        *width = r->len;
        r->lines = 1;
        r->done = true;
        return true;
    }
    *width = 0;
    if (++r->lines > LINES_CAP) {
        put_more(r, r->at, true, out, width);
        r->done = true;
        return true;
    }
    while (r->at < r->len && r->text[r->at] != '\n') {
        uint32_t cp = 0;
        if (*width >= WIDTH_CAP) {
            put_more(r, r->at, false, out, width);
            cut = true;
            break;
        }
        size_t n = utf8_decode(r->text + r->at, r->len - r->at, &cp);
        *width += put_char(out, r->text + r->at, n, cp, *width);
        r->at += n ? n : 1;
    }
    if (!cut && r->at == r->len)
        put_more(r, r->at, false, out, width); /* nothing, unless the table cut the cell */
    r->done = r->at == r->len;
    r->at++;
    return true;
}

static size_t cell_width(struct reader r, struct buf *line, size_t *lines)
{
    if (is_plain(&r)) {
        if (lines && *lines < 1)
            *lines = 1;
        return r.len;
    }
    size_t most = 0, width;
    while (next_line(&r, line, &width))
        most = width > most ? width : most;
    if (lines && r.lines > *lines)
        *lines = r.lines;
    return most;
}

/* State of one printing; all arrays have n_columns entries. */
struct printer {
    struct table *t;
    struct buf *out, line;
    size_t *width;
    struct reader *reader;
    size_t header_lines;
};

static void put_centred(struct printer *p, size_t width, size_t text_width)
{
    size_t space = width - text_width;
    buf_fill(p->out, ' ', space / 2);
    buf_add(p->out, buf_str(&p->line), p->line.len);
    buf_fill(p->out, ' ', (space + 1) / 2);
}

static void put_header(struct printer *p)
{
    size_t n = p->t->n_columns;
    for (size_t j = 0; j < n; j++)
        p->reader[j] = reader_of(p->t->columns[j].name, strlen(p->t->columns[j].name));
    for (size_t k = 0; k < p->header_lines; k++) {
        for (size_t j = 0; j < n; j++) {
            size_t width = 0;
            buf_putc(p->out, ' ');
            if (next_line(&p->reader[j], &p->line, &width))
                put_centred(p, p->width[j], width);
            else
                buf_fill(p->out, ' ', p->width[j]);
            buf_putc(p->out, p->reader[j].done ? ' ' : '+');
            buf_puts(p->out, j + 1 < n ? "|" : "");
        }
        buf_putc(p->out, '\n');
    }
    buf_putc(p->out, '-');
    for (size_t j = 0; j < n; j++) {
        buf_fill(p->out, '-', p->width[j]);
        buf_puts(p->out, j + 1 < n ? "-+-" : "");
    }
    buf_puts(p->out, "-\n");
}

/* One column of one display line. Returns whether the cell goes on. */
static bool put_cell_line(struct printer *p, size_t j)
{
    bool last = j + 1 == p->t->n_columns, right = p->t->columns[j].align == TABLE_RIGHT;
    size_t width = 0, full = p->width[j];
    buf_putc(p->out, ' ');
    if (!next_line(&p->reader[j], &p->line, &width)) {
        buf_fill(p->out, ' ', last ? 0 : full + 1);
        return false;
    }
    bool more = !p->reader[j].done;
    buf_fill(p->out, ' ', right ? full - width : 0);
    buf_add(p->out, buf_str(&p->line), p->line.len);
    if (!right && (!last || more))
        buf_fill(p->out, ' ', full - width);
    buf_puts(p->out, more ? "+" : last ? "" : " ");
    return more;
}

static void put_row(struct printer *p, size_t row)
{
    size_t n = p->t->n_columns;
    bool more = n > 0;
    for (size_t j = 0; j < n; j++)
        p->reader[j] = reader_of_cell(table_cell_at(p->t, row, j));
    while (more) {
        more = false;
        for (size_t j = 0; j < n; j++) {
            more |= put_cell_line(p, j);
            buf_puts(p->out, j + 1 < n ? "|" : "");
        }
        buf_putc(p->out, '\n');
    }
}

static void put_title(struct printer *p)
{
    size_t total = p->t->n_columns ? p->t->n_columns * 3 - 1 : 0;
    for (size_t j = 0; j < p->t->n_columns; j++)
        total += p->width[j];
    size_t width = cell_width(reader_of(p->t->title, strlen(p->t->title)), &p->line, NULL);
    if (width < total)
        buf_fill(p->out, ' ', (total - width) / 2);
    buf_puts(p->out, p->t->title);
    buf_putc(p->out, '\n');
}

static void put_footer(struct printer *p)
{
    const char *footer = table_footer(p->t);
    if (*footer)
        buf_printf(p->out, "%s\n", footer);
}

static void print_aligned(struct printer *p)
{
    struct table *t = p->t;
    for (size_t j = 0; j < t->n_columns; j++) {
        p->width[j] = cell_width(reader_of(t->columns[j].name, strlen(t->columns[j].name)), &p->line,
                                 &p->header_lines);
        for (size_t i = 0; i < t->n_rows; i++) {
            size_t w = cell_width(reader_of_cell(table_cell_at(t, i, j)), &p->line, NULL);
            p->width[j] = w > p->width[j] ? w : p->width[j];
        }
    }
    if (t->title)
        put_title(p);
    put_header(p);
    for (size_t i = 0; i < t->n_rows; i++)
        put_row(p, i);
    put_footer(p);
}

/* "-[ RECORD 1 ]-+------": the rule above a record. The '+' stands over the '|' when the label leaves room. */
static void put_record_rule(struct printer *p, size_t record, size_t hwidth, size_t dwidth)
{
    size_t before = p->out->len;
    buf_printf(p->out, "-[ RECORD %zu ]", record);
    size_t used = p->out->failed ? 0 : p->out->len - before; /* psql counts the first '-' as part of the header */
    if (used < hwidth) {
        buf_fill(p->out, '-', hwidth - used);
        used = hwidth;
    }
    /* '-', '+', '-' are written unless the label covers their place. */
    size_t over = used - hwidth;
    static const char joint[] = "-+-";
    size_t covered = over < 3 ? over : 3;
    buf_puts(p->out, joint + covered);
    over -= covered;
    buf_fill(p->out, '-', over < dwidth ? dwidth - over : 0);
    buf_putc(p->out, '\n');
}

static void put_field(struct printer *p, struct reader head, struct reader data, size_t hwidth, size_t dwidth,
                      bool several_lines)
{
    while (!head.done || !data.done) {
        size_t width = 0;
        if (next_line(&head, &p->line, &width)) {
            buf_add(p->out, buf_str(&p->line), p->line.len);
            buf_fill(p->out, ' ', hwidth - width);
            buf_putc(p->out, head.done ? ' ' : '+');
        } else {
            buf_fill(p->out, ' ', hwidth + 1);
        }
        buf_putc(p->out, '|');
        if (next_line(&data, &p->line, &width)) {
            buf_putc(p->out, ' ');
            buf_add(p->out, buf_str(&p->line), p->line.len);
            if (!data.done && several_lines) {
                buf_fill(p->out, ' ', dwidth - width);
                buf_putc(p->out, '+');
            }
        }
        buf_putc(p->out, '\n');
    }
}

static void print_expanded(struct printer *p)
{
    struct table *t = p->t;
    size_t hwidth = 0, dwidth = 0, lines = 1;
    for (size_t j = 0; j < t->n_columns; j++) {
        size_t w = cell_width(reader_of(t->columns[j].name, strlen(t->columns[j].name)), &p->line, NULL);
        hwidth = w > hwidth ? w : hwidth;
        for (size_t i = 0; i < t->n_rows; i++) {
            w = cell_width(reader_of_cell(table_cell_at(t, i, j)), &p->line, &lines);
            dwidth = w > dwidth ? w : dwidth;
        }
    }
    /* The data is at least as wide as the longest "-[ RECORD n ]"; a '+' needs a column of its own. */
    size_t rule = (size_t)snprintf(NULL, 0, "-[ RECORD %zu ]", t->n_rows), around = hwidth + 3 + (lines > 1);
    if (around < rule && rule - around > dwidth)
        dwidth = rule - around;
    if (t->title)
        buf_printf(p->out, "%s\n", t->title);
    for (size_t i = 0; i < t->n_rows; i++) {
        put_record_rule(p, i + 1, hwidth, dwidth);
        for (size_t j = 0; j < t->n_columns; j++)
            put_field(p, reader_of(t->columns[j].name, strlen(t->columns[j].name)),
                      reader_of_cell(table_cell_at(t, i, j)), hwidth, dwidth, lines > 1);
    }
    /* psql leaves the row count out here; what was cut off must still be said. */
    if (t->footer || t->more || t->n_rows < t->seen) {
        buf_putc(p->out, '\n');
        put_footer(p);
    }
}

void text_table(struct table *t, struct buf *out)
{
    size_t n = t->n_columns;
    struct printer p = {.t = t, .out = out};
    buf_init(&p.line, SIZE_MAX / 4);
    p.width = xcalloc(n, sizeof *p.width);
    p.reader = xcalloc(n, sizeof *p.reader);
    if (t->expanded && n > 0 && t->n_rows > 0)
        print_expanded(&p);
    else if (t->expanded && (t->n_rows == 0 || n == 0))
        put_footer(&p);
    else
        print_aligned(&p);
    free(p.width);
    free(p.reader);
    buf_release(&p.line);
}
